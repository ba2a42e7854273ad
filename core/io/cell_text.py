r"""Text in the cells of a table: one line, of ASCII where a format knows nothing else.

Line ends, tabs and other control characters break a row in one format or another, VOTable
loses blanks around a text, and FITS holds ASCII only. Such characters are written as Python
writes them, ``\n``, ``\t``, ``\x00``, ``\xc5``, ``\u2026``, and a backslash twice, so that
:func:`unescape` gives back exactly what was there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
"""Control characters, line separators, half surrogates, and the two that XML forbids."""

_SHORT = {"\n": "\\n", "\t": "\\t"}
_ESCAPE = re.compile(r"\\(\\|n|t|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_PLAIN = {"\\": "\\", "n": "\n", "t": "\t"}


def escape(text: str, ascii_only: bool = False) -> str:
    r"""Return a text on one line, of ASCII if asked for; :func:`unescape` gives it back.

    Parameters
    ----------
    text : str
        Any text.
    ascii_only : bool
        Whether characters outside ASCII are escaped as well.

    Examples
    --------
    >>> print(escape("blue\twing\n\\"))
    blue\twing\n\\
    >>> print(escape("Ångström", ascii_only=True))
    \xc5ngstr\xf6m
    """
    text = text.replace("\\", "\\\\")
    text = UNWRITABLE.sub(lambda found: _code(found.group()), text)
    # Some writers and some readers drop blanks around a text.
    inside = text.strip()
    if inside != text:
        start = text.index(inside) if inside else len(text)
        end = start + len(inside)
        text = "".join([*map(_code, text[:start]), inside, *map(_code, text[end:])])
    return text.encode("ascii", "backslashreplace").decode() if ascii_only else text


def _code(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def unescape(text: str) -> str:
    r"""Return the text of which :func:`escape` made another one.

    Examples
    --------
    >>> unescape(r"\xc5ngstr\xf6m")
    'Ångström'
    """

    def one(found: re.Match[str]) -> str:
        code = found.group(1)
        if code in _PLAIN:
            return _PLAIN[code]
        number = int(code[1:], 16)
        return chr(number) if number <= 0x10FFFF else found.group(0)

    return _ESCAPE.sub(one, text)


def column_texts(column: Any) -> list[str]:
    """Return a column as texts; masked ones and None are empty.

    Parameters
    ----------
    column : astropy Column or MaskedColumn, shape ``(n_rows,)``
        Of texts, bytes (read as UTF-8) or objects that are texts.
    """
    masked = np.ma.getmaskarray(np.ma.asarray(column)).tolist()
    values = np.asarray(column).tolist()
    out = []
    for value, hidden in zip(values, masked, strict=True):
        if hidden or value is None:
            out.append("")
        elif isinstance(value, bytes):
            out.append(value.decode("utf-8", "backslashreplace"))
        else:
            out.append(str(value))
    return out


def unescape_columns(table: Any, names: Iterable[str]) -> Any:
    """Return a copy of a table, the texts of some columns as they were before writing.

    Parameters
    ----------
    table : astropy.table.Table
        As read from a file.
    names : iterable of str
        Columns to treat, as the table's metadata ``escaped`` lists them; those that the
        table lacks are passed over.
    """
    out = table.copy()
    for name in names:
        if name in out.colnames:
            about = out[name].info.description
            out[name] = np.array([unescape(t) for t in column_texts(out[name])], dtype=np.str_)
            out[name].info.description = about
    return out

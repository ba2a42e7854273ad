"""Tables of text: ECSV, CSV, and columns separated by blanks, tabs, semicolons or bars."""

from __future__ import annotations

import re

import numpy as np

from ..errors import SpectrumError
from ..files.tables import require_narrow
from .columns import Columns, canonical, role_of

ECSV_START = b"# %ECSV"

HEAD_BYTES = 20_000
"""How much of a file is looked at to tell whether it is a table."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?|[-+]?(?:nan|inf)", re.IGNORECASE)

_NAMED = ("wavelength", "log_wavelength", "ln_wavelength", "flux")


def is_text_table(content: bytes) -> bool:
    """Tell whether content is text that starts as a table with a spectrum does.

    It does with ECSV, with names of columns of which one is that of a wavelength or a
    flux, and with numbers, of which the reader says that they lack names.
    """
    if content.startswith(ECSV_START):
        return True
    head = content[:HEAD_BYTES]
    if b"\x00" in head:
        return False
    try:
        lines = _with_names(head.decode("latin-1"))
    except ValueError:
        return False
    separator = _separator(lines[0])
    words = _fields(lines[0], separator)
    if len(words) > 1 and any(role_of(w) in _NAMED for w in words):
        # A sentence may hold the word "flux"; below names of columns there are numbers.
        below = [w.replace(",", ".") for line in lines[1:4] for w in _fields(line, separator)]
        if not below:
            return all(role_of(w) for w in words)
        return any(_NUMBER.fullmatch(w) for w in below)
    return len(words) > 1 and all(_NUMBER.fullmatch(w) for w in words)


def read_text(content: bytes, name: str) -> Columns:
    """Return the columns of a table of text.

    Raises
    ------
    SpectrumError
        If the content is no text, no table, has fewer than two rows, or text where numbers of
        a spectrum belong.
    """
    # Imported here: tables take a while to load, which readers of images need not wait for.
    from astropy.table import Table

    text = _decoded(content, name)
    require_narrow(text.splitlines(), name)
    comments = [line.lstrip("# ") for line in text.splitlines()[:200] if line.startswith("#")]
    units: list[str] = []
    try:
        if content.startswith(ECSV_START):
            table = Table.read(text.splitlines(), format="ascii.ecsv")
        else:
            lines = _with_names(text)
            separator = _separator(lines[0])
            lines, units = _without_unit_row(lines, separator)
            table = Table.read(
                _with_points(lines, separator),
                format="ascii.csv" if separator == "," else "ascii.basic",
                guess=False,
                **({} if separator == "," else {"delimiter": separator, "quotechar": '"'}),
            )
    except SpectrumError:
        raise
    except Exception as problem:
        # The parsers of ECSV and of its YAML header have no error in common.
        reason = str(problem).strip().splitlines()
        raise SpectrumError(
            f"{name} cannot be read as a table ({reason[0] if reason else type(problem).__name__}"
            "); expected ECSV, or CSV with a line of column names such as wavelength,flux,error. "
            "It may be truncated."
        ) from problem
    if len(table) < 2:
        raise SpectrumError(f"Expected a pixel per row in {name}, two or more; found {len(table)}.")
    out = Columns()
    for i, key in enumerate(table.colnames):
        column = table[key]
        kind = getattr(column, "dtype", np.dtype(object)).kind
        role = role_of(key)
        if kind in "fiub" or (kind in "US" and role == "id"):
            out.add(
                key,
                column,
                column.unit or (units[i] if i < len(units) else ""),
                " ".join([column.description or "", *map(str, column.meta.values())]),
            )
        elif role in (*_NAMED, "error", "variance", "ivar"):
            raise SpectrumError(
                f"Expected numbers in column {key!r} of {name}; found text, such as "
                f"{str(column[0])[:20]!r}. It may be truncated."
            )
    out.meta = {str(k).lower(): v for k, v in table.meta.items()}
    if not content.startswith(ECSV_START):
        out.meta |= {"comments": comments}
    return out


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        if b"\x00" in content[:HEAD_BYTES]:
            raise SpectrumError(
                f"{name} is neither text nor FITS; expected a table with columns wavelength, flux "
                "and error as ECSV, CSV or FITS."
            ) from problem
        return content.decode("latin-1")


def _separator(line: str) -> str:
    """Return what separates the columns of a first line."""
    plain = re.sub(r'"[^"]*"', '""', line)
    counts = {mark: plain.count(mark) for mark in ("\t", ";", ",", "|")}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else " "


def _fields(line: str, separator: str) -> list[str]:
    parts = line.split() if separator == " " else line.split(separator)
    words = [p.strip().strip("\"'").strip() for p in parts]
    return [w for w in words if w]


def _with_names(text: str) -> list[str]:
    """Return the lines of a table, the names first; a name line may be a comment."""
    comments: list[str] = []
    lines: list[str] = []
    for line in text.lstrip("\ufeff").splitlines():
        plain = line.strip(" \r\n\f\v")
        if plain.lstrip().startswith("#"):
            if not lines:
                comments.append(plain.lstrip("# \t"))
        elif plain.strip():
            lines.append(plain)
    if lines and not re.search(r"[A-Za-zλ]{2}", lines[0]):
        separator = _separator(lines[0])
        wide = len(_fields(lines[0], separator))
        for comment in reversed(comments):
            for mark in (separator, _separator(comment), " "):
                words = _fields(comment, mark)
                if len(words) == wide and re.search(r"[A-Za-z]{2}", comment):
                    joined = separator.join(f'"{w}"' for w in words)
                    return [joined, *lines]
    if not lines:
        raise ValueError("no line of numbers")
    return lines


def _without_unit_row(lines: list[str], separator: str) -> tuple[list[str], list[str]]:
    """Return the lines without rows of units and of dashes below the names, and the units."""
    units: list[str] = []
    rest = lines[1:]
    for _ in range(2):
        if not rest:
            break
        parts = rest[0].split() if separator == " " else rest[0].split(separator)
        words = [p.strip().strip("\"'[]() ") for p in parts]
        numbers = any(_NUMBER.fullmatch(w.replace(",", ".")) for w in words)
        dashes = all(re.fullmatch(r"[-=+]*", w) for w in words)
        alike = len(parts) == len(
            lines[0].split() if separator == " " else lines[0].split(separator)
        )
        known = any(_is_unit(w) for w in words)
        if numbers or not alike or not (dashes or known):
            break
        if not dashes:
            units = words
        rest = rest[1:]
    return [lines[0], *rest], units


def _is_unit(word: str) -> bool:
    from .column_units import wavelength_unit

    return bool(wavelength_unit(word)) and canonical(word) != ""


def _with_points(lines: list[str], separator: str) -> list[str]:
    """Return lines in which decimal commas are points, where the separator is another sign."""
    if separator == "," or len(lines) < 2:
        return lines
    if re.search(r"\d,\d", lines[1]) and "." not in lines[1]:
        return [lines[0], *(line.replace(",", ".") for line in lines[1:])]
    return lines

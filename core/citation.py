"""How to cite spectrabridge: what CITATION.cff says, as BibTeX."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "CITATION.cff"
"""The file that this is taken from; it lies in the package."""

_LATEX_ACCENTS = {
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING DIAERESIS}": '"',
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING RING ABOVE}": "r ",
    "\N{COMBINING CARON}": "v ",
    "\N{COMBINING CEDILLA}": "c ",
}


def bibtex() -> str:
    """Return BibTeX entries of the software and of the paper whose method it implements.

    Returns
    -------
    str
        ``@software`` and ``@article``, in ASCII as BibTeX wants it.

    Examples
    --------
    >>> print(bibtex().splitlines()[0])
    @software{spectrabridge,
    """
    import yaml

    data = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    articles = [r for r in data["references"] if r["type"] == "article"]
    return "\n\n".join([_software(data), *(_article(article) for article in articles)])


def _software(data: Mapping[str, Any]) -> str:
    return _entry(
        "software",
        data["title"],
        {
            "author": _authors(data),
            "title": f"{{{data['title']}}}",
            "version": data["version"],
            "license": data["license"],
        },
    )


def _article(data: Mapping[str, Any]) -> str:
    preprints = [i["value"] for i in data.get("identifiers", ()) if i["value"].startswith("arXiv:")]
    family = data["authors"][0]["family-names"]
    return _entry(
        "article",
        "".join(c for c in family if c.isascii() and c.isalpha()) + str(data["year"]),
        {
            "author": _authors(data),
            "title": f"{{{data['title']}}}",
            "journal": data["journal"],
            "year": data["year"],
            "volume": data["volume"],
            "number": data["issue"],
            "pages": data["start"],
            "doi": data["doi"],
            "eprint": ", ".join(text.removeprefix("arXiv:") for text in preprints),
            "archivePrefix": "arXiv",
        },
    )


def _entry(kind: str, key: str, fields: Mapping[str, Any]) -> str:
    lines = [f"  {name} = {{{_ascii(str(value))}}}" for name, value in fields.items() if value]
    return f"@{kind}{{{key},\n" + ",\n".join(lines) + "\n}"


def _authors(data: Mapping[str, Any]) -> str:
    """Return authors joined by "and"; a group's name stands in braces, which keep it whole."""
    return " and ".join(
        f"{{{a['name']}}}" if "name" in a else f"{a['family-names']}, {a['given-names']}"
        for a in data["authors"]
    )


def _ascii(text: str) -> str:
    """Return text with accents as LaTeX commands."""
    out = ""
    for character in unicodedata.normalize("NFC", text):
        apart = unicodedata.normalize("NFD", character)
        if len(apart) == 2 and apart[1] in _LATEX_ACCENTS:
            out += f"{{\\{_LATEX_ACCENTS[apart[1]]}{apart[0]}}}"
        else:
            out += character
    return out

"""The formats in which tables are written: what they are called, end in and are served as."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import TableError


@dataclass(frozen=True)
class TableFormat:
    """A format of tables.

    Parameters
    ----------
    name : str
        What people call it.
    suffixes : tuple of str
        Endings of its files, with the dot; downloads get the first.
    media_type : str
        What a browser is told.
    astropy : str
        What astropy calls it.
    """

    name: str
    suffixes: tuple[str, ...]
    media_type: str
    astropy: str

    @property
    def suffix(self) -> str:
        """The ending of a download, with the dot."""
        return self.suffixes[0]


FORMATS: dict[str, TableFormat] = {
    one.name: one
    for one in (
        TableFormat("ECSV", (".ecsv",), "text/plain", "ascii.ecsv"),
        TableFormat("VOTable", (".vot", ".xml"), "application/x-votable+xml", "votable"),
        TableFormat("FITS", (".fits",), "application/fits", "fits"),
        TableFormat("CSV", (".csv",), "text/csv", "ascii.csv"),
    )
}
"""The formats by name. Whatever offers or checks formats of tables takes them from here."""

SUFFIXES: dict[str, TableFormat] = {s: one for one in FORMATS.values() for s in one.suffixes}
"""The formats by the ending of a file."""


def format_of(path: str | Path) -> TableFormat:
    """Return the format that the ending of a file stands for.

    Raises
    ------
    TableError
        If it stands for none.

    Examples
    --------
    >>> format_of("labels.vot").name
    'VOTable'
    """
    found = SUFFIXES.get(Path(path).suffix.lower())
    if found is None:
        raise TableError(
            f"A table's file ends in {', '.join(SUFFIXES)}; found {Path(path).name!r}."
        )
    return found

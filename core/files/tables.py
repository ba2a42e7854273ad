"""Tables that astropy reads, opened with limits."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SpectrabridgeError, SpectrumError
from .fits_layout import FITS_START, open_fits
from .regular import read_limited, unpacked
from .understood import understood

if TYPE_CHECKING:
    from astropy.table import Table

MAX_TABLE_BYTES = 2_000_000_000
"""Bytes of a table that is read whole."""

MAX_COLUMNS = 3000
"""Columns of a table of text: the time that astropy takes grows with their square."""

_DATA_ELSEWHERE = re.compile(rb"<STREAM[^>]*\bhref\s*=|<!ENTITY|<!DOCTYPE", re.IGNORECASE)


def read_table(
    source: str | Path | bytes,
    kind: str,
    name: str = "",
    what: str = "a table",
    *,
    max_bytes: int = MAX_TABLE_BYTES,
    error: type[SpectrabridgeError] = SpectrumError,
) -> Table:
    """Return a table, compressed by gzip or not.

    Parameters
    ----------
    source : path or bytes
        The file or its content.
    kind : str
        What astropy calls the format: ``ascii.ecsv``, ``ascii.csv``, ``fits`` or ``votable``.
    name, what, max_bytes, error
        See :func:`~spectrabridge.core.files.regular.read_limited`.

    Raises
    ------
    SpectrabridgeError
        If the file cannot be read, is no such table, is too large, or is a VOTable whose
        data lie elsewhere.
    """
    from astropy.table import Table

    content, name = read_limited(source, name, what, max_bytes=max_bytes, error=error)
    content = unpacked(content, name, what, max_bytes=max_bytes, error=error)
    if kind == "fits" and not content.startswith(FITS_START):
        raise error(f"{name} is not a FITS file; expected {what}.")
    with understood(name, what, error), warnings.catch_warnings():
        if kind == "fits":
            with open_fits(content, name, what, max_bytes=max_bytes, error=error) as hdus:
                return Table.read(hdus, format="fits", character_as_bytes=False)
        if kind == "votable":
            require_data_inside(content, name, error)
            warnings.simplefilter("ignore")
            return Table.read(io.BytesIO(content), format="votable")
        lines = content.decode("utf-8-sig").splitlines()
        require_narrow(lines, name, error)
        return Table.read(lines, format=kind, guess=False)


def require_narrow(
    lines: Sequence[str], name: str, error: type[SpectrabridgeError] = SpectrumError
) -> None:
    """Raise the error if a table of text has more columns than are read.

    Parameters
    ----------
    lines : sequence of str
        Of the table; the first that is no comment tells.
    name, error
        See :func:`read_table`.

    Raises
    ------
    SpectrabridgeError
        If there are more than 3,000.
    """
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    n = max(len(first.split()), *(first.count(mark) + 1 for mark in ",;|\t"))
    if n > MAX_COLUMNS:
        raise error(
            f"{name} has {n} columns; tables of text are read up to {MAX_COLUMNS}. Write spectra "
            "as rows of a FITS or HDF5 file."
        )


def require_data_inside(
    content: bytes, name: str, error: type[SpectrabridgeError] = SpectrumError
) -> None:
    """Raise the error if a VOTable has its data in another file or at another address."""
    if _DATA_ELSEWHERE.search(content):
        raise error(
            f"{name} is refused: its data, or parts of it, lie in another file. Save the table "
            "with its data inside."
        )

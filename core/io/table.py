"""Read spectra from a plain table: ECSV, CSV or columns of text, or tables of a FITS file.

Columns are found by name and may be in any order; see :mod:`.columns`. Every table of a FITS file
that holds a spectrum is read, and every row of arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APSTAR_GRID, WavelengthGrid
from .columns import Columns, has_spectrum, role_of
from .fits_file import FITS_START, LARGEST_FILE, columns_of, product_of, read_bytes, read_fits
from .spectrum_columns import read_columns
from .star_formats import STAR_FORMATS, OpenFile, ReadingOptions, StarFile
from .text_table import is_text_table, read_text
from .whole_star import hdu_title, plain_star, read_hdus

_OTHER_PRODUCTS = ("aspcapStar", "apVisit", "allStar", "mwmStar")


def is_spectrum_table(hdus: fits.HDUList) -> bool:
    """Tell whether an open FITS file has a table with a wavelength and a flux."""
    return bool(_spectrum_hdus(hdus))


def read_spectrum_table(
    source: str | Path | bytes | BinaryIO,
    name: str = "",
    *,
    grid: WavelengthGrid = APSTAR_GRID,
    unit: str | None = None,
    medium: str | None = None,
    rv_kms: float | None = None,
) -> Spectra:
    """Read the spectra of a table and resample them to a grid.

    Parameters
    ----------
    source : path, bytes or binary file
        ECSV, CSV or columns separated by blanks, tabs, semicolons or bars with a line of names,
        or a FITS file with tables in which rows are pixels, or rows hold arrays.
    name : str, optional
        What to call the file in messages; the file's own name if not given.
    grid : WavelengthGrid
        The grid to resample to; pixels on none of its chips become unusable.
    unit : {"angstrom", "nm", "um"}, optional
        Unit of the wavelengths of a file that does not say it. Without either it is guessed,
        provided that the spectrum meets the grid in one unit only.
    medium : {"vacuum", "air"}, optional
        Medium of the wavelengths of a file that does not say it by the name, unit or description
        of the column or the metadata (``medium``, ``AIRORVAC``, ``VACUUM``); else vacuum.
    rv_kms : float, optional
        Velocity of the star relative to the wavelengths in km/s, which is taken out.

    Returns
    -------
    Spectra
        A row for each spectrum. Without errors in the file, noise is estimated from the scatter
        between pixels. A quality column is bad where it is not 0, ``good`` is good there, and of
        a ``mask`` the value of most pixels is the good one. ``provenance["notes"]`` has a
        sentence on everything that was assumed.

    Raises
    ------
    SpectrumError
        If the file cannot be read, columns are missing, the unit is unknown, an option
        contradicts the file, wavelengths are not in order or do not meet the grid, errors are
        negative, or no pixel is usable.

    Examples
    --------
    >>> lines = ["lambda,flux,err", *(f"{w},1.0,0.01" for w in range(15100, 17000))]
    >>> spectra = read_spectrum_table("".join(f"{line}{chr(10)}" for line in lines).encode())
    >>> len(spectra), spectra.grid.n_pixels
    (1, 8575)
    """
    options = ReadingOptions(unit, medium, rv_kms)
    content, name = read_bytes(source, name, "a table with a spectrum", LARGEST_FILE)
    if content.startswith(FITS_START):
        return read_fits(
            content,
            lambda hdus, name: _from_fits(hdus, name, options, grid),
            name,
            "spectrum",
            LARGEST_FILE,
        )
    return _from_text(content, name, options, grid)


def _from_text(content: bytes, name: str, options: ReadingOptions, grid: WavelengthGrid) -> Spectra:
    return _labelled(read_columns(read_text(content, name), name, options, grid=grid))


def _labelled(spectra: Spectra) -> Spectra:
    return replace(spectra, provenance={**spectra.provenance, "product": "table"})


# ---------------------------------------------------------------------- FITS


def _spectrum_hdus(hdus: fits.HDUList) -> list[int]:
    return [i for i, hdu in enumerate(hdus) if has_spectrum(columns_of(hdu))]


def _from_fits(
    hdus: fits.HDUList, name: str, options: ReadingOptions, grid: WavelengthGrid
) -> Spectra:
    where = _spectrum_hdus(hdus)
    if not where:
        found = [sorted(columns_of(h)) for h in hdus[1:] if columns_of(h)]
        some = ", ".join(found[0][:8]) if found else "no table"
        raise SpectrumError(
            f"Expected a table with columns wavelength, flux and error in {name}; found {some}."
        )
    notes: list[str] = []
    parts = _with_rows(hdus, where, name, notes)
    nothing = f"{name} holds no spectrum: its tables are empty."
    return _labelled(read_hdus(parts, name, options, notes, nothing, grid=grid))


def _with_rows(
    hdus: fits.HDUList, where: list[int], name: str, notes: list[str]
) -> Iterator[tuple[str, Callable[[], Columns]]]:
    """Yield tables with what returns their columns; a note names those that are empty."""
    for i in where:
        title = hdu_title(i, hdus[i])
        if len(hdus[i].data):
            yield title, partial(fits_columns, hdus[i], hdus[0].header)
        else:
            notes.append(f"{title} of {name} is empty and was passed over.")


def fits_columns(hdu: Any, main: Mapping[str, Any] | None = None) -> Columns:
    """Return the columns of a FITS table with what its header says of them.

    Parameters
    ----------
    hdu : BinTableHDU or TableHDU
        The table. Arrays of several lengths are filled up with NaN.
    main : Header, optional
        Header of the file.
    """
    out = Columns()
    header = hdu.header
    for i, column in enumerate(hdu.columns, start=1):
        values = np.asarray(hdu.data[column.name])
        if values.dtype.kind == "O":
            values = _stacked(values)
        text = values.dtype.kind in "SU"
        if values.dtype.kind not in "fiub" and not (text and role_of(column.name) == "id"):
            continue
        if column.null is not None and values.dtype.kind in "iu":
            values = np.ma.masked_equal(values, column.null)
        said = [str(header.get(f"{key}{i}", "")) for key in ("TUCD", "TCOMM", "TDESC", "TUTYP")]
        kinds = [f"ctype {header[key]}" for key in (f"TCTYP{i}", f"1CTYP{i}") if key in header]
        comment = header.comments[f"TTYPE{i}"] if f"TTYPE{i}" in header else ""
        out.add(column.name, _flat(values), column.unit, " ; ".join([*said, *kinds, comment]))
    meta: dict[str, Any] = {}
    for source in (main or {}, header):
        meta |= {str(k).lower(): v for k, v in source.items() if k}
    out.meta = meta
    return out


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    """Return arrays of one row as a row of pixels."""
    return values[0] if values.ndim == 2 and values.shape[0] == 1 else values


def _stacked(rows: NDArray[Any]) -> NDArray[Any]:
    """Return arrays of several lengths as one, filled up with NaN."""
    parts = [np.atleast_1d(np.asarray(row)) for row in rows]
    if any(p.dtype.kind not in "fiub" or p.ndim != 1 for p in parts):
        return rows
    if len({p.size for p in parts}) == 1:
        return np.stack(parts)
    out = np.full((len(parts), max(p.size for p in parts)), np.nan)
    for row, part in zip(out, parts, strict=True):
        row[: part.size] = part
    return out


# ---------------------------------------------------------------------- the format


def _is_table(file: OpenFile) -> bool:
    if file.hdus is not None:
        return product_of(file.hdus)[0] not in _OTHER_PRODUCTS and is_spectrum_table(file.hdus)
    return bool(file.content) and is_text_table(file.content)


@STAR_FORMATS.register(
    "table",
    "ECSV, CSV and FITS tables with columns wavelength, flux and error",
    _is_table,
    options=("unit", "medium", "rv_kms", "resolution"),
)
def _load(file: OpenFile, options: ReadingOptions) -> StarFile:
    if file.hdus is not None:
        spectra = _from_fits(file.hdus, file.name, options, APSTAR_GRID)
    else:
        spectra = _from_text(file.content, file.name, options, APSTAR_GRID)
    return plain_star("table", file.name, spectra)

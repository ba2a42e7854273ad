"""FITS cubes of spectra on a regular grid of labels, as SDSS and FERRE users keep them.

The first FITS axis is the wavelength, each further axis a label: ``CTYPEn`` its name,
``CRVALn`` the value at pixel ``CRPIXn`` (1 if not given), ``CDELTn`` the step.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..errors import GridImportError
from ..files import understood
from ..files.fits_layout import open_fits
from ..io.column_units import wavelength_unit
from ..io.columns import Column
from .columns import medium_of
from .grid_formats import GRID_FORMATS, has_suffix
from .raw_grid import RawGrid

LARGEST_CUBE = 20_000_000_000
"""Bytes of a cube that is read."""

_WAVELENGTH = ("wave", "lambda", "log(w", "loglam", "wavelength", "awav", "lam", "log10")


def _number(header: Any, key: str, default: float | None = None) -> float:
    """Return a number of a header."""
    value = header.get(key, default)
    if value is None and key not in header:
        raise GridImportError(f"Axis {key[-1]} has no {key}, which says its values. Add it.")
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise GridImportError(
            f"Expected a number as {key} in the header of the cube; found {str(value)[:40]!r}. "
            "Correct it."
        )
    return float(value)


def _axis(header: Any, number: int, n: int) -> NDArray[np.float64]:
    """Return the values of an axis of `n` pixels."""
    start, step = _number(header, f"CRVAL{number}"), _number(header, f"CDELT{number}")
    pixels = np.arange(1, n + 1, dtype=np.float64)
    return np.asarray(start + (pixels - _number(header, f"CRPIX{number}", 1.0)) * step)


@GRID_FORMATS.register(
    "fits-cube",
    "FITS cube with axis keywords, as SDSS's spectral libraries",
    lambda path: has_suffix(path, ".fits", ".fit"),
)
def read_cube(path: Path) -> RawGrid:
    """Read a cube of spectra.

    Parameters
    ----------
    path : Path
        FITS file whose primary image, or first extension with an image, is the cube.
        Spectra that are zero everywhere or not finite are holes of the grid and are left
        out.

    Raises
    ------
    GridImportError
        If there is no cube, an axis lacks its keywords, or every spectrum is a hole.
    """
    what = "a FITS file with a grid"
    # Cards are parsed when they are asked for, and a damaged one surfaces only then.
    with (
        open_fits(path, path.name, what, max_bytes=LARGEST_CUBE, error=GridImportError) as hdus,
        understood(path.name, what, GridImportError),
    ):
        return _cube(hdus, path)


def _cube(hdus: fits.HDUList, path: Path) -> RawGrid:
    """Return the grid of an open file."""
    hdu = next((h for h in hdus if h.data is not None and h.header["NAXIS"] >= 2), None)
    if hdu is None or isinstance(hdu, fits.BinTableHDU):
        raise GridImportError(f"{path.name} holds no image with axes of labels.")
    cube, header, main = np.array(hdu.data), hdu.header, hdus[0].header
    n_axes = cube.ndim
    names = [str(header.get(f"CTYPE{k}", "")).strip() for k in range(1, n_axes + 1)]
    if not any(names[0].lower().startswith(word) for word in _WAVELENGTH):
        raise GridImportError(
            f"Expected the wavelength on the first axis of {path.name}; its CTYPE1 is "
            f"{names[0]!r}. Write it with CTYPE1 = 'WAVELENGTH' and one CTYPE per label."
        )
    if not all(names[1:]):
        raise GridImportError(f"Every axis of labels in {path.name} needs a name in CTYPEn.")
    notes = [f"{path.name}: cube of {' x '.join(str(s) for s in cube.shape[:-1])} spectra."]
    wavelength = _axis(header, 1, cube.shape[-1])
    logarithm = _number(header, "LOGW", 0)
    logarithmic = "log" in names[0].lower() or logarithm != 0
    if not logarithmic and wavelength[-1] < 10:
        logarithmic = True
        notes.append("Wavelengths below 10 are taken to be logarithms.")
    if logarithmic:
        with np.errstate(over="ignore"):  # what is infinite then is refused
            wavelength = np.exp(wavelength) if logarithm == 2 else 10.0**wavelength
    axes = [_axis(header, k, cube.shape[n_axes - k]) for k in range(2, n_axes + 1)]
    # FITS counts axes from the fastest, numpy from the slowest.
    points = np.array([p[::-1] for p in product(*axes[::-1])])
    flux = cube.reshape(-1, cube.shape[-1])
    whole = np.isfinite(flux).all(axis=1) & (flux != 0).any(axis=1)
    if not whole.any():
        raise GridImportError(f"Every spectrum in {path.name} is a hole.")
    if not whole.all():
        notes.append(f"{int((~whole).sum())} of {len(whole)} spectra are holes and left out.")
    labels = {name: points[whole, k] for k, name in enumerate(names[1:])}
    units = {
        name: str(header[f"CUNIT{k}"]).strip()
        for k, name in enumerate(names[1:], start=2)
        if f"CUNIT{k}" in header
    }
    meta = {str(k).lower(): v for h in (main, header) for k, v in h.items() if k}
    column = Column(names[0], wavelength, str(header.get("CUNIT1", "")).strip())
    medium = medium_of(column, meta, path.name)
    unit = wavelength_unit(column.unit)
    return RawGrid(wavelength, flux[whole], labels, unit, medium, "", units, tuple(notes))

"""Files of every kind that holds stars, as somebody would drop them."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.table import Table

from spectrabridge.core.io import example_apstar, read_apstar
from spectrabridge.core.spectra import APSTAR_GRID, Spectra

KINDS = ("apStar", "aspcapStar", "apVisit", "ECSV", "CSV", "FITS table", "npz", "HDF5")

_RELEASED = {
    "aspcapStar": "observed/fits/aspcapStar-r6-l30e.2-2M17334253-1654573.fits",
    "apVisit": "observed/fits/apVisit-r13-9518-57729-104.fits",
}
_FORMATS = {"ECSV": "ascii.ecsv", "CSV": "ascii.csv", "FITS table": "fits"}


def content_of(kind: str, data_file: Callable[[str], Path]) -> tuple[str, bytes, str]:
    """Return name and content of a file, and what is said that it was read as."""
    if kind == "apStar":
        return "star.fits", example_apstar().read_bytes(), "apStar: 1 spectrum"
    if kind in _RELEASED:
        path = data_file(_RELEASED[kind])
        return path.name, path.read_bytes(), f"{kind}: 1 spectrum"
    star = read_apstar(example_apstar()).spectra[0]
    if kind in _FORMATS:
        return f"star.{kind.split()[0].lower()}", _table(star, _FORMATS[kind]), "table: 1 spectrum"
    if kind == "npz":
        out = io.BytesIO()
        good = star.good[0]
        error = np.where(good, 1 / np.sqrt(np.where(good, star.ivar[0], 1)), 1e10)
        np.savez(out, wavelength=star.grid.wavelength, spectra=star.flux, spectra_err=error[None])
        return "star.npz", out.getvalue(), "npz file: 1 spectrum"
    return "stars.h5", many_stars(2), "file of spectra: 2 stars"


def _table(star: Spectra, format_: str) -> bytes:
    good = star.good[0]
    table = Table(
        {
            "wavelength": star.grid.wavelength[good],
            "flux": star.flux[0][good].astype(float),
            "error": star.ivar[0][good].astype(float) ** -0.5,
        }
    )
    table["wavelength"].unit = "Angstrom"
    out = io.BytesIO() if format_ == "fits" else io.StringIO()
    table.write(out, format=format_)
    content = out.getvalue()
    return content if isinstance(content, bytes) else content.encode()


def many_stars(n: int) -> bytes:
    """Return an HDF5 file of the example star under several names."""
    star = read_apstar(example_apstar()).spectra
    ids = tuple(f"star {i}" for i in range(n))
    rows = [0] * n
    spectra = Spectra(APSTAR_GRID, star.flux[rows], star.ivar[rows], ids)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stars.h5"
        spectra.save(path)
        return path.read_bytes()

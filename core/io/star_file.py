"""Read a star from a file of any format that is known, told by its content.

===============  ===================================================================
``apStar``       combined spectrum and visits, :mod:`~spectrabridge.core.io.apstar`
``aspcapStar``   normalised spectrum, fit and labels of the survey,
                 :mod:`~spectrabridge.core.io.aspcapstar`
``apVisit``      one visit, not at rest, :mod:`~spectrabridge.core.io.apvisit`
``table``        ECSV, CSV or FITS table, :mod:`~spectrabridge.core.io.table`
``npz``          arrays, :mod:`~spectrabridge.core.io.payne`
``spectra``      HDF5 file of :meth:`spectrabridge.core.spectra.spectra.Spectra.save`
===============  ===================================================================
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..spectra.resample import resample
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APOGEE_GRID, APSTAR_GRID
from . import apstar, apvisit, aspcapstar, payne, table
from .fits_file import FITS_START, LARGEST_FILE, product_of, read_bytes, read_fits, star_in
from .spectra_store import SpectraStore, is_store

HDF5_START = b"\x89HDF\r\n\x1a\n"
"""How HDF5 files start."""

READABLE = (
    "apStar, aspcapStar and apVisit FITS files of APOGEE; ECSV, CSV and FITS tables with columns "
    "wavelength, flux and error; npz files with spectra; HDF5 files written by Spectra.save; "
    "and zarr stores of spectra"
)
"""What :func:`read_star` reads, for messages."""


@dataclass(frozen=True)
class StarFile:
    """A star as a file of any format has it.

    Parameters
    ----------
    name : str
        Name of the file.
    star : str
        Name of the star.
    format : str
        ``apStar``, ``aspcapStar``, ``apVisit``, ``table``, ``npz`` or ``spectra``.
    spectra : Spectra
        On the apStar grid, at rest; the first row is the one to fit. The flux is not
        normalised unless ``provenance["continuum"]`` says so: ``"aspcap"`` for
        aspcapStar files.
    model : ndarray or None, shape ``(8575,)``
        The survey's best fit to the first row, NaN where it has none.
    labels : dict
        The survey's calibrated labels, NaN where unknown; empty if the file has none.
    notes : tuple of str
        What a user should know about the file, one sentence each.
    """

    name: str
    star: str
    format: str
    spectra: Spectra
    model: NDArray[np.float64] | None = None
    labels: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_star(
    source: str | Path | bytes | BinaryIO,
    name: str = "",
    *,
    unit: str | None = None,
    medium: str | None = None,
    rv_kms: float | None = None,
) -> StarFile:
    """Read a star from a file, whatever its format.

    Parameters
    ----------
    source : path, bytes or binary file
        The file, its content, or an open file that is read to its end and not closed.
        The format is told by the content, not by the name.
    name : str, optional
        What to call the file in messages; the file's own name if not given.
    unit : {"angstrom", "nm", "um"}, optional
        Unit of the wavelengths of a table that does not say it.
    medium : {"vacuum", "air"}, optional
        Medium of the wavelengths of a table that does not say it.
    rv_kms : float, optional
        Velocity in km/s to take out of the wavelengths of a table, or of an apVisit file
        instead of its own. The other formats are at rest already.

    Returns
    -------
    StarFile
        All formats alike.

    Raises
    ------
    SpectrumError
        If the file cannot be read, is of no known format, or has no usable pixel.
    """
    if isinstance(source, str | Path) and is_store(source):
        with SpectraStore.open(source) as store:
            spectra = store[:]
        name = name or Path(source).name
        if not len(spectra):
            raise SpectrumError(f"{name} holds no spectrum.")
        return _plain("spectra", name, spectra)
    if isinstance(source, str | Path) and _starts(Path(source), HDF5_START):
        return _from_hdf5(Path(source), name or Path(source).name)
    content, name = read_bytes(source, name, "a file with a spectrum", LARGEST_FILE)
    if content.startswith(FITS_START):
        return _from_fits(content, name, unit, medium, rv_kms)
    if content.startswith(payne.ZIP):
        spectra = payne.read_payne(content, name)
        return _plain("npz", name, spectra)
    if content.startswith(HDF5_START):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "spectra.h5"
            path.write_bytes(content)
            return _from_hdf5(path, name)
    if table.is_text_table(content):
        spectra = table.read_spectrum_table(
            content, name, unit=unit, medium=medium, rv_kms=rv_kms or 0.0
        )
        return _plain("table", name, spectra)
    raise SpectrumError(f"{name} is none of the files that are read: {READABLE}.")


def _starts(path: Path, start: bytes) -> bool:
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(start)) == start
    except OSError:
        return False


def _from_fits(
    content: bytes, name: str, unit: str | None, medium: str | None, rv_kms: float | None
) -> StarFile:
    kind, words = read_fits(content, _kind, name, "apStar", LARGEST_FILE)
    if kind == "aspcapStar":
        aspcap = aspcapstar.read_aspcapstar(content, name)
        return StarFile(
            name, aspcap.star, kind, aspcap.spectra, aspcap.model, aspcap.labels, aspcap.notes
        )
    if kind == "apVisit":
        visit = apvisit.read_apvisit(content, name, rv_kms)
        return StarFile(name, visit.star, kind, visit.spectra, notes=visit.notes)
    if kind == "table":
        spectra = table.read_spectrum_table(
            content, name, unit=unit, medium=medium, rv_kms=rv_kms or 0.0
        )
        return _plain(kind, name, spectra)
    if words:
        raise SpectrumError(f"{name} seems to be {words}. Files that are read are {READABLE}.")
    # What it lacks to be an apStar file, if it is none, is told by the reader.
    star = apstar.read_apstar(content, name)
    return StarFile(name, star.star, "apStar", star.spectra, notes=star.notes)


def _kind(hdus: fits.HDUList, name: str) -> tuple[str, str]:
    """Return which reader is to take a FITS file, and what it seems to be if none is."""
    kind, words = product_of(hdus)
    if kind in ("aspcapStar", "apVisit"):
        return kind, words
    if table.is_spectrum_table(hdus) and kind != "allStar":
        return "table", ""
    return "apStar" if not words else "", words


def _from_hdf5(path: Path, name: str) -> StarFile:
    try:
        spectra = Spectra.load(path)
    except SpectrumError as problem:
        # An upload lies in a folder of its own, of which the user knows nothing.
        raise SpectrumError(str(problem).replace(str(path), name)) from problem
    except Exception as problem:
        # Chunks are unpacked when read, and a damaged one surfaces as any kind of error.
        raise SpectrumError(
            f"{name} is damaged: its spectra cannot be read. Make it again."
        ) from problem
    if not len(spectra):
        raise SpectrumError(f"{name} holds no spectrum.")
    return _plain("spectra", name, spectra)


def _plain(kind: str, name: str, spectra: Spectra) -> StarFile:
    """Return a star whose reader gave spectra only, put on the apStar grid."""
    notes = list(table.table_notes(spectra.provenance))
    placed = on_apstar(spectra)
    if placed is not spectra and spectra.grid != APOGEE_GRID:
        notes.append(f"The spectra were resampled from {spectra.grid!r}.")
    if not placed.good[0].any():
        raise SpectrumError(
            f"The first spectrum in {name} has no usable pixel on the detectors of the apStar grid."
        )
    labels: dict[str, float] = {}
    if spectra.labels is not None and spectra.label_set is not None:
        values = spectra.labels[0].tolist()
        labels = dict(zip(spectra.label_set.names, values, strict=True))
    if len(spectra) > 1:
        notes.append(f"The file holds {len(spectra)} spectra; the first stands for the star.")
    star = spectra.ids[0] if spectra.ids[0] != "0" else star_in(name)
    return StarFile(name, star, kind, placed, None, labels, tuple(notes))


def on_apstar(spectra: Spectra) -> Spectra:
    """Return spectra on the apStar grid; those on its detectors are put in their place."""
    if spectra.grid == APSTAR_GRID:
        return spectra
    shape = (len(spectra), APSTAR_GRID.n_pixels)
    flux: NDArray[Any] = np.full(shape, np.nan)
    ivar: NDArray[Any] = np.zeros(shape)
    pixels = APSTAR_GRID.chip_pixels
    if spectra.grid == APOGEE_GRID:
        flux[:, pixels], ivar[:, pixels] = spectra.flux, spectra.ivar
    else:
        flux, new = resample(spectra.grid.wavelength, spectra.flux, spectra.ivar, APSTAR_GRID)
        ivar[:, pixels] = new[:, pixels]
    return replace(spectra, grid=APSTAR_GRID, flux=flux, ivar=ivar)

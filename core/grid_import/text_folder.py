"""Folders of spectra in text: Turbospectrum, Synspec and synple, pykurucz."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import GridImportError
from ..files import read_limited
from .file_labels import labels_of_files
from .grid_formats import GRID_FORMATS
from .raw_grid import RawGrid, by_continuum

Row = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Wavelength and flux over the continuum of one file."""


def _numbers(path: Path, columns: int) -> NDArray[np.float64]:
    """Return the first columns of a text file, shape ``(columns, n_pixels)``."""
    content, _ = read_limited(path, str(path), "a spectrum as text", error=GridImportError)
    lines = content.decode("latin-1").splitlines()
    rows = []
    for number, line in enumerate(lines, start=1):
        words = line.replace(",", " ").split()
        if not words or words[0][0] in "#!*":
            continue
        try:
            # Fortran writes 1.0D-05, and 1.0-105 where three digits leave no room for the E.
            rows.append([float(w.replace("D", "E").replace("d", "e")) for w in words[:columns]])
        except ValueError:
            if not rows:
                continue  # a line of names
            raise GridImportError(
                f"Expected {columns} numbers in line {number} of {path.name}; found "
                f"{line.strip()[:60]!r}."
            ) from None
        if len(rows[-1]) < columns:
            raise GridImportError(
                f"Expected {columns} columns in line {number} of {path.name}; found "
                f"{len(rows[-1])}."
            )
    if len(rows) < 2:
        raise GridImportError(f"{path.name} holds no spectrum.")
    return np.array(rows).T


def _folder(
    path: Path,
    files: Iterable[Path],
    read: Callable[[Path], Row],
    table: str | Path | None,
    what: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, NDArray], dict[str, str]]:
    files = sorted(files)
    if not files:
        raise GridImportError(f"{path} holds no {what}.")
    wavelength: NDArray[np.float64] | None = None
    rows = []
    for file in files:
        found, flux = read(file)
        if wavelength is None:
            wavelength = found
        elif found.shape != wavelength.shape or not np.allclose(found, wavelength, rtol=1e-7):
            # Codes that choose their own points: bring them to those of the first file.
            inside = found[0] <= wavelength[1] and found[-1] >= wavelength[-2]
            if not inside or (np.diff(found) <= 0).any():
                raise GridImportError(
                    f"All spectra of a grid must cover the same wavelengths; {file.name} has "
                    f"{found[0]:g} to {found[-1]:g}, {files[0].name} {wavelength[0]:g} to "
                    f"{wavelength[-1]:g}."
                )
            flux = np.interp(wavelength, found, flux)
        rows.append(flux)
    assert wavelength is not None
    labels, units = labels_of_files(files, path, table)
    return wavelength, np.array(rows), labels, units


def _files(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    if not path.is_dir():
        return [path]
    return [f for f in path.iterdir() if f.is_file() and f.name.lower().endswith(suffixes)]


@GRID_FORMATS.register(
    "turbospectrum",
    "folder of Turbospectrum's .spec files",
    lambda path: False,
    options=("table",),
)
def read_turbospectrum_spectra(path: Path, table: str | Path | None = None) -> RawGrid:
    """Read Turbospectrum's spectra: wavelength, flux over the continuum, flux.

    Wavelengths are angstrom in the medium of the line list, which the files do not tell; the
    second column is taken as it is.
    """

    def read(file: Path) -> Row:
        wavelength, flux = _numbers(file, 2)
        return wavelength, flux

    files = _files(path, (".spec",))
    wavelength, flux, labels, units = _folder(path, files, read, table, ".spec file")
    notes = (
        f"{path.name}: {len(flux)} spectra of Turbospectrum, flux over the computed continuum.",
        "Turbospectrum computes in the medium of its line lists, which is often air.",
    )
    return RawGrid(wavelength, flux, labels, "angstrom", "", "true", units, notes)


@GRID_FORMATS.register(
    "synspec",
    "folder of Synspec or synple spectra: .7 with .17, or columns",
    lambda path: False,
    options=("table",),
)
def read_synspec(path: Path, table: str | Path | None = None) -> RawGrid:
    """Read spectra of Synspec: ``NAME.7`` with ``NAME.17``, or columns with a continuum.

    ``.7`` has wavelength and flux, ``.17`` the same for the continuum at few points. Files
    ``.syn``, ``.txt`` and ``.dat``, as synple users write them, have wavelength, flux and
    continuum.
    """

    def pair(file: Path) -> Row:
        beside = file.with_suffix(".17")
        if not beside.exists():
            raise GridImportError(f"{file.name} has no continuum {beside.name} beside it.")
        wavelength, flux = _numbers(file, 2)
        points, level = _numbers(beside, 2)
        order = np.argsort(points)
        continuum = np.interp(wavelength, points[order], level[order])
        return wavelength, by_continuum(flux, continuum, beside.name)

    def three(file: Path) -> Row:
        wavelength, flux, continuum = _numbers(file, 3)
        return wavelength, by_continuum(flux, continuum, file.name)

    files = _files(path, (".7",))
    read = pair
    if not files or (path.is_file() and path.suffix != ".7"):
        files, read = _files(path, (".syn", ".txt", ".dat")), three
    wavelength, flux, labels, units = _folder(path, files, read, table, "spectrum of Synspec")
    notes = (f"{path.name}: {len(flux)} spectra of Synspec, flux over its continuum.",)
    return RawGrid(wavelength, flux, labels, "angstrom", "", "true", units, notes)


@GRID_FORMATS.register(
    "pykurucz",
    "folder of pykurucz's .spec files",
    lambda path: False,
    options=("table",),
)
def read_pykurucz(path: Path, table: str | Path | None = None) -> RawGrid:
    """Read spectra of pykurucz: wavelength (nm), flux and continuum in three columns."""

    def read(file: Path) -> Row:
        wavelength, flux, continuum = _numbers(file, 3)
        return wavelength, by_continuum(flux, continuum, file.name)

    files = _files(path, (".spec",))
    wavelength, flux, labels, units = _folder(path, files, read, table, ".spec file")
    notes = (f"{path.name}: {len(flux)} spectra of pykurucz, flux over the computed continuum.",)
    return RawGrid(wavelength, flux, labels, "", "", "true", units, notes)

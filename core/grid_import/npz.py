"""Grids in npz files: The Payne's, and spectra of Payne Zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import GridImportError
from ..files.npz import open_npz, read_array
from ..files.numbers import names_in, numbers_of, require_numbers
from ..io.column_units import wavelength_unit
from ..io.columns import Column, role_of, unit_in_name
from ..labels.label_set import APOGEE_LABELS
from ..spectra.wavelength import APOGEE_GRID, APSTAR_GRID
from .columns import medium_of
from .file_labels import labels_of_files
from .grid_formats import GRID_FORMATS, has_suffix
from .raw_grid import RawGrid, by_continuum, names_of

LABELS = ("labels", "x", "params", "parameters")
NAMES = ("label_names", "names", "labels_names", "param_names")


def _load(path: Path) -> dict[str, NDArray]:
    with open_npz(path, path.name, error=GridImportError) as file:
        out = {}
        for name in file.files:
            try:
                out[name] = read_array(file, name, path.name, GridImportError)
            except GridImportError as problem:
                if "Python objects" not in str(problem):
                    raise
        return out


def _called(arrays: dict[str, NDArray], role: str) -> str:
    """Return the plainest name of an array that is what a role says; empty if there is none."""
    return min((n for n in arrays if role_of(n) == role), key=len, default="")


def _first(arrays: dict[str, NDArray], names: tuple[str, ...], what: str, path: Path) -> str:
    lower = {name.lower(): name for name in arrays}
    found = next((lower[n] for n in names if n in lower), None)
    if found is None:
        raise GridImportError(
            f"Expected {what} in {path.name} under one of the names {', '.join(names)}; it has "
            f"{names_of(arrays)}."
        )
    return found


def _join_sets(arrays: dict[str, NDArray], notes: list[str]) -> None:
    """Join training and validation sets of spectra and of labels, and say so."""
    for stem in ("spectra", "labels"):
        parts = [
            arrays[f"{p}_{stem}"] for p in ("training", "validation") if f"{p}_{stem}" in arrays
        ]
        if parts and stem not in arrays:
            axis = 0 if stem == "spectra" or parts[0].shape[0] != 25 else 1
            arrays[stem] = np.concatenate(parts, axis=axis)
            notes.append(f"{stem}: {len(parts)} sets were joined.")


def _named_labels(
    arrays: dict[str, NDArray], n: int, path: Path, notes: list[str]
) -> tuple[list[str], dict[str, str]]:
    """Return the names of `n` labels, and their units as far as the file has them."""
    lower = {name.lower(): name for name in arrays}
    key = next((lower[k] for k in NAMES if k in lower), None)
    if key is not None:
        names = names_in(arrays[key], key, path.name, GridImportError)
    elif n == len(APOGEE_LABELS):
        names = list(APOGEE_LABELS.names)
        notes.append("25 labels without names are taken to be those of Ting et al. (2019).")
    else:
        raise GridImportError(
            f"{path.name} has {n} labels without names; add an array label_names."
        )
    if len(names) != n:
        raise GridImportError(f"{path.name} has {len(names)} names for {n} labels.")
    units = {}
    if "label_units" in arrays and arrays["label_units"].shape == (len(names),):
        said = names_in(arrays["label_units"], "label_units", path.name, GridImportError)
        units = dict(zip(names, said, strict=True))
    return names, units


@GRID_FORMATS.register(
    "payne",
    "npz file of spectra and labels",
    lambda path: has_suffix(path, ".npz"),
)
def read_payne_grid(path: Path) -> RawGrid:
    """Read an npz file of spectra and labels, as The Payne and its relatives keep grids.

    Parameters
    ----------
    path : Path
        Arrays: flux ``(n, n_pixels)``, labels ``(n, n_labels)`` or its transpose, and if
        given wavelengths, ``label_names`` and ``label_units``. Spectra of 7214 or 8575
        pixels without wavelengths are on the pixels of APOGEE; 25 labels without names
        are those of Ting et al. (2019, ApJ 879, 69) in their order. Training and validation
        spectra under the same names with ``training_`` and ``validation_`` are joined.

    Raises
    ------
    GridImportError
        If arrays are missing or do not fit each other.
    """
    arrays = _load(path)
    notes = [f"{path.name}: npz file of spectra."]
    _join_sets(arrays, notes)
    flux_name = _called(arrays, "flux")
    if not flux_name:
        raise GridImportError(
            f"Expected spectra in {path.name} under a name such as flux or spectra; it has "
            f"{names_of(arrays)}."
        )
    flux = np.atleast_2d(require_numbers(arrays[flux_name], "flux", path.name, GridImportError))
    table = arrays[_first(arrays, LABELS, "labels", path)]
    values = numbers_of(table, "labels", path.name, GridImportError)
    if values.ndim == 2 and values.shape[0] != len(flux) and values.shape[1] == len(flux):
        values = values.T
        notes.append("Labels were stored one per row; they were transposed.")
    if values.ndim != 2 or len(values) != len(flux):
        raise GridImportError(
            f"Expected one row of labels per spectrum in {path.name}; found {values.shape} for "
            f"{len(flux)} spectra."
        )
    names, units = _named_labels(arrays, values.shape[1], path, notes)
    wave = _called(arrays, "wavelength")
    unit, medium = "", ""
    if wave:
        wavelength = numbers_of(arrays[wave], wave, path.name, GridImportError)
        if wavelength.ndim == 2 and (wavelength == wavelength[:1]).all():
            wavelength = wavelength[0]
        unit = wavelength_unit(unit_in_name(wave))
        meta = {
            k.lower(): str(v[()])
            for k, v in arrays.items()
            if v.ndim == 0 and v.dtype.kind in "USb"
        }
        medium = medium_of(Column(wave, wavelength), meta, path.name)
    else:
        grid = next((g for g in (APSTAR_GRID, APOGEE_GRID) if g.n_pixels == flux.shape[1]), None)
        if grid is None:
            raise GridImportError(
                f"{path.name} has no wavelengths, and {flux.shape[1]} pixels are not those of "
                "APOGEE (8575 or 7214). Add an array wavelength."
            )
        wavelength, unit, medium = grid.wavelength, "angstrom", "vacuum"
        notes.append(f"Spectra without wavelengths are taken to be on the pixels of {grid.name}.")
    unused = [n for n, v in arrays.items() if v.shape == flux.shape and n != flux_name]
    if unused:
        notes.append(f"Arrays of {path.name} that are not used: {', '.join(unused[:12])}.")
    columns = {name: values[:, i] for i, name in enumerate(names)}
    return RawGrid(wavelength, flux, columns, unit, medium, "", units, tuple(notes))


@GRID_FORMATS.register(
    "payne-zero",
    "folder of npz files of Payne Zero",
    lambda path: False,
    options=("table",),
)
def read_payne_zero(path: Path, table: str | Path | None = None) -> RawGrid:
    """Read spectra of Payne Zero: one npz file per star.

    Parameters
    ----------
    path : Path
        Folder of files with ``wavelength_nm``, ``flux_total`` and ``flux_continuum``, or
        ``normalized_flux``; or one such file.
    table : path, optional
        Labels by name of file; see
        :func:`~spectrabridge.core.grid_import.file_labels.labels_of_files`.

    Raises
    ------
    GridImportError
        If there is no file, arrays are missing, or wavelengths differ between files.
    """
    files = sorted(path.glob("**/*.npz")) if path.is_dir() else [path]
    rows, wavelength, kept = [], None, []
    for file in files:
        arrays = _load(file)
        if "wavelength_nm" not in arrays:
            continue  # an atmosphere, which lies beside its spectrum
        name = file.name
        if "flux_total" in arrays and "flux_continuum" in arrays:
            total, continuum = (
                numbers_of(arrays[k], k, name, GridImportError)
                for k in ("flux_total", "flux_continuum")
            )
            row = by_continuum(total, continuum, name)
        elif "normalized_flux" in arrays:
            row = numbers_of(arrays["normalized_flux"], "normalized_flux", name, GridImportError)
        else:
            raise GridImportError(
                f"Expected flux_total and flux_continuum in {name}; it has {names_of(arrays)}."
            )
        found = numbers_of(arrays["wavelength_nm"], "wavelength_nm", name, GridImportError)
        if wavelength is None:
            wavelength = found
        elif found.shape != wavelength.shape or not np.allclose(found, wavelength, rtol=1e-9):
            raise GridImportError(
                f"All spectra of a grid must have the same wavelengths; {name} differs from "
                f"{kept[0].name}."
            )
        rows.append(np.asarray(row, dtype=np.float64))
        kept.append(file)
    if wavelength is None:
        raise GridImportError(f"{path.name} holds no spectrum of Payne Zero (wavelength_nm).")
    labels, units = labels_of_files(kept, path, table)
    notes = (
        f"{path.name}: {len(kept)} spectra of Payne Zero, flux over the computed continuum.",
        "Their sampling is not a resolution: broaden them to that of the instrument.",
    )
    return RawGrid(wavelength, np.array(rows), labels, "nm", "", "true", units, notes)

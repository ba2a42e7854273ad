"""Read a synthetic grid: spectra of a simulator at known labels, in one HDF5 or npz file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import LabelError, SpectrumError
from ..files.npz import open_npz, read_array
from ..files.numbers import names_in, numbers_of, require_numbers
from ..labels.label_set import APOGEE_LABELS, LabelSet
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APSTAR_GRID, vacuum_to_air

_UNIT_SPELLINGS = {
    "kelvin": "k",
    "log10(cms^-2)": "log10(cms-2)",
    "log10cms^-2": "log10(cms-2)",
    "log10cms-2": "log10(cms-2)",
    "log10(cm/s2)": "log10(cms-2)",
    "log10(cm/s^2)": "log10(cms-2)",
    "cgs": "log10(cms-2)",
    "dex[x/h]": "dex",
    "km/s": "kms-1",
    "kms^-1": "kms-1",
    "1": "",
}
"""Spellings of units found in files, without blanks and in lower case."""


def read_grid(path: str | Path, labels: LabelSet = APOGEE_LABELS) -> Spectra:
    """Read a file of synthetic spectra with labels.

    Parameters
    ----------
    path : path
        HDF5 file of ``make-grid`` or ``import-grid`` on any grid, with some or all of the
        labels, or an npz file on the apStar grid with arrays ``labels`` (n, n_labels),
        ``label_names`` (n_labels,),
        ``wavelength`` (8575,) in vacuum angstrom, ``flux`` (n, 8575) and, if given,
        ``label_units`` (n_labels,) and ``kind`` (n,): 1 for draws from the giant
        branch, 0 for draws from a box. Label columns may be in any order.
    labels : LabelSet
        Labels that are known; an npz file must have all of them.

    Returns
    -------
    Spectra
        The spectra in the order of the file, labels in the order of `labels`, the
        ranges of the label set being those of the file.

    Raises
    ------
    SpectrumError
        If the file cannot be read, arrays are missing, wavelengths differ or a flux
        is not finite.
    LabelError
        If label names or units differ, or a label is not finite.
    """
    path = Path(path)
    if path.is_file() and h5py.is_hdf5(path):
        return _read_set(path, labels)
    arrays = _arrays(path)
    names = names_in(arrays["label_names"], "label_names", path.name)
    flux = require_numbers(arrays["flux"], "flux", path.name)
    values, wavelength = (numbers_of(arrays[k], k, path.name) for k in ("labels", "wavelength"))
    _check_wavelength(path, wavelength)
    n, p = len(np.atleast_1d(values)), APSTAR_GRID.n_pixels
    if flux.shape != (n, p):
        raise SpectrumError(
            f"Expected flux of shape ({n}, {p}) in {path.name}, one row per row of labels; found "
            f"{flux.shape}."
        )
    if n == 0:
        raise SpectrumError(f"{path.name} holds no spectrum.")
    if values.ndim != 2 or values.shape[1] != len(names):
        raise LabelError(
            f"Expected one column of labels for each of the {len(names)} names in {path.name}; "
            f"found labels of shape {values.shape}."
        )
    order = labels.reordering(names)
    if "label_units" in arrays:
        units = names_in(arrays["label_units"], "label_units", path.name)
        if len(units) != len(names):
            raise LabelError(f"{path.name} has {len(units)} units for {len(names)} labels.")
        _check_units(path, labels, [units[i] for i in order])
    values = values[:, order]
    _check_rows(path, "labels", np.isfinite(values), LabelError)
    _check_rows(path, "flux", np.isfinite(flux), SpectrumError)
    columns = {}
    if "kind" in arrays:
        if arrays["kind"].shape != (n,):
            raise SpectrumError(
                f"Expected {n} values of kind in {path.name}; found shape {arrays['kind'].shape}."
            )
        columns["kind"] = arrays["kind"]
    return Spectra(
        APSTAR_GRID,
        flux,
        labels=values,
        label_set=labels.with_ranges(values.min(axis=0).tolist(), values.max(axis=0).tolist()),
        columns=columns,
        provenance={"file": path.name, "product": "synthetic grid", "n_spectra": n},
    )


def _read_set(path: Path, labels: LabelSet) -> Spectra:
    """Read an HDF5 file of spectra as a grid: labels in order, everything finite."""
    spectra = Spectra.load(path)
    if spectra.labels is None or spectra.label_set is None:
        raise LabelError(f"{path.name} holds spectra without labels; a grid needs them.")
    if len(spectra) == 0:
        raise SpectrumError(f"{path.name} holds no spectrum.")
    # A grid of another code may vary fewer labels; it has only those that it varies.
    known = [label for label in labels if label.name in spectra.label_set]
    if not known:
        labels.reordering(spectra.label_set.names)  # says what is missing
    labels = LabelSet(tuple(known))
    order = labels.reordering(spectra.label_set.names)
    values = spectra.labels[:, order]
    _check_units(path, labels, [spectra.label_set.labels[i].unit for i in order])
    _check_rows(path, "labels", np.isfinite(values), LabelError)
    # Spectra marks what was not finite in the file as unusable.
    _check_rows(path, "flux", spectra.good, SpectrumError)
    return replace(
        spectra,
        labels=values,
        label_set=labels.with_ranges(values.min(axis=0).tolist(), values.max(axis=0).tolist()),
        provenance={**spectra.provenance, "file": path.name, "n_spectra": len(spectra)},
    )


def _arrays(path: Path) -> dict[str, NDArray]:
    needed = ("labels", "label_names", "wavelength", "flux")
    out = {}
    with open_npz(path, path.name, "an npz file of a synthetic grid") as file:
        missing = [name for name in needed if name not in file.files]
        if missing:
            raise SpectrumError(
                f"Expected arrays {', '.join(needed)} in {path.name}; missing: "
                f"{', '.join(missing)}."
            )
        for name in (*needed, "label_units", "kind"):
            if name not in file.files:
                continue
            out[name] = read_array(file, name, path.name)
    return out


def _check_wavelength(path: Path, wavelength: NDArray) -> None:
    want = APSTAR_GRID.wavelength
    if wavelength.shape != want.shape:
        raise SpectrumError(
            f"Expected the {want.size} wavelengths of the apStar grid in {path.name}; found shape "
            f"{wavelength.shape}."
        )
    if not (np.diff(wavelength) > 0).all():
        raise SpectrumError(f"The wavelengths in {path.name} must increase from pixel to pixel.")
    # A hundredth of a pixel (0.2 angstrom); float32 wavelengths still pass.
    tolerance = 0.002
    if np.abs(wavelength - want).max() <= tolerance:
        return
    hint = "Resample the grid to the apStar wavelengths."
    if np.abs(wavelength - vacuum_to_air(want)).max() <= tolerance:
        hint = "They are air wavelengths; convert them to vacuum."
    elif np.abs(wavelength * 10 - want).max() <= tolerance:
        hint = "They are nanometres; convert them to angstrom."
    raise SpectrumError(
        f"Expected apStar wavelengths, {want[0]:.2f} to {want[-1]:.2f} vacuum angstrom, in "
        f"{path.name}; found {wavelength[0]:.2f} to {wavelength[-1]:.2f}. {hint}"
    )


def _plain(unit: str) -> str:
    text = unit.lower().replace(" ", "")
    return _UNIT_SPELLINGS.get(text, text)


def _check_units(path: Path, labels: LabelSet, units: list[str]) -> None:
    wrong = [
        f"{label.name} in {unit!r}, expected {label.unit or 'a pure number'!r}"
        for label, unit in zip(labels, units, strict=True)
        if _plain(unit) != _plain(label.unit)
    ]
    if wrong:
        raise LabelError(f"Units differ in {path.name}: {'; '.join(wrong)}.")


def _check_rows(path: Path, what: str, fine: NDArray, error: type[Exception]) -> None:
    bad = np.flatnonzero(~fine.all(axis=1))
    if bad.size:
        rows = ", ".join(map(str, bad[:10])) + (", ..." if bad.size > 10 else "")
        raise error(
            f"Values of {what} in {path.name} are not finite in {bad.size} of {len(fine)} rows "
            f"(counted from 0: {rows}). Drop these rows."
        )

"""Grids in HDF5, FITS or ECSV tables, with a map from what they call things."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import GridImportError
from ..files import understood
from ..files.budget import MAX_ARRAY_BYTES
from ..files.hdf5 import open_hdf5
from ..files.tables import read_table
from .raw_grid import RawGrid, by_continuum, names_of

WAVELENGTH = ("wavelength", "wavelengths", "wave", "lambda", "lam")
FLUX = ("flux", "spectra", "spectrum", "normalized_flux", "norm_flux", "flux_norm")
LABEL_TABLES = ("labels", "parameters", "params")
_KEYS = ("wavelength", "flux", "continuum", "labels")


def read_columns(path: Path, arrays: dict[str, str] | None = None) -> RawGrid:
    """Read a grid from a plain file.

    Parameters
    ----------
    path : Path
        HDF5: datasets of wavelength ``(n_pixels,)`` and flux ``(n, n_pixels)``, if any a
        continuum of its shape, and labels: datasets of shape ``(n,)``, a structured one, or
        ``(n, n_labels)`` with an attribute or dataset of names. ECSV or FITS: a table with
        a row per spectrum, an array column of flux, one of wavelengths (or the header's
        ``wavelength``), and a column per label.
    arrays : dict, optional
        Names in the file of ``wavelength``, ``flux``, ``continuum`` and ``labels``.

    Raises
    ------
    GridImportError
        If the file cannot be read, an array is missing or shapes do not fit.
    """
    arrays = arrays or {}
    strange = [key for key in arrays if key not in _KEYS]
    if strange:
        raise GridImportError(f"Arrays are {', '.join(_KEYS)}; found {', '.join(strange)}.")
    if h5py.is_hdf5(path):
        found, units, notes = _hdf5(path, arrays)
    else:
        found, units, notes = _table(path, arrays)
    wavelength = np.asarray(_pick(found, arrays, "wavelength", WAVELENGTH, path), np.float64)
    flux = np.asarray(_pick(found, arrays, "flux", FLUX, path), np.float64)
    if wavelength.ndim == 2:
        if not np.allclose(wavelength, wavelength[0], rtol=1e-9):
            raise GridImportError(f"All spectra in {path.name} must have the same wavelengths.")
        wavelength = wavelength[0]
    if flux.ndim != 2:
        raise GridImportError(f"Expected flux of shape (n, n_pixels); found {flux.shape}.")
    kind = ""
    key = arrays.get("continuum", "continuum")
    if key in found:
        flux = by_continuum(flux, np.asarray(found[key], np.float64), path.name)
        kind = "true"
        notes.append("Flux was divided by the continuum of the file.")
    elif "continuum" in arrays:
        raise GridImportError(f"{path.name} has no {key}; it has {names_of(found)}.")
    n = len(flux)
    labels = {
        name: np.asarray(values, np.float64)
        for name, values in found.items()
        if np.shape(values) == (n,)
        and np.asarray(values).dtype.kind in "fiu"
        and name not in arrays.values()
    }
    name = arrays.get("wavelength", next((w for w in WAVELENGTH if w in found), ""))
    unit = units.get(name, "").lower()
    medium = "air" if "air" in unit else "vacuum" if "vac" in unit else ""
    plain = next((u for u in ("angstrom", "nm", "um") if unit.startswith(u)), "")
    return RawGrid(wavelength, flux, labels, plain, medium, kind, units, tuple(notes))


def _pick(
    found: dict[str, Any], arrays: dict[str, str], key: str, names: tuple[str, ...], path: Path
) -> Any:
    name = arrays.get(key) or next((n for n in names if n in found), "")
    if name not in found:
        raise GridImportError(
            f"{path.name} has no {name or key}; it has {names_of(found)}. Say which array is the "
            f"{key}: --array {key}=NAME."
        )
    return found[name]


def _hdf5(
    path: Path, arrays: dict[str, str]
) -> tuple[dict[str, NDArray], dict[str, str], list[str]]:
    found: dict[str, NDArray] = {}
    units: dict[str, str] = {}
    names: dict[str, list[str]] = {}

    def visit(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            return
        if item.dtype.names:
            for column in item.dtype.names:
                found[column] = item[column]
        elif item.dtype.kind in "fiu":
            found[name] = item[()]
        elif item.dtype.kind in "SO" and item.ndim == 1 and item.size < 1000:
            names[name] = [t.decode() if isinstance(t, bytes) else str(t) for t in item[()]]
        if "unit" in item.attrs or "units" in item.attrs:
            units[name] = str(item.attrs.get("unit", item.attrs.get("units")))
        if "names" in item.attrs:
            names[name + "/names"] = [str(t) for t in item.attrs["names"]]

    with (
        open_hdf5(
            path,
            path.name,
            "HDF5",
            max_bytes=MAX_ARRAY_BYTES,
            compound=True,
            error=GridImportError,
        ) as file,
        understood(path.name, "HDF5", GridImportError),
    ):
        file.visititems(visit)
    notes = [f"{path.name}: HDF5 file."]
    key = arrays.get("labels") or next((n for n in LABEL_TABLES if n in found), "")
    if key in found and found[key].ndim == 2:
        table = found.pop(key)
        known = names.get(f"{key}/names") or next(
            (v for k, v in names.items() if len(v) == table.shape[1]), None
        )
        if known is None or len(known) != table.shape[1]:
            raise GridImportError(
                f"{path.name} has {table.shape[1]} columns of labels without names; add an "
                "attribute names to the dataset."
            )
        found |= {name: table[:, i] for i, name in enumerate(known)}
    return found, units, notes


def _table(
    path: Path, arrays: dict[str, str]
) -> tuple[dict[str, NDArray], dict[str, str], list[str]]:
    suffix = path.suffix.lower()
    kind = {".ecsv": "ascii.ecsv", ".fits": "fits", ".fit": "fits"}.get(suffix)
    if kind is None:
        raise GridImportError(
            f"Expected HDF5, FITS or ECSV; found {path.name}, which is none of them."
        )
    table = read_table(path, kind, path.name, max_bytes=MAX_ARRAY_BYTES, error=GridImportError)
    found = {
        name: np.ma.filled(np.ma.asarray(table[name]).astype(float), np.nan)
        for name in table.colnames
        if table[name].dtype.kind in "fiu"
    }
    units = {n: str(table[n].unit) for n in found if table[n].unit is not None}
    meta = {str(k).lower(): v for k, v in table.meta.items()}
    key = arrays.get("wavelength", "wavelength")
    if key not in found and key.lower() in meta:
        found[key] = np.asarray(meta[key.lower()], dtype=float)
        units[key] = str(meta.get("wavelength_unit", meta.get("unit", "")))
    return found, units, [f"{path.name}: table with a row per spectrum."]

"""Grids in HDF5, FITS or ECSV tables, with a map from what they call things."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import GridImportError
from ..files import understood
from ..files.budget import MAX_ARRAY_BYTES
from ..files.hdf5 import open_hdf5
from ..files.numbers import numbers_of
from ..files.tables import read_table
from ..io.column_units import wavelength_unit
from ..io.columns import Column, role_of, stated_media, unit_in_name
from .grid_formats import GRID_FORMATS, has_suffix
from .raw_grid import RawGrid, by_continuum, names_of

LABEL_TABLES = ("labels", "parameters", "params")
_KEYS = ("wavelength", "flux", "continuum", "labels")


@GRID_FORMATS.register(
    "columns",
    "HDF5, FITS or ECSV with a map of columns",
    lambda path: has_suffix(path, ".ecsv", ".h5", ".hdf5"),
    options=("arrays",),
)
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
    if path.is_file() and h5py.is_hdf5(path):  # h5py would wait for a pipe
        found, units, notes, meta = _hdf5(path, arrays)
    else:
        found, units, notes, meta = _table(path, arrays)
    wave_name = _pick(found, arrays, "wavelength", ("wavelength", "log_wavelength"), path)
    flux_name = _pick(found, arrays, "flux", ("flux",), path)
    wavelength = np.asarray(found[wave_name], np.float64)
    flux = np.asarray(found[flux_name], np.float64)
    if wavelength.ndim == 2:
        if not np.allclose(wavelength, wavelength[0], rtol=1e-9):
            raise GridImportError(f"All spectra in {path.name} must have the same wavelengths.")
        wavelength = wavelength[0]
    if flux.ndim != 2:
        raise GridImportError(f"Expected flux of shape (n, n_pixels); found {flux.shape}.")
    kind = ""
    unused = [
        name
        for name, values in found.items()
        if np.shape(values) == flux.shape and name != flux_name and name not in arrays.values()
    ]
    key = arrays.get("continuum") or next((n for n in unused if role_of(n) == "continuum"), "")
    if key in found:
        unused = [name for name in unused if name != key]
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
    if unused:
        notes.append(f"Arrays of {path.name} that are not used: {', '.join(unused[:12])}.")
    column = Column(wave_name, wavelength, units.get(wave_name) or unit_in_name(wave_name))
    if role_of(wave_name) == "log_wavelength":
        wavelength = 10.0**wavelength
        notes.append(f"{wave_name} was taken for the log10 of the wavelength.")
    return RawGrid(
        wavelength,
        flux,
        labels,
        wavelength_unit(column.unit),
        medium_of(column, meta, path.name),
        kind,
        units,
        tuple(notes),
    )


def medium_of(column: Column, meta: Mapping[str, Any], name: str) -> str:
    """Return the medium that a grid states of its wavelengths; empty if it states none.

    Raises
    ------
    GridImportError
        If two places of the file state different ones.
    """
    stated = stated_media(column, meta)
    if len(set(stated.values())) > 1:
        places = ", ".join(f"{place} says {medium}" for place, medium in stated.items())
        raise GridImportError(
            f"{name} contradicts itself on the medium of its wavelengths: {places}. Correct it."
        )
    return next(iter(stated.values()), "")


def _pick(
    found: dict[str, Any], arrays: dict[str, str], key: str, roles: tuple[str, ...], path: Path
) -> str:
    """Return the name of an array: the one that was given, or one that is called so."""
    called = [n for n in found if role_of(n.rpartition("/")[2]) in roles]
    name = arrays.get(key) or min(called, key=len, default="")
    if name not in found:
        raise GridImportError(
            f"{path.name} has no {name or key}; it has {names_of(found)}. Say which array is the "
            f"{key}: --array {key}=NAME."
        )
    return name


def _hdf5(
    path: Path, arrays: dict[str, str]
) -> tuple[dict[str, NDArray], dict[str, str], list[str], dict[str, Any]]:
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
        meta = {str(k).lower(): v for k, v in file.attrs.items() if np.ndim(v) == 0}
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
    return found, units, notes, meta


def _table(
    path: Path, arrays: dict[str, str]
) -> tuple[dict[str, NDArray], dict[str, str], list[str], dict[str, Any]]:
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
        found[key] = numbers_of(meta[key.lower()], key, path.name, GridImportError)
        units[key] = str(meta.get("wavelength_unit", meta.get("unit", "")))
    return found, units, [f"{path.name}: table with a row per spectrum."], meta

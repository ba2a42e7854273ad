"""The HDF5 layout of a set of spectra: made empty, and checked when it is opened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import SpectrumError
from ..files import understood
from ..files.hdf5 import open_hdf5
from ..files.typed_json import parsed
from ..labels.label_set import LabelSet
from .wavelength import WavelengthGrid

SCHEMA = 1
"""Version of the layout."""


def create_layout(
    path: Path,
    grid: WavelengthGrid,
    label_set: LabelSet | None,
    provenance: Mapping[str, Any] | None,
    chunk: int,
) -> h5py.File:
    """Return a new, open file without spectra; an existing one is replaced.

    Raises
    ------
    SpectrumError
        If the provenance cannot be written as JSON.
    """
    try:
        attributes = {
            "schema": SCHEMA,
            "grid": json.dumps(grid.to_json()),
            "label_set": json.dumps(label_set.to_json()) if label_set else "",
            "provenance": json.dumps(dict(provenance or {})),
        }
    except TypeError as problem:
        raise SpectrumError(
            f"Provenance must be made of texts, numbers, lists and dictionaries: {problem}."
        ) from problem
    h = h5py.File(path, "w")
    h.attrs.update(attributes)
    p = grid.n_pixels
    h["wavelength"] = grid.wavelength
    h["wavelength"].attrs["unit"] = "angstrom, vacuum, rest frame"
    for name in ("flux", "ivar"):
        h.create_dataset(
            name,
            (0, p),
            "f4",
            maxshape=(None, p),
            chunks=(chunk, p),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )
    h.create_dataset("ids", (0,), h5py.string_dtype(), maxshape=(None,), chunks=(1024,))
    if label_set:
        k = len(label_set)
        h.create_dataset("labels", (0, k), "f8", maxshape=(None, k), chunks=(1024, k))
        h["labels"].attrs["names"] = list(label_set.names)
    h.create_group("columns")
    return h


def open_layout(source: Path | bytes, name: str = "", max_bytes: int | None = None) -> h5py.File:
    """Return a file of spectra, opened for reading.

    Parameters
    ----------
    source : path or bytes
        The file or its content.
    name : str
        What to call it in messages; the path if empty.
    max_bytes : int, optional
        Bytes that it may declare, if it is to be read whole.

    Raises
    ------
    SpectrumError
        If the file is not there, not HDF5, not laid out as :func:`create_layout` does, or
        has data elsewhere or too much of it.
    """
    what = "HDF5 written by Spectra.save"
    name = name or ("the file" if isinstance(source, bytes) else str(source))
    h = open_hdf5(source, name, what, max_bytes=max_bytes)
    try:
        with understood(name, what):
            _require_layout(h, name)
    except BaseException:
        h.close()
        raise
    return h


def _require_layout(h: h5py.File, name: str) -> None:
    """Raise a SpectrumError unless a file has the datasets and attributes of the layout."""
    missing = [k for k in ("flux", "ivar", "ids") if not isinstance(h.get(k), h5py.Dataset)]
    schema = h.attrs.get("schema")
    if missing or schema is None:
        raise SpectrumError(
            f"{name} is HDF5 but not a file of spectra: expected datasets flux, ivar and ids "
            f"with a schema number; missing {', '.join(missing) or 'the schema number'}."
        )
    if "grid" not in h.attrs or not isinstance(schema, int | np.integer):
        raise SpectrumError(f"{name}: the layout number or the wavelength grid is damaged.")
    if schema > SCHEMA:
        raise SpectrumError(
            f"{name} has layout version {schema}; this spectrabridge reads up to {SCHEMA}. "
            "Update spectrabridge."
        )
    n_pixels = WavelengthGrid.from_json(parsed(h.attrs["grid"], name)).n_pixels
    shape = h["flux"].shape
    if len(shape) != 2 or shape[1] != n_pixels or h["ivar"].shape != shape:
        raise SpectrumError(
            f"Expected flux and ivar of shape (n_stars, {n_pixels}) in {name}, as its wavelength "
            f"grid has; found {shape} and {h['ivar'].shape}."
        )
    if h["ids"].shape != shape[:1]:
        raise SpectrumError(
            f"Expected {shape[0]} ids in {name}, one per spectrum; found shape {h['ids'].shape}."
        )

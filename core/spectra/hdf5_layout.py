"""The HDF5 layout of a set of spectra: made empty, and checked when it is opened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import SpectrumError
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


def open_layout(path: Path) -> h5py.File:
    """Return a file of spectra, opened for reading.

    Raises
    ------
    SpectrumError
        If the file is not there, not HDF5, or not laid out as :func:`create_layout` does.
    """
    if not path.exists():
        raise SpectrumError(f"There is no file {path}.")
    try:
        h = h5py.File(path, "r")
    except OSError as problem:
        raise SpectrumError(
            f"{path} cannot be read as HDF5; expected a file written by Spectra.save. "
            "It may be truncated or of another kind."
        ) from problem
    missing = [k for k in ("flux", "ivar", "ids") if k not in h]
    schema = h.attrs.get("schema")
    if missing or schema is None:
        h.close()
        raise SpectrumError(
            f"{path} is HDF5 but not a file of spectra: expected datasets flux, ivar and ids "
            f"with a schema number; missing {', '.join(missing) or 'the schema number'}."
        )
    if "grid" not in h.attrs or not isinstance(schema, int | np.integer):
        h.close()
        raise SpectrumError(f"{path}: the layout number or the wavelength grid is damaged.")
    if schema > SCHEMA:
        h.close()
        raise SpectrumError(
            f"{path} has layout version {schema}; this spectrabridge reads up to {SCHEMA}. "
            "Update spectrabridge."
        )
    return h

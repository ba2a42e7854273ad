"""Read spectra from the arrays of an HDF5 file that another program wrote."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import SpectrumError
from ..files import understood
from ..files.hdf5 import HDF5_START, open_hdf5
from ..spectra.spectra import Spectra
from .columns import Columns, canonical, has_spectrum, role_of
from .spectrum_columns import read_columns
from .star_formats import STAR_FORMATS, OpenFile, ReadingOptions, StarFile
from .whole_star import plain_star

LARGEST_ARRAYS = 4_000_000_000
"""Bytes of all arrays that are read."""


def is_hdf5(path: str | Path) -> bool:
    """Tell whether a path is an HDF5 file by its first bytes."""
    path = Path(path)
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(HDF5_START)) == HDF5_START
    except OSError:
        return False


def set_layout(path: Path) -> bool:
    """Tell whether an HDF5 file is laid out as a set of spectra, or cannot be looked into."""
    try:
        with open_hdf5(path, compound=True) as file, understood(path, "HDF5"):
            return "grid" in file.attrs or not has_spectrum(list(file))
    except SpectrumError:
        return True


def read_hdf5_arrays(
    path: str | Path, name: str = "", options: ReadingOptions | None = None
) -> Spectra:
    """Read the spectra in the arrays at the root of an HDF5 file.

    Parameters
    ----------
    path : path
        Datasets by the names of :mod:`.columns`: flux ``(n, n_pixels)`` or ``(n_pixels,)``,
        wavelength, errors, masks, ids. Attributes ``unit`` or ``units``, and ``description`` or
        ``medium`` of a dataset, and attributes of the file, are used. Files with data in
        other files are refused.
    name : str, optional
        What to call the file in messages.
    options : ReadingOptions, optional
        What the file does not say.

    Raises
    ------
    SpectrumError
        If the file cannot be read, or arrays do not fit.
    """
    path = Path(path)
    name = name or path.name
    table = Columns(noun="array")
    with (
        open_hdf5(path, name, "HDF5", max_bytes=LARGEST_ARRAYS, compound=True) as file,
        understood(name, "HDF5"),  # a damaged chunk surfaces as any kind of error
    ):
        table.meta = {str(k).lower(): v for k, v in file.attrs.items() if np.ndim(v) == 0}
        _add(file, table)
    spectra = read_columns(table, name, options)
    return replace(spectra, provenance={**spectra.provenance, "product": "hdf5"})


def _add(file: h5py.File, table: Columns) -> None:
    """Add the datasets at the root that are numbers, or names of stars."""
    for key in file:
        item = file[key]
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            continue
        text = h5py.check_string_dtype(item.dtype) is not None or item.dtype.kind in "SU"
        if item.dtype.kind not in "fiub" and not (text and role_of(key) == "id"):
            continue
        said = " ".join(str(_attribute(item, k)) for k in ("description", "medium", "comment"))
        values = item.asstr()[()] if text and item.dtype.kind == "O" else item[()]
        table.add(key, values, _attribute(item, "unit") or _attribute(item, "units"), said)


def _attribute(item: Any, key: str) -> str:
    """Return an attribute as text; its name is read without case."""
    for found, value in item.attrs.items():
        if canonical(found) == key:
            return value.decode() if isinstance(value, bytes) else str(value)
    return ""


@STAR_FORMATS.register(
    "hdf5",
    "HDF5 files with arrays wavelength, flux and error",
    lambda file: file.path is not None and is_hdf5(file.path) and not set_layout(file.path),
    options=("unit", "medium", "rv_kms", "resolution"),
)
def _load(file: OpenFile, options: ReadingOptions) -> StarFile:
    assert file.path is not None
    spectra = read_hdf5_arrays(file.path, file.name, options)
    return plain_star("hdf5", file.name, spectra, is_set=True)

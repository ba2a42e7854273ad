"""Read spectra from the arrays of an HDF5 file that another program wrote."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import SpectrumError
from ..spectra.spectra import Spectra
from .columns import Columns, canonical, has_spectrum, role_of
from .spectrum_columns import read_columns
from .star_formats import STAR_FORMATS, OpenFile, ReadingOptions, StarFile
from .whole_star import plain_star

HDF5_START = b"\x89HDF\r\n\x1a\n"
"""How HDF5 files start."""

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
        with h5py.File(path, "r") as file:
            return "grid" in file.attrs or not _has_spectrum(file)
    except (OSError, ValueError, RuntimeError):
        return True


def _has_spectrum(file: h5py.File) -> bool:
    names = [k for k in file if isinstance(file.get(k, getlink=True), h5py.HardLink)]
    return has_spectrum(names)


def read_hdf5_arrays(
    path: str | Path, name: str = "", options: ReadingOptions | None = None
) -> Spectra:
    """Read the spectra in the arrays at the root of an HDF5 file.

    Parameters
    ----------
    path : path
        Datasets by the names of :mod:`.columns`: flux ``(n, n_pixels)`` or ``(n_pixels,)``,
        wavelength, errors, masks, ids. Attributes ``unit`` or ``units``, and ``description`` or
        ``medium`` of a dataset, and attributes of the file, are used. Links to other files are not
        followed.
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
    try:
        with h5py.File(path, "r") as file:
            table.meta = {str(k).lower(): v for k, v in file.attrs.items() if np.ndim(v) == 0}
            _add(file, table, name)
    except SpectrumError:
        raise
    except Exception as problem:  # a damaged chunk surfaces as any kind of error
        raise SpectrumError(
            f"{name} cannot be read as HDF5: {problem}. It may be truncated; write or download it "
            "again."
        ) from problem
    spectra = read_columns(table, name, options)
    return replace(spectra, provenance={**spectra.provenance, "product": "hdf5"})


def _add(file: h5py.File, table: Columns, name: str) -> None:
    """Add the datasets at the root that are numbers, or names of stars."""
    size = 0
    for key in file:
        if not isinstance(file.get(key, getlink=True), h5py.HardLink):
            continue
        item = file[key]
        if not isinstance(item, h5py.Dataset) or item.shape is None or item.is_virtual:
            continue
        if item.external:
            raise SpectrumError(f"Array {key} of {name} lies in another file, which is not read.")
        text = h5py.check_string_dtype(item.dtype) is not None or item.dtype.kind in "SU"
        if item.dtype.kind not in "fiub" and not (text and role_of(key) == "id"):
            continue
        size += item.size * item.dtype.itemsize
        if size > LARGEST_ARRAYS:
            raise SpectrumError(
                f"The arrays in {name} take more than {LARGEST_ARRAYS / 1e9:g} GB; write them with "
                "SpectraFile, which is read in parts."
            )
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

"""Sets of spectra in zarr stores, and the one door to sets in zarr or HDF5.

A zarr store is a folder of chunks, which several machines can read at once and which
object stores can hold. Its arrays and attributes are those of the HDF5 file of
:class:`~spectrabridge.core.spectra.SpectraFile`: ``flux`` and ``ivar`` of shape
``(n_stars, n_pixels)``, ``ids``, ``labels``, ``columns``.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from ..errors import SpectrumError
from ..files import understood
from ..files.typed_json import mapping_of, parsed
from ..files.zarr_store import open_zarr
from ..files.zarr_texts import require_texts
from ..labels.label_set import LabelSet
from ..spectra.hdf5_layout import SCHEMA
from ..spectra.spectra import Spectra, SpectraFile
from ..spectra.wavelength import WavelengthGrid


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as problem:
        raise SpectrumError(
            "Spectra in a zarr store need the package zarr, which is not installed. Install it "
            "with: python -m pip install 'spectrabridge[scale]'."
        ) from problem
    return zarr


_LENGTH = "n_spectra"
"""Attribute with the number of spectra, written when all of them are; 0.1 did not have it."""


class SpectraStore:
    """A zarr store of spectra, read and written in chunks of stars.

    Use :meth:`open` or :meth:`create`. ``store[a:b]`` reads those stars.
    """

    def __init__(self, group: Any, path: Path) -> None:
        self._g, self._path = group, path
        attributes = group.attrs
        name = f"The header of {path}"
        with understood(name, "that of a store of spectra"):
            self.grid = WavelengthGrid.from_json(parsed(attributes["grid"], name))
            labels = attributes.get("label_set", "")
            self.label_set = LabelSet.from_json(parsed(labels, name)) if labels else None
            said = parsed(attributes.get("provenance", "{}"), name)
            self.provenance: dict[str, Any] = mapping_of(said, "provenance")

    @classmethod
    def create(cls, path: str | Path, like: Spectra | SpectraFile, chunk: int = 64) -> SpectraStore:
        """Start an empty store for spectra with the grid and the labels of others.

        Parameters
        ----------
        path : path
            Folder to make; it must not exist.
        like : Spectra or SpectraFile
            Gives grid, label set and provenance.
        chunk : int
            Stars per chunk.

        Raises
        ------
        SpectrumError
            If zarr is not installed, or the folder exists.
        """
        zarr, path = _zarr(), Path(path)
        if path.exists():
            raise SpectrumError(f"{path} exists; give another name, or delete it first.")
        # Whole or not there: a store is many files.
        partial = path.with_name(f".{path.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
        group = zarr.create_group(store=str(partial))
        has_labels = like.label_set is not None
        if isinstance(like, Spectra):
            has_labels = like.labels is not None
        label_set = like.label_set if has_labels else None
        group.attrs.update(
            {
                "schema": SCHEMA,
                "grid": json.dumps(like.grid.to_json()),
                "label_set": json.dumps(label_set.to_json()) if label_set else "",
                "provenance": json.dumps(dict(like.provenance)),
            }
        )
        p = like.grid.n_pixels
        for name in ("flux", "ivar"):
            group.create_array(name, shape=(0, p), chunks=(chunk, p), dtype="f4")
        _make(group, "ids", (0,), "U")
        if label_set is not None:
            _make(group, "labels", (0, len(label_set)), "f8")
        group.create_group("columns")
        partial.replace(path)
        return cls(zarr.open_group(store=str(path), mode="r+"), path)

    @classmethod
    def open(cls, path: str | Path) -> SpectraStore:
        """Open a store for reading.

        Raises
        ------
        SpectrumError
            If zarr is not installed, or the folder is no store of spectra.
        """
        path = Path(path)
        _zarr()
        if not path.exists():
            raise SpectrumError(f"There is no store {path}.")
        what = "a store of spectra, a zarr group"
        group = open_zarr(path, what)
        with understood(path, what):
            missing = [k for k in ("flux", "ivar", "ids") if k not in group]
            schema = group.attrs.get("schema")
        if missing or not isinstance(schema, int):
            raise SpectrumError(
                f"{path} is a zarr group but not a store of spectra: expected arrays flux, ivar "
                f"and ids with a schema number; missing {', '.join(missing) or 'that number'}."
            )
        with understood(path, what):
            length, rows = group.attrs.get(_LENGTH, 0), group["flux"].shape[0]
        if type(length) is not int or not 0 <= length <= rows:
            raise SpectrumError(
                f"{path}: expected a whole number of at most the {rows} rows of flux as {_LENGTH}; "
                f"found {str(length)[:20]}. Copy it again."
            )
        if schema > SCHEMA:
            raise SpectrumError(
                f"{path} has layout version {schema}; this spectrabridge reads up to {SCHEMA}. "
                "Update spectrabridge."
            )
        return cls(group, path)

    def __enter__(self) -> SpectraStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def __len__(self) -> int:
        return int(self._g.attrs.get(_LENGTH, self._g["flux"].shape[0]))

    def __getitem__(self, rows: slice) -> Spectra:
        """Read a run of stars, ``store[a:b]``; a step other than 1 is refused."""
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise SpectrumError(f"A store is read in runs, store[a:b]; found a step of {step}.")
        stop, g = max(start, stop), self._g
        self._require_chunks(start, stop)
        try:
            self._require_texts(start, stop)
            return Spectra(
                self.grid,
                g["flux"][start:stop],
                g["ivar"][start:stop],
                tuple(str(i) for i in g["ids"][start:stop]),
                g["labels"][start:stop] if "labels" in g else None,
                self.label_set,
                {k: np.asarray(v[start:stop]) for k, v in g["columns"].arrays()},
                self.provenance,
            )
        except SpectrumError:
            raise
        except Exception as problem:  # a damaged chunk surfaces as any kind of error
            raise SpectrumError(
                f"{self._path} is damaged: spectra {start} to {stop - 1} cannot be read. Make it "
                "again."
            ) from problem

    def _require_texts(self, start: int, stop: int) -> None:
        """Raise a SpectrumError if names declare more than their chunks can hold."""
        arrays = {"ids": self._g["ids"]}
        arrays |= {f"columns/{name}": array for name, array in self._g["columns"].arrays()}
        for name, array in arrays.items():
            if array.ndim == 1:
                size = int(array.chunks[0])
                require_texts(self._path / name, range(start // size, -(-stop // size)))

    def _require_chunks(self, start: int, stop: int) -> None:
        """Raise a SpectrumError if chunks are missing, which zarr would read as zeros."""
        for name in ("flux", "ivar"):
            size = int(self._g[name].chunks[0])
            for i in range(start // size, -(-stop // size)):
                if not (self._path / name / "c" / str(i) / "0").is_file():
                    raise SpectrumError(
                        f"{self._path} is not whole: chunk {i} of {name} is missing (spectra "
                        f"{i * size} to {(i + 1) * size - 1}). Copy it again."
                    )

    def chunks(self, size: int = 512) -> Iterator[Spectra]:
        """Yield the spectra in order, at most `size` stars at a time."""
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def append(self, spectra: Spectra) -> None:
        """Add spectra at the end.

        Raises
        ------
        SpectrumError, GridError
            If the spectra do not fit the store.
        """
        self.grid.require_same(spectra.grid)
        g, n = self._g, len(self)
        if ("labels" in g) != (spectra.labels is not None):
            raise SpectrumError("The spectra to append do not have the labels of the store.")
        columns = g["columns"]
        if n and set(columns.keys()) != set(spectra.columns):
            raise SpectrumError(
                f"Expected columns {sorted(columns.keys())}; found {sorted(spectra.columns)}."
            )
        values: dict[str, Any] = {"ids": np.array(spectra.ids, dtype=object)}
        if spectra.labels is not None:
            values["labels"] = spectra.labels
        for name, column in spectra.columns.items():
            text = column.dtype.kind in "UO"
            if not n:
                _make(columns, name, (0, *column.shape[1:]), "U" if text else column.dtype)
            values[f"columns/{name}"] = column.astype(object) if text else column
        # The length comes last: rows behind it, of an append that was cut, count as absent.
        g.attrs[_LENGTH] = n
        for name, rows in (values | {"ivar": spectra.ivar, "flux": spectra.flux}).items():
            array = g[name]
            array.resize((n + len(spectra), *array.shape[1:]))
            array[n:] = rows
        g.attrs[_LENGTH] = n + len(spectra)


def _make(group: Any, name: str, shape: tuple[int, ...], kind: Any) -> None:
    with warnings.catch_warnings():
        # Texts of any length are no part of the standard yet; all readers know them.
        warnings.simplefilter("ignore")
        group.create_array(
            name, shape=shape, chunks=(1024, *shape[1:]), dtype=str if kind == "U" else kind
        )


SpectraSet = SpectraFile | SpectraStore
"""A set of spectra on disk, whichever its format."""


def is_store(path: str | Path) -> bool:
    """Tell whether a path is a zarr group, by its metadata."""
    path = Path(path)
    return path.is_dir() and any((path / name).is_file() for name in ("zarr.json", ".zgroup"))


def is_set(path: str | Path) -> bool:
    """Tell whether a path is an HDF5 file or a zarr group, whose rows are stars."""
    path = Path(path)
    return is_store(path) or (path.is_file() and bool(h5py.is_hdf5(path)))


def open_set(path: str | Path) -> SpectraSet:
    """Open a set of spectra for reading in parts.

    Raises
    ------
    SpectrumError
        If it is neither an HDF5 file nor a zarr store of spectra.
    """
    return SpectraStore.open(path) if is_store(path) else SpectraFile.open(path)

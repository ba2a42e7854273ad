"""HDF5 files whose data lie in themselves and are numbers or texts."""

from __future__ import annotations

import io
import math
import os
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import h5py

from ..errors import SpectrabridgeError, SpectrumError
from .budget import ByteBudget
from .hdf5_texts import heap_lengths, texts_of
from .regular import open_regular
from .understood import understood

HDF5_START = b"\x89HDF\r\n\x1a\n"
"""How HDF5 files start."""

MAX_OBJECTS = 10_000
"""Groups and datasets in one file."""

MAX_CHUNK_BYTES = 256_000_000
"""Bytes of one chunk, which is unpacked whole."""


def open_hdf5(
    source: str | Path | bytes,
    name: str = "",
    what: str = "an HDF5 file",
    *,
    max_bytes: int | None = None,
    compound: bool = False,
    error: type[SpectrabridgeError] = SpectrumError,
) -> h5py.File:
    """Return an HDF5 file, opened for reading, after a look at every dataset in it.

    A dataset may say that its data lie in another file of the machine (external storage, a
    virtual dataset, an external link). Such a file is refused whole: whoever sends one to
    a server would read that server's files. So are references and other objects, and
    datasets of compound types unless they are wanted.

    Parameters
    ----------
    source : path or bytes
        The file or its content.
    name : str
        What to call it in messages; the path if empty.
    what : str
        What it should be, with an article.
    max_bytes : int, optional
        Bytes that all datasets may declare together; for files that are read whole. If not
        given, only single chunks are bounded: the file is read in runs.
    compound : bool
        Whether datasets of compound types (tables) are allowed.
    error : type
        Kind of the error, a subclass of SpectrabridgeError.

    Raises
    ------
    SpectrabridgeError
        If it is no regular HDF5 file, is damaged, holds linked data or objects, or
        declares more than the limit.
    """
    if isinstance(source, bytes):
        name, stored = name or "the file", len(source)
    else:
        name = name or str(source)
        with open_regular(source, what, error) as regular:
            stored = os.fstat(regular.fileno()).st_size
    with understood(name, what, error):
        file = h5py.File(io.BytesIO(source) if isinstance(source, bytes) else source, "r")
    try:
        with understood(name, what, error):
            budget = None if max_bytes is None else ByteBudget(name, stored, max_bytes, error)
            found = _check_objects(file, name, compound, budget, error)
            with io.BytesIO(source) if isinstance(source, bytes) else open_regular(source) as raw:
                _check_texts(file, found, raw, name, error)
    except BaseException:
        file.close()
        raise
    return file


def _check_objects(
    file: h5py.File,
    name: str,
    compound: bool,
    budget: ByteBudget | None,
    error: type[SpectrabridgeError],
) -> list[h5py.Group | h5py.Dataset]:
    """Return all objects of a file, after a look at each."""
    seen: set[Any] = {h5py.h5o.get_info(file["/"].id).addr}
    groups: list[h5py.Group] = [file["/"]]
    objects: list[h5py.Group | h5py.Dataset] = [file["/"]]
    while groups:
        group = groups.pop()
        for key in islice(group, MAX_OBJECTS + 1):
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise error(
                    f"{name} is refused: {key!r} in it is a link to data elsewhere, maybe in "
                    "another file. Save a copy that holds all of its data."
                )
            found = group[key]
            address = h5py.h5o.get_info(found.id).addr
            if address in seen:
                continue  # one object may have several names, and a group may lie in itself
            seen.add(address)
            if len(seen) > MAX_OBJECTS:
                raise error(f"{name} has more than {MAX_OBJECTS} groups and datasets.")
            objects.append(found)
            if isinstance(found, h5py.Group):
                groups.append(found)
            elif isinstance(found, h5py.Dataset):
                _check_dataset(found, name, compound, error)
                if budget is not None and found.shape is not None:
                    budget.spend(key, found.shape, found.dtype.itemsize)
    return objects


def _check_texts(
    file: h5py.File,
    objects: list[h5py.Group | h5py.Dataset],
    raw: BinaryIO,
    name: str,
    error: type[SpectrabridgeError],
) -> None:
    """Raise the error if a text is longer than the file, or not in a heap that can be read."""
    stored = raw.seek(0, os.SEEK_END)
    heaps: dict[int, dict[int, int] | None] = {}
    for found in objects:
        for text in texts_of(file, found, raw):
            if text.length > stored:
                raise error(
                    f"{name} is damaged: a text of {found.name!r} in it declares "
                    f"{text.length / 1e6:,.0f} MB, more than the file holds. Download or make it "
                    "again."
                )
            if text.heap == 0:
                continue
            if text.heap not in heaps:
                heaps[text.heap] = heap_lengths(raw, text.heap + file.userblock_size)
            lengths = heaps[text.heap]
            if lengths is None:
                raise error(
                    f"{name} is damaged: the texts of {found.name!r} in it lie where reading "
                    "would not end. Download or make it again."
                )
            if lengths.get(text.index, -1) < text.length:
                raise error(
                    f"{name} is damaged: a text of {found.name!r} in it is not where it should "
                    "be. Download or make it again."
                )


def _check_dataset(
    data: h5py.Dataset,
    name: str,
    compound: bool,
    error: type[SpectrabridgeError],
) -> None:
    """Raise the error if a dataset lies elsewhere, is made of objects, or has huge chunks."""
    key = (data.name or "").lstrip("/")
    if data.is_virtual or data.external:
        raise error(
            f"{name} is refused: the data of {key!r} lie in another file. Save a copy that holds "
            "all of its data."
        )
    kind = data.dtype
    if kind.hasobject and h5py.check_string_dtype(kind) is None:
        raise error(f"{name} is refused: {key!r} in it holds references or lists, not numbers.")
    if kind.kind == "V" and not compound:
        raise error(
            f"{name} is refused: {key!r} in it is a table of mixed types (HDF5 compound); expected "
            f"one dataset for each quantity."
        )
    if data.chunks is None or data.shape is None:
        return
    chunk = math.prod(data.chunks) * kind.itemsize
    if chunk > MAX_CHUNK_BYTES:
        raise error(
            f"{name} is refused: a chunk of {key!r} declares {chunk / 1e6:,.0f} MB, more than the "
            f"{MAX_CHUNK_BYTES / 1e6:,.0f} MB that are unpacked at once. Save it with smaller "
            "chunks."
        )

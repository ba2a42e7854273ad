"""zarr stores whose chunks are unpacked by codecs that do nothing else."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import SpectrabridgeError, SpectrumError
from .hdf5 import MAX_CHUNK_BYTES, MAX_OBJECTS
from .regular import read_limited
from .understood import understood

MAX_METADATA_BYTES = 10_000_000
"""Bytes of one file of metadata."""

METADATA_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata")
"""Names of zarr's files of metadata, formats 2 and 3."""

CODECS = frozenset(
    {
        *("bytes", "blosc", "crc32c", "gzip", "sharding_indexed", "transpose", "vlen-bytes"),
        *("vlen-utf8", "zstd", "zlib", "lz4", "bz2", "lzma", "shuffle", "delta", "crc32"),
        *("adler32", "fixedscaleoffset", "bitround"),
    }
)
"""Codecs that are allowed. zarr knows others, among them one that runs what a chunk says."""


def open_zarr(
    path: str | Path,
    what: str = "a zarr group",
    *,
    error: type[SpectrabridgeError] = SpectrumError,
) -> Any:
    """Return a zarr group, opened for reading, after a look at all of its metadata.

    Parameters
    ----------
    path : path
        Folder of the store.
    what : str
        What it should be, with an article.
    error : type
        Kind of the error, a subclass of SpectrabridgeError.

    Raises
    ------
    SpectrabridgeError
        If it is no zarr group, metadata are damaged, an array uses a codec that is not
        allowed or a chunk above the limit, or something in it is a link to elsewhere.
    """
    import zarr

    path = Path(path)
    with understood(path, what, error):
        for file in _metadata_files(path, error):
            content, _ = read_limited(
                file, str(file), "zarr metadata", max_bytes=MAX_METADATA_BYTES, error=error
            )
            for codec in _codecs(json.loads(content)):
                if codec.lower().removeprefix("numcodecs.") not in CODECS:
                    raise error(
                        f"{file} is refused: it asks for the codec {codec!r}. Allowed are "
                        f"{', '.join(sorted(CODECS))}."
                    )
        group = zarr.open_group(store=str(path), mode="r")
        for name, array in group.arrays():
            _check_array(array, f"{name} of {path}", error)
        for name, inner in group.groups():
            for key, array in inner.arrays():
                _check_array(array, f"{name}/{key} of {path}", error)
        return group


def _metadata_files(path: Path, error: type[SpectrabridgeError]) -> Iterator[Path]:
    """Yield the files of metadata; chunks lie in folders that have none and are not walked."""
    folders, n = [path], 0
    while folders:
        folder = folders.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise error(
                        f"{path} is refused: {entry.name} in it is a link. Copy the store with its "
                        "content."
                    )
                if entry.is_dir():
                    inner = Path(entry.path)
                    if any((inner / name).exists() for name in METADATA_FILES):
                        folders.append(inner)
                        n += 1
                        if n > MAX_OBJECTS:
                            raise error(f"{path} has more than {MAX_OBJECTS} groups and arrays.")
        yield from (found for name in METADATA_FILES if (found := folder / name).exists())


def _codecs(data: Any) -> Iterator[str]:
    """Yield the names of all codecs that metadata of either format ask for, wherever they are."""
    if isinstance(data, list):
        for item in data:
            yield from _codecs(item)
    elif isinstance(data, dict):
        for key, value in data.items():
            if key.endswith("codecs") and isinstance(value, list):
                for item in value:
                    yield str(item.get("name") if isinstance(item, dict) else item)
            elif key in ("filters", "compressor"):
                for item in value if isinstance(value, list) else [value]:
                    if item is not None:
                        yield str(item.get("id") if isinstance(item, dict) else item)
            yield from _codecs(value)


def _check_array(array: Any, name: str, error: type[SpectrabridgeError]) -> None:
    item = max(int(getattr(array.dtype, "itemsize", 8)), 1)
    chunk = math.prod(int(n) for n in array.chunks) * item
    if chunk > MAX_CHUNK_BYTES:
        raise error(
            f"{name} is refused: a chunk declares {chunk / 1e6:,.0f} MB, more than the "
            f"{MAX_CHUNK_BYTES / 1e6:,.0f} MB that are unpacked at once. Save it with smaller "
            "chunks."
        )

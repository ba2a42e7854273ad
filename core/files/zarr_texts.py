"""Texts in a zarr store, looked at before the library makes room for them.

A chunk of texts of variable length begins with their number. The library that unpacks it makes room
for as many, four thousand million at most, before it finds that there are fewer.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import SpectrabridgeError, SpectrumError
from .hdf5 import MAX_CHUNK_BYTES
from .regular import read_limited

_TEXTS = ("vlen-utf8", "vlen-bytes")
_PACKED = ("zstd", "gzip", "blosc", "zlib", "lz4", "bz2", "lzma")


def require_texts(
    array: Path, chunks: Iterable[int], *, error: type[SpectrabridgeError] = SpectrumError
) -> None:
    """Raise the error if a chunk of texts declares more of them than a chunk holds.

    Parameters
    ----------
    array : path
        Folder of an array of one axis, zarr format 3. Arrays of numbers are passed over.
    chunks : iterable of int
        Which chunks to look at; those that are not there are empty.
    error : type
        Kind of the error, a subclass of SpectrabridgeError.
    """
    content, _ = read_limited(array / "zarr.json", str(array), "zarr metadata", error=error)
    metadata = json.loads(content)
    if not any(name in json.dumps(metadata["codecs"]) for name in _TEXTS):
        return
    first, *packed = metadata["codecs"]
    if first["name"] not in _TEXTS or any(_name(codec) not in _PACKED for codec in packed):
        raise error(
            f"{array} is refused: its texts are packed in a way that cannot be looked at. Save it "
            f"with one of {', '.join(_PACKED)}, without shards."
        )
    most = math.prod(metadata["chunk_grid"]["configuration"]["chunk_shape"])
    for i in chunks:
        path = array / "c" / str(i)
        if path.exists():
            found = _count(path, packed, error)
            if found > most:
                raise error(
                    f"{path} is damaged: it declares {found:,} texts, a chunk has {most:,}. Copy "
                    "the store again."
                )


def _count(path: Path, packed: list[Any], error: type[SpectrabridgeError]) -> int:
    """Return how many texts a chunk declares to hold."""
    from numcodecs import get_codec

    content, _ = read_limited(path, str(path), "a chunk", max_bytes=MAX_CHUNK_BYTES, error=error)
    for codec in reversed(packed):
        content = get_codec({"id": _name(codec)}).decode(content)
    return int(struct.unpack_from("<I", content)[0])


def _name(codec: Any) -> str:
    return str(codec["name"]).removeprefix("numcodecs.")

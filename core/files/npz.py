"""Zip archives and npz files whose members are measured before they are unpacked."""

from __future__ import annotations

import io
import math
import os
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from ..errors import SpectrabridgeError, SpectrumError
from .budget import MAX_ARRAY_BYTES, ByteBudget
from .regular import open_regular
from .understood import understood

ZIP_START = b"PK\x03\x04"
"""How zip archives and npz files start."""

MAX_CODE_POINT = 0x10FFFF
"""The last character of Unicode."""

MAX_MEMBERS = 10_000
"""Files in one archive."""


def open_zip(
    source: str | Path | bytes,
    name: str = "",
    what: str = "a zip archive",
    *,
    max_bytes: int = MAX_ARRAY_BYTES,
    error: type[SpectrabridgeError] = SpectrumError,
) -> zipfile.ZipFile:
    """Return a zip archive, opened for reading, whose members declare less than a limit.

    Parameters
    ----------
    source : path or bytes
        The archive or its content.
    name : str
        What to call it in messages; the path if empty.
    what : str
        What it should be, with an article.
    max_bytes : int
        Bytes of all members together when they are unpacked. No more can come out:
        `zipfile` stops at the size that a member declares.
    error : type
        Kind of the error, a subclass of SpectrabridgeError.

    Raises
    ------
    SpectrabridgeError
        If it is no zip archive, is damaged, has a name twice, or declares too much.
    """
    file: IO[bytes]
    if isinstance(source, bytes):
        file, stored, name = io.BytesIO(source), len(source), name or "the file"
    else:
        file, name = open_regular(source, what, error), name or str(source)
        stored = os.fstat(file.fileno()).st_size
    try:
        with understood(name, what, error):
            archive = zipfile.ZipFile(file)
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise error(f"{name} has {len(members)} members; at most {MAX_MEMBERS} are read.")
            if len({member.filename for member in members}) < len(members):
                raise error(f"{name} has two members of the same name; it is damaged.")
            budget = ByteBudget(name, stored, max_bytes, error)
            for member in members:
                budget.spend(member.filename, (member.file_size,), 1)
    except BaseException:
        file.close()
        raise
    return archive


def open_npz(
    source: str | Path | bytes,
    name: str = "",
    what: str = "an npz file",
    *,
    max_bytes: int = MAX_ARRAY_BYTES,
    error: type[SpectrabridgeError] = SpectrumError,
) -> NpzFile:
    """Return an npz file, opened for reading, whose arrays are as large as they declare.

    numpy allocates what the header of an array declares before it reads the array. Here
    each header is compared with the bytes of its member first. Arrays of Python objects
    are not read: asking for one raises a ValueError.

    Parameters
    ----------
    source, name, what, max_bytes, error
        See :func:`open_zip`.

    Raises
    ------
    SpectrabridgeError
        If it is no npz file, is damaged, or declares more than it holds or than the limit.
    """
    with open_zip(source, name, what, max_bytes=max_bytes, error=error) as archive:
        name = name or (str(source) if not isinstance(source, bytes) else "the file")
        with understood(name, what, error):
            for member in archive.infolist():
                if member.filename.endswith(".npy"):
                    with archive.open(member) as file:
                        _require_whole(file, member, name, error)
    with understood(name, what, error):
        stream = io.BytesIO(source) if isinstance(source, bytes) else source
        loaded = np.load(stream, allow_pickle=False)
        if not isinstance(loaded, NpzFile):
            raise error(f"{name} cannot be read as {what}: it holds no arrays.")
        return loaded


def read_array(
    file: NpzFile, key: str, name: str, error: type[SpectrabridgeError] = SpectrumError
) -> NDArray[Any]:
    """Return an array of an npz file that :func:`open_npz` opened.

    Raises
    ------
    SpectrabridgeError
        If the array holds Python objects, text that is no Unicode, or is damaged.
    """
    with understood(f"Array {key} of {name}", "plain numbers or text", error):
        try:
            out = np.asarray(file[key])
            _require_unicode(out)
            return out
        except ValueError as problem:
            if "allow_pickle" not in str(problem):
                raise
            raise error(
                f"Array {key} of {name} holds Python objects, which are not read because loading "
                "them can run code. Save it as numbers or plain text."
            ) from problem


def _require_unicode(array: NDArray[Any]) -> None:
    """Raise a ValueError if text holds what is no character.

    numpy reads any four bytes as a character and fails with a SystemError, far from the file,
    where the text is used.
    """
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        native = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="), copy=False)
        codes = native.reshape(-1).view(np.uint32)
        if codes.max() > MAX_CODE_POINT or ((codes >= 0xD800) & (codes <= 0xDFFF)).any():
            raise ValueError("text holds code points that Unicode does not have")


def _require_whole(
    file: IO[bytes], member: zipfile.ZipInfo, name: str, error: type[SpectrabridgeError]
) -> None:
    """Raise the error if the array in a member is larger than the member."""
    array = member.filename.removesuffix(".npy")
    version = npy.read_magic(file)
    if version == (1, 0):
        shape, _, kind = npy.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, kind = npy.read_array_header_2_0(file)
    else:
        raise error(f"Array {array} of {name} is a table of mixed types, which is not read.")
    if kind.hasobject:
        return  # numpy refuses it where it is asked for
    held = member.file_size - file.tell()
    if any(n < 0 for n in shape) or math.prod(shape) * max(kind.itemsize, 1) > max(held, 0):
        raise error(
            f"Array {array} of {name} declares shape {shape} of {kind}, more than the {held} bytes "
            "that it holds: it is damaged. Download or make it again."
        )

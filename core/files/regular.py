"""Content of regular files, up to a limit."""

from __future__ import annotations

import os
import stat
import zlib
from pathlib import Path
from typing import BinaryIO

from ..errors import SpectrabridgeError, SpectrumError
from .budget import MAX_EXPANSION, MAX_STAR_BYTES, UNCHECKED_EXPANSION_BYTES
from .understood import understood

Source = str | Path | bytes | BinaryIO
"""Where a file is read from: its path, its content, or an open binary file."""

GZIP_START = b"\x1f\x8b"
"""How content compressed by gzip starts."""

_PIECE_BYTES = 1 << 20


def open_regular(
    path: str | Path, expected: str = "a file", error: type[SpectrabridgeError] = SpectrumError
) -> BinaryIO:
    """Return a regular file, opened for reading; refuse pipes, devices, sockets and folders.

    Parameters
    ----------
    path : path
        The file. A link to a regular file is followed.
    expected : str
        What it should be, with an article, for messages: ``a line list``.
    error : type
        Kind of the error, a subclass of SpectrabridgeError.

    Raises
    ------
    SpectrabridgeError
        If it is not there, no regular file, or may not be read.
    """
    try:
        # Not to wait for a writer is what keeps a pipe from holding the program for ever.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        if Path(path).is_dir():
            raise error(f"Expected {expected}; {path} is a folder.")
        handle = os.open(path, flags)
    except FileNotFoundError as problem:
        raise error(f"There is no file {path}.") from problem
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise error(f"{path} cannot be read: {reason}. Check who may read it.") from problem
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise error(
            f"Expected {expected}; {path} is a pipe or a device. Copy its content to a file."
        )
    return os.fdopen(handle, "rb")


def read_limited(
    source: Source,
    name: str = "",
    expected: str = "a file",
    *,
    max_bytes: int = MAX_STAR_BYTES,
    error: type[SpectrabridgeError] = SpectrumError,
) -> tuple[bytes, str]:
    """Return the content of a file and what to call it.

    Parameters
    ----------
    source : path, bytes or binary file
        A path must be that of a regular file. An open file is read to its end and not
        closed.
    name : str
        What to call the file in messages; its own name if empty.
    expected : str
        What it should be, with an article, for messages.
    max_bytes : int
        Bytes that are read; a larger file is refused.
    error : type
        Kind of the error, a subclass of SpectrabridgeError.

    Returns
    -------
    bytes
        The content, not empty.
    str
        The name.

    Raises
    ------
    SpectrabridgeError
        If there is no such file, it is no regular file, too large or empty.
    """
    if isinstance(source, str | Path):
        name = name or Path(source).name
        with open_regular(source, expected, error) as file, understood(name, expected, error):
            size = os.fstat(file.fileno()).st_size
            content = b"" if size > max_bytes else _read_pieces(file, max_bytes + 1)
    elif isinstance(source, bytes | bytearray | memoryview):
        content, size = bytes(source), len(source)
    else:
        with understood(name or "the file", expected, error):
            content, size = _read_pieces(source, max_bytes + 1), 0
    name = name or "the file"
    if max(size, len(content)) > max_bytes:
        raise error(f"{name} is larger than {max_bytes / 1e6:,.0f} MB, the limit for {expected}.")
    if not content:
        raise error(f"{name} is empty; expected {expected}.")
    return content, name


def _read_pieces(file: BinaryIO, n_bytes: int) -> bytes:
    """Return up to so many bytes of a file; `file.read` would take memory for all of them first."""
    pieces = []
    while n_bytes > 0 and (piece := file.read(min(n_bytes, _PIECE_BYTES))):
        pieces.append(piece)
        n_bytes -= len(piece)
    return b"".join(pieces)


def unpacked(
    content: bytes,
    name: str,
    expected: str = "a file",
    *,
    max_bytes: int = MAX_STAR_BYTES,
    error: type[SpectrabridgeError] = SpectrumError,
) -> bytes:
    """Return content with gzip undone; content that is not compressed stays as it is.

    It is undone piece by piece and never beyond the limit, however much the file holds.

    Parameters
    ----------
    content : bytes
        The content, compressed or not.
    name, expected, error
        See :func:`read_limited`.
    max_bytes : int
        Bytes that it may have afterwards.

    Raises
    ------
    SpectrabridgeError
        If the compressed stream is damaged or cut, or there is more in it than the limit
        or than a measurement can be.
    """
    if not content.startswith(GZIP_START):
        return content
    limit = min(max_bytes, max(UNCHECKED_EXPANSION_BYTES, MAX_EXPANSION * len(content)))
    out = bytearray()
    rest = content
    while rest.startswith(GZIP_START):  # a gzip file is a row of streams
        stream = zlib.decompressobj(wbits=31)
        while not stream.eof:
            try:
                piece = stream.decompress(rest, _PIECE_BYTES)
            except zlib.error as problem:
                raise error(f"{name} is truncated or damaged. Download it again.") from problem
            rest = stream.unused_data if stream.eof else stream.unconsumed_tail
            out += piece
            if len(out) > limit:
                raise error(
                    f"{name} is larger than {limit / 1e6:,.0f} MB when it is unpacked, too much "
                    f"for {expected} of {len(content) / 1e6:.3g} MB."
                )
            if not piece and not stream.eof:
                raise error(f"{name} is truncated or damaged. Download it again.")
    return bytes(out)

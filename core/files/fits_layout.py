"""One walk over the headers of a FITS file, before astropy opens it.

astropy believes sizes: a negative axis sends it back in the file, for ever, and a
compressed image of a few bytes may declare any number of pixels. The walk reads only what
the standard (FITS 4.0, sections 3.3, 4.4.1 and 7) makes mandatory, and always ends.
"""

from __future__ import annotations

import io
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from astropy.io import fits

from ..errors import SpectrabridgeError, SpectrumError
from .budget import MAX_STAR_BYTES, ByteBudget
from .regular import Source, open_regular, read_limited, unpacked
from .understood import understood

FITS_START = b"SIMPLE  ="
"""How FITS content starts."""

MAX_HEADER_BLOCKS = 1000
"""Blocks of 36 cards in one header; an apStar file of a hundred visits has 30."""

MAX_HDUS = 1000
"""Header and data units in one file."""

MAX_AXES = 32
"""Axes of one array."""

_BLOCK_BYTES = 2880
_CARD_BYTES = 80
_SIZES = re.compile(rb"(Z?BITPIX|Z?NAXIS\d*|PCOUNT|GCOUNT|TFIELDS)\b", re.IGNORECASE)
_WHOLE = re.compile(r"\s*([+-]?\d{1,18})\s*(/.*)?")


@dataclass(frozen=True)
class HduExtent:
    """Where one header and data unit lies in a file.

    Parameters
    ----------
    header_start, data_start : int
        Bytes from the start of the file.
    data_bytes : int
        Bytes of the data, without the padding to a block.
    unpacked_bytes : int
        Bytes of the image in a compressed image; else the same as `data_bytes`.
    """

    header_start: int
    data_start: int
    data_bytes: int
    unpacked_bytes: int


@dataclass(frozen=True)
class FitsLayout:
    """The header and data units of a file, and where the last one ends.

    Parameters
    ----------
    hdus : tuple of HduExtent
        At least one.
    end : int
        Bytes up to the end of the last unit, its padding included.
    size : int
        Bytes of the file. What is beyond `end` is no part of any unit.
    """

    hdus: tuple[HduExtent, ...]
    end: int
    size: int


def fits_layout(
    file: bytes | BinaryIO,
    name: str,
    *,
    max_bytes: int | None = None,
    error: type[SpectrabridgeError] = SpectrumError,
) -> FitsLayout:
    """Return where the units of a FITS file lie, or raise the error if it is damaged.

    Parameters
    ----------
    file : bytes or binary file
        The content, or an open file that can be sought.
    name : str
        What to call it in messages.
    max_bytes : int, optional
        Bytes that all units may have when compressed images are unpacked.
    error : type
        Kind of the error, a subclass of SpectrabridgeError.

    Raises
    ------
    SpectrabridgeError
        If a header has no end, a mandatory size is missing, no whole number or negative,
        data go beyond the end of the file, or there are too many units.
    """
    handle = io.BytesIO(file) if isinstance(file, bytes) else file
    size = handle.seek(0, os.SEEK_END)
    budget = ByteBudget(name, size, max_bytes, error) if max_bytes is not None else None
    hdus: list[HduExtent] = []
    at = 0
    while at < size:
        handle.seek(at)
        start = handle.read(len(FITS_START))
        if start != (b"XTENSION=" if hdus else FITS_START):
            break
        handle.seek(at)
        sizes, header_bytes = _read_header(handle, name, error)
        data, whole = _data_bytes(sizes, name, error)
        extent = HduExtent(at, at + header_bytes, data, whole)
        at = extent.data_start + -(-data // _BLOCK_BYTES) * _BLOCK_BYTES
        if at > size:
            raise _truncated(name, error)
        if budget is not None:
            budget.spend(f"HDU {len(hdus)}", (whole,), 1)
        hdus.append(extent)
        if len(hdus) > MAX_HDUS:
            raise error(f"{name} has more than {MAX_HDUS} HDUs; split it.")
    if not hdus:
        raise error(f"{name} is not a FITS file: it does not start with SIMPLE.")
    return FitsLayout(tuple(hdus), at, size)


def open_fits(
    source: Source,
    name: str = "",
    what: str = "a FITS file",
    *,
    max_bytes: int = MAX_STAR_BYTES,
    error: type[SpectrabridgeError] = SpectrumError,
) -> fits.HDUList:
    """Return a FITS file of limited size, read whole and opened by astropy after the walk.

    Parameters
    ----------
    source : path, bytes or binary file
        The file or its content, compressed by gzip or not.
    name, what, error
        See :func:`~spectrabridge.core.files.regular.read_limited`.
    max_bytes : int
        Bytes of the file, unpacked.

    Raises
    ------
    SpectrabridgeError
        If it cannot be read, is no FITS file, or is damaged.
    """
    content, name = read_limited(source, name, what, max_bytes=max_bytes, error=error)
    content = unpacked(content, name, what, max_bytes=max_bytes, error=error)
    layout = fits_layout(content, name, max_bytes=4 * max_bytes, error=error)
    with understood(name, what, error):
        stream = io.BytesIO(content[: layout.end])
        return fits.open(stream, memmap=False, lazy_load_hdus=False)


def open_large_fits(
    path: str | Path,
    what: str = "a FITS file",
    *,
    error: type[SpectrabridgeError] = SpectrumError,
) -> fits.HDUList:
    """Return a FITS file of any size, opened by astropy after the walk, read where asked for.

    Parameters
    ----------
    path : path
        The file, not compressed.
    what : str
        What it should be, with an article.
    error : type
        Kind of the error, a subclass of SpectrabridgeError.

    Raises
    ------
    SpectrabridgeError
        If it cannot be read, is no FITS file, or is damaged.
    """
    with open_regular(path, what, error) as file:
        layout = fits_layout(file, str(path), error=error)
        file.seek(layout.end)
        if file.read(_BLOCK_BYTES).strip(b"\0 "):
            # Astropy would go on behind the last unit, in what nobody has looked at.
            raise _truncated(str(path), error)
    with understood(path, what, error):
        return fits.open(path, memmap=True, lazy_load_hdus=False)


def _truncated(name: str, error: type[SpectrabridgeError]) -> SpectrabridgeError:
    return error(
        f"{name} is truncated or damaged: its FITS structure ends too early. Download it again."
    )


def _read_header(
    handle: BinaryIO, name: str, error: type[SpectrabridgeError]
) -> tuple[dict[str, str], int]:
    """Return the values of the cards about sizes, as they are written, and the header's bytes."""
    values: dict[str, str] = {}
    for block in range(MAX_HEADER_BLOCKS):
        content = handle.read(_BLOCK_BYTES)
        if len(content) < _BLOCK_BYTES:
            raise _truncated(name, error)
        for k in range(0, _BLOCK_BYTES, _CARD_BYTES):
            card = content[k : k + _CARD_BYTES]
            key = card[:8].rstrip().upper()
            if key == b"END":
                return values, (block + 1) * _BLOCK_BYTES
            if key in (b"GROUPS", b"ZIMAGE") or _SIZES.match(card):
                word = key.decode("ascii", "replace")
                text = card[10:].decode("ascii", "replace")
                fixed = card[8:10] == b"= " and (b"=" not in key)
                if not fixed or values.setdefault(word, text).split("/")[0].strip() != (
                    text.split("/")[0].strip()
                ):
                    raise error(
                        f"{name} is damaged: {word} in its FITS headers is written twice or not as "
                        "the standard says. Download it again."
                    )
    raise error(
        f"{name} is damaged: one of its FITS headers has no end within {MAX_HEADER_BLOCKS} blocks."
    )


def _data_bytes(
    values: dict[str, str], name: str, error: type[SpectrabridgeError]
) -> tuple[int, int]:
    """Return the bytes of the data of a unit, stored and when a compressed image is unpacked."""

    def number(key: str, default: int | None = None) -> int:
        if key not in values and default is not None:
            return default
        found = _WHOLE.fullmatch(values.get(key, ""))
        if not found:
            said = repr(values[key].strip()) if key in values else "no such card"
            raise error(
                f"{name} is damaged: expected a whole number for {key} in its FITS headers; found "
                f"{said}. Download it again."
            )
        return int(found.group(1))

    def pixels(prefix: str, first: int = 1) -> int:
        bits = number(f"{prefix}BITPIX")
        axes = number(f"{prefix}NAXIS")
        if bits not in (8, 16, 32, 64, -32, -64) or not 0 <= axes <= MAX_AXES:
            raise error(
                f"{name} is damaged: its FITS headers say {prefix}BITPIX {bits} and {prefix}NAXIS "
                f"{axes}. Download it again."
            )
        lengths = [number(f"{prefix}NAXIS{i}") for i in range(1, axes + 1)]
        if any(n < 0 for n in lengths):
            raise error(
                f"{name} is damaged: an axis in its FITS headers is negative ({lengths}). Download "
                "it again."
            )
        count = math.prod(lengths[first - 1 :]) if axes else 0
        if not axes:
            return 0
        extra, groups = (number("PCOUNT", 0), number("GCOUNT", 1)) if not prefix else (0, 1)
        if extra < 0 or groups < 0:
            raise error(f"{name} is damaged: PCOUNT or GCOUNT in its FITS headers is negative.")
        return abs(bits) // 8 * groups * (extra + count)

    grouped = values.get("GROUPS", "").strip().startswith("T")
    stored = pixels("", 2 if grouped else 1)
    if number("TFIELDS", 0) not in range(1000):
        raise error(f"{name} is damaged: TFIELDS in its FITS headers is not 0 to 999.")
    if values.get("ZIMAGE", "").strip().startswith("T"):
        return stored, max(stored, pixels("Z"))
    return stored, stored

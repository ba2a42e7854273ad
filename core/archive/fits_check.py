"""Whether a file is a complete FITS file, by its own headers."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from pathlib import Path
from typing import IO

from ..errors import DownloadError

FITS_BLOCK = 2880
"""Bytes; headers and data of FITS files fill whole blocks (FITS standard 4.0, 3.1)."""

MAX_AXES = 999
"""Axes that an HDU may have (FITS standard 4.0, section 4.4.1)."""

_FITS = b"SIMPLE  ="
_GZIP = b"\x1f\x8b"
_START_BYTES = 64
_WHOLE_NUMBER = re.compile(rb"[+-]?\d{1,18}")


def check_fits(path: Path) -> None:
    """Raise a DownloadError unless a file is a complete FITS file.

    The file must start with SIMPLE, have a size in blocks of 2880 bytes and hold all the
    data that its headers announce (FITS standard 4.0, sections 3.1 and 4.4.1); only
    headers are read. A file compressed by gzip is unpacked, which checks its sum. A cut
    exactly between two HDUs cannot be seen in the file; the server's length tells it.

    Parameters
    ----------
    path : Path
        The file.
    """
    try:
        fault = fits_fault(path)
    except OSError as problem:
        raise DownloadError(f"{path} cannot be read: {problem.strerror}.") from problem
    if fault:
        raise DownloadError(f"{path} is no complete FITS file: {fault}. Fetch it again.")


def is_fits(name: str) -> bool:
    """Return whether a file is called as FITS files are."""
    return name.endswith((".fits", ".fits.gz"))


def is_complete(path: Path, name: str = "") -> bool:
    """Return whether a file is there and, if FITS, complete."""
    return path.is_file() and (not is_fits(name or path.name) or not fits_fault(path))


def fits_fault(path: Path) -> str:
    """Return what keeps a file from being a complete FITS file; empty if nothing does.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        Words that follow "it is not usable:", such as "it is empty".
    """
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
        file.seek(0)
        if start.startswith(_GZIP):
            return _gzip_fault(file)
        if not start.startswith(_FITS):
            return wrong_start(start)
        size = os.fstat(file.fileno()).st_size
        wanted = _announced_bytes(file)
    if size < wanted:
        return f"it ends early, with {size} bytes of the {wanted} that its headers announce"
    if size % FITS_BLOCK:
        return f"its size, {size} bytes, is no multiple of {FITS_BLOCK}"
    return ""


def _gzip_fault(file: IO[bytes]) -> str:
    """Return what is wrong with gzip data that should hold a FITS file."""
    try:
        with gzip.GzipFile(fileobj=file) as packed:
            start = packed.read(len(_FITS))
            while packed.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error):
        return "its gzip data end early or are damaged"
    return "" if start == _FITS else wrong_start(start)


def wrong_start(start: bytes, html: bool = False) -> str:
    """Return in words what a file is that does not start as a FITS file does."""
    if html or start.lstrip()[:1] == b"<":
        return "it is a web page instead of a FITS file"
    return "it does not start as a FITS file does" if start else "it is empty"


def starts_wrong(start: bytes) -> bool:
    """Return whether the first bytes that arrived, however few, rule out a FITS file."""
    start = start[: len(_FITS)]
    return not (start.startswith(_FITS[: len(start)]) or start.startswith(_GZIP[: len(start)]))


def _announced_bytes(file: IO[bytes]) -> int:
    """Return the bytes that the headers of a FITS file account for.

    Bytes per HDU: |BITPIX| / 8 x GCOUNT x (PCOUNT + NAXIS1 x ... x NAXISm), in whole
    blocks (FITS standard 4.0, equation 2).
    """
    end = 0
    size = file.seek(0, os.SEEK_END)
    while end < size:
        file.seek(end)
        if end and file.read(8) != b"XTENSION":
            break  # special records after the last HDU, which the standard allows
        file.seek(end)
        values: dict[bytes, int] = {}
        ended = False
        while not ended:
            block = file.read(FITS_BLOCK)
            end += FITS_BLOCK
            if len(block) < FITS_BLOCK:
                return end
            ended = _read_block(block, values)
        end += -(-_data_bytes(values) // FITS_BLOCK) * FITS_BLOCK
    return end


def _read_block(block: bytes, values: dict[bytes, int]) -> bool:
    """Add the whole numbers of a header block by keyword; return whether it holds END."""
    for i in range(0, FITS_BLOCK, 80):
        key = block[i : i + 8].rstrip()
        if key == b"END":
            return True
        number = block[i + 10 : i + 30].partition(b"/")[0].strip()
        if _WHOLE_NUMBER.fullmatch(number):
            values.setdefault(key, int(number))
    return False


def _data_bytes(values: dict[bytes, int]) -> int:
    """Return the bytes of an HDU's data; a damaged header never gives fewer than none."""
    n_axes = min(values.get(b"NAXIS", 0), MAX_AXES)
    if n_axes < 1:
        return 0
    n = 1
    for axis in range(1, n_axes + 1):
        n *= values.get(b"NAXIS%d" % axis, 0)
    n = values.get(b"GCOUNT", 1) * (values.get(b"PCOUNT", 0) + n)
    return max(0, abs(values.get(b"BITPIX", 8)) // 8 * n)

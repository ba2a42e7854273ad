"""Lengths of the texts in an HDF5 file, looked at before the library makes room for them.

A text of variable length is stored as its length and the place of its bytes. The HDF5 library
allocates as many bytes as it is told, four gigabytes at most for each text, before it finds that
there are fewer. Attributes are found in object headers of version 1, which h5py writes unless it
is asked for another; chunks that are compressed are not looked into. Layouts are those of the
HDF5 File Format Specification, version 3.0, sections IV.A.1.a, IV.A.2.m and III.E.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

import h5py
import numpy as np

_CONTINUATION, _ATTRIBUTE = 0x10, 0x0C
_VARIABLE_LENGTH = 9
_REFERENCE_BYTES = 16
_MAX_BLOCKS = 1000


def longest_text(file: h5py.File, found: h5py.Group | h5py.Dataset, raw: BinaryIO) -> int:
    """Return the greatest length that a text of an object, or of its attributes, declares.

    Parameters
    ----------
    file : h5py.File
        The open file.
    found : h5py.Group or h5py.Dataset
        The object.
    raw : binary file
        The same file, to be read as bytes.
    """
    address = h5py.h5o.get_info(found.id).addr + file.userblock_size
    longest = max(_attribute_lengths(raw, address, file.userblock_size), default=0)
    if isinstance(found, h5py.Dataset) and h5py.check_string_dtype(found.dtype) is not None:
        for content in _stored(found, raw):
            whole = len(content) // _REFERENCE_BYTES * _REFERENCE_BYTES
            lengths = np.frombuffer(content[:whole], "<u4")[:: _REFERENCE_BYTES // 4]
            longest = max(longest, int(lengths.max(initial=0)))
    return longest


def _stored(data: h5py.Dataset, raw: BinaryIO) -> Iterator[bytes]:
    """Yield what is stored of a dataset of texts of variable length, as far as it is plain."""
    text = h5py.check_string_dtype(data.dtype)
    if text is None or text.length is not None or data.id.get_create_plist().get_nfilters():
        return
    places: list[tuple[int, int]] = []
    if data.chunks is not None:
        data.id.chunk_iter(lambda chunk: places.append((chunk.byte_offset, chunk.size)))
    elif (start := data.id.get_offset()) is not None:
        places.append((start, data.size * _REFERENCE_BYTES))
    for start, size in places:
        raw.seek(start)
        yield raw.read(size)


def _attribute_lengths(raw: BinaryIO, address: int, base: int) -> Iterator[int]:
    """Yield the lengths of texts in the attributes of an object whose header lies at an address."""
    raw.seek(address)
    prefix = raw.read(16)
    if len(prefix) < 16 or prefix[0] != 1:
        return  # a header of version 2
    blocks = [(address + 16, struct.unpack_from("<I", prefix, 8)[0])]
    for _ in range(_MAX_BLOCKS):
        if not blocks:
            return
        start, size = blocks.pop()
        raw.seek(start)
        block = raw.read(size)
        at = 0
        while at + 8 <= len(block):
            kind, size = struct.unpack_from("<HH", block, at)
            body = block[at + 8 : at + 8 + size]
            at += 8 + size
            if kind == _CONTINUATION and len(body) >= 16:
                place, length = struct.unpack_from("<QQ", body)
                blocks.append((place + base, length))
            elif kind == _ATTRIBUTE and len(body) > 8:
                yield from _lengths_in(body)


def _lengths_in(attribute: bytes) -> Iterator[int]:
    """Yield the lengths of texts in the message of an attribute."""
    version, flags, name, kind, space = struct.unpack_from("<BBHHH", attribute)
    if version > 1 and flags & 3:
        return  # its type lies elsewhere
    step = 8 if version == 1 else 1  # parts of the first version are padded
    at = (9 if version == 3 else 8) + -(-name // step) * step
    if at >= len(attribute) or attribute[at] & 0x0F != _VARIABLE_LENGTH:
        return
    at += -(-kind // step) * step + -(-space // step) * step
    for place in range(at, len(attribute) - _REFERENCE_BYTES + 1, _REFERENCE_BYTES):
        yield struct.unpack_from("<I", attribute, place)[0]

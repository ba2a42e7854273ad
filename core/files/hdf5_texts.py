"""Texts in an HDF5 file, looked at before the library makes room for them.

A text of variable length is stored as its length and the place of its bytes in a global heap, a
row of objects that each say how long they are. The HDF5 library allocates as many bytes as it is
told, four gigabytes at most for each text, before it finds that there are fewer; it steps through
a heap by the lengths, for ever where one is 0; and it ends the program for a text that is not in
its heap. Attributes are found in object headers of
version 1, which h5py writes unless it is asked for another; chunks that are compressed are not
looked into. Layouts are those of the HDF5 File Format Specification, version 3.0, sections
IV.A.1.a, IV.A.2.m and III.E.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import h5py
import numpy as np

_DATATYPE, _CONTINUATION, _ATTRIBUTE = 0x03, 0x10, 0x0C
_VARIABLE_LENGTH = 9
_REFERENCE = np.dtype([("n", "<u4"), ("at", "<u8"), ("index", "<u4")])
_REFERENCE_BYTES = _REFERENCE.itemsize
_HEAP_PREFIX = 16
_OBJECT = struct.Struct("<H6xQ")
_MAX_BLOCKS = 1000


@dataclass(frozen=True)
class Text:
    """Where a text of variable length lies.

    Parameters
    ----------
    length : int
        Its bytes, as the file declares them.
    heap : int
        Address of the global heap that holds it; 0 for an empty text.
    index : int
        Its number in the heap.
    """

    length: int
    heap: int
    index: int


def texts_of(file: h5py.File, found: h5py.Group | h5py.Dataset, raw: BinaryIO) -> Iterator[Text]:
    """Yield the texts of variable length of an object, and of its attributes.

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
    yield from _in_attributes(raw, address, file.userblock_size)
    if isinstance(found, h5py.Dataset) and h5py.check_string_dtype(found.dtype) is not None:
        for content in _stored(found, raw):
            whole = len(content) // _REFERENCE_BYTES * _REFERENCE_BYTES
            for length, heap, index in np.unique(np.frombuffer(content[:whole], _REFERENCE)):
                yield Text(int(length), int(heap), int(index))


def heap_lengths(raw: BinaryIO, address: int) -> dict[int, int] | None:
    """Return the lengths of the objects of a global heap by number.

    Parameters
    ----------
    raw : binary file
        The file.
    address : int
        Of the heap in the file, user block included.

    Returns
    -------
    dict or None
        Empty where there is no heap. None if who steps through it by the lengths in it stays
        where one is 0.
    """
    found: dict[int, int] = {}
    raw.seek(address)
    prefix = raw.read(_HEAP_PREFIX)
    if len(prefix) < _HEAP_PREFIX or prefix[:4] != b"GCOL":
        return found
    end = address + struct.unpack_from("<Q", prefix, 8)[0]
    at = address + _HEAP_PREFIX
    while at + _OBJECT.size <= end:
        raw.seek(at)
        header = raw.read(_OBJECT.size)
        if len(header) < _OBJECT.size:
            break  # the heap is longer than the file, which the library refuses
        index, length = _OBJECT.unpack(header)
        # Object 0 is what is free, header and all; the others are padded to eight bytes.
        step = length if index == 0 else _OBJECT.size + -(-length // 8) * 8
        if step == 0:
            return None
        if index:
            found[index] = length
        at += step
    return found


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


def _in_attributes(raw: BinaryIO, address: int, base: int) -> Iterator[Text]:
    """Yield the texts in the attributes of an object whose header lies at an address."""
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
            elif kind == _DATATYPE:
                _require_text_or_list(body)
            elif kind == _ATTRIBUTE and len(body) > 8:
                yield from _in_attribute(body)


def _in_attribute(attribute: bytes) -> Iterator[Text]:
    """Yield the texts in the message of an attribute."""
    version, flags, name, kind, space = struct.unpack_from("<BBHHH", attribute)
    if version > 1 and flags & 3:
        return  # its type lies elsewhere
    step = 8 if version == 1 else 1  # parts of the first version are padded
    at = (9 if version == 3 else 8) + -(-name // step) * step
    if at >= len(attribute) or attribute[at] & 0x0F != _VARIABLE_LENGTH:
        return
    _require_text_or_list(attribute[at:])
    at += -(-kind // step) * step + -(-space // step) * step
    for place in range(at, len(attribute) - _REFERENCE_BYTES + 1, _REFERENCE_BYTES):
        yield Text(*struct.unpack_from("<IQI", attribute, place))


def _require_text_or_list(datatype: bytes) -> None:
    """Raise a ValueError for a type of variable length that is neither text nor list.

    Section IV.A.2.d: the library reads any other as one of them, and ends the program.
    """
    if len(datatype) > 1 and datatype[0] & 0x0F == _VARIABLE_LENGTH and datatype[1] & 0x0F > 1:
        raise ValueError("a type of variable length in it is neither text nor list")

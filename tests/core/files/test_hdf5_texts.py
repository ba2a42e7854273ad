"""Texts in HDF5 files that declare more bytes than there are do not fill the memory."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from spectrabridge.core.errors import SpectrumError
from spectrabridge.core.files.hdf5 import open_hdf5
from spectrabridge.core.files.hdf5_texts import texts_of

LENGTH = 7777
"""Of the text that is damaged: a number that is nowhere else in the file."""


def write(path: Path, where: str, **options: object) -> bytes:
    """Write a file with a long text as an attribute or in a dataset; return its content."""
    with h5py.File(path, "w", **options) as file:
        file.attrs["short"] = "x"
        group = file.create_group("g")
        for i in range(20):  # so many that the header goes on elsewhere
            group.attrs[f"number {i}"] = np.arange(30)
        file["fixed"] = np.array([b"abc"] * 3)
        chunks = {"chunks": (2,), "maxshape": (None,)} if where == "chunks" else {}
        data = file.create_dataset("texts", (5,), h5py.string_dtype(), **chunks)
        data[:] = "short"
        if where in ("chunks", "contiguous"):
            data[3] = "y" * LENGTH
        else:
            {"root": file, "group": group, "dataset": data}[where].attrs["long"] = "y" * LENGTH
    return path.read_bytes()


@pytest.mark.parametrize("where", ["root", "group", "dataset", "chunks", "contiguous"])
@pytest.mark.parametrize("options", [{}, {"userblock_size": 1024}])
def test_a_text_longer_than_the_file_is_refused(
    tmp_path: Path, where: str, options: dict[str, int]
) -> None:
    path = tmp_path / "x.h5"
    whole = write(path, where, **options)
    with open_hdf5(path) as file:
        with path.open("rb") as raw:
            objects = (file["/"], file["g"], file["texts"])
            found = [text.length for o in objects for text in texts_of(file, o, raw)]
        assert max(found) == LENGTH
    (place,) = _places(whole)
    damaged = whole[:place] + struct.pack("<I", 4_000_000_000) + whole[place + 4 :]
    path.write_bytes(damaged)
    for source in (path, damaged):
        with pytest.raises(SpectrumError, match=r"a text of .* in it declares 4,000 MB, more than"):
            open_hdf5(source)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("where", ["root", "dataset", "contiguous"])
@pytest.mark.parametrize("options", [{}, {"userblock_size": 1024}])
def test_a_heap_that_would_never_end_is_refused(
    tmp_path: Path, where: str, options: dict[str, int]
) -> None:
    path = tmp_path / "x.h5"
    whole = bytearray(write(path, where, **options))
    for start in [at for at in range(0, len(whole), 8) if whole[at : at + 4] == b"GCOL"]:
        # The first text becomes free space, which says how long it is: now 0, so no step is made.
        struct.pack_into("<H6xQ", whole, start + 16, 0, 0)
    path.write_bytes(whole)
    for source in (path, bytes(whole)):
        with pytest.raises(SpectrumError, match="lie where reading would not end"):
            open_hdf5(source)


@pytest.mark.parametrize("where", ["root", "dataset", "contiguous"])
@pytest.mark.parametrize(("change", "length"), [("index", LENGTH), ("length", LENGTH + 1)])
def test_a_text_that_is_not_in_its_heap_is_refused(
    tmp_path: Path, where: str, change: str, length: int
) -> None:
    whole = bytearray(write(tmp_path / "x.h5", where))
    (place,) = _places(bytes(whole))
    struct.pack_into("<I", whole, place, length)
    if change == "index":
        struct.pack_into("<I", whole, place + 12, 60_000)
    with pytest.raises(SpectrumError, match="in it is not where it should be"):
        open_hdf5(bytes(whole))


@pytest.mark.parametrize("where", ["root", "group", "contiguous"])
def test_a_type_of_variable_length_that_is_none_is_refused(tmp_path: Path, where: str) -> None:
    whole = write(tmp_path / "x.h5", where)
    # Version 1, class 9, a text of UTF-8 that ends with a null.
    kind = b"\x19\x01\x01\x00\x10\x00\x00\x00"
    places = [i for i in range(len(whole)) if whole[i : i + 8] == kind]
    assert places
    for place in places:
        damaged = whole[: place + 1] + b"\xff\xff" + whole[place + 3 :]
        with pytest.raises(SpectrumError, match=r"damaged|references or lists"):
            open_hdf5(damaged)


def _places(content: bytes) -> list[int]:
    """Return where the length stands before the address of a heap."""
    number = struct.pack("<I", LENGTH)
    at = [i for i in range(len(content) - 16) if content[i : i + 4] == number]
    return [i for i in at if 0 < struct.unpack_from("<Q", content, i + 4)[0] < len(content)]


@pytest.mark.parametrize("options", [{"libver": "latest"}, {"libver": "earliest"}])
def test_whole_files_of_any_version_are_opened(tmp_path: Path, options: dict[str, str]) -> None:
    for where in ("root", "group", "chunks"):
        write(tmp_path / f"{where}.h5", where, **options)
        with open_hdf5(tmp_path / f"{where}.h5") as file:
            assert file.attrs["short"] == "x"
            assert file["texts"].asstr()[0] == "short"

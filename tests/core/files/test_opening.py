"""Files from strangers: what is refused, with a sentence, before anything is allocated."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits

from spectrabridge.core.errors import LineListError, SpectrabridgeError, SpectrumError
from spectrabridge.core.files.budget import ByteBudget
from spectrabridge.core.files.fits_layout import fits_layout, open_fits, open_large_fits
from spectrabridge.core.files.hdf5 import open_hdf5
from spectrabridge.core.files.npz import open_npz, open_zip, read_array
from spectrabridge.core.files.regular import open_regular, read_limited, unpacked
from spectrabridge.core.files.safetensors_header import read_metadata
from spectrabridge.core.files.tables import read_table, require_narrow
from spectrabridge.core.files.understood import understood
from spectrabridge.core.io.fits_file import read_fits
from spectrabridge.core.io.text_table import read_text


def hdf5(path: Path, fill) -> Path:
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def fits_bytes(*hdus: fits.hdu.base.ExtensionHDU) -> bytes:
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(out)
    return out.getvalue()


def with_card(content: bytes, old: str, new: str) -> bytes:
    """The content with a card of the last header in which it stands written anew."""
    place = content.rindex(old.encode())
    return content[:place] + new.encode().ljust(80) + content[place + 80 :]


class TestUnderstood:
    @pytest.mark.parametrize(
        "problem",
        [ValueError("x"), RecursionError(), KeyError("k"), OSError("no number"), EOFError()],
    )
    def test_whatever_is_raised_becomes_a_sentence_with_the_name(self, problem: Exception) -> None:
        with (
            pytest.raises(LineListError, match=r"^a.txt cannot be read as a list: .* Mend it\.$"),
            understood("a.txt", "a list", LineListError, "Mend it."),
        ):
            raise problem

    def test_memory_is_said_as_such(self) -> None:
        with pytest.raises(SpectrumError, match="needs more memory"), understood("a", "a list"):
            raise MemoryError

    def test_a_full_reason_of_the_system_is_kept(self) -> None:
        with pytest.raises(SpectrumError, match="Permission denied"), understood("a", "a list"):
            raise PermissionError(13, "Permission denied")

    def test_own_errors_and_interrupts_pass(self) -> None:
        with pytest.raises(LineListError, match=r"^own$"), understood("a", "b"):
            raise LineListError("own")
        with pytest.raises(KeyboardInterrupt), understood("a", "b"):
            raise KeyboardInterrupt


class TestRegularFiles:
    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
    def test_a_pipe_is_refused_and_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(SpectrumError, match="a pipe or a device"):
            read_limited(tmp_path / "pipe")

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices on this system")
    def test_a_device_is_refused(self) -> None:
        with pytest.raises(SpectrumError, match="a pipe or a device"):
            open_regular("/dev/zero")

    def test_absent_folder_empty_large(self, tmp_path: Path) -> None:
        (tmp_path / "empty").touch()
        (tmp_path / "large").write_bytes(bytes(11))
        for name, sentence in (
            ("absent", "There is no file"),
            (".", "is a folder"),
            ("empty", "is empty; expected a list"),
            ("large", "is larger than"),
        ):
            with pytest.raises(SpectrumError, match=sentence):
                read_limited(tmp_path / name, expected="a list", max_bytes=10)
        assert read_limited(tmp_path / "large", max_bytes=11) == (bytes(11), "large")
        # The limit is not allocated: it may be larger than the memory.
        for source in (tmp_path / "large", io.BytesIO(bytes(11))):
            assert read_limited(source, max_bytes=10**15)[0] == bytes(11)

    def test_gzip_is_undone_up_to_the_limit(self) -> None:
        content = np.random.default_rng(1).bytes(3_000_000)
        packed = gzip.compress(content[:1_000_000]) + gzip.compress(content[1_000_000:])
        assert unpacked(packed, "x") == content
        with pytest.raises(SpectrumError, match="larger than 2 MB when it is unpacked"):
            unpacked(packed, "x", max_bytes=2_000_000)
        with pytest.raises(SpectrumError, match="truncated or damaged"):
            unpacked(packed[:-5], "x")

    def test_a_bomb_of_gzip_is_refused(self) -> None:
        bomb = gzip.compress(bytes(100_000_000), 1)
        with pytest.raises(SpectrumError, match="too much for"):
            unpacked(bomb, "x")


class TestHdf5:
    def test_numbers_and_texts_are_read(self, tmp_path: Path) -> None:
        def fill(file: h5py.File) -> None:
            file["flux"] = np.ones((3, 4))
            file["columns/name"] = np.array(["a", "b"], dtype=object)
            file["columns/self"] = file["columns"]  # a group that lies in itself
            file["flag"] = np.array([True, False])

        path = hdf5(tmp_path / "x.h5", fill)
        for source in (path, path.read_bytes()):
            with open_hdf5(source) as file:
                assert file["columns/name"].asstr()[0] == "a"

    @pytest.mark.parametrize("kind", ["external", "virtual", "external link", "soft link"])
    def test_data_that_lie_elsewhere_are_refused(self, tmp_path: Path, kind: str) -> None:
        secret = hdf5(tmp_path / "secret.h5", lambda file: file.create_dataset("d", data=[1.0]))

        def fill(file: h5py.File) -> None:
            if kind == "external":
                file.create_dataset("ids", (1,), "S20", external=[(str(secret), 0, 20)])
            elif kind == "virtual":
                layout = h5py.VirtualLayout((1,), "f8")
                layout[:] = h5py.VirtualSource(str(secret), "d", (1,))
                file.create_virtual_dataset("deep/flux", layout)
            elif kind == "external link":
                file["columns/snr"] = h5py.ExternalLink(str(secret), "d")
            else:
                file["ids"] = h5py.SoftLink("/elsewhere")

        with pytest.raises(SpectrumError, match=r"x\.h5 is refused: .*(another file|elsewhere)"):
            open_hdf5(hdf5(tmp_path / "x.h5", fill), "x.h5")

    def test_objects_and_compounds_are_refused_unless_wanted(self, tmp_path: Path) -> None:
        def references(file: h5py.File) -> None:
            file.create_dataset("r", (1,), h5py.ref_dtype)

        def lists(file: h5py.File) -> None:
            file.create_dataset("v", (1,), h5py.vlen_dtype(np.float64))

        def table(file: h5py.File) -> None:
            file["t"] = np.zeros(2, dtype=[("a", "f4"), ("b", "i4")])

        for fill in (references, lists, table):
            with pytest.raises(SpectrumError, match="is refused"):
                open_hdf5(hdf5(tmp_path / "x.h5", fill))
        open_hdf5(hdf5(tmp_path / "x.h5", table), compound=True).close()

    def test_what_is_declared_is_counted_before_it_is_allocated(self, tmp_path: Path) -> None:
        def fill(file: h5py.File) -> None:  # no chunk is written: 4 kB declare 34 GB
            file.create_dataset("flux", (1_000_000, 8575), "f4", chunks=(64, 8575), fillvalue=1.0)

        path = hdf5(tmp_path / "x.h5", fill)
        with pytest.raises(SpectrumError, match=r"declares 34.3 GB"):
            open_hdf5(path, max_bytes=500_000_000)
        with pytest.raises(SpectrumError, match="200 times"):
            open_hdf5(path, max_bytes=100_000_000_000)
        open_hdf5(path).close()  # it is read in runs

    def test_chunks_and_damage(self, tmp_path: Path) -> None:
        def fill(file: h5py.File) -> None:
            file.create_dataset("flux", (1, 10**9), "f4", chunks=(1, 10**9), compression="gzip")

        path = hdf5(tmp_path / "x.h5", fill)
        with pytest.raises(SpectrumError, match="chunk of 'flux' declares 4,000 MB"):
            open_hdf5(path)
        path.write_bytes(path.read_bytes()[:300])
        with pytest.raises(SpectrumError, match="damaged, or of another kind"):
            open_hdf5(path)


class TestFits:
    def test_units_are_found_where_astropy_finds_them(self) -> None:
        table = fits.BinTableHDU.from_columns(
            [fits.Column("a", "PE()", array=np.array([[1.0], [2.0, 3.0]], dtype=object))]
        )
        content = fits_bytes(fits.ImageHDU(np.ones((3, 5))), table, fits.ImageHDU())
        layout = fits_layout(content + b"\0" * 5000, "x")
        with fits.open(io.BytesIO(content)) as hdus:
            places = [(i["hdrLoc"], i["datLoc"]) for i in (hdu.fileinfo() for hdu in hdus)]
        assert [(h.header_start, h.data_start) for h in layout.hdus] == places
        assert (layout.end, layout.size) == (len(content), len(content) + 5000)
        with open_fits(content + b"\0" * 5000) as hdus:
            assert len(hdus) == 4

    @pytest.mark.parametrize(
        ("old", "new", "sentence"),
        [
            ("NAXIS1  =", "NAXIS1  =                -2880", "negative"),
            ("NAXIS1  =", "NAXIS1  =            999999999", "ends too early"),
            ("NAXIS1  =", "NAXIS1  =                 1E3", "whole number for NAXIS1"),
            ("NAXIS1  =", "NAXIS1= 5", "not as the standard says"),
            ("NAXIS1  =", "COMMENT", "no such card"),
            ("NAXIS2  =", "NAXIS1  = 1", "written twice"),
            ("PCOUNT  =", "PCOUNT  =                -2880", "PCOUNT"),
            ("GCOUNT  =", "GCOUNT  =                   -1", "GCOUNT"),
            ("BITPIX  =", "BITPIX  =                    7", "BITPIX 7"),
            ("NAXIS   =", "NAXIS   =                  999", "NAXIS 999"),
            ("END     ", "COMMENT", "ends too early"),
        ],
    )
    def test_sizes_that_cannot_be(self, old: str, new: str, sentence: str) -> None:
        content = with_card(fits_bytes(fits.ImageHDU(np.ones((3, 5)))), old, new)
        with pytest.raises(SpectrumError, match=sentence):
            open_fits(content, "x.fits")

    def test_a_header_without_end_ends(self) -> None:
        content = b"SIMPLE  =                    T".ljust(2880) + b" " * 2880 * 1200
        with pytest.raises(SpectrumError, match="no end within 1000 blocks"):
            fits_layout(content, "x")

    def test_too_many_units(self) -> None:
        content = fits_bytes(fits.ImageHDU())
        with pytest.raises(SpectrumError, match="more than 1000 HDUs"):
            fits_layout(content[:2880] + content[2880:] * 1001, "x")

    def test_a_compressed_image_is_counted_as_it_unpacks(self) -> None:
        content = fits_bytes(fits.CompImageHDU(np.zeros((100, 100), "f4")))
        assert fits_layout(content, "x").hdus[1].unpacked_bytes == 40_000
        content = with_card(content, "ZNAXIS1 =", "ZNAXIS1 =           1000000000")
        with pytest.raises(SpectrumError, match="declares 400 GB"):
            open_fits(content, "x")

    def test_a_large_file_is_looked_at_where_it_lies(self, tmp_path: Path) -> None:
        path = tmp_path / "x.fits"
        path.write_bytes(fits_bytes(fits.ImageHDU(np.ones(5))))
        with open_large_fits(path) as hdus:
            assert hdus[1].data.tolist() == [1.0] * 5
        path.write_bytes(path.read_bytes()[:-2880])
        with pytest.raises(SpectrumError, match="ends too early"):
            open_large_fits(path)


class TestNpz:
    def npz(self, header: bytes, data: bytes = b"") -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data
            archive.writestr("flux.npy", member)
        return out.getvalue()

    def test_arrays_are_read(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "x.npz", flux=np.ones((2, 3)), objects=np.array([{}], dtype=object))
        for source in (tmp_path / "x.npz", (tmp_path / "x.npz").read_bytes()):
            with open_npz(source) as file:
                assert file["flux"].shape == (2, 3)
                with pytest.raises(ValueError, match="allow_pickle"):
                    file["objects"]

    @pytest.mark.parametrize("shape", ["(1000000000000,)", "(-1,)", "(1000000, 1000000)"])
    def test_a_header_that_declares_more_than_there_is(self, shape: str) -> None:
        header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}\n".encode()
        with pytest.raises(SpectrumError, match="declares shape"):
            open_npz(self.npz(header, bytes(80)), "x")

    def test_headers_that_are_none(self) -> None:
        for header in (b"__import__('os').abort()\n", b"(" * 5000, b"{}"):
            with pytest.raises(SpectrumError, match="damaged, or of another kind"):
                open_npz(self.npz(header), "x")

    def test_a_bomb_is_refused(self, tmp_path: Path) -> None:
        np.savez_compressed(tmp_path / "x.npz", flux=np.ones(20_000_000))
        with pytest.raises(SpectrumError, match="200 times"):
            open_npz(tmp_path / "x.npz")
        with pytest.raises(SpectrumError, match=r"0\.1 GB that are read"):
            open_zip(tmp_path / "x.npz", max_bytes=100_000_000)

    def test_two_members_of_one_name(self) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", "1")
            archive.writestr("a", "2")
        with pytest.raises(SpectrumError, match="same name"):
            open_zip(out.getvalue())

    def test_no_archive(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"PK\x03\x04 and no more")
        with pytest.raises(LineListError, match="damaged, or of another kind"):
            open_npz(tmp_path / "x", error=LineListError)


class TestZarr:
    def store(self, path: Path) -> Path:
        zarr = pytest.importorskip("zarr")
        group = zarr.create_group(store=str(path))
        group.create_array("flux", shape=(4, 5), chunks=(2, 5), dtype="f4")[:] = 1.0
        return path

    def edit(self, file: Path, **changes: object) -> None:
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    def test_what_zarr_writes_is_read(self, tmp_path: Path) -> None:
        from spectrabridge.core.files.zarr_store import open_zarr

        assert open_zarr(self.store(tmp_path / "a"))["flux"][:].sum() == 20

    def test_codecs_chunks_links_and_damage(self, tmp_path: Path) -> None:
        from spectrabridge.core.files.zarr_store import open_zarr

        harmful = [{"name": "numcodecs.pickle", "configuration": {}}]
        path = self.store(tmp_path / "a")
        self.edit(path / "flux" / "zarr.json", codecs=harmful)
        with pytest.raises(SpectrumError, match=r"asks for the codec 'numcodecs\.pickle'"):
            open_zarr(path)
        path = self.store(tmp_path / "b")
        grid = {"name": "regular", "configuration": {"chunk_shape": [100_000, 100_000]}}
        self.edit(path / "flux" / "zarr.json", chunk_grid=grid)
        with pytest.raises(SpectrumError, match="a chunk declares 40,000 MB"):
            open_zarr(path)
        path = self.store(tmp_path / "c")
        (path / "ids").symlink_to(tmp_path)
        with pytest.raises(SpectrumError, match="is a link"):
            open_zarr(path)
        path = self.store(tmp_path / "d")
        (path / "zarr.json").write_text("{")
        with pytest.raises(SpectrumError, match="damaged, or of another kind"):
            open_zarr(path)

    def test_codecs_of_the_older_format(self, tmp_path: Path) -> None:
        zarr = pytest.importorskip("zarr")
        from spectrabridge.core.files.zarr_store import open_zarr

        path = tmp_path / "a"
        group = zarr.create_group(store=str(path), zarr_format=2)
        group.create_array("flux", shape=(4, 5), chunks=(2, 5), dtype="f4")[:] = 1.0
        assert open_zarr(path)["flux"][:].sum() == 20
        self.edit(path / "flux" / ".zarray", filters=[{"id": "pickle"}])
        with pytest.raises(SpectrumError, match="codec 'pickle'"):
            open_zarr(path)


class TestSafetensors:
    def test_metadata(self) -> None:
        from safetensors.numpy import save

        content = save({"a": np.ones(3)}, {"k": "v"})
        assert read_metadata(content, "x") == {"k": "v"}
        assert read_metadata(save({"a": np.ones(3)}), "x") == {}

    @pytest.mark.parametrize(
        "content",
        [b"", b"1234567", struct.pack("<Q", 2**63), struct.pack("<Q", 2) + b"[]",
         struct.pack("<Q", 20000) + b"[" * 20000,
         struct.pack("<Q", 25) + b'{"__metadata__": {"a":1}}'],
    )  # fmt: skip
    def test_headers_that_are_none(self, content: bytes) -> None:
        with pytest.raises(SpectrabridgeError, match="x cannot be read as a safetensors file"):
            read_metadata(content, "x")


def test_a_budget_counts_every_array() -> None:
    budget = ByteBudget("x", stored=10_000_000, max_bytes=1000)
    budget.spend("a", (10, 10), 8)
    with pytest.raises(SpectrumError, match=r"b of x has shape \(30,\)"):
        budget.spend("b", (30,), 8)
    with pytest.raises(SpectrumError, match="impossible shape"):
        budget.spend("c", (-1,), 8)


def test_a_small_file_takes_little_memory_whatever_the_limit(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "small.txt"
    path.write_bytes(b"x" * 1000)
    tracemalloc.start()
    try:
        assert read_limited(path, max_bytes=1 << 36)[0] == b"x" * 1000
        with path.open("rb") as file:
            assert read_limited(file, max_bytes=1 << 36)[0] == b"x" * 1000
        assert tracemalloc.get_traced_memory()[1] < 1 << 23
    finally:
        tracemalloc.stop()


class TestTables:
    VOTABLE = (
        b'<?xml version="1.0"?><VOTABLE version="1.3"><RESOURCE><TABLE><FIELD name="a" '
        b'datatype="int"/><DATA>%s</DATA></TABLE></RESOURCE></VOTABLE>'
    )

    def test_a_table_with_its_data_is_read(self) -> None:
        inside = self.VOTABLE % b"<TABLEDATA><TR><TD>7</TD></TR></TABLEDATA>"
        assert read_table(inside, "votable", "x.vot")["a"].tolist() == [7]
        assert read_table(b"a,b\n1,2\n", "ascii.csv", "x.csv")["b"].tolist() == [2]

    def test_a_table_whose_data_lie_elsewhere_is_refused(self) -> None:
        outside = self.VOTABLE % b'<FITS><STREAM href="file:///etc/hostname"/></FITS>'
        for content in (outside, b'<!DOCTYPE x [<!ENTITY a "b">]>' + outside):
            with pytest.raises(SpectrumError, match="lie in another file"):
                read_table(content, "votable", "x.vot")

    @pytest.mark.parametrize("kind", ["ascii.csv", "ascii.ecsv", "votable", "fits"])
    def test_what_is_no_table(self, kind: str) -> None:
        with pytest.raises(SpectrumError, match=r"x\.t (cannot be read|is not a FITS file)"):
            read_table(b"\xff\xfe\x00 no table", kind, "x.t")


@pytest.mark.parametrize("code", [0x110000, 0xFFFFFFFF, 0xD800])
@pytest.mark.parametrize("order", ["<", ">"])
def test_text_of_an_npz_file_that_is_no_unicode_is_refused(code: int, order: str) -> None:
    # numpy reads it, and fails with a SystemError where the text is used.
    names = np.array([65, code], f"{order}u4").view(f"{order}U2")
    content = io.BytesIO()
    np.savez(content, names=names, good=np.array(["Å", ""]))
    with open_npz(content.getvalue(), "g.npz") as file:
        assert read_array(file, "good", "g.npz").tolist() == ["Å", ""]
        with pytest.raises(SpectrumError, match=r"^Array names of g\.npz cannot be read as "):
            read_array(file, "names", "g.npz")


def test_nothing_is_read_behind_a_damaged_header(tmp_path: Path) -> None:
    image = fits.ImageHDU(np.ones((2, 400), "f4"))
    whole = fits_bytes(image, image)
    second, third = (m.start() for m in re.finditer(rb"XTENSION=", whole))
    axes = whole.index(b"NAXIS   =", third)
    # Astropy skips the second unit and counts as many axes as the third one says.
    damaged = whole[:second] + b"X" * 8 + whole[second + 8 : axes + 10]
    damaged += b"99999999999".rjust(20) + whole[axes + 30 :]
    (tmp_path / "a.fits").write_bytes(damaged)
    with pytest.raises(SpectrumError, match="truncated or damaged"):
        open_large_fits(tmp_path / "a.fits")
    with pytest.raises(SpectrumError, match="truncated or damaged"):
        read_fits(damaged, lambda hdus, name: len(hdus), "a.fits")


def test_tables_of_very_many_columns_are_refused(tmp_path: Path) -> None:
    for mark in (",", ";", "\t", "|", " "):
        wide = "# a comment\n" + mark.join(f"c{i}" for i in range(3001)) + "\n"
        with pytest.raises(LineListError, match="a has 3001 columns; tables of text are read up t"):
            require_narrow(wide.splitlines(), "a", LineListError)
    (tmp_path / "a.csv").write_text(",".join(f"c{i}" for i in range(3500)) + "\n")
    with pytest.raises(SpectrumError, match="3500 columns"):
        read_table(tmp_path / "a.csv", "ascii.csv")
    with pytest.raises(SpectrumError, match="3500 columns"):
        read_text((tmp_path / "a.csv").read_bytes(), "a.csv")
    require_narrow(["", "# x"], "a")

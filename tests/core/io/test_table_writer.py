"""Tables in every format: what is in a cell comes back, or a sentence says why not."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.io.votable import parse
from astropy.table import MaskedColumn, QTable, Table

from spectrabridge.core.errors import OutputError, TableError
from spectrabridge.core.io.cell_text import column_texts, unescape_columns
from spectrabridge.core.io.table_formats import FORMATS, SUFFIXES, format_of
from spectrabridge.core.io.table_writer import TABLEDATA_ROWS, table_bytes, write_table

TEXTS = [
    "Ångström 星 😀",
    "\"quoted\" 'twice', 1",
    "a tab\tand a line\nand \r\n more",
    "nu\x00l \x85 \u2028",
    "  blanks around ",
    "x" * 200,
    "",
    "C:\\new\\x41",
    "# no comment",
    "a surrogate \udcc5.fits",
]


def read(content: bytes, name: str) -> Table:
    """Return a table as astropy reads it, with its metadata."""
    kind = FORMATS[name].astropy
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # VOUnits would rather have nanometres
        if name == "VOTable":
            inside = parse(io.BytesIO(content)).get_first_table()
            table = inside.to_table(use_names_over_ids=True)
            table.meta.update({i.name: i.value for i in inside.infos})
            return table
        if name == "FITS":
            table = Table.read(io.BytesIO(content), format="fits", character_as_bytes=False)
            table.meta = {k.lower(): v for k, v in table.meta.items()}
            return table
        return Table.read(content.decode(), format=kind)


def as_typed(table: Table, name: str) -> Table:
    """Return a table with its texts unescaped; CSV cannot say which."""
    escaped = table.colnames if name == "CSV" else table.meta.get("escaped", "").split(", ")
    return unescape_columns(table, [n for n in escaped if n and table[n].dtype.kind in "UO"])


@pytest.fixture(params=[1, TABLEDATA_ROWS])
def table(request: pytest.FixtureRequest) -> Table:
    """A table of everything, short and long."""
    texts = TEXTS * request.param
    n = len(texts)
    out = Table()
    out["id"] = texts
    out["comment"] = MaskedColumn(texts, mask=[i % 5 == 0 for i in range(n)])
    value = np.where(np.arange(n) % 3 == 0, np.nan, 1.5)
    out["teff"] = MaskedColumn(value, mask=[i % 2 == 0 for i in range(n)], unit=units.K)
    out["n"] = MaskedColumn(np.arange(n), mask=[i == 1 for i in range(n)])
    out["good"] = np.arange(n) % 2 == 0
    out["width"] = np.full(n, 21.0) * units.mAA
    out["Fe"] = np.full(n, -0.5, np.float32) * units.dex
    out["Fe"].info.description = "iron, Ångström"
    out.meta = {"bundle": "Åse", "fingerprint": "0123", "vetters": ["ann", "Ünal"]}
    return out


@pytest.mark.parametrize("name", FORMATS)
def test_every_cell_comes_back(table: Table, name: str) -> None:
    before = table.copy()
    again = as_typed(read(table_bytes(table, name), name), name)
    assert again.colnames == table.colnames and len(again) == len(table)
    assert column_texts(again["id"]) == column_texts(table["id"])
    # A masked text is an empty one.
    assert column_texts(again["comment"]) == column_texts(table["comment"])
    wanted = np.ma.filled(table["teff"], np.nan)
    np.testing.assert_array_equal(np.ma.filled(again["teff"], np.nan), wanted)
    np.testing.assert_array_equal(np.ma.getmaskarray(np.ma.asarray(again["n"])), table["n"].mask)
    assert again["n"][2] == 2
    assert [str(g) for g in again["good"]] == [str(g) for g in table["good"]]
    np.testing.assert_array_equal(again["Fe"], np.float32(-0.5))
    if name in ("ECSV", "CSV"):
        # A masked number is not the same as one that is none.
        np.testing.assert_array_equal(again["teff"].mask, table["teff"].mask)
    # The caller's table is as it was.
    assert column_texts(table["id"]) == column_texts(before["id"])
    assert table["width"].unit == units.mAA and table["Fe"].unit == units.dex
    assert table.meta == before.meta and table["Fe"].info.description == "iron, Ångström"
    np.testing.assert_array_equal(table["teff"].mask, before["teff"].mask)
    np.testing.assert_array_equal(table["teff"].data.data, before["teff"].data.data)


@pytest.mark.parametrize("name", ["ECSV", "VOTable", "FITS"])
def test_units_descriptions_and_metadata_are_kept_or_said(table: Table, name: str) -> None:
    again = read(table_bytes(table[:4], name), name)
    assert again["teff"].unit == units.K
    assert again.meta["escaped"] == "id, comment"
    if name == "ECSV":
        assert again["width"].unit == units.mAA and again["Fe"].unit == units.dex
        assert again.meta["bundle"] == "Åse" and again.meta["vetters"] == ["ann", "Ünal"]
        return
    assert again["width"].unit == units.AA and again["width"][0] == pytest.approx(0.021)
    assert again["Fe"].unit is None
    start = "iron, \\xc5ngstr" if name == "FITS" else "iron, Ångstr"
    assert again["Fe"].description.startswith(start)
    assert again["Fe"].description.endswith("(unit: dex)")
    assert again.meta["bundle"] == ("\\xc5se" if name == "FITS" else "Åse")


def test_a_fits_header_has_words_that_others_read(table: Table) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as of keywords that are too long
        content = table_bytes(table[:4], "FITS")
    with fits.open(io.BytesIO(content)) as hdus:
        hdus.verify("exception")
        header = hdus[1].header
        assert header["FPRINT"] == "0123" and header["ESCAPED"] == "id, comment"
        fe = hdus[1].columns.names.index("Fe") + 1
        assert header[f"TCOMM{fe}"].startswith("iron, ")


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_special_is_written_as_it_is(name: str) -> None:
    again = read(table_bytes(Table({"id": ["2M1948"], "n": [1]}), name), name)
    assert str(again["id"][0]) == "2M1948" and "escaped" not in again.meta


@pytest.mark.parametrize("name", FORMATS)
def test_quantities_are_columns_with_units_and_no_row_is_a_table_too(name: str) -> None:
    table = QTable({"wavelength": [15000.0] * units.AA, "id": ["Å"]})
    table["wavelength"].info.description = "vacuum"
    for rows in (table, table[:0]):
        again = read(table_bytes(rows, name), name)
        assert again.colnames == ["wavelength", "id"] and len(again) == len(rows)
        if name != "CSV":
            assert again["wavelength"].unit == units.AA
            assert again["wavelength"].description == "vacuum"
    assert isinstance(table["wavelength"], units.Quantity)


@pytest.mark.parametrize("name", ["ECSV", "VOTable", "FITS"])
def test_arrays_in_cells_are_kept(name: str) -> None:
    table = Table({"id": ["a", "b"], "covariance": np.arange(8.0).reshape(2, 2, 2)})
    again = read(table_bytes(table, name), name)
    np.testing.assert_array_equal(again["covariance"], table["covariance"])


def test_what_a_format_cannot_hold_is_refused_in_a_sentence() -> None:
    arrays = Table({"covariance": np.zeros((2, 3, 3))})
    with pytest.raises(TableError, match=r"CSV holds one value .* 'covariance' has 3 x 3"):
        table_bytes(arrays, "CSV")
    with pytest.raises(TableError, match="no missing truth values; column 'good'"):
        table_bytes(Table({"good": MaskedColumn([True, False], mask=[True, False])}), "FITS")
    with pytest.raises(TableError, match="'x' has cells of type dict"):
        table_bytes(Table({"x": [{}, {}]}), "ECSV")
    with pytest.raises(TableError, match="'x' has several texts"):
        table_bytes(Table({"x": [["a", "b"]]}), "ECSV")
    with pytest.raises(TableError, match="written as ECSV, VOTable, FITS, CSV; found 'ecsv'"):
        table_bytes(arrays, "ecsv")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_ending_of_a_file_says_the_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"Ångström{suffix.upper()}"
    table = Table({"id": ["a"]})
    write_table(table, path)
    assert path.read_bytes()[:20] == table_bytes(table, format_of(path).name)[:20]
    assert [f.name for f in tmp_path.iterdir()] == [path.name]


def test_files_are_replaced_only_when_told_and_never_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "labels.csv"
    table = Table({"id": ["a"]})
    with pytest.raises(TableError, match=r"ends in \.ecsv, .*found 'labels.xlsx'"):
        write_table(table, tmp_path / "labels.xlsx")
    write_table(table, path)
    with pytest.raises(OutputError, match=r"labels\.csv exists"):
        write_table(table, path)
    write_table(Table({"id": ["b"]}), path, overwrite=True)
    assert "b" in path.read_text()
    with pytest.raises(TableError, match=r"labels\.csv cannot be written: CSV holds one value"):
        write_table(Table({"x": [[1, 2]]}), path, overwrite=True)

    def full(self: Path, content: bytes) -> int:
        self.open("wb").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"labels\.csv cannot be written: No space left"):
        write_table(table, path, overwrite=True)
    assert [f.name for f in tmp_path.iterdir()] == ["labels.csv"] and "b" in path.read_text()

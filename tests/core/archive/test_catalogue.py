"""Stars chosen in an allStar catalogue, by id and by query."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectrabridge.core.archive.apogee import ArchiveStar, star_file
from spectrabridge.core.archive.catalogue import Comparison, find_stars, parse_query
from spectrabridge.core.errors import ArchiveError, DownloadError


def catalogue(path: Path, drop: tuple[str, ...] = (), **changes: Any) -> Path:
    """An allStar table of six rows; the third star was seen in two fields."""
    columns: dict[str, Any] = {
        "APOGEE_ID": ["2M01", "2M02", "2M03", "2M03", "2M04", ""],
        "FILE": [
            f"{'as' if i == 1 else 'ap'}Star-dr17-2M0{n}.fits" for i, n in enumerate("123345")
        ],
        "TELESCOPE": ["apo25m", "lco25m", "apo25m", "apo25m", "apo1m", "apo25m"],
        "FIELD": ["N7789", "293-37-C", "M13", "M13_new", "RV", "M13"],
        "LOCATION_ID": np.array([4424, 5000, 5001, 5002, 1, 9], np.int16),
        "TEFF": np.array([4500, 5200, 4100, 4100, -9999, 4000], np.float32),
        "LOGG": np.array([2.5, 3.0, 1.1, 1.1, np.nan, 1], np.float32),
        "FE_H": np.array([0.1, -0.4, -1.0, -1.0, -9999.99, 0], np.float32),
        "MG_FE": np.zeros(6, np.float32),
        "SNR": np.array([100, 200, 50, 90, 70, 70], np.float32),
        "STARFLAG": np.array([0, 8, 0, 0, -2147483648, 0], np.int32),
        "FPARAM": np.zeros((6, 7), np.float32),
    }
    columns |= changes
    table = [
        fits.Column(
            name,
            "40A"
            if isinstance(v, list)
            else {"i": "J", "f": "E"}[np.asarray(v).dtype.kind]
            if np.ndim(v) == 1
            else "7E",
            array=np.array(v),
        )
        for name, v in columns.items()
        if name not in drop
    ]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(table)]).writeto(path)
    return path


@pytest.fixture
def stars(tmp_path: Path) -> Path:
    return catalogue(tmp_path / "allStar.fits")


def found(*args: Any, **options: Any) -> list[str]:
    return [s.id for s in find_stars(*args, **options)]


def test_rows_become_stars(stars: Path) -> None:
    first, second, third, fourth = find_stars(stars)
    assert first == ArchiveStar("2M01", "apo25m", "N7789", 4424, "apStar-dr17-2M01.fits")
    assert second.file == "asStar-dr17-2M02.fits"
    assert third.field == "M13_new"  # the row with the higher signal-to-noise ratio
    assert (fourth.telescope, fourth.release) == ("apo1m", "dr17")
    assert star_file(second).path.endswith("lco25m/293-37-C/asStar-dr17-2M02.fits")


def test_ids_keep_their_order_and_unknown_ones_are_left_out(stars: Path) -> None:
    assert found(stars, ["2M04", " 2M01 ", "2M99", "2M04"]) == ["2M04", "2M01"]
    assert found(stars, ["2M99"]) == []
    assert found(stars, []) == []


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("teff<5000", ["2M01", "2M03"]),  # -9999 stands for no value
        ("TEFF < 5000 logg>2", ["2M01"]),
        ("teff<5000, Fe<=-1e0", ["2M03"]),
        ("teff<5000 and logg>2 & snr>=100", ["2M01"]),
        ("fe>-0.5", ["2M01", "2M02"]),
        ("logg!=2.5", ["2M02", "2M03"]),
        ("starflag=0", ["2M01", "2M03"]),
        ("starflag<0", ["2M04"]),
        ("telescope=lco25m", ["2M02"]),
        ("telescope!='apo25m'", ["2M02", "2M04"]),
        ('field=="M13"', ["2M03"]),
        ("teff>9000", []),
        ("id=2M02", ["2M02"]),
    ],
)
def test_queries(stars: Path, query: str, ids: list[str]) -> None:
    assert found(stars, query=query) == ids


def test_a_query_chooses_among_the_rows_of_a_star(stars: Path) -> None:
    (star,) = find_stars(stars, ["2M03"], "field=M13")
    assert star.field == "M13"


def test_limit_draws_with_a_seed(tmp_path: Path) -> None:
    n = 200
    ids = [f"2M{i:04d}" for i in range(n)]
    path = tmp_path / "big.fits"
    columns = [
        fits.Column("APOGEE_ID", "18A", array=np.array(ids)),
        fits.Column("FIELD", "16A", array=np.array(["F"] * n)),
    ]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path)
    few = found(path, limit=10)
    assert len(few) == 10
    assert few == sorted(few) == found(path, limit=10, seed=0)
    assert few != found(path, limit=10, seed=1)
    assert found(path, limit=1000) == ids


def test_commissioning_rows_come_last(tmp_path: Path) -> None:
    files = ["apStarC-r8-2M01.fits", "apStar-r8-2M01.fits", *["apStar-r8-2M03.fits"] * 4]
    path = catalogue(tmp_path / "c.fits", APOGEE_ID=["2M01", "2M01", *["2M03"] * 4], FILE=files)
    star = find_stars(path, ["2M01"])[0]
    assert star.file == "apStar-r8-2M01.fits"
    assert star.release == "dr14"


def test_catalogues_with_fewer_columns(tmp_path: Path) -> None:
    path = catalogue(tmp_path / "a.fits", drop=("FILE", "TELESCOPE", "SNR"))
    assert find_stars(path)[3] == ArchiveStar("2M04", "apo1m", "RV", 1, "")
    path = catalogue(tmp_path / "b.fits", drop=("FIELD", "LOCATION_ID"))
    with pytest.raises(ArchiveError, match="neither FIELD nor LOCATION_ID"):
        find_stars(path)


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("Mg>0", "no column Mg; near it are MG_FE"),
        ("tef<5000", "no column tef; near it are TEFF"),
        ("qqqqqq<5000", "it has APOGEE_ID, FILE"),
        ("fparam<3", "has 7 values per star"),
        ("teff<warm", "Expected a number to compare teff with; found 'warm'"),
        ("teff<nan", "Expected a number"),
        ("field<M13", "by = or !="),
    ],
)
def test_queries_that_do_not_fit_the_catalogue(stars: Path, query: str, part: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        find_stars(stars, query=query)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("teff", "found 'teff'"),
        ("4000<teff<5000", "column first"),
        ("teff<5000 or logg<3", "fetch twice"),
        ("teff<5000 | logg<3", "fetch twice"),
        ("__import__('os').system('true')", "Expected comparisons"),
        ("teff<(5000", "Expected a number"),
        ("teff<>3", "Expected comparisons"),
    ],
)
def test_queries_that_are_none(stars: Path, query: str, part: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        find_stars(stars, query=query)
    assert part in str(caught.value)


def test_parse_query() -> None:
    assert parse_query(" a<1,b == 'x y'&c!=-.5e3 ") == (
        Comparison("a", "<", "1"),
        Comparison("b", "=", "x y"),
        Comparison("c", "!=", "-.5e3"),
    )
    with pytest.raises(ArchiveError, match="the query is empty"):
        parse_query("  ")


def test_files_that_are_no_catalogue(tmp_path: Path, tests_data: Path, stars: Path) -> None:
    with pytest.raises(ArchiveError, match="There is no catalogue"):
        find_stars(tmp_path / "none.fits")
    with pytest.raises(ArchiveError, match="is a folder"):
        find_stars(tmp_path)
    (tmp_path / "a.csv").write_text("APOGEE_ID,TEFF\n")
    with pytest.raises(DownloadError, match="no complete FITS file"):
        find_stars(tmp_path / "a.csv")
    whole = stars.read_bytes()
    stars.write_bytes(whole[:-2880])
    with pytest.raises(DownloadError, match="ends early"):
        find_stars(stars)
    with pytest.raises(ArchiveError, match="APOGEE_ID; apStar-dr17"):
        find_stars(tests_data / "apStar-dr17-2M19485057+5005279.fits")


@pytest.mark.parametrize(
    ("card", "value"),
    [("TFORM1  ", "'1QX'"), ("TFORM6  ", "'-1E'"), ("TFIELDS ", "999")],
)
def test_damaged_headers_are_said_in_a_sentence(tmp_path: Path, card: str, value: str) -> None:
    path = catalogue(tmp_path / "allStar.fits")
    content = path.read_bytes()
    at = content.index(card.encode() + b"= ", 2880)
    path.write_bytes(content[: at + 10] + value.rjust(20).encode() + content[at + 30 :])
    with pytest.raises((ArchiveError, DownloadError), match=r"allStar\.fits"):
        find_stars(path, query="teff<5000")


# SDSS-V


def astra_catalogue(path: Path) -> Path:
    """An astraAllStarASPCAP table; the first table, of BOSS, is empty."""
    columns = [
        fits.Column("sdss_id", "K", array=[60000001, 60000002, 60000003, 60000003]),
        fits.Column("obj", "19A", array=["2M01", "", "2M03", "2M03"]),
        fits.Column("telescope", "6A", array=["apo25m", "lco25m", "apo25m", "lco25m"]),
        fits.Column("teff", "E", array=[4500.0, 5200.0, 4100.0, np.nan]),
        fits.Column("snr", "E", array=[100.0, 50.0, 60.0, 80.0]),
    ]
    boss = fits.BinTableHDU.from_columns([fits.Column(c.name, c.format) for c in columns], nrows=0)
    table = fits.BinTableHDU.from_columns(columns)
    fits.HDUList([fits.PrimaryHDU(), boss, table]).writeto(path)
    return path


def test_stars_of_sdss_v_by_either_name(tmp_path: Path) -> None:
    path = astra_catalogue(tmp_path / "astraAllStarASPCAP-0.6.0.fits")
    assert found(path) == ["2M01", "60000002", "2M03"]
    assert found(path, query="teff<5000") == ["2M01", "2M03"]
    one, other, third = find_stars(path, ["60000003", "2M01", "60000002"])
    assert (one.id, one.sdss_id, other.id, third.id) == ("60000003", 60000003, "2M01", "60000002")
    assert one.release == "dr19"
    assert star_file(other, "dr19").name == "mwmStar-0.6.0-60000001.fits"


def test_a_compressed_catalogue_is_to_be_unpacked(tmp_path: Path) -> None:
    plain = astra_catalogue(tmp_path / "astraAllStarASPCAP-0.6.0.fits")
    packed = tmp_path / "astraAllStarASPCAP-0.6.0.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    with pytest.raises(ArchiveError, match="Unpack it with gunzip"):
        find_stars(packed)

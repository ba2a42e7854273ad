"""Catalogues of any release: which row, which column, which labels."""

import gzip

import numpy as np
import pytest
from astropy.io import fits

from spectrabridge.core.errors import LabelError, SpectrumError
from spectrabridge.core.io.allstar import is_allstar, join_labels, read_allstar
from spectrabridge.core.io.aspcap_labels import ELEMENT_ORDERS
from spectrabridge.core.labels import APOGEE_LABELS, LabelSet
from spectrabridge.core.spectra import Spectra, WavelengthGrid

NAMES = ["2M00000001+0000001", "2M00000002+0000002", "2M00000003+0000003", "2M00000002+0000002"]
ELEMENTS = (*ELEMENT_ORDERS[26][:22], "Rb", "Ce", "Nd", "Yb", "C13")


def table(**columns):
    out = []
    for name, values in columns.items():
        array = np.asarray(values)
        if array.dtype.kind == "U":
            out.append(fits.Column(name, f"{array.dtype.itemsize // 4}A", array=array))
        else:
            code = {"f": "E", "i": "J"}[array.dtype.kind]
            width = "" if array.ndim == 1 else str(array[0].size)
            out.append(fits.Column(name, width + code, array=array))
    return fits.BinTableHDU.from_columns(out)


def write(path, stars, *more):
    fits.HDUList([fits.PrimaryHDU(), stars, *more]).writeto(path)
    return path


def dr17(**more):
    n = len(NAMES)
    columns = {
        "FILE": [f"apStar-dr17-{name}.fits" for name in NAMES],
        "APOGEE_ID": NAMES,
        "TELESCOPE": ["apo25m", "apo25m", "lco25m", "lco25m"],
        "FIELD": ["N1", "N2", "S1", "S2"],
        "LOCATION_ID": [1, 2, 3, 4],
        "SNR": [100.0, 50.0, 80.0, 90.0],
        "VHELIO_AVG": [1.0, 2.0, 3.0, -9999.0],
        "ASPCAPFLAG": [0, 0, 1 << 23, 0],
        "PARAM": np.full((n, 9), 1.0),
        "FPARAM": np.full((n, 9), 1.0),
        "TEFF": [4700.0, 4400.0, 4000.0, 4410.0],
        "LOGG": [2.5, 2.0, np.nan, 2.1],
        "VMICRO": [1.5, 1.6, 1.7, 1.6],
        "VMACRO": [4.0, 4.5, 0.0, 4.4],
        "M_H": [-0.2, 0.0, 0.1, 0.01],
        "FE_H": [-0.25, 0.0, np.nan, 0.02],
        "MG_FE": [0.2, 0.1, 0.1, 0.11],
        "X_H": np.zeros((n, 27)),
    }
    return table(**{k: v for k, v in (columns | more).items() if v is not None})


def refuse(path, words, error=SpectrumError, **options):
    with pytest.raises(error, match=words) as caught:
        read_allstar(path, **options)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message and path.name in message


# What a catalogue means


def test_dr17_by_names_of_columns(tmp_path):
    stars = read_allstar(write(tmp_path / "allStar-dr17.fits", dr17()))
    assert stars.release == "DR17"
    assert list(stars.ids) == [NAMES[0], NAMES[2], NAMES[3]]
    column = stars.label_set.index
    np.testing.assert_allclose(stars.labels[:, column("teff")], [4700, 4000, 4410])
    np.testing.assert_allclose(stars.labels[:, column("logg")], [2.5, np.nan, 2.1], rtol=1e-6)
    np.testing.assert_allclose(stars.labels[:, column("Mg")], [-0.05, np.nan, 0.13], rtol=1e-5)
    np.testing.assert_allclose(stars.labels[:, column("vmacro")], [4, np.nan, 4.4], rtol=1e-6)
    assert np.isnan(stars.labels[:, column("c12c13")]).all()
    assert list(stars.columns["telescope"]) == ["apo25m", "lco25m", "lco25m"]
    assert list(stars.columns["field"]) == ["N1", "S1", "S2"]
    assert list(stars.columns["location_id"]) == [1, 3, 4]
    assert stars.columns["file"][0] == f"apStar-dr17-{NAMES[0]}.fits"
    np.testing.assert_allclose(stars.columns["vhelio"], [1, 3, np.nan])
    np.testing.assert_allclose(stars.columns["m_h"], [-0.2, 0.1, 0.01], rtol=1e-6)
    assert list(stars.columns["bad"]) == [False, True, False]
    text = " ".join(stars.notes)
    assert "1 rows repeat a star; the row with the highest SNR" in text
    assert "labels of 1 stars (STAR_BAD)" in text and "does not give" in text


def test_arrays_with_symbols_in_the_last_hdu(tmp_path):
    n = len(NAMES)
    x_h = np.tile(np.arange(27) / 100, (n, 1))
    stars = table(
        APOGEE_ID=NAMES,
        PARAM=np.tile([4500, 2, 0.2, -0.1, 0, 0, 0.1, 0.5, 0], (n, 1)).astype(float),
        X_H=x_h,
        ASPCAP_CLASS=["GKg_a", "GKd_a", "Mg_b", "Fd_a"],
    )
    symbols = fits.BinTableHDU.from_columns(
        [fits.Column("ELEM_SYMBOL", "108A", dim="(4,27)", array=[ELEMENTS])]
    )
    got = read_allstar(write(tmp_path / "a.fits", stars, fits.ImageHDU(), symbols))
    column = got.label_set.index
    for name in ("C", "Mg", "Fe", "Ge"):
        np.testing.assert_allclose(
            got.labels[:, column(name)], ELEMENTS.index(name) / 100, rtol=1e-5
        )
    np.testing.assert_allclose(got.labels[:, column("vturb")], 10**0.2, rtol=1e-6)
    vmacro = got.labels[:, column("vmacro")]
    np.testing.assert_allclose(vmacro, [10**0.5, np.nan, 10**0.5], rtol=1e-6)
    assert "the first row of each star" in " ".join(got.notes)


def test_dr12_arrays_of_fifteen_elements(tmp_path):
    stars = table(
        FILE=["apStar-r5-2M1.fits"],
        APOGEE_ID=["2M1"],
        PARAM=[[4500.0, 2.0, 0.2, -0.3, 0.0, 0.0, 0.1]],
        FPARAM=[[4500.0, 2.0, 0.2, -0.3, 0.0, 0.0, 0.1]],
        ELEM=[[0.1] * 15],
    )
    got = read_allstar(write(tmp_path / "a.fits", stars))
    assert got.release == "DR12"
    values = dict(zip(got.label_set.names, got.labels[0], strict=True))
    assert values["Fe"] == pytest.approx(0.1) and values["Mg"] == pytest.approx(-0.2)
    assert np.isnan(values["P"])


def test_some_stars_in_the_order_asked_for(tmp_path):
    path = write(tmp_path / "a.fits", dr17())
    got = read_allstar(path, ids=[NAMES[2], "2M9", NAMES[1], NAMES[2]])
    assert list(got.ids) == [NAMES[2], NAMES[1]]
    assert got.columns["snr"][1] == 90
    assert any("1 of 3 stars are not in a.fits: 2M9" in note for note in got.notes)
    refuse(path, "None of the 1 stars", ids=["2M9"])


def test_other_label_sets(tmp_path):
    some = LabelSet(tuple(APOGEE_LABELS[name] for name in ("Fe", "teff")))
    got = read_allstar(write(tmp_path / "a.fits", dr17()), label_set=some)
    np.testing.assert_allclose(got.labels[0], [-0.25, 4700])


def test_rows_and_finding(tmp_path):
    got = read_allstar(write(tmp_path / "a.fits", dr17()))
    assert list(got.find([NAMES[3], "absent", NAMES[0]])) == [2, -1, 0]
    assert list(got[1:].ids) == [NAMES[2], NAMES[1]]
    assert len(got[0]) == 1 and len(got[got.columns["bad"]]) == 1
    assert len(got.find([])) == 0


def test_only_what_is_needed_is_read(tmp_path, monkeypatch):
    path = write(tmp_path / "a.fits", dr17(FPARAM_CLASS=np.zeros((4, 500))))
    asked = []
    whole = fits.FITS_rec.field

    def field(self, key):
        asked.append(key)
        return whole(self, key)

    monkeypatch.setattr(fits.FITS_rec, "field", field)
    read_allstar(path)
    assert "FPARAM_CLASS" not in asked and "TEFF" in asked


def test_gzip_and_csv(tmp_path):
    path = write(tmp_path / "a.fits", dr17())
    (tmp_path / "b.fits.gz").write_bytes(gzip.compress(path.read_bytes()))
    want = read_allstar(path)
    got = read_allstar(tmp_path / "b.fits.gz")
    np.testing.assert_array_equal(got.labels, want.labels)
    text = "APOGEE_ID,TEFF,LOGG,FE_H,MG_H,SNR\n2M1,4500,2.5,-0.1,,30\n2M1,4600,2.5,-0.2,0.1,40\n"
    (tmp_path / "c.csv").write_text(text)
    table = read_allstar(tmp_path / "c.csv")
    assert len(table) == 1
    assert table.labels[0, :2].tolist() == [4600, 2.5]
    assert table.labels[0, APOGEE_LABELS.index("Mg")] == 0.1


# Joining


def spectra(**more):
    grid = WavelengthGrid(np.linspace(15200, 15300, 50))
    return Spectra(grid, np.ones((3, 50)), ids=(NAMES[2], "2M9", NAMES[0]), **more)


def test_labels_are_joined_by_name(tmp_path):
    catalogue = read_allstar(write(tmp_path / "a.fits", dr17()))
    plain = spectra()
    joined = join_labels(plain, catalogue)
    teff = joined.labels[:, 0]
    np.testing.assert_allclose(teff, [4000, np.nan, 4700])
    assert list(joined.columns["in_catalogue"]) == [True, False, True]
    assert list(joined.columns["labels_bad"]) == [True, False, False]
    assert joined.ids == plain.ids and plain.labels is None
    known = np.full((3, 25), 7.0)
    kept = join_labels(spectra(labels=known, label_set=APOGEE_LABELS), catalogue)
    assert kept.labels[1, 0] == 7 and kept.labels[0, 0] == 4000 and kept.labels[0, 1] == 7


def test_other_labels_are_not_mixed(tmp_path):
    catalogue = read_allstar(write(tmp_path / "a.fits", dr17()))
    some = LabelSet((APOGEE_LABELS["Fe"],))
    with pytest.raises(LabelError, match="expected those of the catalogue"):
        join_labels(spectra(labels=np.zeros((3, 1)), label_set=some), catalogue)


# What is refused


def test_absent_folder_empty_and_text(tmp_path):
    with pytest.raises(SpectrumError, match="There is no file"):
        read_allstar(tmp_path / "absent.fits")
    with pytest.raises(SpectrumError, match="is a folder"):
        read_allstar(tmp_path)
    (tmp_path / "e.fits").write_bytes(b"")
    refuse(tmp_path / "e.fits", "is empty; expected an allStar")
    (tmp_path / "t.csv").write_text("star,teff\na,1\n")
    refuse(tmp_path / "t.csv", "Expected a column APOGEE_ID.*found star, teff")
    (tmp_path / "n.csv").write_bytes(bytes(range(256)))
    refuse(tmp_path / "n.csv", "cannot be read as an allStar|Expected a column APOGEE_ID")


@pytest.mark.parametrize("part", [0.01, 0.3, 0.6, 0.9])
def test_truncated(tmp_path, part):
    n = 400
    stars = table(APOGEE_ID=[f"2M{i}" for i in range(n)], TEFF=np.full(n, 4500.0))
    whole = write(tmp_path / "a.fits", stars).read_bytes()
    (tmp_path / "cut.fits").write_bytes(whole[: int(part * len(whole))])
    refuse(tmp_path / "cut.fits", "truncated|no table")
    packed = gzip.compress(whole)
    (tmp_path / "cut.gz").write_bytes(packed[: int(part * len(packed))])
    refuse(tmp_path / "cut.gz", "truncated|damaged")


def test_wrong_hdus(tmp_path):
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((4, 8575)))]).writeto(
        tmp_path / "i.fits"
    )
    refuse(tmp_path / "i.fits", "APOGEE_ID and TEFF or PARAM; i.fits has no table")
    refuse(write(tmp_path / "b.fits", table(a=[1.0], b=[2.0])), "a table with columns A, B")
    no_labels = table(APOGEE_ID=["2M1"], VHELIO_AVG=[1.0])
    refuse(write(tmp_path / "c.fits", no_labels), "columns TEFF, LOGG, FE_H", LabelError)


def test_nan_filled(tmp_path):
    stars = table(APOGEE_ID=["2M1", ""], TEFF=[np.nan, 4500.0], SNR=[np.nan, np.nan])
    got = read_allstar(write(tmp_path / "a.fits", stars))
    assert len(got) == 1 and np.isnan(got.labels).all()


def test_no_star_and_numbers_for_names(tmp_path):
    empty = table(APOGEE_ID=np.zeros(0, "U5"), TEFF=np.zeros(0))
    refuse(write(tmp_path / "a.fits", empty), "holds no star")
    refuse(write(tmp_path / "b.fits", table(APOGEE_ID=[1, 2], TEFF=[1.0, 2.0])), "found numbers")


def test_too_large_to_unpack(tmp_path, monkeypatch):
    path = write(tmp_path / "a.fits", dr17())
    (tmp_path / "a.fits.gz").write_bytes(gzip.compress(path.read_bytes()))
    monkeypatch.setattr("spectrabridge.core.io.allstar.LARGEST_PACKED", 100)
    refuse(tmp_path / "a.fits.gz", "Unpack it with gunzip")


# The catalogue of the data pack


def test_the_catalogue_of_the_pack(data_file):
    stars = read_allstar(data_file("labels/apogee_dr12_labels.csv"))
    assert len(stars) == 9618 and stars.release == "DR12"
    row = stars.find(["2M00004994+1621552"])[0]
    values = dict(zip(stars.label_set.names, stars.labels[row], strict=True))
    assert values["teff"] == pytest.approx(4705.2, abs=0.1)
    assert values["Fe"] == pytest.approx(0.048, abs=1e-3)
    assert stars.columns["file"][row] == "apStar-r5-2M00004994+1621552.fits"
    assert np.isnan(values["vturb"])


def test_released_spectra_are_no_catalogue(data_file):
    path = data_file("observed/fits/aspcapStar-r6-l30e.2-2M17334253-1654573.fits")
    with fits.open(path) as hdus:
        # Its table has the columns of a catalogue, with one star.
        assert is_allstar(hdus)
    got = read_allstar(path)
    assert len(got) == 1 and got.labels[0, 0] == pytest.approx(3788.4, abs=0.1)
    image = data_file("observed/fits/apStar-r6-2M03290406+3117075.fits")
    refuse(image, "Expected an allStar catalogue")


def test_words_in_columns_of_numbers_are_said(tmp_path):
    head = "APOGEE_ID,TEFF,SNR,ASPCAPFLAG\n"
    (tmp_path / "a.csv").write_text(head + "2M1,4700,SNR,0\n2M2,4500,7,0\n")
    refuse(tmp_path / "a.csv", "Expected numbers as column SNR of a.csv; found 'SNR'")
    (tmp_path / "a.csv").write_text(head + "2M1,4700,9,STAR_BAD\n2M2,4500,7,0\n")
    refuse(tmp_path / "a.csv", "Expected numbers as column ASPCAPFLAG of a.csv; found 'STAR_BAD'")
    (tmp_path / "a.csv").write_text(head + "2M1,4700,9,1e300\n2M2,4500,,8388608\n")
    assert read_allstar(tmp_path / "a.csv").columns["bad"].tolist() == [False, True]


def test_a_text_catalogue_is_bounded_and_a_pipe_refused(tmp_path, monkeypatch):
    from spectrabridge.core.files import tables

    (tmp_path / "a.csv").write_text("APOGEE_ID,TEFF\n2M1,4700\n" * 50)
    monkeypatch.setitem(tables.read_table.__kwdefaults__, "max_bytes", 100)
    refuse(tmp_path / "a.csv", "is larger than")

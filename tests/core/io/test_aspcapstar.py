"""aspcapStar files as released and as built for other releases, and as found broken."""

import gzip
import io

import numpy as np
import pytest
from astropy.io import fits

from spectrabridge.core.errors import SpectrumError
from spectrabridge.core.io.aspcap_labels import ELEMENT_ORDERS, flag_names
from spectrabridge.core.io.aspcapstar import is_aspcapstar, read_aspcapstar
from spectrabridge.core.spectra import APSTAR_GRID

N = APSTAR_GRID.n_pixels
RELEASED = "observed/fits/aspcapStar-r6-l30e.2-2M17334253-1654573.fits"
PARAM = [4700.0, 2.5, 0.2, -0.1, 0.05, 0.15, 0.12, 0.6, 0.0]
FPARAM = [4650.0, 2.7, 0.2, -0.2, 0.05, 0.15, 0.1, 0.6, 0.0]


def images(seed=0):
    rng = np.random.default_rng(seed)
    flux = (1 + rng.normal(0, 0.01, N)).astype(np.float32)
    return [flux, np.full(N, 0.01, np.float32), np.ones(N, np.float32)]


def table(**columns):
    out = []
    for name, values in columns.items():
        if isinstance(values, str):
            out.append(fits.Column(name, f"{max(1, len(values))}A", array=[values]))
        elif isinstance(values, int):
            out.append(fits.Column(name, "K", array=[values]))
        else:
            row = np.atleast_1d(np.asarray(values, np.float32))
            out.append(fits.Column(name, f"{row.size}E", array=row[None]))
    return fits.BinTableHDU.from_columns(out)


def labels(n=26, **more):
    columns = {
        "APOGEE_ID": "2M00000001+0000002",
        "FILE": "apStar-r8-2M00000001+0000002.fits",
        "CLASS": "GKg_b",
        "PARAM": PARAM,
        "FPARAM": FPARAM,
        "X_H": np.arange(n) / 100,
        "FELEM": np.arange(n) / 100,
        "ASPCAPFLAG": 0,
    }
    return table(**{k: v for k, v in (columns | more).items() if v is not None})


def content(arrays=None, hdu=None, header=(), image=(), extra=()):
    """Return the bytes of a file with the layout of aspcapStar."""
    primary = fits.PrimaryHDU()
    primary.header.update({"SNR": 100.0, "VHELIO": -12.5, "FERRE": "v1"} | dict(header))
    hdus = [primary]
    for data in arrays or images():
        one = fits.ImageHDU(data)
        one.header.update({"CRVAL1": 4.179, "CDELT1": 6e-6, "CRPIX1": 1} | dict(image))
        hdus.append(one)
    hdus.append(labels() if hdu is None else hdu)
    out = io.BytesIO()
    fits.HDUList([*hdus, *extra]).writeto(out)
    return out.getvalue()


def refuse(source, words, name="x.fits"):
    with pytest.raises(SpectrumError, match=words) as caught:
        read_aspcapstar(source, name)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message and name in message
    return message


# What a file means


def test_spectrum_model_and_labels():
    flux, error, model = images()
    star = read_aspcapstar(content([flux, error, model]), "a.fits")
    assert (star.star, star.name, star.release) == ("2M00000001+0000002", "a.fits", "DR14")
    assert star.vhelio == -12.5
    np.testing.assert_array_equal(star.spectra.flux[0], flux)
    np.testing.assert_allclose(star.spectra.ivar[0, APSTAR_GRID.chip_pixels], 1e4, rtol=1e-6)
    assert star.spectra.good.sum() == 7214
    assert star.spectra.grid == APSTAR_GRID
    assert star.spectra.provenance["continuum"] == "aspcap"
    assert star.spectra.columns["snr"][0] == 100
    np.testing.assert_array_equal(star.model, 1)
    got = star.labels
    assert got["teff"] == 4700 and got["logg"] == 2.5
    assert got["vturb"] == pytest.approx(10**0.2) and got["vmacro"] == pytest.approx(10**0.6)
    assert got["M_H"] == pytest.approx(-0.1)
    for name, place in (("C", 0), ("N", 2), ("Mg", 5), ("Fe", 17), ("Ni", 19), ("Ge", 21)):
        assert got[name] == pytest.approx(place / 100)
        assert ELEMENT_ORDERS[26][place] == name
    assert star.flags == () and star.notes == ()


def test_uncalibrated_elements_of_their_own_dimension_are_relative_to_m():
    raw = read_aspcapstar(content()).uncalibrated
    assert raw["teff"] == 4650 and raw["logg"] == pytest.approx(2.7)
    assert raw["Mg"] == pytest.approx(0.05 - 0.2)
    assert raw["Fe"] == pytest.approx(0.17)
    assert raw["Na"] == pytest.approx(0.04)


def test_dr12_has_fifteen_elements_in_another_order():
    hdu = table(
        APOGEE_ID="2M1",
        CLASS="GK",
        PARAM=PARAM[:7],
        FPARAM=FPARAM[:7],
        ELEM=np.arange(15) / 100,
        FELEM=np.arange(15) / 100,
    )
    star = read_aspcapstar(content(hdu=hdu))
    assert star.labels["Al"] == 0
    assert star.labels["Fe"] == pytest.approx(0.03)
    assert star.labels["Ca"] == pytest.approx(0.01 - 0.1)  # relative to M
    assert star.labels["V"] == pytest.approx(0.14)
    assert star.uncalibrated["Ti"] == pytest.approx(0.13 - 0.2)
    assert "vmacro" not in star.labels and "P" not in star.labels


def test_later_releases_have_columns_by_name_and_nan():
    hdu = labels(
        n=27,
        CLASS=None,
        ASPCAP_GRID="GKd_a",
        TEFF=4712.0,
        LOGG=float("nan"),
        VMICRO=1.3,
        VMACRO=0.0,
        VSINI=5.0,
        FE_H=-0.15,
        MG_FE=0.1,
        CE_FE=1.0,
        C_FE=float("nan"),
    )
    got = read_aspcapstar(content(hdu=hdu)).labels
    assert got["teff"] == 4712 and np.isnan(got["logg"])
    assert got["Fe"] == pytest.approx(-0.15) and got["Mg"] == pytest.approx(-0.05)
    assert np.isnan(got["C"]), "a name without a value means that the survey does not trust it"
    assert "Ni" not in got
    assert np.isnan(got["vmacro"]) and got["VSINI"] == 5


def test_symbols_of_the_file_count_more_than_the_number_of_elements():
    symbols = fits.BinTableHDU.from_columns(
        [fits.Column("ELEM_SYMBOL", "6A", dim="(2,3)", array=[["Fe", "Mg", "C"]])]
    )
    hdu = labels(X_H=[0.1, 0.2, 0.3], FELEM=[0.1, 0.2, 0.3])
    got = read_aspcapstar(content(hdu=hdu, extra=[symbols])).labels
    assert (got["Fe"], got["Mg"], got["C"]) == pytest.approx((0.1, 0.2, 0.3))


def test_an_unknown_number_of_elements_is_said_and_ignored():
    star = read_aspcapstar(content(hdu=labels(X_H=np.zeros(5), FELEM=np.zeros(5))))
    assert "Fe" not in star.labels and star.labels["teff"] == 4700
    assert any("X_H has 5 elements" in note for note in star.notes)


def test_fillers_are_nan_and_flags_are_named():
    hdu = labels(PARAM=[-9999.0] * 9, X_H=np.full(26, -9999.0), ASPCAPFLAG=(1 << 23) | 1 << 31)
    star = read_aspcapstar(content(hdu=hdu))
    assert all(np.isnan(v) for v in star.labels.values())
    assert star.flags == ("STAR_BAD", "NO_ASPCAP_RESULT")
    text = " ".join(star.notes)
    assert "not to trust its labels: STAR_BAD" in text and "no calibrated labels" in text
    assert flag_names(-(2**31))[0] == "NO_ASPCAP_RESULT"
    assert flag_names(1 << 12) == ("bit 12",)


def test_each_way_to_be_unusable():
    flux, error, model = images()
    flux[400:403] = np.nan, np.inf, 0
    error[403:407] = np.nan, 0, -1, 1e10
    model[500] = 0
    star = read_aspcapstar(content([flux, error, model]))
    good = star.spectra.good[0]
    assert not good[400:407].any() and good[399] and good[407]
    assert np.isfinite(star.spectra.flux).all()
    assert np.isnan(star.model[500])


def test_two_dimensional_big_endian_doubles_and_gzip():
    arrays = [a[None].astype(">f8") for a in images()]
    star = read_aspcapstar(gzip.compress(content(arrays)), "a.fits.gz")
    np.testing.assert_allclose(star.spectra.flux[0], arrays[0][0], rtol=1e-6)


def test_without_labels_it_is_still_a_spectrum():
    star = read_aspcapstar(content(hdu=fits.ImageHDU(np.zeros(3))), "aspcapStar-r6-x.fits")
    assert star.labels == {} and star.release == "DR13"
    assert any("no table of labels" in note for note in star.notes)


# What is refused


def test_no_file_text_and_empty(tmp_path):
    with pytest.raises(SpectrumError, match="There is no file"):
        read_aspcapstar(tmp_path / "absent.fits")
    refuse(b"", "is empty; expected an aspcapStar FITS file")
    refuse(b"a,b\n1,2\n", "is not a FITS file; expected an aspcapStar")
    (tmp_path / "folder").mkdir()
    refuse(tmp_path / "folder", "is a folder", "folder")


@pytest.mark.parametrize("part", [0.001, 0.02, 0.1, 0.3, 0.5, 0.8, 0.98])
def test_truncated_at_any_place(part):
    whole = content()
    refuse(whole[: int(part * len(whole))], "truncated|not a FITS")


def test_damaged_headers_are_one_sentence():
    rng = np.random.default_rng(0)
    whole = content()
    with fits.open(io.BytesIO(whole)) as hdus:
        headers = [hdu.fileinfo()["hdrLoc"] for hdu in hdus]
    for _ in range(40):
        damaged = bytearray(whole)
        for place in rng.choice(headers, 4) + rng.integers(9, 2880, 4):
            damaged[place] = rng.integers(0, 256)
        try:
            read_aspcapstar(bytes(damaged), "x.fits")
        except SpectrumError as problem:
            assert "x.fits" in str(problem)


def test_wrong_hdus(tmp_path):
    flux, error, model = images()
    refuse(content([flux, error]), "image of the best fit in HDU 3.* it is a table")
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(flux)]).writeto(out)
    refuse(out.getvalue(), "ends after HDU 1")
    refuse(content([flux, error[:-1], model]), r"8575 pixels each.*\(8574,\)")


def test_other_products():
    rows = [np.ones((3, 4096), np.float32)] * 3
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *[fits.ImageHDU(r) for r in rows]]).writeto(out)
    refuse(out.getvalue(), "seems to be an apVisit file")
    out = io.BytesIO()
    mask = np.zeros(N, np.int16)
    hdus = [fits.ImageHDU(a) for a in (*images()[:2], mask)]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(out)
    refuse(out.getvalue(), "seems to be an apStar file")


def test_nan_filled_and_all_zero():
    flux, error, model = images()
    refuse(content([flux * np.nan, error, model]), "no usable pixel")
    refuse(content([flux * 0, error, model]), "no usable pixel")


def test_ten_times_too_large():
    flux, error, model = images()
    refuse(content([flux * 10, error * 10, model]), "near 1, in HDU 1.* its median is 9.99")
    refuse(content([np.tile(a, 10) for a in (flux, error, model)]), r"\(85750,\)")


@pytest.mark.parametrize(
    ("image", "found"),
    [
        ({"CRVAL1": 41.79, "CDELT1": 6e-5}, r"CRVAL1 41\.79"),
        ({"CDELT1": -6e-6}, r"CDELT1 -6e-06"),
        ({"CRVAL1": 15100.8, "CDELT1": 0.22}, "Resample"),
        ({"CRVAL1": "none"}, "does not say which wavelengths"),
    ],
)
def test_reversed_and_other_wavelengths(image, found):
    refuse(content(image=image), found)


# The released file


def test_the_released_file(data_file):
    path = data_file(RELEASED)
    with fits.open(path) as hdus:
        assert is_aspcapstar(hdus)
    star = read_aspcapstar(path)
    assert (star.star, star.release) == ("2M17334253-1654573", "DR13")
    assert star.labels["teff"] == pytest.approx(3788.4, abs=0.1)
    assert star.labels["logg"] == pytest.approx(1.078, abs=1e-3)
    assert star.labels["Fe"] == pytest.approx(0.012, abs=1e-3)
    assert star.labels["vturb"] == pytest.approx(1.667, abs=1e-3)
    assert np.isnan(star.labels["Cu"])
    # The macroturbulence of giants is fixed by this relation, which tells what PARAM[7] is.
    raw = star.uncalibrated
    relation = 0.741 - 0.0998 * raw["logg"] - 0.225 * raw["M_H"]
    assert np.log10(raw["vmacro"]) == pytest.approx(relation, abs=2e-3)
    assert star.flags == ("STAR_WARN", "COLORTE_WARN")
    assert star.vhelio == pytest.approx(-72.95, abs=0.01)
    assert star.spectra.good[0, APSTAR_GRID.chip_pixels].mean() > 0.98
    known = star.spectra.good[0] & np.isfinite(star.model)
    assert np.corrcoef(star.spectra.flux[0, known], star.model[known])[0, 1] > 0.9


@pytest.mark.parametrize("name", ["apStar-r6-2M17334253-1654573", "apVisit-r8-4914-55807-100"])
def test_released_files_of_other_products(data_file, name):
    refuse(data_file(f"observed/fits/{name}.fits"), "seems to be an ap(Star|Visit)", name)

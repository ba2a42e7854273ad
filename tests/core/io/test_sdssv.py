"""Files of SDSS-V (DR19, DR20): the same star in each of its products."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits

from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.errors import SpectrumError
from spectrabridge.core.fitting.settings import FitSettings
from spectrabridge.core.fitting.star_fits import fit_stars, fitters
from spectrabridge.core.fitting.stars import Star
from spectrabridge.core.io import read_star
from spectrabridge.core.io.allstar import read_allstar
from spectrabridge.core.io.pixel_mask import BAD_BITS, PIXEL_MASK, bits_of, parse_bits
from spectrabridge.core.spectra import APSTAR_GRID

APSTAR = "sdssv/apStar-1.3-apo25m-2M00004994+1621552-59702.fits.gz"
STAR = "2M00004994+1621552"
N = APSTAR_GRID.n_pixels


def sdssv(data_file, product):
    return data_file(f"sdssv/{product}-60000001.fits.gz")


# The same star


@pytest.mark.parametrize(
    ("product", "kind", "row"),
    [
        ("mwmStar-0.6.0", "coadd", 0),
        ("mwmStar-0.8.1", "coadd", 0),
        # The other two visits of these files are the combination times 0.9 and 1.1.
        ("mwmVisit-0.6.0", "visit", 1),
        ("mwmVisit-0.8.1", "visit", 1),
    ],
)
def test_the_same_star_to_the_last_digit(data_file, product, kind, row):
    want = read_star(data_file(APSTAR))
    got = read_star(sdssv(data_file, product))
    assert got.star == want.star == STAR
    assert set(got.spectra.columns["kind"]) == {kind}
    np.testing.assert_array_equal(got.spectra.flux[row], want.spectra.flux[0])
    np.testing.assert_array_equal(got.spectra.ivar[row], want.spectra.ivar[0])
    assert 6000 < got.spectra.good[row].sum() < N


@pytest.mark.slow
def test_the_same_fit_to_the_last_digit(data_file):
    ready = fitters(open_bundle("apogee-giants"), ("adapted",), FitSettings())
    tables = []
    for product, row in (("", 0), ("mwmStar-0.8.1", 0), ("mwmVisit-0.6.0", 1)):
        found = read_star(sdssv(data_file, product) if product else data_file(APSTAR))
        # One at a time: the sums of a batch depend on what else is in it.
        one = Star(found.star, "the file", found.spectra[row])
        tables.append(fit_stars(ready, [one]).table())
    for name in tables[0].colnames:
        if name != "row":
            assert tables[1][name][0] == tables[0][name][0] == tables[2][name][0], name


# Visits


def table(name, n, scalars, **arrays):
    every = {"flux": np.full((n, N), 50.0), "ivar": np.full((n, N), 4.0)} | arrays
    columns = [fits.Column(k, f"{N}E", array=v) for k, v in every.items()]
    columns += [fits.Column(k, form, array=v) for k, form, v in scalars]
    return fits.BinTableHDU.from_columns(columns, name=name, nrows=n)


def content(*tables, **header):
    out = io.BytesIO()
    first = fits.PrimaryHDU()
    first.header.update(header)
    names = ("BOSS/APO", "BOSS/LCO", "APOGEE/APO", "APOGEE/LCO")
    empty = {name: fits.BinTableHDU.from_columns([], name=name) for name in names}
    there = empty | {t.name: t for t in tables}
    fits.HDUList([first, *there.values()]).writeto(out)
    return out.getvalue()


def test_a_single_visit_is_no_combination():
    scalars = [("mjd", "J", [59702]), ("filetype", "6A", ["apStar"])]
    star = read_star(content(table("APOGEE/APO", 1, scalars)), "mwmVisit-0.6.0-1.fits")
    assert star.spectra.columns["kind"].tolist() == ["visit"]
    assert star.notes == ()


def test_visits_of_two_observatories_are_numbered_in_each():
    north = table("APOGEE/APO", 2, [("mjd", "J", [1, 2]), ("filetype", "6A", ["apStar"] * 2)])
    south = table("APOGEE/LCO", 1, [("n_visits", "J", [3])])
    star = read_star(content(north, south), "a.fits")
    assert star.spectra.columns["kind"].tolist() == ["visit", "visit", "coadd"]
    assert star.spectra.columns["visit"].tolist() == [1, 2, 0]


def test_visits_that_may_not_be_at_rest_are_named():
    scalars = [("mjd", "J", [59702, 59703]), ("filetype", "7A", ["apVisit"] * 2)]
    star = read_star(content(table("APOGEE/LCO", 2, scalars)), "mwmVisit-0.6.0-1.fits")
    assert any("which of its visits are at rest" in note for note in star.notes)


@pytest.mark.parametrize(("n", "kind"), [(1, "coadd"), (2, "visit")])
def test_spectra_of_an_unknown_kind_are_not_called_a_kind_in_silence(n, kind):
    star = read_star(content(table("APOGEE/APO", n, [])), "a.fits")
    assert set(star.spectra.columns["kind"]) == {kind}
    assert any("does not say whether" in note for note in star.notes)


def test_names_of_stars_that_apogee_did_not_know():
    hdu = table("APOGEE/APO", 1, [("obj", "18A", [STAR]), ("n_visits", "J", [3])])
    assert read_star(content(hdu, APOGEEID=None, SDSS_ID=7), "a.fits").star == STAR
    hdu = table("APOGEE/APO", 1, [("n_visits", "J", [3])])
    assert read_star(content(hdu, APOGEEID=None, SDSS_ID=60000001), "a.fits").star == "60000001"


# Masks


def test_flags_stored_as_floats_are_the_bits_of_apogee():
    for bit, (name, bad, _) in PIXEL_MASK.items():
        stored = bits_of(np.array([1 << bit], np.float32))
        assert stored[0] == 1 << bit
        assert bool(stored[0] & BAD_BITS) is bad, name
    unknown = bits_of(np.array([np.nan, np.inf, -1.0, 0.5, 2.0**30], np.float32))
    assert (unknown & BAD_BITS == BAD_BITS).all() and (unknown & (1 << 20) != 0).all()


def test_a_pixel_whose_flag_is_no_number_is_not_used():
    flags = np.zeros((1, N), np.float32)
    flags[0, 4000], flags[0, 4001], flags[0, 4002] = np.nan, 1 << 13, 1 << 12
    hdu = table("APOGEE/APO", 1, [("n_visits", "J", [3])], pixel_flags=flags)
    good = read_star(content(hdu), "a.fits").spectra.good[0]
    assert good[3999:4004].tolist() == [True, False, True, False, True]


def test_bits_that_a_person_calls_bad(data_file):
    default, mine = BAD_BITS, parse_bits("0, 7, sig_telluric")
    files = [data_file(APSTAR), sdssv(data_file, "mwmStar-0.8.1")]
    with fits.open(files[0]) as hdus:
        mask = hdus[3].data[0].astype(np.int64)
    used = {bits: read_star(files[0], bad_bits=bits).spectra.good[0] for bits in (0, default, mine)}
    np.testing.assert_array_equal(read_star(files[0]).spectra.good[0], used[default])
    for bits, good in used.items():
        np.testing.assert_array_equal(good, used[0] & (mask & bits == 0))
        np.testing.assert_array_equal(read_star(files[1], bad_bits=bits).spectra.good[0], good)
    assert used[0].sum() > used[default].sum() > 6000
    visit = data_file("observed/fits/apVisit-r13-9518-57729-104.fits")
    counts = [read_star(visit, bad_bits=bits).spectra.good.sum() for bits in (0, default)]
    assert counts[0] > counts[1] > 5000


def test_bits_are_for_files_that_have_them(data_file, tmp_path):
    aspcap = data_file("observed/fits/aspcapStar-r6-l30e.2-2M17334253-1654573.fits")
    plain = tmp_path / "a.csv"
    plain.write_text("wavelength,flux\n15200,1\n", "utf-8")
    for path in (aspcap, plain):
        with pytest.raises(SpectrumError, match="has no pixel mask of APOGEE"):
            read_star(path, bad_bits=1)


@pytest.mark.parametrize("text", ["", "1,", "-1", "31", "99", "NOBIT", "1.5", "0 1", "\u0663"])
def test_what_is_no_bit_is_refused(text):
    with pytest.raises(SpectrumError, match="Expected bits of the pixel mask"):
        parse_bits(text)


def test_the_manual_has_every_bit(root):
    page = (root / "docs" / "reference" / "file-formats.md").read_text()
    for bit, (name, bad, _) in PIXEL_MASK.items():
        assert f"| {bit} | {name} | {'bad' if bad else 'used'} |" in page


# Results of the survey


def test_a_model_is_no_observation(data_file):
    with pytest.raises(SpectrumError) as caught:
        read_star(sdssv(data_file, "astraStarASPCAP-0.6.0"))
    sentence = str(caught.value)
    assert "T_eff 4705 K, log g 2.58, [Fe/H] 0.05" in sentence
    assert "Open mwmStar-0.6.0-60000001.fits.gz of the same star" in sentence


def test_labels_of_one_star(data_file):
    found = read_allstar(sdssv(data_file, "astraStarASPCAP-0.6.0"))
    assert found.ids.tolist() == [STAR] and found.release == "DR19"
    labels = dict(zip(found.label_set.names, found.labels[0], strict=True))
    assert (labels["teff"], labels["vturb"]) == (4705.0, pytest.approx(1.6))
    assert np.isnan(labels["Mg"])
    assert found.columns["m_h"][0] == pytest.approx(0.1)


def catalogue(path, **more):
    """Write astraAllStarASPCAP with the columns that its data model has."""
    columns = {
        "sdss_id": ("K", [60000001, 60000002, 60000003, 60000002]),
        "sdss4_apogee_id": ("19A", [STAR, "", "", ""]),
        "obj": ("19A", [STAR, "", "2M00000003+0000003", ""]),
        "telescope": ("6A", ["apo25m"] * 4),
        "snr": ("E", [100.0, 50.0, 60.0, 80.0]),
        "v_rad": ("E", [-13.6, 1.0, 2.0, np.nan]),
        "teff": ("E", [4705.0, 4000.0, np.nan, 4010.0]),
        "raw_teff": ("E", [1.0] * 4),
        "logg": ("E", [2.58, 1.0, 2.0, 1.1]),
        "v_micro": ("E", [1.6, 1.5, 1.4, 1.5]),
        "v_sini": ("E", [1.0, 2.0, 3.0, 2.0]),
        "m_h_atm": ("E", [0.1, 0.0, 0.0, 0.01]),
        "alpha_m_atm": ("E", [0.03, 0.0, 0.0, 0.01]),
        "fe_h": ("E", [0.05, 0.0, 0.0, 0.02]),
        "mg_h": ("E", [0.08, 0.0, 0.0, 0.03]),
        "flag_bad": ("L", [False, False, True, False]),
    } | more
    made = [fits.Column(k, form, array=v) for k, (form, v) in columns.items()]
    stars = fits.BinTableHDU.from_columns(made)
    boss = fits.BinTableHDU.from_columns([fits.Column(c.name, c.format) for c in made], nrows=0)
    fits.HDUList([fits.PrimaryHDU(), boss, stars]).writeto(path)
    return path


@pytest.mark.parametrize(("version", "release"), [("0.6.0", "DR19"), ("0.8.1", "DR20")])
def test_catalogues_by_names_of_columns(tmp_path, version, release):
    found = read_allstar(catalogue(tmp_path / f"astraAllStarASPCAP-{version}.fits"))
    assert found.release == release
    assert found.ids.tolist() == [STAR, "2M00000003+0000003", "60000002"]
    column = found.label_set.index
    np.testing.assert_allclose(found.labels[:, column("teff")], [4705, np.nan, 4010])
    np.testing.assert_allclose(found.labels[:, column("Mg")], [0.08, 0, 0.03], rtol=1e-6)
    np.testing.assert_allclose(found.columns["vhelio"], [-13.6, 2, np.nan], rtol=1e-6)
    assert found.columns["bad"].tolist() == [False, True, False]
    assert found.columns["sdss_id"].tolist() == [60000001, 60000003, 60000002]
    assert any("not to use the labels of 1 stars (flag_bad)" in note for note in found.notes)


def test_a_catalogue_is_no_spectrum(tmp_path):
    with pytest.raises(SpectrumError, match="a catalogue of SDSS-V"):
        read_star(catalogue(tmp_path / "astraAllStarASPCAP-0.6.0.fits"))

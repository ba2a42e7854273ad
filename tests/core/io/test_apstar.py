"""apStar files as released, as trimmed, and as found broken."""

import gzip
import io

import numpy as np
import pytest
from astropy.io import fits

from spectrabridge.core.errors import SpectrumError
from spectrabridge.core.io import apstar
from spectrabridge.core.io.apstar import BAD_BITS, PIXEL_MASK, example_apstar, read_apstar
from spectrabridge.core.spectra import APSTAR_GRID

N = APSTAR_GRID.n_pixels
NAME = "apStar-dr17-2M19485057+5005279.fits"
OBSERVED = "observed/fits/"


def arrays(n_rows=4, seed=0):
    rng = np.random.default_rng(seed)
    flux = (1000 + rng.normal(0, 10, (n_rows, N))).astype(np.float32)
    error = np.full((n_rows, N), 10, np.float32)
    return flux, error, np.zeros((n_rows, N), np.int16)


def write(path, flux, error, mask, header=(), image=(), extra=()):
    """Write a file with the layout of apStar."""
    primary = fits.PrimaryHDU()
    primary.header["OBJID"] = "2M00000001+0000002"
    primary.header["NVISITS"] = max(1, len(np.atleast_2d(flux)) - 2)
    primary.header["SNR"] = 100.0
    primary.header.update(dict(header))
    hdus = [primary]
    for data in (flux, error, mask):
        hdu = fits.ImageHDU(data)
        hdu.header.update({"CRVAL1": 4.179, "CDELT1": 6e-6, "CRPIX1": 1} | dict(image))
        hdus.append(hdu)
    fits.HDUList([*hdus, *extra]).writeto(path)
    return path


def refuse(source, words, name=""):
    with pytest.raises(SpectrumError, match=words) as caught:
        read_apstar(source, name)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    return message


# What a file means


def test_rows_are_two_combinations_and_the_visits(tmp_path):
    header = {
        "VHELIO": -12.5,
        "RVTEFF": 5000.0,
        "RVLOGG": 99.9,
        "TELESCOP": "apo25m",
        "SFILE1": "apVisit-r6-6896-56376-242.fits",
        "SFILE2": "apVisit-r6-6896-56378-242.fits",
        "SNRVIS1": 70.0,
        "SNRVIS2": 0.0,
    }
    flux, error, mask = arrays(4)
    star = read_apstar(write(tmp_path / "a.fits", flux, error, mask, header))
    assert star.star == "2M00000001+0000002"
    assert star.release == "DR13"
    assert star.telescope == "apo25m"
    assert (star.n_visits, star.snr, star.vhelio) == (2, 100, -12.5)
    assert star.rv_template_teff == 5000
    assert np.isnan(star.rv_template_logg) and np.isnan(star.rv_template_feh)
    columns = star.spectra.columns
    assert list(columns["kind"]) == ["coadd", "coadd_global", "visit", "visit"]
    assert list(columns["visit"]) == [0, 0, 1, 2]
    assert list(columns["row"]) == [0, 1, 2, 3]
    np.testing.assert_array_equal(columns["snr"], [100, 100, 70, np.nan])
    assert columns["visit_file"][3] == "apVisit-r6-6896-56378-242.fits"
    np.testing.assert_array_equal(star.combined.flux[0], flux[0])
    np.testing.assert_array_equal(star.visits.flux, flux[2:])
    assert star.spectra.grid == APSTAR_GRID


def test_error_becomes_inverse_variance_on_the_chips_only(tmp_path):
    star = read_apstar(write(tmp_path / "a.fits", *arrays(1)))
    ivar = star.combined.ivar[0]
    np.testing.assert_allclose(ivar[APSTAR_GRID.chip_pixels], 0.01)
    off = np.setdiff1d(np.arange(N), APSTAR_GRID.chip_pixels)
    assert off.size == N - 7214 and (ivar[off] == 0).all()


def test_a_single_visit_may_be_one_dimensional(tmp_path):
    flux, error, mask = (a[0] for a in arrays(1))
    star = read_apstar(write(tmp_path / "a.fits", flux, error, mask))
    assert len(star.spectra) == 1 and len(star.visits) == 0
    np.testing.assert_array_equal(star.combined.flux[0], flux)


def test_each_way_to_be_unusable(tmp_path):
    flux, error, mask = arrays(1)
    flux[0, 400:403] = np.nan, np.inf, 0
    error[0, 403:408] = np.nan, np.inf, 0, -1, 1e10
    flux[0, 408] = -5  # noise below zero is a measurement
    star = read_apstar(write(tmp_path / "a.fits", flux, error, mask))
    good = star.combined.good[0]
    assert not good[400:408].any()
    assert good[408] and good[399] and good[409]
    assert np.isfinite(star.combined.flux).all() and np.isfinite(star.combined.ivar).all()


def test_mask_bits_decide_as_documented(tmp_path):
    flux, error, mask = arrays(1)
    mask = mask.astype(np.int64)
    for bit in range(15):
        mask[0, 1000 + bit] = 1 << bit
    good = read_apstar(write(tmp_path / "a.fits", flux, error, mask)).combined.good[0, 1000:1015]
    assert list(np.flatnonzero(~good)) == [0, 1, 2, 3, 4, 5, 6, 7, 12, 14]
    assert BAD_BITS == 0b101_0000_1111_1111
    assert all(reason for _, _, reason in PIXEL_MASK.values())


def test_a_negative_16_bit_mask_is_read_as_bits(tmp_path):
    flux, error, mask = arrays(1)
    mask[0, 1000] = -(2**15)  # bit 15 only, which says nothing here
    mask[0, 1001] = -(2**15) + 1
    good = read_apstar(write(tmp_path / "a.fits", flux, error, mask)).combined.good[0]
    assert good[1000] and not good[1001]


def test_rows_without_data_are_left_out_and_named(tmp_path):
    flux, error, mask = arrays(5)
    flux[1] = error[1] = 0
    mask[3] = 1
    star = read_apstar(write(tmp_path / "a.fits", flux, error, mask))
    assert list(star.spectra.columns["row"]) == [0, 2, 4]
    assert list(star.visits.columns["visit"]) == [1, 3]
    text = " ".join(star.notes)
    assert "Row 1 (combination by visit)" in text and "Row 3 (visit 2)" in text


def test_a_missing_combination_is_said_to_be_replaced(tmp_path):
    flux, error, mask = arrays(3)
    flux[0] = np.nan
    star = read_apstar(write(tmp_path / "a.fits", flux, error, mask))
    assert star.combined.columns["kind"][0] == "coadd_global"
    assert any("another row is shown" in note for note in star.notes)


def test_notes_on_visits_and_masks_that_surprise(tmp_path):
    flux, error, mask = arrays(4)
    mask[:, 500:4000] = 1
    star = read_apstar(write(tmp_path / "a.fits", flux, error, mask, {"NVISITS": 7}))
    text = " ".join(star.notes)
    assert "counts 7 visits, the file holds 2" in text
    assert "% of the pixels on the detectors are masked" in text
    assert star.n_visits == 7


def test_snr_of_visits_comes_from_the_table_wherever_it_stands(tmp_path):
    columns = [
        fits.Column("vhelio", "D", array=[1.0, 2.0]),
        fits.Column("snr", "D", array=[41.0, 42.0]),
    ]
    table = fits.BinTableHDU.from_columns(columns)
    extra = [fits.ImageHDU(np.zeros(3)), table]
    path = write(tmp_path / "a.fits", *arrays(4), {"SNRVIS1": 0.0, "SNRVIS2": 0.0}, extra=extra)
    star = read_apstar(path)
    assert list(star.visits.columns["snr"]) == [41, 42]
    assert not any("table" in note for note in star.notes)


# Where it is read from


def test_path_bytes_open_file_and_gzip_are_alike(tmp_path):
    path = write(tmp_path / "a.fits", *arrays(3))
    content = path.read_bytes()
    zipped = tmp_path / "a.fits.gz"
    zipped.write_bytes(gzip.compress(content))
    want = read_apstar(path)
    assert want.name == "a.fits"
    handle = io.BytesIO(content)
    for source in (str(path), content, bytearray(content), handle, zipped):
        got = read_apstar(source, name="mine.fits")
        np.testing.assert_array_equal(got.spectra.flux, want.spectra.flux)
        np.testing.assert_array_equal(got.spectra.ivar, want.spectra.ivar)
        assert got.name == "mine.fits"
        assert got.spectra.provenance["file"] == "mine.fits"
    assert not handle.closed
    assert path.read_bytes() == content


def test_the_file_may_be_replaced_after_reading(tmp_path):
    path = write(tmp_path / "a.fits", *arrays(1))
    star = read_apstar(path)
    before = star.combined.flux.copy()
    path.write_bytes(b"")
    np.testing.assert_array_equal(star.combined.flux, before)


def test_without_a_name_in_the_header_the_file_name_helps(tmp_path):
    flux, error, mask = arrays(1)
    path = write(tmp_path / NAME, flux, error, mask, {"OBJID": " "})
    star = read_apstar(path)
    assert star.star == "2M19485057+5005279"
    assert star.release == "DR17"


# What is refused


def test_no_file_a_folder_an_empty_file_and_text(tmp_path):
    refuse(tmp_path / "absent.fits", "There is no file")
    refuse(tmp_path, "is a folder")
    (tmp_path / "empty.fits").write_bytes(b"")
    refuse(tmp_path / "empty.fits", "empty.fits is empty")
    refuse(b"", "upload.fits is empty", "upload.fits")
    refuse(b"wavelength,flux\n1,2\n", "table.csv is not a FITS file", "table.csv")
    refuse(b"\x1f\x8bnonsense", "truncated or damaged", "x.fits.gz")
    garbage = np.random.default_rng(0).bytes(20_000)
    refuse(garbage, "not a FITS file", "noise.fits")
    refuse(b"SIMPLE  =" + garbage, "truncated or damaged", "noise.fits")


@pytest.mark.parametrize("part", [0.0005, 0.01, 0.02, 0.2, 0.35, 0.5, 0.66, 0.7, 0.9, 0.999])
def test_truncated_at_any_place(tmp_path, part):
    content = example_apstar().read_bytes()
    refuse(content[: int(part * len(content))], r"cut\.fits is (truncated|not a FITS)", "cut.fits")


def test_truncated_where_an_hdu_ends_lacks_hdus():
    content = example_apstar().read_bytes()
    with fits.open(io.BytesIO(content)) as hdus:
        end = hdus[2].fileinfo()["datLoc"] + hdus[2].fileinfo()["datSpan"]
    refuse(content[:end], "ends after HDU 2", NAME)


def test_damaged_headers_are_one_sentence_whatever_breaks():
    rng = np.random.default_rng(0)
    content = example_apstar().read_bytes()
    with fits.open(io.BytesIO(content)) as hdus:
        headers = [hdu.fileinfo()["hdrLoc"] for hdu in hdus]
    refused = 0
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.choice(headers, 4) + rng.integers(9, 2880, 4):
            damaged[place] = rng.integers(0, 256)
        try:
            read_apstar(bytes(damaged), "x.fits")
        except SpectrumError as problem:
            refused += 1
            assert "x.fits" in str(problem)
    assert refused > 10


def test_cut_gzip(tmp_path):
    content = gzip.compress(example_apstar().read_bytes())
    refuse(content[: len(content) // 2], "truncated or damaged", "a.fits.gz")


def test_a_file_that_is_too_large_is_not_read_whole(monkeypatch):
    monkeypatch.setattr(apstar, "LARGEST_FILE", 10_000)
    refuse(example_apstar(), "is larger than")
    refuse(gzip.compress(example_apstar().read_bytes()), "is larger than", "bomb.gz")


def test_all_pixels_bad(tmp_path):
    flux, error, mask = arrays(3)
    mask[:] = 1
    refuse(write(tmp_path / "a.fits", flux, error, mask), "no usable pixel: all of its 3 spectra")


@pytest.mark.parametrize(
    ("image", "found"),
    [
        ({"CRVAL1": 4.18}, r"CRVAL1 4\.18,"),
        ({"CDELT1": 6.1e-6}, r"CDELT1 6\.1e-06"),
        ({"CRVAL1": 15100.8, "CDELT1": 0.22}, r"CRVAL1 15100\.8"),
        ({"CRPIX1": 2}, "Resample"),
    ],
)
def test_other_wavelengths(tmp_path, image, found):
    refuse(write(tmp_path / "a.fits", *arrays(1), image=image), found)


def test_no_wavelengths_at_all(tmp_path):
    path = tmp_path / "a.fits"
    images = [fits.ImageHDU(a) for a in arrays(1)]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(path)
    refuse(path, "does not say which wavelengths")


def test_other_number_of_pixels_names_the_survey(tmp_path):
    flux, error, mask = (a[:, :4096] for a in arrays(1))
    path = write(tmp_path / "a.fits", flux, error, mask, {"SURVEY": "GALAH"})
    refuse(path, r"Expected 8575 pixels.*\(1, 4096\) \(SURVEY GALAH\)")


def test_shapes_that_differ_and_masks_of_floats(tmp_path):
    flux, error, mask = arrays(3)
    refuse(write(tmp_path / "a.fits", flux, error[:2], mask), "of one shape")
    refuse(write(tmp_path / "b.fits", flux, error, error), "mask of integers")


def test_missing_images(tmp_path):
    flux, error, _ = arrays(3)
    path = tmp_path / "a.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(flux), fits.ImageHDU(error)]).writeto(path)
    refuse(path, r"flux, error and mask in HDU 1 to 3.*ends after HDU 2")
    empty = tmp_path / "b.fits"
    images = [fits.ImageHDU(flux), fits.ImageHDU(error), fits.ImageHDU()]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(empty)
    refuse(empty, "image of the mask in HDU 3.* it is empty")


def table(**columns):
    return fits.BinTableHDU.from_columns(
        [fits.Column(name, "D", array=[value]) for name, value in columns.items()]
    )


@pytest.mark.parametrize(
    ("hdus", "product"),
    [
        ([fits.ImageHDU(np.zeros((3, 4096), "f4")) for _ in range(5)], "apVisit file"),
        (
            [fits.ImageHDU(np.zeros(N, "f4")) for _ in range(3)] + [table(PARAM=1.0, FPARAM=1.0)],
            "aspcapStar file",
        ),
        ([table(flux=1.0, loglam=3.6, ivar=1.0)], r"optical SDSS spectrum"),
        ([table(APOGEE_ID=1.0, VHELIO_AVG=1.0)], "allStar catalogue"),
        ([table(APOGEE_ID=1.0, VHELIO=1.0)], "allVisit catalogue"),
        ([table(a=1.0, b=2.0)], "a table with columns a, b"),
    ],
)
def test_other_products_are_named(tmp_path, hdus, product):
    path = tmp_path / "a.fits"
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    refuse(path, f"Expected an apStar file; a.fits seems to be an?.*{product}")


def test_sdss5_lamost_and_images_are_named(tmp_path):
    boss = table(a=1.0)
    boss.name = "BOSS/APO"
    fits.HDUList([fits.PrimaryHDU(), boss]).writeto(tmp_path / "v.fits")
    refuse(tmp_path / "v.fits", "mwmStar")
    image = fits.PrimaryHDU(np.zeros((5, 3909), "f4"))
    image.writeto(tmp_path / "i.fits")
    refuse(tmp_path / "i.fits", "first HDU is an image of 3909x5 pixels")
    image.header["TELESCOP"] = "LAMOST"
    image.writeto(tmp_path / "l.fits")
    refuse(tmp_path / "l.fits", "a LAMOST spectrum")


# The files that ship


def test_the_example_is_the_file_of_the_tests(tests_data):
    assert example_apstar().read_bytes() == (tests_data / NAME).read_bytes()
    assert example_apstar().stat().st_size <= 450_000


def test_the_example_keeps_its_quirks(tests_data):
    with fits.open(tests_data / NAME) as hdus:
        flux, error, mask = (hdus[i].data for i in (1, 2, 3))
        assert flux.shape == (2, N) and flux.dtype == ">f8" and mask.dtype == ">i8"
        assert np.isnan(flux[0]).sum() == np.isnan(error[0]).sum() == 774
        assert not flux[1].any()


def test_the_example_is_read(tests_data):
    star = read_apstar(tests_data / NAME)
    assert star.star == "2M19485057+5005279"
    assert star.release == "DR17"
    assert star.n_visits == 1
    assert star.vhelio == pytest.approx(13.9598, abs=1e-3)
    assert star.rv_template_teff == pytest.approx(5226, abs=1)
    assert list(star.spectra.columns["row"]) == [0]
    assert star.combined.good[0, APSTAR_GRID.chip_pixels].mean() > 0.95
    assert star.spectra.snr[0] == pytest.approx(star.snr, rel=0.1)
    assert any("Row 1" in note for note in star.notes)


# Released files of other years, from the data pack


@pytest.mark.parametrize(
    ("name", "release", "rows", "snr"),
    [
        ("apStar-r5-2M00004994+1621552.fits", "DR12", 5, 736.8),
        ("apStar-r6-2M17334253-1654573.fits", "DR13", 4, 186.5),
        ("apStar-r6-2M03290406+3117075.fits", "DR13", 1, 33.1),
        ("apStar-dr17-2M19485057+5005279.fits", "DR17", 1, 137.5),
    ],
)
def test_released_files(data_file, name, release, rows, snr):
    star = read_apstar(data_file(OBSERVED + name))
    assert star.release == release
    assert star.star in name
    assert len(star.spectra) == rows
    assert star.snr == pytest.approx(snr, abs=0.1)
    assert star.spectra.snr[0] == pytest.approx(snr, rel=0.1)
    chips = star.combined.good[0, APSTAR_GRID.chip_pixels]
    assert chips.mean() > 0.85


def test_the_trimmed_file_gives_the_same_as_the_released_one(data_file, tests_data):
    released = read_apstar(data_file(OBSERVED + NAME))
    trimmed = read_apstar(tests_data / NAME)
    np.testing.assert_array_equal(trimmed.spectra.flux, released.spectra.flux)
    np.testing.assert_array_equal(trimmed.spectra.ivar, released.spectra.ivar)
    assert trimmed.notes == released.notes
    assert trimmed.vhelio == released.vhelio


@pytest.mark.parametrize(
    ("name", "product"),
    [
        ("apVisit-r5-6994-56770-261.fits", "apVisit"),
        ("apVisit-r13-9518-57729-104.fits", "apVisit"),
        ("aspcapStar-r6-l30e.2-2M17334253-1654573.fits", "aspcapStar"),
    ],
)
def test_released_files_of_other_products(data_file, name, product):
    refuse(data_file(OBSERVED + name), f"seems to be an {product} file")

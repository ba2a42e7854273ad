"""apVisit files: chips in reverse, at the speed of the star, resampled to the apStar grid."""

import io

import numpy as np
import pytest
from astropy.io import fits

from spectrabridge.core.errors import SpectrumError
from spectrabridge.core.io import fits_file
from spectrabridge.core.io.apvisit import is_apvisit, read_apvisit
from spectrabridge.core.spectra import APSTAR_GRID
from spectrabridge.core.spectra.wavelength import SPEED_OF_LIGHT

OBSERVED = "observed/fits/"
GIANT = OBSERVED + "apVisit-r13-9518-57729-104.fits"
LIMITS = ((16954.5, 16472.6), (16435.2, 15857.1), (15809.9, 15142.3))
CHIP = np.zeros(APSTAR_GRID.n_pixels, bool)
CHIP[APSTAR_GRID.chip_pixels] = True


def lines(wavelength):
    """Return a spectrum of lines as broad as APOGEE's, in the rest frame."""
    out = np.ones_like(wavelength)
    for centre in np.arange(15150, 17000, 7.3):
        out -= 0.3 * np.exp(-0.5 * ((wavelength - centre) / 0.35) ** 2)
    return 1000 * out


def arrays(velocity=0.0, n=4096):
    wavelength = np.array([np.linspace(a, b, n) for a, b in LIMITS])
    flux = lines(wavelength / (1 + velocity / SPEED_OF_LIGHT))
    return [flux, np.full((3, n), 10.0), np.zeros((3, n), np.int16), wavelength]


def content(data, header=(), vrad=0.0, table=None):
    primary = fits.PrimaryHDU()
    primary.header.update({"OBJID": "2M00000001+0000002", "SNR": 100.0, "MJD5": 57729})
    primary.header.update(dict(header))
    if vrad is not None:
        primary.header["VRAD"] = vrad
    kinds = ("f4", "f4", "i2", "f8")
    kinds = kinds if len(data) == 4 else [None] * len(data)
    hdus = [fits.ImageHDU(np.asarray(d, k)) for d, k in zip(data, kinds, strict=True)]
    hdus += [fits.ImageHDU(np.zeros(2))] + ([table] if table is not None else [])
    out = io.BytesIO()
    fits.HDUList([primary, *hdus]).writeto(out)
    return out.getvalue()


def refuse(source, words, name="x.fits", **options):
    with pytest.raises(SpectrumError, match=words) as caught:
        read_apvisit(source, name, **options)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message and name in message


@pytest.mark.parametrize("velocity", [-250.0, 0.0, 67.5])
def test_the_velocity_is_taken_out(velocity):
    visit = read_apvisit(content(arrays(velocity), vrad=velocity), "a.fits")
    assert visit.star == "2M00000001+0000002"
    assert visit.velocity == velocity and visit.dithered and visit.mjd == 57729
    good = visit.spectra.good[0]
    assert good[CHIP].mean() > 0.97 and not good[~CHIP].any()
    # Pixels average over 0.2 angstrom, which fills the lines by less than 2%.
    want = lines(APSTAR_GRID.wavelength)
    assert np.abs(visit.spectra.flux[0] - want)[good].max() < 20


def test_an_option_overrules_the_file():
    visit = read_apvisit(content(arrays(30.0), vrad=-5.0), rv_kms=30.0)
    same = read_apvisit(content(arrays(30.0), vrad=30.0))
    np.testing.assert_array_equal(visit.spectra.flux, same.spectra.flux)
    assert visit.velocity == 30


def test_visits_without_dithers():
    visit = read_apvisit(content(arrays(12.0, n=2048), vrad=12.0))
    assert not visit.dithered
    good = visit.spectra.good[0]
    assert good[CHIP].mean() > 0.97
    assert np.abs(visit.spectra.flux[0] - lines(APSTAR_GRID.wavelength))[good].max() < 45


def test_increasing_wavelengths_are_read_alike():
    data = arrays(10.0)
    want = read_apvisit(content(data, vrad=10.0)).spectra
    got = read_apvisit(content([d[::-1, ::-1] for d in data], vrad=10.0)).spectra
    np.testing.assert_allclose(got.flux, want.flux, rtol=1e-6)
    np.testing.assert_allclose(got.ivar, want.ivar, rtol=1e-6)


@pytest.mark.parametrize("n", [4096, 2048])
def test_averaging_dithered_pixels_does_not_lower_the_noise(n):
    ivar = read_apvisit(content(arrays(n=n))).spectra.ivar[0]
    step = np.gradient(APSTAR_GRID.wavelength)
    pixel = (LIMITS[1][0] - LIMITS[1][1]) / (n - 1)
    middle = slice(4000, 6000)
    if n == 4096:
        np.testing.assert_allclose(ivar[middle], 0.01, rtol=1e-6)
    else:
        # Single exposures have independent pixels; these are wider than those of the grid.
        assert 0.9 < np.median(ivar[middle] / (0.01 * step[middle] / pixel)) < 1.6


def test_masks_decide_and_bad_pixels_do_not_leak():
    data = arrays()
    data[0][1, 1000:1050] = 1e7
    data[2][1, 1000:1050] = 1
    data[2][1, 2000:2050] = 1 << 10  # persistence only warns
    spectra = read_apvisit(content(data)).spectra
    good = spectra.good[0]
    w = data[3][1]
    bad = (APSTAR_GRID.wavelength < w[1002]) & (APSTAR_GRID.wavelength > w[1047])
    warned = (APSTAR_GRID.wavelength < w[2002]) & (APSTAR_GRID.wavelength > w[2047])
    assert bad.sum() > 20 and not good[bad].any()
    assert good[warned].all()
    assert spectra.flux[0, good].max() < 1100


def test_pixels_belong_to_one_detector():
    data = arrays()
    for i in range(3):
        data[0][i] = 100.0 * (i + 1)
    spectra = read_apvisit(content(data)).spectra
    got = spectra.flux[0]
    for chip, value in zip(APSTAR_GRID.chips, (300, 200, 100), strict=True):
        good = spectra.good[0, chip.pixels]
        np.testing.assert_allclose(got[chip.pixels][good], value, rtol=1e-6)


def test_a_dead_detector_is_noted():
    data = arrays()
    data[2][0] = 1
    visit = read_apvisit(content(data))
    assert any("red detector has no usable pixel" in note for note in visit.notes)
    assert not visit.spectra.good[0, APSTAR_GRID.chips[2].pixels].any()


def test_where_the_velocity_comes_from():
    table = fits.BinTableHDU.from_columns(
        [fits.Column("VREL", "E", array=[21.0]), fits.Column("APOGEE_ID", "5A", array=["2M123"])]
    )
    assert read_apvisit(content(arrays(), vrad=None, table=table)).velocity == 21
    visit = read_apvisit(content(arrays(), {"VHELIO": 30.0, "BC": -2.0}, vrad=None))
    assert visit.velocity == 32 and any("VHELIO - BC" in note for note in visit.notes)
    refuse(content(arrays(), vrad=5000.0), r"below 1500 km/s.*found 5000")


@pytest.mark.parametrize("vrad", [None, 999999.0])
def test_without_a_velocity_a_visit_is_left_as_observed_and_says_so(vrad):
    """DR17 and DR19 have no VRAD, and a filler for VREL."""
    table = fits.BinTableHDU.from_columns([fits.Column("VREL", "E", array=[999999.0])])
    visit = read_apvisit(content(arrays(40.0), vrad=vrad, table=table))
    given = read_apvisit(content(arrays(40.0), vrad=vrad), rv_kms=0)
    assert visit.velocity == 0
    np.testing.assert_array_equal(visit.spectra.flux, given.spectra.flux)
    assert any("no velocity of the star" in note for note in visit.notes)
    assert not any("no velocity" in note for note in given.notes)


# What is refused


def test_absent_empty_and_text(tmp_path):
    with pytest.raises(SpectrumError, match="There is no file"):
        read_apvisit(tmp_path / "absent.fits")
    refuse(b"", "is empty; expected an apVisit")
    refuse(b"1 2 3\n", "is not a FITS file; expected an apVisit")
    refuse(content(arrays()), "velocity in km/s", "nan", rv_kms=float("nan"))


@pytest.mark.parametrize("part", [0.002, 0.05, 0.3, 0.6, 0.97])
def test_truncated(part):
    whole = content(arrays())
    refuse(whole[: int(part * len(whole))], "truncated|not a FITS")


def test_wrong_hdus_and_shapes():
    data = arrays()
    refuse(content(data[:3]), r"HDU 1 to 4.*ends after|of 3 detectors")
    short = [d[:, :4000] for d in data]
    refuse(content(short), r"2048 or 4096 pixels.*\(3, 4000\)")
    two = [d[:2] for d in data]
    refuse(content(two), r"3 detectors.*\(2, 4096\)")


def test_a_mask_of_floats():
    data = arrays()
    primary = fits.PrimaryHDU()
    primary.header["VRAD"] = 0.0
    out = io.BytesIO()
    fits.HDUList([primary, *[fits.ImageHDU(d.astype("f4")) for d in data]]).writeto(out)
    refuse(out.getvalue(), "mask of integers")


def test_nan_filled_and_all_masked():
    data = arrays()
    refuse(content([data[0] * np.nan, *data[1:]]), "no usable pixel")
    refuse(content([*data[:2], data[2] + 1, data[3]]), "no usable pixel")
    wavelength = data[3].copy()
    wavelength[0, 5] = np.nan
    refuse(
        content([*data[:3], wavelength]), "finite wavelengths in HDU 4.*1 that are not on the red"
    )


def test_disordered_and_other_units():
    data = arrays()
    wavelength = data[3].copy()
    wavelength[1, 100:102] = wavelength[1, [101, 100]]
    refuse(content([*data[:3], wavelength]), "the green one they go up and down")
    refuse(content([*data[:3], data[3] / 10]), r"vacuum angstrom, 15100 to 17000.*1647.26 to 1695")
    refuse(content([*data[:3], data[3] * 10]), "Convert the unit")


def test_ten_times_too_large(monkeypatch):
    data = arrays()
    refuse(content([np.tile(d, (10, 1)) for d in data]), r"3 detectors.*\(30, 4096\)")
    monkeypatch.setattr("spectrabridge.core.io.apvisit.LARGEST_FILE", 10_000)
    refuse(content(data), "is larger than")
    assert fits_file.LARGEST_FILE > 10_000


def test_byte_order_of_either_kind():
    data = arrays(5.0)
    want = read_apvisit(content(data, vrad=5.0)).spectra
    got = read_apvisit(content([d.astype(d.dtype.newbyteorder(">")) for d in data], vrad=5.0))
    np.testing.assert_array_equal(got.spectra.flux, want.flux)


# Released files


@pytest.mark.parametrize(
    ("name", "release", "velocity"),
    [
        ("apVisit-r5-6994-56770-261.fits", "DR12", -6.096),
        ("apVisit-r8-4914-55807-100.fits", "DR14", 7.055),
        ("apVisit-r13-9518-57729-104.fits", "", -67.472),
    ],
)
def test_released_files(data_file, name, release, velocity):
    path = data_file(OBSERVED + name)
    with fits.open(path) as hdus:
        assert is_apvisit(hdus)
    visit = read_apvisit(path)
    assert visit.release == release and visit.telescope == "apo25m"
    assert visit.velocity == pytest.approx(velocity, abs=1e-3)
    chips = visit.spectra.good[0, APSTAR_GRID.chip_pixels]
    assert chips.mean() > 0.9
    # A pixel of the grid holds one to two pixels of the visit.
    assert 1 < visit.spectra.snr[0] / visit.snr < 1.6


def test_a_giant_comes_to_rest(data_file):
    from spectrabridge.core.bundle import open_bundle
    from spectrabridge.core.spectra import normalise

    visit = read_apvisit(data_file(GIANT))
    assert visit.star == "2M00242666+5341178"
    assert visit.vhelio == pytest.approx(visit.velocity - 14.5808, abs=1e-3)
    model = open_bundle("apogee-giants").model
    template = 1 - np.asarray(model.emulate(model.reference))[0]
    spectra = normalise(visit.spectra).on_chips()
    depth = np.where(spectra.good[0], 1 - spectra.flux[0], 0)
    shifts = np.arange(-4, 5)
    match = np.zeros(shifts.size)
    for chip in spectra.grid.chips:
        inner = slice(10, len(chip) - 10)
        for i, shift in enumerate(shifts):
            moved = np.roll(template[chip.pixels], shift)[inner]
            match[i] += (moved * depth[chip.pixels][inner]).sum()
    best = int(match.argmax())
    a, b, _ = np.polyfit(shifts[best - 1 : best + 2], match[best - 1 : best + 2], 2)
    assert abs(-b / (2 * a)) < 0.3


@pytest.mark.parametrize(
    "name", ["apStar-r6-2M17334253-1654573", "aspcapStar-r6-l30e.2-2M17334253-1654573"]
)
def test_released_files_of_other_products(data_file, name):
    path = data_file(f"{OBSERVED}{name}.fits")
    refuse(path, "3 detectors|seems to be an aspcapStar file", name)

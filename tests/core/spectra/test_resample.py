"""Resampling: flux is conserved, noise is propagated, bad pixels stay out."""

import numpy as np
import pytest

from spectrabridge.core.errors import GridError, SpectrumError
from spectrabridge.core.spectra import APOGEE_GRID, APSTAR_GRID, Chip, WavelengthGrid, resample
from spectrabridge.core.spectra.resample import pixel_extents


def smooth(wavelength):
    """Return lines as broad as APOGEE's resolution, on a slope."""
    out = 1.0 + 2e-5 * (wavelength - 16000)
    for centre in (15990.3, 16001.7, 16010.2):
        out = out - 0.4 * np.exp(-0.5 * ((wavelength - centre) / 0.3) ** 2)
    return out


def average(function, low, high, n=200):
    """Return the average of a function over pixels."""
    part = (np.arange(n) + 0.5) / n
    return function(low[:, None] + (high - low)[:, None] * part).mean(axis=1)


def line(start, stop, step):
    return np.arange(start, stop, step)


@pytest.mark.parametrize("step", [0.05, 0.13, 0.22, 0.31])
def test_the_integral_is_conserved(step):
    rng = np.random.default_rng(0)
    old = line(15980, 16020, step)
    flux = rng.uniform(0, 2, old.size)
    new = line(15970.11, 16030, 0.2173)
    got, _ = resample(old, flux, np.ones_like(flux), new, least_covered=0)
    low, high = pixel_extents(old)
    new_low, new_high = pixel_extents(new)
    covered = np.clip(np.minimum(new_high, high[-1]) - np.maximum(new_low, low[0]), 0, None)
    total = np.nansum(np.where(covered > 0, got * covered, 0))
    assert total == pytest.approx((flux * (high - low)).sum(), rel=1e-12)


@pytest.mark.parametrize(("step", "tolerance"), [(0.02, 1e-4), (0.05, 3e-4), (0.13, 2e-3)])
def test_a_smooth_function_comes_out_as_its_average(step, tolerance):
    old = line(15980, 16020, step)
    new = line(15985, 16015, 0.22)
    got, _ = resample(old, average(smooth, *pixel_extents(old)), np.ones_like(old), new)
    want = average(smooth, *pixel_extents(new))
    assert np.abs(got - want).max() < tolerance


def test_a_curve_without_lines_is_exact_to_1e4_on_coarser_and_finer_grids():
    def curve(wavelength):
        return 1 + 0.2 * np.sin(wavelength / 7)

    for old_step, new_step in ((0.1, 0.23), (0.23, 0.1), (0.2, 0.2)):
        old, new = line(15980, 16020, old_step), line(15985, 16015.03, new_step)
        got, _ = resample(old, average(curve, *pixel_extents(old)), np.ones_like(old), new)
        assert np.abs(got - average(curve, *pixel_extents(new))).max() < 1e-4


def test_finer_pixels_are_no_stairs():
    old, new = line(15980, 16020, 0.3), line(15985, 16015, 0.1)
    got, _ = resample(old, 1 + 0.01 * (old - 16000), np.ones_like(old), new)
    np.testing.assert_allclose(got, 1 + 0.01 * (new - 16000), atol=1e-10)


def test_the_same_grid_changes_nothing():
    rng = np.random.default_rng(1)
    flux, ivar = rng.uniform(0.5, 1, (2, 3, APSTAR_GRID.n_pixels))
    ivar[:, 500:510] = 0
    keep = flux.copy(), ivar.copy()
    got, got_ivar = resample(APSTAR_GRID.wavelength, flux, ivar, APSTAR_GRID)
    good = ivar > 0
    np.testing.assert_allclose(got[good], flux[good], rtol=1e-9)
    np.testing.assert_allclose(got_ivar, ivar, rtol=1e-6)
    np.testing.assert_array_equal(flux, keep[0])
    np.testing.assert_array_equal(ivar, keep[1])


@pytest.mark.parametrize("step", [0.13, 0.31])
def test_the_variance_is_that_of_the_noise(step):
    rng = np.random.default_rng(2)
    old, new = line(15980, 16000, step), line(15985, 15995, 0.22)
    sigma = rng.uniform(0.01, 0.05, old.size)
    ivar = np.broadcast_to(1 / sigma**2, (4000, old.size)).copy()
    ivar[:, 30] = 0
    noisy = 1 + sigma * rng.normal(size=ivar.shape)
    noisy[:, 30] = 1e6
    got, got_ivar = resample(old, noisy, ivar, new)
    good = got_ivar[0] > 0
    assert good.mean() > 0.8
    pulls = (got[:, good] - 1) * np.sqrt(got_ivar[:, good])
    assert np.abs(pulls.std(axis=0) - 1).max() < 0.06
    assert pulls.std() == pytest.approx(1, abs=0.01)
    assert pulls.mean() == pytest.approx(0, abs=0.01)


def test_bad_pixels_do_not_contribute_and_half_must_be_covered():
    old, new = np.arange(100.0, 120), np.arange(102.5, 116, 4)
    flux, ivar = np.ones(20), np.full(20, 4.0)
    ivar[[1, 2, 3]] = 0
    flux[[1, 2, 3]] = np.nan, np.inf, 1e9
    got, got_ivar = resample(old, flux, ivar, new)
    # The first covers 100.5 to 104.5, of which only 103.5 to 104.5 is good.
    np.testing.assert_allclose(got, 1)
    np.testing.assert_allclose(got_ivar, [0, 16, 16, 16])
    ivar[2:4] = 4
    flux[2:4] = 1
    _, got_ivar = resample(old, flux, ivar, new)
    np.testing.assert_allclose(got_ivar, [12, 16, 16, 16])


def test_outside_the_spectrum_there_is_nothing():
    old, new = np.arange(100.0, 110), np.arange(80.0, 130)
    got, got_ivar = resample(old, np.ones(10), np.ones(10), new)
    assert np.isnan(got[:20]).all() and np.isnan(got[31:]).all()
    assert (got_ivar[20:30] > 0).all() and not got_ivar[:20].any() and not got_ivar[31:].any()


def test_gaps_are_not_filled_by_the_pixels_beside_them():
    wavelength = APOGEE_GRID.wavelength
    ones = np.ones(wavelength.size)
    got, got_ivar = resample(wavelength, ones, ones, APSTAR_GRID)
    good = np.zeros(APSTAR_GRID.n_pixels, bool)
    good[APSTAR_GRID.chip_pixels] = True
    np.testing.assert_array_equal(got_ivar > 0, good)
    np.testing.assert_allclose(got[good], 1)
    back, back_ivar = resample(APSTAR_GRID.wavelength, np.ones(8575), np.ones(8575), APOGEE_GRID)
    np.testing.assert_allclose(back, 1)
    np.testing.assert_allclose(back_ivar, 1, rtol=1e-3)


def test_a_grid_object_and_its_wavelengths_are_alike():
    grid = WavelengthGrid(line(15985, 15990, 0.2), (Chip("a", 0, 10),))
    old = line(15980, 16000, 0.1)
    one = resample(old, smooth(old), np.ones_like(old), grid)
    two = resample(old, smooth(old), np.ones_like(old), grid.wavelength)
    np.testing.assert_array_equal(one, two)


def test_what_is_refused():
    old, new = np.arange(100.0, 110), np.arange(100.0, 105)
    with pytest.raises(GridError, match="increase"):
        resample(old[::-1], np.ones(10), np.ones(10), new)
    with pytest.raises(GridError, match="increase"):
        resample(old, np.ones(10), np.ones(10), [1.0, np.nan, 3.0])
    with pytest.raises(GridError, match="at least two"):
        resample([1.0], [1.0], [1.0], new)
    with pytest.raises(SpectrumError, match="10 pixels"):
        resample(old, np.ones(9), np.ones(9), new)
    with pytest.raises(SpectrumError, match="negative"):
        resample(old, np.ones(10), -np.ones(10), new)


def test_shared_noise_is_the_mean_variance():
    wavelength = np.linspace(5000.0, 5010.0, 101)
    new = np.linspace(5001.0, 5009.0, 33)
    ivar = np.linspace(50.0, 150.0, 101)
    flux = np.ones(101)
    _, alone = resample(wavelength, flux, ivar, new)
    got, shared = resample(wavelength, flux, ivar, new, shared_noise=True)
    np.testing.assert_allclose(got, 1.0)
    np.testing.assert_allclose(1 / shared, np.interp(new, wavelength, 1 / ivar), rtol=5e-3)
    assert (alone > 2 * shared).all()

"""Continuum normalisation of synthetic and of real spectra."""

import json

import numpy as np
import pytest

from spectrabridge.core.errors import GridError, SpectrumError
from spectrabridge.core.io import example_apstar, read_apstar, read_grid
from spectrabridge.core.spectra import (
    APOGEE_GRID,
    APSTAR_GRID,
    Chip,
    Spectra,
    WavelengthGrid,
    continuum,
    fit_continuum,
    normalise,
)
from spectrabridge.core.spectra.stored_continuum_pixels import default_continuum_pixels
from spectrabridge.core.synthesis.continuum_pixels import derive_continuum_pixels

GRID = APSTAR_GRID
ON = GRID.chip_pixels
PIXELS = default_continuum_pixels(GRID)


def lines(n, seed=0):
    """Flux of `n` mock giants, continuum 1: strong lines off the continuum pixels, weak ones on."""
    rng = np.random.default_rng(seed)
    x = np.arange(GRID.n_pixels)
    free = np.convolve(PIXELS, np.ones(9), "same") == 0
    strength = rng.uniform(0.2, 1, (n, 1))
    depth = np.zeros((n, GRID.n_pixels))
    for centres, deepest in ((rng.choice(x[free], 500), 0.6), (rng.choice(x, 900), 0.03)):
        for centre in centres:
            near = slice(max(0, centre - 8), centre + 9)
            profile = np.exp(-0.5 * ((x[near] - centre) / 1.6) ** 2)
            depth[:, near] += strength * deepest * rng.random() * profile
    return np.exp(-depth)


STARS = lines(40)


def spectra(flux, snr=1.0):
    return Spectra(GRID, flux, np.full(np.shape(flux), np.square(snr)))


def change(a, b):
    return np.abs(a.flux / b.flux - 1)[:, ON]


def test_the_continuum_of_mock_stars_is_found():
    got = fit_continuum(STARS, np.ones_like(STARS), GRID, PIXELS)[:, ON]
    assert np.abs(got - 1).max() < 0.03
    assert -0.01 < np.median(got) - 1 < 0.001


def test_normalising_twice_changes_nothing():
    rng = np.random.default_rng(1)
    noisy = spectra(STARS + rng.normal(0, 0.02, STARS.shape), 50)
    for one in (spectra(STARS), noisy):
        once = normalise(one)
        twice = normalise(once)
        assert change(twice, once).max() < 1e-4
        np.testing.assert_allclose(twice.ivar, once.ivar, rtol=1e-3)


X = np.linspace(-1, 1, GRID.n_pixels)


@pytest.mark.parametrize(
    "shape", [np.full_like(X, 1e4), np.full_like(X, 1e-3), 300 * (1 + 0.4 * X), 5 - 2 * X + X**2]
)
def test_scale_and_smooth_shape_do_not_matter(shape):
    rng = np.random.default_rng(2)
    flux = STARS + rng.normal(0, 0.01, STARS.shape)
    plain = normalise(spectra(flux, 100))
    shaped = normalise(Spectra(GRID, flux * shape, np.full(flux.shape, 1e4) / shape**2))
    assert change(shaped, plain).max() < 1e-4
    np.testing.assert_allclose(shaped.ivar[:, ON], plain.ivar[:, ON], rtol=1e-3)


def test_each_chip_may_have_its_own_level():
    shape = np.ones(GRID.n_pixels)
    for chip, level in zip(GRID.chips, (3.0, 0.2, 40.0), strict=True):
        shape[chip.pixels] = level
    assert change(normalise(spectra(STARS * shape)), normalise(spectra(STARS))).max() < 1e-4


@pytest.mark.parametrize("snr", [200, 50, 20])
def test_noise_does_not_bias_the_continuum(snr):
    rng = np.random.default_rng(3)
    clean = normalise(spectra(STARS))
    noisy = normalise(spectra(STARS + rng.normal(0, 1 / snr, STARS.shape), snr))
    bias = (noisy.flux - clean.flux)[:, ON].mean()
    assert abs(bias) < 0.001
    assert np.abs((noisy.flux - clean.flux)[:, ON].mean(axis=1)).max() < 0.1 / snr


def test_bad_pixels_cosmic_rays_and_unknown_lines_do_little():
    rng = np.random.default_rng(4)
    clean = normalise(spectra(STARS))
    flux = STARS + rng.normal(0, 0.01, STARS.shape)
    ivar = np.full(flux.shape, 1e4)
    bad = rng.random(flux.shape) < 0.15
    flux[bad] = rng.normal(0, 100, bad.sum())
    ivar[bad] = 0
    hit = rng.random(flux.shape) < 0.02
    flux[hit] *= rng.uniform(1.3, 20, hit.sum())
    low = rng.random(flux.shape) < 0.02
    flux[low] *= rng.uniform(0.2, 0.8, low.sum())
    found = normalise(Spectra(GRID, flux, ivar))
    good = found.good & ~hit & ~low
    difference = np.where(good, found.flux - clean.flux, 0)[:, ON]
    assert np.abs(difference.sum(axis=1) / good[:, ON].sum(axis=1)).max() < 0.003


def test_a_cosmic_ray_is_left_out_smoothly_not_at_once():
    # The weight of a pixel that leaves the continuum must fade: no jump as a line grows.
    pixel = np.flatnonzero(PIXELS)[100]
    flux = np.repeat(STARS[:1], 200, axis=0)
    flux[:, pixel] *= np.linspace(1, 0.7, 200)
    level = fit_continuum(flux, np.ones_like(flux), GRID, PIXELS)[:, pixel]
    whole = np.ptp(level)
    assert 0 < whole < 5e-3
    assert np.abs(np.diff(level)).max() < 0.1 * whole + 1e-6


def test_a_star_does_not_depend_on_its_neighbours():
    rng = np.random.default_rng(5)
    flux = STARS + rng.normal(0, 0.02, STARS.shape)
    ivar = np.full(flux.shape, 2500.0)
    ivar[3, PIXELS] = 0  # a neighbour that needs other pixels
    all_of_them = normalise(Spectra(GRID, flux, ivar))
    alone = normalise(Spectra(GRID, flux[7], ivar[7]))
    np.testing.assert_allclose(alone.flux[0], all_of_them.flux[7], atol=2e-6)


def test_pixels_off_the_chips_are_kept_and_unusable():
    off = np.setdiff1d(np.arange(GRID.n_pixels), ON)
    found = normalise(spectra(STARS * 5))
    assert (found.ivar[:, off] == 0).all()
    np.testing.assert_allclose(found.flux[:, off], STARS[:, off] * 5, rtol=1e-6)


def test_without_usable_continuum_pixels_the_brightest_stand_in():
    clean = normalise(spectra(STARS[:3]))
    ivar = np.ones_like(STARS[:3])
    green = GRID.chips[1]
    ivar[1, green.pixels] = np.where(PIXELS[green.pixels], 0, 1)
    found = normalise(Spectra(GRID, STARS[:3], ivar))
    difference = change(found, clean)
    assert difference[[0, 2]].max() < 2e-6
    assert difference[1].max() < 0.05
    notes = found.provenance["continuum"]["notes"]
    assert len(notes) == 1
    assert "row 1" in notes[0] and "green" in notes[0] and "stand in" in notes[0]


def test_a_part_without_any_listed_pixel_is_tied_down_too():
    # A grid that begins inside a chip, as a small one of another survey would: the first half
    # of its chip has no listed pixel, and with lines as deep as these the fit would run away.
    pixels = PIXELS.copy()
    red = GRID.chips[2]
    pixels[red.start : red.start + len(red) // 2] = False
    found = normalise(spectra(STARS**3), pixels)
    flux = found.flux[:, red.pixels]
    assert np.median(flux.max(axis=1)) == pytest.approx(1, abs=0.1)
    assert flux.max() < 1.3
    assert "stand in" in found.provenance["continuum"]["notes"][0]


def test_a_chip_without_usable_pixels_is_left_out_and_noted():
    ivar = np.ones_like(STARS[:2])
    red = GRID.chips[2].pixels
    ivar[1, red] = 0
    found = normalise(Spectra(GRID, STARS[:2] * 7, ivar, ["a", "b"]))
    assert (found.ivar[1, red] == 0).all()
    np.testing.assert_allclose(found.flux[1, red], STARS[1, red] * 7, rtol=1e-6)
    assert (found.ivar[0, red] > 0).all()
    assert found.flux[1, GRID.chips[0].pixels].max() < 1.1
    (note,) = found.provenance["continuum"]["notes"]
    assert "Spectrum b (row 1)" in note and "chip red" in note


@pytest.mark.parametrize("flux", [np.zeros(8575), -STARS[0], np.full(8575, 1e-30)])
def test_hopeless_flux_gives_finite_results(flux):
    found = normalise(spectra(flux))
    assert np.isfinite(found.flux).all() and np.isfinite(found.ivar).all()


def test_caller_and_labels_are_untouched_and_provenance_grows():
    before = spectra(STARS[:2] * 3)
    copy = before.flux.copy(), before.ivar.copy()
    after = normalise(before, degree=3)
    np.testing.assert_array_equal(before.flux, copy[0])
    np.testing.assert_array_equal(before.ivar, copy[1])
    assert "continuum" not in before.provenance
    record = after.provenance["continuum"]
    assert record["degree"] == 3 and record["n_continuum_pixels"] == PIXELS.sum()
    json.dumps(record)
    assert after.ids == before.ids


def test_the_two_apogee_grids_agree():
    whole = normalise(spectra(STARS)).on_chips()
    chips = normalise(spectra(STARS).on_chips())
    assert whole.grid == chips.grid == APOGEE_GRID
    np.testing.assert_allclose(whole.flux, chips.flux, atol=1e-6)


def test_wrong_arguments_are_refused():
    one = spectra(STARS[:1])
    with pytest.raises(SpectrumError, match="booleans of shape"):
        normalise(one, pixels=np.arange(10))
    with pytest.raises(SpectrumError, match="positive lower"):
        normalise(one, lower=-1)
    with pytest.raises(SpectrumError, match="flux and ivar of shape"):
        fit_continuum(np.ones(10), np.ones(10), GRID, PIXELS)


def test_stored_pixels_lie_on_chips_and_hold_the_ends():
    assert 900 < PIXELS.sum() < 1300
    assert not PIXELS[np.setdiff1d(np.arange(GRID.n_pixels), ON)].any()
    for chip in GRID.chips:
        where = np.flatnonzero(PIXELS[chip.pixels])
        assert where[0] < 0.06 * len(chip) and where[-1] > 0.93 * len(chip)
        for part in np.array_split(PIXELS[chip.pixels], continuum.N_BLOCKS):
            assert part.sum() >= 20
    np.testing.assert_array_equal(default_continuum_pixels(APOGEE_GRID), PIXELS[ON])


def test_stored_pixels_on_another_grid():
    finer = WavelengthGrid.log_linear(4.1814, 2e-6, 7000, name="finer")
    found = default_continuum_pixels(finer)
    wanted = GRID.wavelength[PIXELS]
    wanted = wanted[(wanted > finer.wavelength[0]) & (wanted < finer.wavelength[-1])]
    assert found.sum() == wanted.size
    step = np.diff(finer.wavelength).max()
    assert np.abs(finer.wavelength[found] - wanted).max() <= step / 2 + 1e-9
    optical = WavelengthGrid(np.linspace(5000, 6000, 3000), [Chip("optical", 0, 3000)])
    with pytest.raises(GridError, match="'optical' covers 5000 to 6000"):
        default_continuum_pixels(optical)


def test_derived_pixels_avoid_lines_and_fill_every_part():
    flux = lines(60, seed=9)
    kind = np.r_[np.ones(50), np.zeros(10)].astype(int)
    flux[50:] = 0.5  # rows of the box do not count
    grid = Spectra(GRID, flux, columns={"kind": kind})
    found = derive_continuum_pixels(grid, fraction=0.1)
    assert found.sum() == pytest.approx(0.1 * ON.size, rel=0.02)
    for chip in GRID.chips:
        assert all(p.any() for p in np.array_split(found[chip.pixels], continuum.N_BLOCKS))
    giants = flux[:50]
    assert np.median(giants[:, found]) > 0.995
    assert giants[:, found].mean() > giants[:, ON].mean() + 0.03


def test_synthetic_giants_stay_close_to_their_true_continuum(data_file):
    grid = read_grid(data_file("grid/sme_giants_8575.npz"))
    giants = grid[np.flatnonzero(grid.columns["kind"] == 1)[:300]]
    level = fit_continuum(giants.flux, giants.ivar, GRID, PIXELS)
    for chip in GRID.chips:
        assert -0.02 < np.median(level[:, chip.pixels]) - 1 < 0
    assert change(normalise(normalise(giants)), normalise(giants)).max() < 1e-4


def test_log_flux_needs_no_more_components_after_normalisation(data_file):
    # An emulator learns normalised flux; jumps in the normalisation would show as a worse basis.
    grid = read_grid(data_file("grid/sme_giants_8575.npz"))

    def left_over(flux):
        y = np.log(flux[:, ON].astype(np.float64))
        train, test = y[::2], y[1::2]
        mean = train.mean(axis=0)
        _, vectors = np.linalg.eigh((train - mean) @ (train - mean).T)
        basis = np.linalg.qr((train - mean).T @ vectors[:, -100:])[0]
        rest = (test - mean) - (test - mean) @ basis @ basis.T
        return np.sqrt(np.mean(rest**2))

    assert left_over(normalise(grid).flux) < 1.1 * left_over(grid.flux)


def test_the_real_example_has_its_continuum_at_one():
    star = read_apstar(example_apstar()).combined
    found = normalise(star)
    assert found.provenance["continuum"]["notes"] == []
    np.testing.assert_array_equal(found.good, star.good)
    for chip in GRID.chips:
        flux = found.flux[0, chip.pixels][found.good[0, chip.pixels]]
        assert 0.98 < np.median(flux) < 1.01
        assert 1.005 < np.percentile(flux, 95) < 1.03


def test_a_real_giant_looks_like_a_synthetic_one(data_file):
    real = normalise(
        read_apstar(data_file("observed/fits/apStar-r5-2M00004994+1621552.fits")).combined
    )
    grid = read_grid(data_file("grid/sme_giants_8575.npz"))
    at = [grid.label_set.index(name) for name in ("teff", "logg", "Fe")]
    distance = (grid.labels[:, at] - (4705, 2.58, 0.1)) / (100, 0.2, 0.1)
    synthetic = normalise(grid[int((distance**2).sum(axis=1).argmin())])
    good = real.good[0]
    difference = (real.flux - synthetic.flux)[0, good]
    assert abs(np.median(difference)) < 0.01
    assert difference.std() < 0.04
    for chip in GRID.chips:
        a, b = (s.flux[0, chip.pixels][real.good[0, chip.pixels]] for s in (real, synthetic))
        assert abs(np.percentile(a, 90) - np.percentile(b, 90)) < 0.01

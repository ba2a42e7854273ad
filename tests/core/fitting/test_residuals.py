import numpy as np
import pytest
from scipy.stats import norm

from spectrabridge.core.fitting.residuals import MAX_Z_SCORE, N_BINS, ResidualDensity
from spectrabridge.core.spectra import WavelengthGrid

GRID = WavelengthGrid.log_linear(4.18, 6e-6, 300)


def test_a_perfect_model_has_normal_residuals():
    z = np.random.default_rng(0).standard_normal((400, 300))
    z[:, :20] = np.nan
    density = ResidualDensity(GRID)
    for part in np.array_split(z, 7):
        density.add(part)
    assert density.n_stars == 400
    assert density.mean == pytest.approx(np.nanmean(z), abs=1e-12)
    assert density.std == pytest.approx(np.nanstd(z), rel=1e-9)
    middle = (density.edges[1:] + density.edges[:-1]) / 2
    assert np.abs(density.distribution() - norm.pdf(middle)).max() < 0.02
    assert density.distribution().sum() * 2 * MAX_Z_SCORE / N_BINS == pytest.approx(1)
    assert density.figures()["beyond_3_sigma"] == pytest.approx(0.0027, abs=0.0006)
    assert np.isnan(density.mean_by_pixel[:20]).all()
    assert density.counts[:, 20:].sum(axis=0).tolist() == [400] * 280


def test_outliers_are_counted_and_a_line_all_stars_lack_shows():
    z = np.zeros((5, 300))
    z[:, 100] = -40
    density = ResidualDensity(GRID)
    density.add(z)
    assert density.counts[0, 100] == 5
    assert density.mean_by_pixel[100] == pytest.approx(-40)
    assert np.abs(np.delete(density.mean_by_pixel, 100)).max() == 0


def test_nothing_is_not_a_number():
    density = ResidualDensity(GRID)
    density.add(np.full((2, 300), np.nan))
    assert density.n_stars == 0
    assert np.isnan(density.mean) and np.isnan(density.std)

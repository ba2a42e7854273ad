"""The minimiser against scipy's, on a problem small enough for it."""

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from spectrabridge.core.fitting.levenberg import minimise
from spectrabridge.core.fitting.problem import Problem
from spectrabridge.core.spectra import Chip, WavelengthGrid

GRID = WavelengthGrid.log_linear(4.18, 6e-6, 200, (Chip("a", 0, 100), Chip("b", 100, 200)))
X = torch.linspace(-1, 1, 100).repeat(2)
CENTRES = torch.linspace(-0.8, 0.8, 5)


def value(p: torch.Tensor) -> torch.Tensor:
    """Lines whose depths saturate: curved, so that one step is not enough."""
    depth = torch.sigmoid(p)[:, :, None]
    return 1 - (depth * torch.exp(-0.5 * ((X - CENTRES[:, None]) / 0.08) ** 2)).sum(1)


def problem(flux: torch.Tensor, ivar: torch.Tensor, **changes) -> Problem:
    n = 5
    settings = {
        "low": torch.full((n,), -6.0),
        "high": torch.full((n,), 6.0),
        "free": torch.ones(n, dtype=torch.bool),
        "centre": torch.zeros(n),
        "precision": torch.zeros(n, n, dtype=torch.float64),
        "grid": GRID,
        "degree": 2,
    } | changes

    def slopes(x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return torch.func.vmap(torch.func.jacfwd(lambda q: value(q[None])[0]))(x).transpose(1, 2)

    return Problem(flux, ivar, lambda x, rows: value(x), slopes, **settings)


@pytest.fixture
def data():
    g = torch.Generator().manual_seed(2)
    true = torch.randn(6, 5, generator=g)
    sigma = 0.005
    clean = value(true)
    tilt = 1 + 0.1 * X - 0.05 * X**2
    flux = clean * tilt + sigma * torch.randn(6, 200, generator=g)
    ivar = torch.full_like(flux, sigma**-2)
    ivar[:, 40:50] = 0
    flux[:, 40:50] = 1e4
    ivar[3, :100] = 0  # a chip without any data
    return true, flux, ivar


def by_scipy(flux: torch.Tensor, ivar: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Labels and both polynomials fitted together, by finite differences."""
    w = ivar.sqrt().double()
    powers = torch.stack([torch.ones(100), X[:100], X[:100] ** 2]).double()

    def residual(q: np.ndarray) -> np.ndarray:
        p = torch.tensor(q, dtype=torch.float64)
        continuum = torch.cat([p[5:8] @ powers, p[8:] @ powers])
        depth = torch.sigmoid(p[:5])[:, None]
        lines = (depth * torch.exp(-0.5 * ((X - CENTRES[:, None]) / 0.08) ** 2)).sum(0)
        return ((flux - (1 - lines) * continuum) * w).numpy()

    start = np.concatenate([np.zeros(5), [1, 0, 0], [1, 0, 0]])
    found = least_squares(residual, start, method="trf", x_scale="jac")
    return found.x[:5], np.sqrt(np.abs(np.diag(np.linalg.pinv(found.jac.T @ found.jac))))[:5]


def test_same_minimum_and_errors_as_scipy(data):
    true, flux, ivar = data
    found = minimise(problem(flux, ivar), torch.zeros(6, 5))
    assert found.converged.all()
    for star in range(6):
        x, error = by_scipy(flux[star], ivar[star])
        own = found.covariance[star].diagonal().sqrt().numpy()
        # To a fraction of the errors; the steps end there.
        assert np.abs(found.x[star].numpy() - x).max() < 0.1 * error.min()
        assert own == pytest.approx(error, rel=0.02)
    pull = (found.x - true) / found.covariance.diagonal(dim1=1, dim2=2).sqrt()
    assert 0.6 < pull.std() < 1.4


def test_bad_pixels_count_for_nothing(data):
    _, flux, ivar = data
    changed = torch.where(ivar > 0, flux, -7.0)
    a = minimise(problem(flux, ivar), torch.zeros(6, 5))
    b = minimise(problem(changed, ivar), torch.zeros(6, 5))
    assert torch.equal(a.x, b.x)


def test_bounds_hold_and_the_others_make_the_best_of_it(data):
    true, flux, ivar = data
    low = torch.full((5,), -6.0)
    low[2] = float(true[:, 2].max()) + 0.5
    p = problem(flux, ivar, low=low)
    found = minimise(p, torch.zeros(6, 5).clamp_min(low))
    assert torch.allclose(found.x[:, 2], low[2].expand(6))
    assert found.converged.all()
    # At the bound, no small change of another parameter lowers chi2.
    for j in (0, 1, 3, 4):
        for step in (-0.02, 0.02):
            x = found.x.clone()
            x[:, j] += step
            _, _, residual = p.residual(x, torch.arange(6))
            assert (residual.square().sum(1) > found.chi2 - 0.05).all()


def test_held_parameters_stay_and_have_no_error(data):
    _, flux, ivar = data
    free = torch.tensor([True, True, False, True, True])
    start = torch.zeros(6, 5)
    start[:, 2] = 0.7
    found = minimise(problem(flux, ivar, free=free), start)
    assert torch.equal(found.x[:, 2], start[:, 2])
    assert (found.covariance[:, 2] == 0).all()


def test_a_prior_decides_where_data_do_not(data):
    _, flux, ivar = data
    nothing = torch.zeros_like(ivar)
    precision = 4.0 * torch.eye(5, dtype=torch.float64)
    centre = torch.tensor([0.5, -0.5, 0.1, 0.0, 1.0])
    p = problem(flux, nothing, centre=centre, precision=precision)
    found = minimise(p, torch.zeros(6, 5))
    assert torch.allclose(found.x, centre.expand(6, 5), atol=1e-4)
    errors = found.covariance.diagonal(dim1=1, dim2=2).sqrt()
    assert torch.allclose(errors, torch.full_like(errors, 0.5), rtol=1e-4)


def test_every_star_is_fitted_as_if_alone(data):
    _, flux, ivar = data
    together = minimise(problem(flux, ivar), torch.zeros(6, 5))
    alone = minimise(problem(flux[2:3], ivar[2:3]), torch.zeros(1, 5))
    error = together.covariance[2].diagonal().sqrt()
    assert ((together.x[2] - alone.x[0]).abs() < 0.05 * error).all()


def test_pixels_between_chips_have_a_continuum_of_one(data):
    _, flux, ivar = data
    apart = WavelengthGrid.log_linear(4.18, 6e-6, 200, (Chip("a", 0, 100), Chip("b", 110, 200)))
    p = problem(flux, ivar, grid=apart)
    continuum = p.continuum(value(torch.zeros(6, 5)), torch.arange(6))
    assert (continuum[:, 100:110] == 1).all()
    assert (continuum[:, :100] != 1).any()

"""The basis: projection, bad pixels, and what cannot be decomposed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectrabridge.core.adaptation.spectral_basis import SpectralBasis, fit_basis
from spectrabridge.core.domains.mock_lines import MockSurvey, observe
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.errors import TrainingError


@pytest.fixture(scope="module")
def clean(toy_emulator: Emulator) -> torch.Tensor:
    return observe(toy_emulator, MockSurvey(1200, 1e6, 4))


def test_projection_and_back_keeps_nearly_everything(clean: torch.Tensor) -> None:
    basis = fit_basis(clean, 0.001, 40)
    again = basis.decode(basis.encode(clean))
    assert (again - clean).std() < 0.02 * clean.std(0).mean()
    assert torch.allclose(basis.components @ basis.components.T, torch.eye(40), atol=1e-4)


def test_a_spectrum_with_bad_pixels_lands_where_its_clean_twin_does(clean: torch.Tensor) -> None:
    basis = fit_basis(clean, 0.001, 40)
    generator = torch.Generator().manual_seed(0)
    ivar = torch.full_like(clean, 1e5)
    ivar[torch.rand(clean.shape, generator=generator) < 0.15] = 0
    ruined = torch.where(ivar > 0, clean, torch.full_like(clean, 50.0))
    kept = ruined.clone()
    whole = basis.encode(clean, torch.full_like(clean, 1e5))
    found = basis.encode(ruined, ivar)
    assert torch.equal(ruined, kept)
    # In units of each coefficient's spread over stars.
    assert (found - whole).square().mean().sqrt() < 0.1
    assert (basis.decode(found) - clean).square().mean().sqrt() < 0.005
    blind = basis.encode(ruined)
    assert (blind - whole).square().mean().sqrt() > 10


def test_bad_pixels_do_not_shape_the_components(clean: torch.Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    ivar = (torch.rand(clean.shape, generator=generator) > 0.12).float() * 1e4
    ruined = torch.where(ivar > 0, clean, torch.full_like(clean, -3.0))
    basis = fit_basis(ruined, 0.001, 30, ivar=ivar)
    again = basis.decode(basis.encode(clean))
    assert (again - clean).square().mean().sqrt() < 0.1 * clean.std(0).mean()


def test_change_of_basis_is_the_mean_shift(clean: torch.Tensor) -> None:
    a = fit_basis(clean, 0.001, 30)
    b = fit_basis(0.9 * clean + 0.05, 0.001, 30)
    c = a.encode(clean[:5])
    direct = b.encode(a.decode(c) - a.mean + b.mean)
    assert torch.allclose(c @ a.change_to(b), direct, atol=2e-3)


def test_too_few_spectra_and_dead_pixels_are_refused(clean: torch.Tensor) -> None:
    with pytest.raises(TrainingError, match="at least 80 spectra"):
        fit_basis(clean[:50], 0.01, 40)
    ivar = torch.ones_like(clean)
    ivar[:, 10:100] = 0
    with pytest.raises(TrainingError, match=r"90 of 640 pixels are bad in every.*pixel 10"):
        fit_basis(clean, 0.01, 40, ivar=ivar)


def test_a_few_dead_pixels_stay_at_the_continuum(clean: torch.Tensor) -> None:
    ivar = torch.ones_like(clean)
    ivar[:, 10:13] = 0
    basis = fit_basis(
        torch.where(ivar > 0, clean, torch.full_like(clean, 7.0)), 0.01, 40, ivar=ivar
    )
    assert torch.allclose(basis.decode(basis.encode(clean, ivar))[:, 10:13], torch.ones(1))


# ---------------------------------------------------------------------- masks that many share


def shared_masks(n: int, n_pixels: int = 640, seed: int = 0) -> torch.Tensor:
    """Bad pixels ``(n, n_pixels)`` as real ones lie: 12 patterns, sky lines in most of them."""
    rng = np.random.default_rng(seed)
    patterns = np.zeros((12, n_pixels), bool)
    for pattern in patterns:
        for start in rng.integers(0, n_pixels - 6, 8):
            pattern[start : start + 6] = True
    for start in rng.integers(0, n_pixels - 6, 6):
        patterns[:10, start : start + 6] = True
    patterns[11] &= ~patterns[:11].all(axis=0)
    return torch.tensor(patterns[rng.integers(0, 12, n)])


def rms(x: torch.Tensor) -> float:
    return float(x.square().mean().sqrt())


@pytest.fixture(scope="module")
def truth(toy_emulator: Emulator) -> torch.Tensor:
    """Stars that no basis has seen."""
    return observe(toy_emulator, MockSurvey(300, 1e6, 9))


Pair = tuple[SpectralBasis, SpectralBasis, torch.Tensor, float]


@pytest.fixture(scope="module", params=[(1e-3, 24), (0.01, 24), (0.01, 40)], ids=str)
def pair(clean: torch.Tensor, request: pytest.FixtureRequest) -> Pair:
    """Bases fitted with and without bad pixels; which were bad; the noise."""
    noise, n_basis = request.param
    generator = torch.Generator().manual_seed(1)
    flux = clean + noise * torch.randn(clean.shape, generator=generator)
    bad = shared_masks(len(clean))
    often = bad.float().mean(0)
    assert 0.1 < often.mean() < 0.15
    assert (often > 0.75).sum() >= 25
    assert (often < 1).all()
    ivar = torch.where(bad, torch.tensor(0.0), torch.tensor(noise**-2))
    ruined = torch.where(bad, torch.tensor(1.0), flux)
    whole = fit_basis(flux, noise, n_basis)
    return whole, fit_basis(ruined, noise, n_basis, ivar=ivar), often, noise


def test_masks_that_many_spectra_share_make_no_components(pair: Pair, truth: torch.Tensor) -> None:
    whole, masked, often, _ = pair
    lost = {k: b.decode(b.encode(truth)) - truth for k, b in (("no", whole), ("yes", masked))}
    assert rms(lost["yes"]) < 1.5 * rms(lost["no"])
    # Pixels that one star in six has: as many stars to learn from, but not worse by much more.
    seldom = often > 0.75
    assert rms(lost["yes"][:, seldom]) < 4 * rms(lost["no"][:, seldom])


def test_twins_meet_in_a_basis_from_masked_spectra(pair: Pair, truth: torch.Tensor) -> None:
    *bases, _, noise = pair
    generator = torch.Generator().manual_seed(2)
    seen = truth + noise * torch.randn(truth.shape, generator=generator)
    ivar = torch.full_like(truth, noise**-2)
    bad = shared_masks(len(truth), seed=5)
    apart = []
    for basis in bases:
        found = basis.encode(torch.where(bad, torch.tensor(50.0), seen), torch.where(bad, 0, ivar))
        twin = basis.encode(seen, ivar)
        # In units of the error that noise alone gives a star with all its pixels.
        design = basis.components * basis.scale[:, None]
        precision = design @ design.T / noise**2 + torch.eye(basis.n_basis)
        apart.append(rms((found - twin) / torch.linalg.inv(precision).diag().sqrt()))
        assert rms(basis.decode(found) - basis.decode(twin)) < noise
    assert apart[1] < max(1.0, 2 * apart[0])


def test_which_pixels_are_bad_cannot_be_read_from_coefficients(
    pair: Pair, truth: torch.Tensor
) -> None:
    """The same stars behind two masks must look alike on average."""
    _, basis, _, noise = pair
    ivar = torch.full_like(truth, noise**-2)
    one, other = (
        basis.encode(truth, torch.where(shared_masks(1, seed=s), torch.tensor(0.0), ivar))
        for s in (0, 5)
    )
    assert (one - other).mean(0).abs().max() < 0.1

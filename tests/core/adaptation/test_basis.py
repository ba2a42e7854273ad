"""The basis: projection, bad pixels, and what cannot be decomposed."""

from __future__ import annotations

import pytest
import torch

from spectrabridge.core.adaptation.basis import fit_basis
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.errors import TrainingError
from spectrabridge.core.mock_lines import MockSurvey, observe


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

"""Derivatives that fits use: through bases, where others go through every pixel."""

import pytest
import torch

from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.fitting.forward_model import Forward


@pytest.mark.parametrize("name", ["apogee-giants", "mock-lines"])
def test_short_way_through_bases_is_as_good_as_through_pixels(name: str) -> None:
    """The second bundle hides lines from its emulator."""
    model = open_bundle(name).model
    forward = Forward(model, "adapted")
    giant = torch.tensor(model.reference).float()
    hot = giant.clone()
    hot[:2] += torch.tensor([300.0, 0.7])
    flux, slopes = forward.slopes(torch.stack([giant, hot]))
    assert torch.allclose(flux, forward.flux(torch.stack([giant, hot])), atol=2e-6)
    for star, found in zip((giant, hot), slopes, strict=True):
        true = model.jacobian(star).T
        rest = (found - true).square().sum(1).sqrt() / true.square().sum(1).sqrt()
        assert rest.max() < 0.02


@pytest.mark.parametrize("spectrum", ["adapted", "emulated"])
def test_derivatives_along_directions(spectrum: str) -> None:
    model = open_bundle("apogee-giants").model
    forward = Forward(model, spectrum)
    star = torch.tensor(model.reference).float()[None]
    directions = torch.randn(1, 3, star.shape[1], generator=torch.Generator().manual_seed(0))
    directions[:, 2] = 0
    by_label = forward.slopes(star)[1]
    along = forward.slopes(star, None, directions)[1]
    scale = by_label.abs().max() * directions.abs().max()
    assert torch.allclose(along, directions @ by_label, atol=float(1e-4 * scale))
    assert (along[:, 2] == 0).all()

import numpy as np
import pytest
import torch

from spectrabridge.core.bundle import Bundle
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.forward_mode import along, along_unit_vectors
from spectrabridge.core.labels import APOGEE_LABELS, draws

from .conftest import TOY_GRID


def test_slopes_of_a_known_function() -> None:
    at = torch.tensor([[1.0, 2.0], [0.5, -1.0]])

    def function(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[:, 0] * x[:, 1], x[:, 0] ** 2, x.sum(1)], 1)

    value, slopes = along_unit_vectors(function, at)
    assert torch.allclose(value, function(at))
    expected = torch.tensor(
        [[[2.0, 2.0, 1.0], [1.0, 0.0, 1.0]], [[-1.0, 1.0, 1.0], [0.5, 0.0, 1.0]]]
    )
    assert torch.allclose(slopes, expected)
    _, some = along(function, at, torch.tensor([[[1.0, -2.0]], [[0.0, 3.0]]]))
    mixed = expected[:, :1] * torch.tensor([[[1.0]], [[0.0]]]) + expected[:, 1:] * torch.tensor(
        [[[-2.0]], [[3.0]]]
    )
    assert torch.allclose(some, mixed)


@pytest.mark.parametrize("of", ["emulated", "adapted"])
def test_jacobian_is_that_of_automatic_differentiation(toy_bundle: Bundle, of: str) -> None:
    """The written-out derivatives against torch's own, pixel by pixel."""
    model = toy_bundle.model
    star = torch.tensor(model.reference, dtype=torch.float32)
    spectrum = {"emulated": model.emulate, "adapted": model.adapt}[of]
    expected = torch.func.jacfwd(lambda y: spectrum(y[None])[0])(star)
    found = model.jacobian(star, of)
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=2e-6)


def test_derivatives_by_split_latents(toy_bundle: Bundle) -> None:
    model = toy_bundle.model
    flux = model.emulate(torch.tensor(np.stack([model.reference] * 2), dtype=torch.float32))
    split = 0.3 * torch.randn(2, model.n_split, generator=torch.Generator().manual_seed(4))
    slopes = model.adapter.obs.decode_slopes(model.adapter.members_by_split(flux, split))
    step = torch.zeros_like(split)
    step[:, 1] = 1e-2
    moved = model.adapter.adapt(flux, split + step) - model.adapter.adapt(flux, split - step)
    assert torch.allclose(slopes[:, 1], moved / 2e-2, atol=1e-4)


def test_leaky_networks_have_slopes_too() -> None:
    from spectrabridge.core.adaptation.networks.perceptron import AdaptationNetwork, NetworkShape

    shape = NetworkShape(12, 16, 5, 2, "leaky_relu", True, 3.0)
    network = AdaptationNetwork(shape, [1, 2]).requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    c = torch.randn(3, 12, generator=generator)
    split = torch.randn(2, 3, 2, generator=generator)
    directions = torch.randn(3, 4, 12, generator=generator)

    def adapt(x: torch.Tensor) -> torch.Tensor:
        return network.decode_obs(network.encode_synth(x), split)

    value, slopes = network.adapt_along(c, directions, split)
    expected, expected_slopes = along(adapt, c, directions)
    assert torch.allclose(value, expected, atol=1e-6)
    assert torch.allclose(slopes, expected_slopes, atol=1e-6)


def test_slopes_of_a_perceptron_like_the_paynes() -> None:
    labels = APOGEE_LABELS
    emulator = Emulator(labels, TOY_GRID, "payne", (12, 9)).requires_grad_(False)
    emulator.low.copy_(torch.tensor(np.array(labels.low)))
    emulator.high.copy_(torch.tensor(np.array(labels.high)))
    stars = draws.giant_branch(3, torch.Generator().manual_seed(0))
    flux, slopes = emulator.slopes(stars)
    expected = torch.func.vmap(torch.func.jacfwd(lambda y: emulator(y[None])[0]))(stars)
    assert torch.allclose(flux, emulator(stars), atol=1e-6)
    assert torch.allclose(slopes, expected.transpose(1, 2), atol=1e-6)

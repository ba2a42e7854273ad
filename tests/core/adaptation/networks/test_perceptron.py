"""The network on coefficients: what it is before any training, and what old files hold."""

from __future__ import annotations

import pytest
import torch

from spectrabridge.core.adaptation.adapter import Adapter
from spectrabridge.core.adaptation.networks.basis_change import in_bases
from spectrabridge.core.adaptation.networks.perceptron import AdaptationNetwork, NetworkShape
from spectrabridge.core.adaptation.spectral_basis import SpectralBasis, fit_basis
from spectrabridge.core.errors import BundleError

N_BASIS, N_SHARED, N_PIXELS = 12, 8, 90
SEEDS = [0, 1, 2]
PATHS = ("past_read_synth", "past_read_obs", "past_write_synth", "past_write_obs")


def shape(linear_path: bool = True, n_split: int = 2) -> NetworkShape:
    return NetworkShape(N_BASIS, 32, N_SHARED, n_split, linear_path=linear_path)


@pytest.fixture(scope="module")
def bases() -> tuple[SpectralBasis, SpectralBasis]:
    """Two domains that share what varies most; the observed one is shifted and noisy."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(20, N_PIXELS, generator=generator)
    spread = 0.1 * 0.7 ** torch.arange(20.0)
    shift = 0.3 * torch.sin(torch.arange(N_PIXELS) / 9.0)

    def draw() -> torch.Tensor:
        return 1 + (torch.randn(600, 20, generator=generator) * spread) @ directions

    noise = 0.01 * torch.randn(600, N_PIXELS, generator=generator)
    synth = fit_basis(draw(), 0.002, N_BASIS)
    return synth, fit_basis(draw() + shift + noise, 0.005, N_BASIS)


def started(
    bases: tuple[SpectralBasis, SpectralBasis], linear_path: bool = True, n_split: int = 2
) -> AdaptationNetwork:
    synth, obs = bases
    network = AdaptationNetwork(shape(linear_path, n_split), SEEDS).requires_grad_(False)
    network.start_alike(obs.change_to(synth), synth.change_to(obs))
    return network


def leading(n: int = 50) -> torch.Tensor:
    """Coefficients of spectra in the span of the components that the latents can hold."""
    c = torch.randn(n, N_BASIS, generator=torch.Generator().manual_seed(3))
    c[:, N_SHARED:] = 0
    return c


def relative(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).square().mean().sqrt() / wanted.square().mean().sqrt())


@pytest.mark.parametrize("n_split", [0, 2])
def test_before_training_adapting_is_the_mean_shift(
    bases: tuple[SpectralBasis, SpectralBasis], n_split: int
) -> None:
    network, c = started(bases, n_split=n_split), leading()
    split = torch.zeros(len(SEEDS), len(c), n_split)
    adapted = network.decode_obs(network.encode_synth(c), split)
    shifted = c @ bases[0].change_to(bases[1])
    for member in adapted:
        assert relative(member, shifted) < 0.1
    # What the layers beside the linear paths add is all that differs.
    for last in (network.to_shared.layers[-1], network.write_obs):
        last.weight.zero_()
    exact = network.decode_obs(network.encode_synth(c), split)
    assert relative(exact, shifted.expand_as(exact)) < 1e-5


def test_before_training_leading_components_are_reconstructed(
    bases: tuple[SpectralBasis, SpectralBasis],
) -> None:
    network, c = started(bases), leading()
    again = network.decode_synth(network.encode_synth(c))
    assert relative(again, c.expand_as(again)) < 0.1
    observed = c @ bases[0].change_to(bases[1])
    shared, split = network.encode_obs(observed)
    # A mean shift keeps the directions, and latents are coefficients along synthetic ones.
    assert relative(shared, c[:, :N_SHARED].expand_as(shared)) < 0.15
    back = network.decode_obs(shared, split)
    assert relative(back, observed.expand_as(back)) < 0.15


def test_without_linear_paths_nothing_of_this_holds(
    bases: tuple[SpectralBasis, SpectralBasis],
) -> None:
    network, c = started(bases, linear_path=False), leading()
    adapted = network.decode_obs(network.encode_synth(c), torch.zeros(len(SEEDS), len(c), 2))
    assert relative(adapted, (c @ bases[0].change_to(bases[1])).expand_as(adapted)) > 0.5


def test_both_encoders_read_the_same_spectrum_alike(
    bases: tuple[SpectralBasis, SpectralBasis],
) -> None:
    synth, obs = bases
    # Observed components, so that the change of basis loses nothing on the way back.
    c = torch.randn(40, N_BASIS, generator=torch.Generator().manual_seed(4))
    for linear_path in (False, True):
        network = started(bases, linear_path)
        direct = network.encode_synth(c @ obs.change_to(synth))
        assert torch.allclose(network.encode_obs(c)[0], direct, atol=1e-4)


def test_linear_paths_are_there_only_when_asked_for() -> None:
    with_paths = AdaptationNetwork(shape(True), SEEDS).state_dict()
    without = AdaptationNetwork(shape(False), SEEDS).state_dict()
    added = set(with_paths) - set(without)
    assert added == {f"{p}.{k}" for p in PATHS for k in ("weight", "bias")}
    assert not set(without) - set(with_paths)
    # Whoever trained without them gets the same weights from the same seeds as before.
    assert all(torch.equal(with_paths[k], without[k]) for k in without)


def test_members_start_from_their_own_seeds_with_the_same_paths(
    bases: tuple[SpectralBasis, SpectralBasis],
) -> None:
    network = started(bases)
    for path in PATHS:
        weight = getattr(network, path).weight
        assert torch.equal(weight[0], weight[1])
    assert not torch.equal(network.write_obs.weight[0], network.write_obs.weight[1])


def adapter(bases: tuple[SpectralBasis, SpectralBasis], linear_path: bool) -> Adapter:
    split = torch.zeros(len(SEEDS), 2)
    return Adapter(*bases, started(bases, linear_path), split, split + 1)


@pytest.mark.parametrize("linear_path", [False, True])
def test_adapters_are_rebuilt_with_or_without_linear_paths(
    bases: tuple[SpectralBasis, SpectralBasis], linear_path: bool
) -> None:
    ours = adapter(bases, linear_path)
    flux = ours.synth.decode(leading())
    again = Adapter.rebuild(ours.description(), ours.tensors())
    assert again.network.shape.linear_path is linear_path
    assert torch.equal(again.adapt(flux), ours.adapt(flux))


def test_adapters_of_earlier_versions_have_no_linear_paths(
    bases: tuple[SpectralBasis, SpectralBasis],
) -> None:
    ours = adapter(bases, linear_path=False)
    description = ours.description()
    description["shape"] = {k: v for k, v in description["shape"].items() if k != "linear_path"}
    flux = ours.synth.decode(leading())
    assert torch.equal(Adapter.rebuild(description, ours.tensors()).adapt(flux), ours.adapt(flux))
    with pytest.raises(BundleError, match="do not fit"):
        Adapter.rebuild(description, adapter(bases, linear_path=True).tensors())


def test_linear_paths_that_are_not_in_the_file_are_missed(
    bases: tuple[SpectralBasis, SpectralBasis],
) -> None:
    ours = adapter(bases, linear_path=True)
    tensors = {k: v for k, v in ours.tensors().items() if "past_write_obs" not in k}
    with pytest.raises(BundleError, match="do not fit"):
        Adapter.rebuild(ours.description(), tensors)
    tensors = ours.tensors() | {"network.past_read_synth.weight": torch.zeros(3, 5, N_SHARED)}
    with pytest.raises(BundleError, match="do not fit"):
        Adapter.rebuild(ours.description(), tensors)


@pytest.mark.parametrize("linear_path", [True, False])
def test_networks_do_the_same_in_other_bases_of_the_same_spectra(
    bases: tuple[SpectralBasis, SpectralBasis], linear_path: bool
) -> None:
    """Other axes, scales and means within the span change nothing; a smaller span loses some."""
    network = started(bases, linear_path) if linear_path else AdaptationNetwork(shape(False), SEEDS)
    generator = torch.Generator().manual_seed(5)
    turned = []
    for basis in bases:
        axes = torch.linalg.qr(torch.randn(N_BASIS, N_BASIS, generator=generator))[0]
        scale = basis.scale * (0.5 + torch.rand(N_BASIS, generator=generator))
        mean = basis.decode(torch.randn(N_BASIS, generator=generator))
        turned.append(SpectralBasis(mean, axes @ basis.components, scale, basis.weight))
    other = in_bases(network, bases, (turned[0], turned[1]))
    flux = bases[0].decode(leading())
    split = torch.randn(len(SEEDS), len(flux), 2, generator=generator)

    def adapted(net: AdaptationNetwork, pair: tuple[SpectralBasis, SpectralBasis]) -> torch.Tensor:
        with torch.no_grad():
            latents = net.encode_synth(pair[0].encode(flux))
            return pair[1].decode(net.decode_obs(latents, split))

    before = adapted(network, bases)
    after = adapted(other, (turned[0], turned[1]))
    torch.testing.assert_close(after, before, rtol=0, atol=2e-5)
    assert other.seeds == network.seeds
    # Observed spectra are read alike too, the split latents with them.
    seen = bases[1].decode(leading())
    with torch.no_grad():
        ours = network.encode_obs(bases[1].encode(seen))
        theirs = other.encode_obs(turned[1].encode(seen))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(b, a, rtol=0, atol=2e-3)

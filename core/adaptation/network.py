"""The adaptation network on basis coefficients: shared and split latents, critics.

Every layer holds the weights of several members of an ensemble, stacked along a
leading axis, so that all members train and answer in one batched pass. Members differ
in their seeds only and never exchange anything.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class NetworkShape:
    """Sizes of the network.

    Parameters
    ----------
    n_basis : int
        Coefficients per spectrum, the same in both domains.
    hidden : int
        Width of the hidden layers.
    n_shared, n_split : int
        Dimensions of the shared and the split latent space of one member.
    activation : {"silu", "leaky_relu"}
        Between layers. A smooth one gives derivatives that do not jump as labels move.
    """

    n_basis: int = 96
    hidden: int = 256
    n_shared: int = 32
    n_split: int = 2
    activation: str = "silu"


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": F.silu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
}


class StackedLinear(nn.Module):
    """One linear layer per member: ``(M, B, n_in)`` or ``(B, n_in)`` to ``(M, B, n_out)``."""

    def __init__(self, n_in: int, n_out: int, generators: list[torch.Generator]) -> None:
        super().__init__()
        bound = n_in**-0.5  # as torch's own linear layers

        def draw(*shape: int) -> Tensor:
            return torch.stack(
                [(2 * torch.rand(*shape, generator=g) - 1) * bound for g in generators]
            )

        self.weight = nn.Parameter(draw(n_in, n_out))
        self.bias = nn.Parameter(draw(1, n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Apply each member's layer to its own batch, or to the common one."""
        if x.dim() == 2:
            x = x.expand(self.weight.shape[0], *x.shape)
        return torch.baddbmm(self.bias, x, self.weight)


class StackedPerceptron(nn.Module):
    """Linear layers with an activation between them, and after the last if asked for."""

    def __init__(
        self,
        sizes: tuple[int, ...],
        generators: list[torch.Generator],
        activation: Callable[[Tensor], Tensor],
        activate_last: bool = False,
    ) -> None:
        super().__init__()
        pairs = itertools.pairwise(sizes)
        self.layers = nn.ModuleList(StackedLinear(a, b, generators) for a, b in pairs)
        self.activation = activation
        self.activate_last = activate_last

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(M, B, sizes[-1])``."""
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i < last or self.activate_last:
                x = self.activation(x)
        return x


@dataclass(frozen=True)
class Passes:
    """Latents and coefficients of one batch, by route.

    ``s`` is synthetic, ``o`` observed; ``so`` is a synthetic spectrum decoded as observed,
    ``sos`` the same brought back, and so on.

    Parameters
    ----------
    z_s, z_o : Tensor, shape ``(M, B, n_shared)``
        Shared latents.
    p_o, p_so : Tensor, shape ``(M, B, n_split)``
        Split latents of observations, and of adapted spectra.
    ss, so, sos, oo, os, oso : Tensor, shape ``(M, B, n_basis)``
        Coefficients in the domain of the last letter.
    """

    z_s: Tensor
    z_o: Tensor
    p_o: Tensor
    p_so: Tensor
    ss: Tensor
    so: Tensor
    sos: Tensor
    oo: Tensor
    os: Tensor
    oso: Tensor


class AdaptationNetwork(nn.Module):
    """Encoders and decoders of both domains, as in O'Briain et al. (2020, Fig. 1).

    Each domain has its first encoder and last decoder layer; what lies between is
    shared. Observations also have a split latent space that synthetic spectra lack.
    Autoencoders are deterministic (section 2 of the paper). Arrays of coefficients are
    whitened by the domain's :class:`~spectrabridge.core.adaptation.basis.SpectralBasis`
    and have shape ``(M, B, n_basis)``, M members, B spectra; ``(B, n_basis)`` is given to
    every member.

    Parameters
    ----------
    shape : NetworkShape
        Sizes.
    seeds : sequence of int
        One per member.
    """

    def __init__(self, shape: NetworkShape, seeds: list[int]) -> None:
        super().__init__()
        self.shape = shape
        self.seeds = list(seeds)
        g = [torch.Generator().manual_seed(seed) for seed in seeds]
        k, h, act = shape.n_basis, shape.hidden, ACTIVATIONS[shape.activation]
        self.read_synth = StackedPerceptron((k, h), g, act, activate_last=True)
        self.read_obs = StackedPerceptron((k, h), g, act, activate_last=True)
        self.to_shared = StackedPerceptron((h, h, shape.n_shared), g, act)
        self.to_split = StackedPerceptron((h, 64, shape.n_split), g, act)
        self.from_shared = StackedPerceptron((shape.n_shared, h, h), g, act, activate_last=True)
        self.from_split = StackedPerceptron((shape.n_split, 64, h), g, act, activate_last=True)
        self.write_synth = StackedLinear(h, k, g)
        self.write_obs = StackedLinear(h, k, g)

    @property
    def n_members(self) -> int:
        """Number of members."""
        return len(self.seeds)

    def encode_synth(self, c: Tensor) -> Tensor:
        """Return the shared latents of synthetic spectra, ``(M, B, n_shared)``."""
        return self.to_shared(self.read_synth(c))

    def encode_obs(self, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return shared and split latents of observed spectra."""
        h = self.read_obs(c)
        return self.to_shared(h), self.to_split(h)

    def decode_synth(self, shared: Tensor) -> Tensor:
        """Return synthetic coefficients ``(M, B, n_basis)`` of shared latents."""
        return self.write_synth(self.from_shared(shared))

    def decode_obs(self, shared: Tensor, split: Tensor) -> Tensor:
        """Return observed coefficients ``(M, B, n_basis)`` of shared and split latents."""
        return self.write_obs(self.from_shared(shared) + self.from_split(split))

    def passes(self, s: Tensor, o: Tensor) -> Passes:
        """Send a batch of each domain through every route that the losses need.

        What several routes have in common is computed once.

        Parameters
        ----------
        s, o : Tensor, shape ``(M, B, n_basis)``
            Synthetic and observed coefficients.
        """
        z_s = self.encode_synth(s)
        z_o, p_o = self.encode_obs(o)
        from_s, from_o, from_p = self.from_shared(z_s), self.from_shared(z_o), self.from_split(p_o)
        ss, os = self.write_synth(from_s), self.write_synth(from_o)
        so, oo = self.write_obs(from_s + from_p), self.write_obs(from_o + from_p)
        z_so, p_so = self.encode_obs(so)
        sos = self.decode_synth(z_so)
        oso = self.write_obs(self.from_shared(self.encode_synth(os)) + from_p)
        return Passes(z_s, z_o, p_o, p_so, ss, so, sos, oo, os, oso)

    @torch.no_grad()
    def start_alike(self, obs_to_synth: Tensor) -> None:
        """Make both encoders read the same pixels alike before training starts.

        The observed encoder's first layer becomes the synthetic one's, after
        re-expressing its input by the change of basis `obs_to_synth`.
        """
        synth, obs = self.read_synth.layers[0], self.read_obs.layers[0]
        assert isinstance(synth, StackedLinear) and isinstance(obs, StackedLinear)
        obs.weight.copy_(obs_to_synth @ synth.weight)
        obs.bias.copy_(synth.bias)


def _critic_activation(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


class Critics(nn.Module):
    """Two critics that see a spectrum together with its latents (section 2 of the paper).

    They are needed for training only and are not kept in bundles.
    """

    def __init__(self, shape: NetworkShape, seeds: list[int]) -> None:
        super().__init__()
        g = [torch.Generator().manual_seed(10_007 + seed) for seed in seeds]
        k, h = shape.n_basis, shape.hidden
        z, s = shape.n_shared, shape.n_split
        self.synth = StackedPerceptron((k + z, h, h // 2, 1), g, _critic_activation)
        self.obs = StackedPerceptron((k + z + s, h, h // 2, 1), g, _critic_activation)

"""Adaptation networks: what all share, and the one on basis coefficients with its critics.

Every layer of the latter holds the weights of several members of an ensemble, stacked along a
leading axis, so that all members train and answer in one batched pass. Members differ
in their seeds only and never exchange anything.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...forward_mode import silu_slope
from ..spectral_basis import SpectralBasis


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
        Dimensions of the shared and the split latent space of one member. With `n_split`
        0 there is no split latent space.
    activation : {"silu", "leaky_relu"}
        Between layers. A smooth one gives derivatives that do not jump as labels move.
    linear_path : bool
        Whether coefficients also reach the shared latents, and these the coefficients,
        by linear layers beside the hidden ones. Such a network starts as an exact
        autoencoder of the leading components that shifts means and does nothing else.
    split_limit : float
        Largest size of a split latent, approached smoothly; 0 for none. Without it a star
        unlike those of training may get one of fifty.
    """

    n_basis: int = 96
    hidden: int = 256
    n_shared: int = 32
    n_split: int = 2
    activation: str = "silu"
    linear_path: bool = False
    split_limit: float = 0.0


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": F.silu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
}


_SLOPES: dict[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]] = {
    ACTIVATIONS["silu"]: silu_slope,
    ACTIVATIONS["leaky_relu"]: lambda x: torch.where(x > 0, 1.0, 0.1),
}
"""Derivatives of the activations."""

Pushed = tuple[Tensor, Tensor]
"""Values ``(M, B, d)`` and their change along directions, ``(M, B, k, d)``."""


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

    def push(self, x: Pushed) -> Pushed:
        """Return the layer's output and its change along the directions of the input."""
        value, slopes = x
        pushed = slopes.flatten(1, 2) @ self.weight
        return self(value), pushed.unflatten(1, slopes.shape[1:3])


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

    def push(self, x: Pushed) -> Pushed:
        """Return the output and its change along the directions of the input.

        Written out instead of left to torch, which copies the weights for every direction
        where members are stacked.
        """
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            assert isinstance(layer, StackedLinear)
            x = layer.push(x)
            if i < last or self.activate_last:
                value, slopes = x
                bent = _SLOPES[self.activation](value)
                x = self.activation(value), slopes * bent[:, :, None]
        return x


def _sum(a: Pushed, b: Pushed) -> Pushed:
    return a[0] + b[0], a[1] + b[1]


@dataclass(frozen=True)
class Passes:
    """Latents and coefficients of one batch, by route.

    ``s`` is synthetic, ``o`` observed; ``so`` is a synthetic spectrum decoded as observed,
    ``sos`` the same brought back, and so on.

    Parameters
    ----------
    z_s, z_o : Tensor, shape ``(M, B, shared_size)``
        Shared latents.
    p_o, p_so : Tensor, shape ``(M, B, split_size)``
        Split latents of observations, and of adapted spectra.
    ss, so, sos, oo, os, oso : Tensor, shape ``(M, B, n_coefficients)``
        Spectra in the domain of the last letter.
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


class TwoDomainNetwork(nn.Module, ABC):
    """Encoders and decoders of both domains, as in O'Briain et al. (2020, Fig. 1).

    Each domain has its first encoder and last decoder layers; what lies between is
    shared. Observations also have a split latent space that synthetic spectra lack.
    Autoencoders are deterministic (section 2 of the paper). Spectra come as the domain's
    representation has them, shape ``(M, B, n_coefficients)``, M members, B spectra;
    ``(B, n_coefficients)`` is given to every member. Latents have shapes
    ``(M, B, shared_size)`` and ``(M, B, split_size)``.

    Decoding has two halves. The first turns latents into features, whose shape is the
    network's own business; the second turns features into spectra.
    """

    seeds: list[int]

    @property
    def n_members(self) -> int:
        """Number of members."""
        return len(self.seeds)

    @property
    @abstractmethod
    def shared_size(self) -> int:
        """Shared latents of one member."""

    @property
    @abstractmethod
    def split_size(self) -> int:
        """Split latents of one member; 0 if there is no split latent space."""

    @abstractmethod
    def encode_synth(self, c: Tensor) -> Tensor:
        """Return the shared latents of synthetic spectra, ``(M, B, shared_size)``."""

    @abstractmethod
    def encode_obs(self, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return shared and split latents of observed spectra."""

    @abstractmethod
    def shared_features(self, shared: Tensor) -> Tensor:
        """Return features of shared latents."""

    @abstractmethod
    def split_features(self, split: Tensor) -> Tensor | None:
        """Return features of split latents; None if there is no split latent space."""

    @abstractmethod
    def synth_from(self, shared: Tensor) -> Tensor:
        """Return synthetic spectra ``(M, B, n_coefficients)`` of features."""

    @abstractmethod
    def obs_from(self, shared: Tensor, split: Tensor | None) -> Tensor:
        """Return observed spectra ``(M, B, n_coefficients)`` of features."""

    def decode_synth(self, shared: Tensor) -> Tensor:
        """Return synthetic spectra ``(M, B, n_coefficients)`` of shared latents."""
        return self.synth_from(self.shared_features(shared))

    def decode_obs(self, shared: Tensor, split: Tensor) -> Tensor:
        """Return observed spectra ``(M, B, n_coefficients)`` of shared and split latents."""
        return self.obs_from(self.shared_features(shared), self.split_features(split))

    def passes(self, s: Tensor, o: Tensor) -> Passes:
        """Send a batch of each domain through every route that the losses need.

        What several routes have in common is computed once.

        Parameters
        ----------
        s, o : Tensor, shape ``(M, B, n_coefficients)``
            Synthetic and observed spectra.
        """
        z_s = self.encode_synth(s)
        z_o, p_o = self.encode_obs(o)
        from_s, from_o = self.shared_features(z_s), self.shared_features(z_o)
        from_p = self.split_features(p_o)
        ss, os = self.synth_from(from_s), self.synth_from(from_o)
        so, oo = self.obs_from(from_s, from_p), self.obs_from(from_o, from_p)
        z_so, p_so = self.encode_obs(so)
        sos = self.decode_synth(z_so)
        oso = self.obs_from(self.shared_features(self.encode_synth(os)), from_p)
        return Passes(z_s, z_o, p_o, p_so, ss, so, sos, oo, os, oso)


class AdaptationNetwork(TwoDomainNetwork):
    """Small perceptrons on the whitened coefficients of a basis.

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
        z, p = shape.n_shared, shape.n_split
        self.read_synth = StackedPerceptron((k, h), g, act, activate_last=True)
        self.read_obs = StackedPerceptron((k, h), g, act, activate_last=True)
        self.to_shared = StackedPerceptron((h, h, z), g, act)
        self.to_split = StackedPerceptron((h, 64, p), g, act) if p else None
        self.from_shared = StackedPerceptron((z, h, h), g, act, activate_last=True)
        self.from_split = StackedPerceptron((p, 64, h), g, act, activate_last=True) if p else None
        self.write_synth = StackedLinear(h, k, g)
        self.write_obs = StackedLinear(h, k, g)
        if shape.linear_path:
            self.past_read_synth = StackedLinear(k, z, g)
            self.past_read_obs = StackedLinear(k, z, g)
            self.past_write_synth = StackedLinear(z, k, g)
            self.past_write_obs = StackedLinear(z, k, g)

    @property
    def shared_size(self) -> int:
        """Shared latents of one member."""
        return self.shape.n_shared

    @property
    def split_size(self) -> int:
        """Split latents of one member."""
        return self.shape.n_split

    def encode_synth(self, c: Tensor) -> Tensor:
        """Return the shared latents of synthetic spectra, ``(M, B, n_shared)``."""
        shared = self.to_shared(self.read_synth(c))
        return shared + self.past_read_synth(c) if self.shape.linear_path else shared

    def encode_obs(self, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return shared and split latents of observed spectra."""
        h = self.read_obs(c)
        split = h.new_zeros(*h.shape[:2], 0) if self.to_split is None else self.to_split(h)
        if limit := self.shape.split_limit:
            split = limit * torch.tanh(split / limit)
        shared = self.to_shared(h)
        return (shared + self.past_read_obs(c) if self.shape.linear_path else shared), split

    def shared_features(self, shared: Tensor) -> Tensor:
        """Return the last hidden layer, ``(M, B, hidden)``, and the latents behind it."""
        h = self.from_shared(shared)
        return torch.cat([h, shared], -1) if self.shape.linear_path else h

    def split_features(self, split: Tensor) -> Tensor | None:
        """Return what split latents add to the last hidden layer."""
        return None if self.from_split is None else self.from_split(split)

    def synth_from(self, shared: Tensor) -> Tensor:
        """Return synthetic coefficients ``(M, B, n_basis)`` of the last hidden layer."""
        if not self.shape.linear_path:
            return self.write_synth(shared)
        h, latents = shared.split([self.shape.hidden, self.shape.n_shared], -1)
        return self.write_synth(h) + self.past_write_synth(latents)

    def obs_from(self, shared: Tensor, split: Tensor | None) -> Tensor:
        """Return observed coefficients ``(M, B, n_basis)`` of the last hidden layer."""
        if not self.shape.linear_path:
            return self.write_obs(shared if split is None else shared + split)
        h, latents = shared.split([self.shape.hidden, self.shape.n_shared], -1)
        return self.write_obs(h if split is None else h + split) + self.past_write_obs(latents)

    @torch.no_grad()
    def adapt_along(self, c: Tensor, slopes: Tensor, split: Tensor) -> Pushed:
        """Return adapted coefficients and their change along directions.

        Parameters
        ----------
        c : Tensor, shape ``(B, n_basis)``
            Synthetic spectra.
        slopes : Tensor, shape ``(B, k, n_basis)``
            Directions.
        split : Tensor, shape ``(M, B, n_split)``
            Split latents, held.

        Returns
        -------
        coefficients : Tensor, shape ``(M, B, n_basis)``
        slopes : Tensor, shape ``(M, B, k, n_basis)``
        """
        m = self.n_members
        x = c.expand(m, *c.shape), slopes.expand(m, *slopes.shape)
        shared = self.to_shared.push(self.read_synth.push(x))
        if self.shape.linear_path:
            shared = _sum(shared, self.past_read_synth.push(x))
        h, dh = self.from_shared.push(shared)
        added = self.split_features(split)
        out = self.write_obs.push((h if added is None else h + added, dh))
        return _sum(out, self.past_write_obs.push(shared)) if self.shape.linear_path else out

    @torch.no_grad()
    def start_alike(self, obs_to_synth: Tensor, synth_to_obs: Tensor) -> None:
        """Make both domains read and write the same pixels alike before training starts.

        The observed encoder's first layer becomes the synthetic one's, after
        re-expressing its input by the change of basis `obs_to_synth`. Linear paths
        become those of the leading synthetic components, and the layers beside them
        start small.
        """
        synth, obs = self.read_synth.layers[0], self.read_obs.layers[0]
        assert isinstance(synth, StackedLinear) and isinstance(obs, StackedLinear)
        obs.weight.copy_(obs_to_synth @ synth.weight)
        obs.bias.copy_(synth.bias)
        if not self.shape.linear_path:
            return
        leading = torch.eye(self.shape.n_basis, self.shape.n_shared, device=obs.weight.device)
        for path, weight in (
            (self.past_read_synth, leading),
            (self.past_read_obs, obs_to_synth @ leading),
            (self.past_write_synth, leading.T),
            (self.past_write_obs, leading.T @ synth_to_obs),
        ):
            path.weight.copy_(weight.expand_as(path.weight))
            path.bias.zero_()
        for last in (self.to_shared.layers[-1], self.write_synth, self.write_obs):
            assert isinstance(last, StackedLinear)
            last.weight.mul_(0.1)
            last.bias.zero_()


class TwoCritics(nn.Module, ABC):
    """Two critics that see a spectrum together with its latents (section 2 of the paper).

    They are needed for training only and are not kept in bundles.
    """

    @abstractmethod
    def on_synth(self, spectrum: Tensor, shared: Tensor) -> Tensor:
        """Return logits ``(M, B, 1)`` that synthetic spectra are no translations."""

    @abstractmethod
    def on_obs(self, spectrum: Tensor, shared: Tensor, split: Tensor) -> Tensor:
        """Return logits ``(M, B, 1)`` that observed spectra are no translations."""


def _critic_activation(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


class Critics(TwoCritics):
    """Perceptrons on coefficients and latents side by side."""

    def __init__(self, shape: NetworkShape, seeds: list[int]) -> None:
        super().__init__()
        g = [torch.Generator().manual_seed(10_007 + seed) for seed in seeds]
        k, h = shape.n_basis, shape.hidden
        z, s = shape.n_shared, shape.n_split
        self.synth = StackedPerceptron((k + z, h, h // 2, 1), g, _critic_activation)
        self.obs = StackedPerceptron((k + z + s, h, h // 2, 1), g, _critic_activation)

    def on_synth(self, spectrum: Tensor, shared: Tensor) -> Tensor:
        """Return logits ``(M, B, 1)`` that synthetic spectra are no translations."""
        return self.synth(torch.cat([spectrum, shared], -1))

    def on_obs(self, spectrum: Tensor, shared: Tensor, split: Tensor) -> Tensor:
        """Return logits ``(M, B, 1)`` that observed spectra are no translations."""
        return self.obs(torch.cat([spectrum, shared, split], -1))


@torch.no_grad()
def in_bases(
    network: AdaptationNetwork,
    old: tuple[SpectralBasis, SpectralBasis],
    new: tuple[SpectralBasis, SpectralBasis],
) -> AdaptationNetwork:
    """Return networks that do with coefficients in other bases what these do with theirs.

    The first layers read and the last layers write another basis; between them nothing
    changes. What the other bases do not span is lost, what they span in addition is not
    used until the networks are trained further.

    Parameters
    ----------
    network : AdaptationNetwork
        Networks to express anew; not changed.
    old, new : pair of SpectralBasis
        Synthetic and observed basis, of the networks and of the result; as many components.
    """
    out = AdaptationNetwork(network.shape, network.seeds)
    out.load_state_dict(network.state_dict())
    for name, before, after in zip(("synth", "obs"), old, new, strict=True):
        to_old, to_new = after.change_to(before), before.change_to(after)
        between = after.mean - before.mean
        at_old = between @ before.components.T / before.scale
        at_new = -between @ after.components.T / after.scale
        reading = [getattr(out, f"read_{name}").layers[0]]
        writing = [getattr(out, f"write_{name}")]
        if network.shape.linear_path:
            reading.append(getattr(out, f"past_read_{name}"))
            writing.append(getattr(out, f"past_write_{name}"))
        for layer in reading:
            layer.bias += (at_old @ layer.weight)[:, None]
            layer.weight.copy_(to_old @ layer.weight)
        for layer in writing:
            layer.weight.copy_(layer.weight @ to_new)
            layer.bias.copy_(layer.bias @ to_new)
        # Two paths add up; the difference of the means belongs to one of them.
        writing[0].bias += at_new
    return out

"""The paper's convolutional adaptation network and critics, on whitened pixels.

Sizes are those of O'Briain et al. (2020) and of the configurations they published with
it. Two things differ. Convolutions are padded and transposed ones restore the lengths of
their counterparts, so that any number of pixels comes back as it was (the authors cut
spectra to 7167 pixels, for which unpadded layers fit). And each member of an ensemble
is a network of its own, where the authors trained one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .conv_shape import ConvShape, lengths_after
from .stacked import ACTIVATIONS
from .two_domain import TwoCritics, TwoDomainNetwork


class ConvStack(nn.Module):
    """Strided convolutions, each followed by the activation: ``(B, C, L)`` to the same."""

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        kernel: int,
        activation: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv1d(a, b, kernel, stride, padding=kernel // 2)
            for (a, b), stride in zip(itertools.pairwise(channels), strides, strict=True)
        )
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(B, channels[-1], L / product of strides)``, rounded up at each layer."""
        for layer in self.layers:
            x = self.activation(layer(x))
        return x


class UpStack(nn.Module):
    """Transposed convolutions, each followed by the activation: the mirror of a stack.

    Parameters
    ----------
    channels : sequence of int
        Channels, from the input on.
    lengths : sequence of int
        Positions before and after each layer: those of the mirrored stack, reversed.
    strides : sequence of int
        Those of the mirrored stack, reversed.
    kernel, activation
        See :class:`ConvStack`.
    """

    def __init__(
        self,
        channels: Sequence[int],
        lengths: Sequence[int],
        strides: Sequence[int],
        kernel: int,
        activation: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        sizes = zip(itertools.pairwise(channels), itertools.pairwise(lengths), strides, strict=True)
        # What a stride rounded up on the way down is taken off again on the way up.
        self.layers = nn.ModuleList(
            nn.ConvTranspose1d(
                a, b, kernel, s, padding=kernel // 2, output_padding=after - 1 - (before - 1) * s
            )
            for (a, b), (before, after), s in sizes
        )
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(B, channels[-1], lengths[-1])``."""
        for layer in self.layers:
            x = self.activation(layer(x))
        return x


def normalised(z: Tensor) -> Tensor:
    """Return latents ``(B, C, L)`` with mean 0 and variance 1 over positions."""
    centred = z - z.mean(-1, keepdim=True)
    return centred * (centred.square().mean(-1, keepdim=True) + 1e-5).rsqrt()


class ConvMember(nn.Module):
    """One network: encoders and decoders of both domains on ``(B, 1, n_pixels)``."""

    def __init__(self, shape: ConvShape) -> None:
        super().__init__()
        sizes, act = shape.layers, ACTIVATIONS[shape.activation]
        k, lengths = sizes.kernel, shape.lengths
        n_domain = len(sizes.domain)
        width = sizes.domain[-1]
        down, up = sizes.domain_strides, sizes.domain_strides[::-1]
        inner, inner_up = sizes.latent_strides, sizes.latent_strides[::-1]
        far, near = lengths[n_domain:][::-1], lengths[: n_domain + 1][::-1]

        self.read_synth = ConvStack((1, *sizes.domain), down, k, act)
        self.read_obs = ConvStack((1, *sizes.domain), down, k, act)
        self.to_shared = ConvStack((width, *sizes.shared), inner, k, act)
        self.shared_out = nn.Conv1d(sizes.shared[-1], shape.n_shared, 1)
        self.from_shared = UpStack((shape.n_shared, *sizes.shared[::-1]), far, inner_up, k, act)
        features = sizes.shared[0]
        self.write_synth = UpStack((features, *sizes.domain[::-1]), near, up, k, act)
        if shape.n_split:
            self.to_split = ConvStack((width, *sizes.split), inner, k, act)
            self.split_out = nn.Conv1d(sizes.split[-1], shape.n_split, 1)
            self.from_split = UpStack((shape.n_split, *sizes.split[::-1]), far, inner_up, k, act)
            features += sizes.split[0]
        self.write_obs = UpStack((features, *sizes.domain[::-1]), near, up, k, act)
        self.synth_out = nn.Conv1d(sizes.domain[0], 1, 1)
        self.obs_out = nn.Conv1d(sizes.domain[0], 1, 1)
        self.normalise = sizes.normalise

    def latents(self, x: Tensor, split: bool) -> Tensor:
        """Return shared or split latents of a domain's first layers, ``(B, C, L)``."""
        if split:
            z = self.split_out(self.to_split(x))
        else:
            z = self.shared_out(self.to_shared(x))
        return normalised(z) if self.normalise else z


def _build(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Return a module with Glorot weights from its own seed, torch's own generator untouched.

    Glorot and Bengio (2010), biases 0.01, as the authors have it.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        module = make()
    module.to_empty(device="cpu")
    with torch.no_grad():
        for name, p in module.named_parameters():
            if name.endswith("bias"):
                p.fill_(0.01)
            else:
                fan = (p.shape[0] + p.shape[1]) * p[0, 0].numel()
                p.copy_((2 * torch.rand(p.shape, generator=generator) - 1) * (6 / fan) ** 0.5)
    return module


class ConvNetwork(TwoDomainNetwork):
    """The paper's network, once per member.

    Latents are flattened at the interface: a member with `n_shared` channels on
    ``n_positions`` positions has ``n_shared * n_positions`` shared latents.

    Parameters
    ----------
    shape : ConvShape
        Sizes.
    seeds : sequence of int
        One per member.
    """

    def __init__(self, shape: ConvShape, seeds: Sequence[int]) -> None:
        super().__init__()
        self.shape = shape
        self.seeds = list(seeds)
        self.members = nn.ModuleList(_build(lambda: ConvMember(shape), seed) for seed in seeds)

    @property
    def shared_size(self) -> int:
        """Shared latents of one member."""
        return self.shape.n_shared * self.shape.n_positions

    @property
    def split_size(self) -> int:
        """Split latents of one member."""
        return self.shape.n_split * self.shape.n_positions

    def _for_each(self, x: Tensor) -> list[tuple[Any, Tensor]]:
        """Return each member with its own batch, or with the common one."""
        parts = x.unbind(0) if x.dim() == 3 else [x] * self.n_members
        return list(zip(self._networks, parts, strict=True))

    @property
    def _networks(self) -> list[Any]:
        return list(self.members)

    def _unflatten(self, z: Tensor) -> Tensor:
        return z.unflatten(-1, (-1, self.shape.n_positions))

    def encode_synth(self, c: Tensor) -> Tensor:
        """Return the shared latents of synthetic spectra, ``(M, B, shared_size)``."""
        return torch.stack(
            [m.latents(m.read_synth(x[:, None]), False).flatten(1) for m, x in self._for_each(c)]
        )

    def encode_obs(self, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return shared and split latents of observed spectra."""
        shared, split = [], []
        for m, x in self._for_each(c):
            h = m.read_obs(x[:, None])
            shared.append(m.latents(h, False).flatten(1))
            if self.shape.n_split:
                split.append(m.latents(h, True).flatten(1))
        z = torch.stack(shared)
        return z, torch.stack(split) if split else z.new_zeros(*z.shape[:2], 0)

    def shared_features(self, shared: Tensor) -> Tensor:
        """Return features ``(M, B, channels, positions)`` of shared latents."""
        return torch.stack([m.from_shared(self._unflatten(z)) for m, z in self._for_each(shared)])

    def split_features(self, split: Tensor) -> Tensor | None:
        """Return features ``(M, B, channels, positions)`` of split latents."""
        if not self.shape.n_split:
            return None
        return torch.stack([m.from_split(self._unflatten(z)) for m, z in self._for_each(split)])

    def synth_from(self, shared: Tensor) -> Tensor:
        """Return synthetic pixels ``(M, B, n_pixels)`` of features."""
        pairs = zip(self._networks, shared, strict=True)
        return torch.stack([m.synth_out(m.write_synth(f))[:, 0] for m, f in pairs])

    def obs_from(self, shared: Tensor, split: Tensor | None) -> Tensor:
        """Return observed pixels ``(M, B, n_pixels)`` of features, side by side."""
        both = shared if split is None else torch.cat([shared, split], 2)
        pairs = zip(self._networks, both, strict=True)
        return torch.stack([m.obs_out(m.write_obs(f))[:, 0] for m, f in pairs])

    @torch.no_grad()
    def start_alike(self, obs_to_synth: float) -> None:
        """Make both encoders read the same flux alike before training starts.

        Parameters
        ----------
        obs_to_synth : float
            Unit of whitened observed pixels over that of synthetic ones.
        """
        for member in self.members:
            assert isinstance(member, ConvMember)
            member.read_obs.load_state_dict(member.read_synth.state_dict())
            first = member.read_obs.layers[0]
            assert isinstance(first, nn.Conv1d)
            first.weight.mul_(obs_to_synth)

    @classmethod
    def sizes(cls, shape: ConvShape, n_members: int) -> dict[str, tuple[int, ...]]:
        """Return the size of every weight by name, without taking memory."""
        with torch.device("meta"):
            one = ConvMember(shape).state_dict()
        return {
            f"members.{i}.{k}": tuple(v.shape) for i in range(n_members) for k, v in one.items()
        }


class ConvCritic(nn.Module):
    """Convolutions on the spectrum, on its latents, and one layer on both.

    Parameters
    ----------
    shape : ConvShape
        Sizes of the network.
    n_latents : int
        Channels of latents that it sees.
    """

    def __init__(self, shape: ConvShape, n_latents: int) -> None:
        super().__init__()
        sizes = shape.layers
        strides = [sizes.critic_stride] * len(sizes.critic_spectra)
        ones = [1] * len(sizes.critic_latents)
        self.spectra = ConvStack((1, *sizes.critic_spectra), strides, sizes.kernel, _leaky)
        self.latents = ConvStack((n_latents, *sizes.critic_latents), ones, 1, _leaky)
        n = sizes.critic_spectra[-1] * lengths_after(shape.n_pixels, strides)[-1]
        self.both = nn.Linear(n + sizes.critic_latents[-1] * shape.n_positions, 1)

    def forward(self, spectrum: Tensor, latents: Tensor) -> Tensor:
        """Return logits ``(B, 1)`` of ``(B, n_pixels)`` and latents ``(B, C, L)``."""
        seen = self.spectra(spectrum[:, None]).flatten(1), self.latents(latents).flatten(1)
        return self.both(torch.cat(seen, -1))


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.1)


class ConvCritics(TwoCritics):
    """The paper's critics, once per member."""

    def __init__(self, shape: ConvShape, seeds: Sequence[int]) -> None:
        super().__init__()
        self.n_positions = shape.n_positions
        z, p = shape.n_shared, shape.n_split
        self.synth = nn.ModuleList(
            _build(lambda: ConvCritic(shape, z), 10_007 + seed) for seed in seeds
        )
        self.obs = nn.ModuleList(
            _build(lambda: ConvCritic(shape, z + p), 20_011 + seed) for seed in seeds
        )

    def on_synth(self, spectrum: Tensor, shared: Tensor) -> Tensor:
        """Return logits ``(M, B, 1)`` that synthetic spectra are no translations."""
        return self._say(self.synth, spectrum, shared)

    def on_obs(self, spectrum: Tensor, shared: Tensor, split: Tensor) -> Tensor:
        """Return logits ``(M, B, 1)`` that observed spectra are no translations."""
        return self._say(self.obs, spectrum, torch.cat([shared, split], -1))

    def _say(self, critics: nn.ModuleList, spectrum: Tensor, latents: Tensor) -> Tensor:
        maps = latents.unflatten(-1, (-1, self.n_positions))
        each = zip(critics, spectrum, maps, strict=True)
        return torch.stack([critic(x, z) for critic, x, z in each])

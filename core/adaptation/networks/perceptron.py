"""The adaptation network on coefficients of principal components, and its critics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .stacked import ACTIVATIONS, Pushed, StackedLinear, StackedPerceptron, add_pushed
from .two_domain import TwoCritics, TwoDomainNetwork


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
            shared = add_pushed(shared, self.past_read_synth.push(x))
        h, dh = self.from_shared.push(shared)
        added = self.split_features(split)
        out = self.write_obs.push((h if added is None else h + added, dh))
        return add_pushed(out, self.past_write_obs.push(shared)) if self.shape.linear_path else out

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

"""A trained adaptation: synthetic flux in, realistic flux out.

The bases of both domains, the network, and the typical split latents of each member.
Everything is differentiable with torch, forward and backward.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BundleError, LabelError
from .basis import SpectralBasis
from .network import AdaptationNetwork, NetworkShape

_BASIS_FIELDS = ("mean", "components", "scale", "weight")


class Adapter(nn.Module):
    """An ensemble of adaptation networks with the bases they work on.

    Latents of all members stand side by side: `n_shared` and `n_split` of the
    ensemble are those of one member times the number of members.

    Parameters
    ----------
    synth, obs : SpectralBasis
        Bases of the synthetic and the observed domain.
    network : AdaptationNetwork
        Encoders and decoders.
    split_mean, split_std : Tensor, shape ``(n_members, n_split)``
        Mean and spread of the split latents over the observed training set.
    """

    def __init__(
        self,
        synth: SpectralBasis,
        obs: SpectralBasis,
        network: AdaptationNetwork,
        split_mean: Tensor,
        split_std: Tensor,
    ) -> None:
        super().__init__()
        self.synth, self.obs, self.network = synth, obs, network
        self.split_mean, self.split_std = split_mean, split_std
        self.requires_grad_(False).eval()

    @property
    def n_members(self) -> int:
        """Number of networks in the ensemble."""
        return self.network.n_members

    @property
    def n_shared(self) -> int:
        """Shared latents of all members together."""
        return self.n_members * self.network.shape.n_shared

    @property
    def n_split(self) -> int:
        """Split latents of all members together."""
        return self.n_members * self.network.shape.n_split

    def on(self, device: str | torch.device) -> Adapter:
        """Return a copy on another device."""
        network = AdaptationNetwork(self.network.shape, self.network.seeds)
        network.load_state_dict(self.network.state_dict())
        return Adapter(
            self.synth.to(device),
            self.obs.to(device),
            network.to(device),
            self.split_mean.to(device),
            self.split_std.to(device),
        )

    def _members_split(self, split: Tensor | None, n: int) -> Tensor:
        """Return split latents as ``(M, n, n_split of one member)``."""
        m, s = self.split_mean.shape
        if split is None:
            return self.split_mean[:, None, :].expand(m, n, s)
        if split.shape != (n, m * s):
            raise LabelError(
                f"Expected split latents of shape {(n, m * s)} ({m} members of {s}); found "
                f"{tuple(split.shape)}."
            )
        return split.view(n, m, s).transpose(0, 1)

    def adapt_members(self, flux: Tensor, split: Tensor | None = None) -> Tensor:
        """Return whitened observed coefficients ``(M, n_stars, n_basis)`` of every member."""
        latents = self.network.encode_synth(self.synth.encode(flux))
        return self.network.decode_obs(latents, self._members_split(split, flux.shape[0]))

    def adapt(self, flux: Tensor, split: Tensor | None = None) -> Tensor:
        """Return adapted flux ``(n_stars, n_pixels)``, the mean of the members.

        Parameters
        ----------
        flux : Tensor, shape ``(n_stars, n_pixels)``
            Synthetic flux.
        split : Tensor, shape ``(n_stars, n_split)``, optional
            Split latents; those typical of the observations if not given.
        """
        # Decoding is linear, so the mean is taken over coefficients.
        return self.obs.decode(self.adapt_members(flux, split).mean(0))

    def adapt_with_std(self, flux: Tensor, split: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the mean of the members and their standard deviation, per pixel.

        The deviation is zero for a single member.
        """
        members = self.obs.decode(self.adapt_members(flux, split))
        if self.n_members == 1:
            return members[0], torch.zeros_like(members[0])
        return members.mean(0), members.std(0)

    def encode_observed(self, flux: Tensor, ivar: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return shared ``(n_stars, n_shared)`` and split ``(n_stars, n_split)`` latents."""
        shared, split = self.network.encode_obs(self.obs.encode(flux, ivar))
        return _side_by_side(shared), _side_by_side(split)

    # ------------------------------------------------------------------ files

    def description(self) -> dict[str, Any]:
        """Return what is needed besides the tensors to rebuild the adapter, as JSON."""
        return {
            "backbone": "basis",
            "shape": asdict(self.network.shape),
            "seeds": self.network.seeds,
        }

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors by name."""
        out = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        for domain, basis in (("synth", self.synth), ("obs", self.obs)):
            out |= {f"{domain}.{f}": getattr(basis, f) for f in _BASIS_FIELDS}
        return out | {"split_mean": self.split_mean, "split_std": self.split_std}

    @classmethod
    def rebuild(cls, description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Adapter:
        """Return the adapter that wrote `description` and `tensors`.

        Raises
        ------
        BundleError
            If they do not fit each other.
        """
        try:
            if description["backbone"] != "basis":
                raise BundleError(
                    f"Expected an adaptation with backbone 'basis'; found "
                    f"{description['backbone']!r}. Update spectrabridge."
                )
            plain = {k: v.float() for k, v in tensors.items()}
            seeds = [int(s) for s in description["seeds"]]
            shape = NetworkShape(**description["shape"])
            _require_sizes(shape, len(seeds), plain)
            network = AdaptationNetwork(shape, seeds)
            network.load_state_dict(
                {
                    k.removeprefix("network."): v
                    for k, v in plain.items()
                    if k.startswith("network.")
                }
            )
            bases = [
                SpectralBasis(*(plain[f"{domain}.{f}"] for f in _BASIS_FIELDS))
                for domain in ("synth", "obs")
            ]
            return cls(bases[0], bases[1], network, plain["split_mean"], plain["split_std"])
        except (KeyError, TypeError, ValueError, RuntimeError) as problem:
            reason = str(problem).splitlines()[0]
            raise BundleError(f"The adaptation's weights do not fit: {reason}") from problem


def _require_sizes(shape: NetworkShape, n_members: int, tensors: Mapping[str, Tensor]) -> None:
    """Raise a ValueError unless the tensors have these sizes; done before memory is taken."""
    m, k, s = n_members, shape.n_basis, shape.n_split
    n_pixels = tensors["synth.mean"].numel()
    expected: dict[str, tuple[int, ...]] = {
        "network.read_synth.layers.0.weight": (m, k, shape.hidden),
        "network.to_shared.layers.1.weight": (m, shape.hidden, shape.n_shared),
        "network.from_split.layers.0.weight": (m, s, 64),
        "split_mean": (m, s),
        "split_std": (m, s),
    }
    for domain in ("synth", "obs"):
        expected |= {f"{domain}.{f}": (k,) for f in ("scale", "weight")}
        expected |= {f"{domain}.mean": (n_pixels,), f"{domain}.components": (k, n_pixels)}
    for name, size in expected.items():
        found = tuple(tensors[name].shape)
        if found != size:
            raise ValueError(f"{name} has shape {found}, expected {size}.")


def _side_by_side(latents: Tensor) -> Tensor:
    """Reorder ``(M, B, k)`` to ``(B, M * k)``."""
    return latents.transpose(0, 1).flatten(1)

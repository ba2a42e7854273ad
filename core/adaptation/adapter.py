"""A trained adaptation: synthetic flux in, realistic flux out.

The representations of both domains, the network, and the typical split latents of each
member.
Everything is differentiable with torch, forward and backward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BundleError, LabelError
from ..files.typed_json import require_types
from ..forward_mode import along, along_unit_vectors
from .networks.conv_shape import ConvShape
from .networks.convolution import ConvNetwork
from .networks.perceptron import AdaptationNetwork, NetworkShape
from .networks.registry import BACKBONES, Network, Shape, backbone_of, build_network, read_shape
from .representation import KINDS, Representation, tensors_of
from .spectral_basis import SpectralBasis

MAX_MEMBERS = 64
"""Largest ensemble that is read from a file."""


class Adapter(nn.Module):
    """An ensemble of adaptation networks with the representations they work on.

    Latents of all members stand side by side: `n_shared` and `n_split` of the
    ensemble are those of one member times the number of members.

    Parameters
    ----------
    synth, obs : SpectralBasis or PixelSpace
        How the networks see the synthetic and the observed domain.
    network : AdaptationNetwork or ConvNetwork
        Encoders and decoders.
    split_mean, split_std : Tensor, shape ``(n_members, n_split)``
        Mean and spread of the split latents over the observed training set.
    """

    def __init__(
        self,
        synth: Representation,
        obs: Representation,
        network: Network,
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
        return self.n_members * self.network.shared_size

    @property
    def n_split(self) -> int:
        """Split latents of all members together."""
        return self.n_members * self.network.split_size

    def on(self, device: str | torch.device) -> Adapter:
        """Return a copy on another device."""
        network = build_network(self.network.shape, self.network.seeds)
        network.load_state_dict(self.network.state_dict())
        return Adapter(
            self.synth.to(device),
            self.obs.to(device),
            network.to(device),
            self.split_mean.to(device),
            self.split_std.to(device),
        )

    def select(self, members: Sequence[int]) -> Adapter:
        """Return an ensemble of some members, in this order.

        Raises
        ------
        ValueError
            If there are none, or a number is not that of a member.
        """
        chosen = list(members)
        if not chosen or not set(chosen) <= set(range(self.n_members)):
            raise ValueError(
                f"Expected numbers of members from 0 to {self.n_members - 1}; found {chosen}."
            )
        network = build_network(self.network.shape, [self.network.seeds[i] for i in chosen])
        state = self.network.state_dict()
        if isinstance(self.network, AdaptationNetwork):
            network.load_state_dict({k: v[chosen] for k, v in state.items()})
        else:
            # Members of the convolutions are modules of their own: "members.2.weight".
            parts = {k: k.split(".", 2) for k in state}
            network.load_state_dict(
                {
                    f"members.{new}.{rest}": state[k]
                    for new, old in enumerate(chosen)
                    for k, (_, number, rest) in parts.items()
                    if int(number) == old
                }
            )
        return Adapter(
            self.synth, self.obs, network, self.split_mean[chosen], self.split_std[chosen]
        )

    def members_split(self, split: Tensor | None, n: int) -> Tensor:
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
        """Return observed coefficients ``(M, n_stars, n_coefficients)`` of every member."""
        latents = self.network.encode_synth(self.synth.encode(flux))
        return self.network.decode_obs(latents, self.members_split(split, flux.shape[0]))

    def members_along(
        self, flux: Tensor, slopes: Tensor, split: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return coefficients of every member and their change along directions of flux.

        Parameters
        ----------
        flux : Tensor, shape ``(n_stars, n_pixels)``
            Synthetic flux.
        slopes : Tensor, shape ``(n_stars, k, n_pixels)``
            Directions, such as the derivatives of the flux by `k` labels.
        split : Tensor, shape ``(n_stars, n_split)``, optional
            Split latents.

        Returns
        -------
        coefficients : Tensor, shape ``(M, n_stars, n_coefficients)``
        slopes : Tensor, shape ``(M, n_stars, k, n_coefficients)``
        """
        if isinstance(self.network, AdaptationNetwork) and isinstance(self.synth, SpectralBasis):
            pushed = slopes @ self.synth.components.T / self.synth.scale
            latents = self.members_split(split, flux.shape[0])
            return self.network.adapt_along(self.synth.encode(flux), pushed, latents)
        return along(lambda f: self.adapt_members(f, split), flux, slopes)

    def members_by_split(self, flux: Tensor, split: Tensor) -> Tensor:
        """Return derivatives of the mean coefficients by every split latent.

        Shape ``(n_stars, n_split, n_coefficients)``, for flux ``(n_stars, n_pixels)`` and
        split latents ``(n_stars, n_split)``.
        """
        with torch.no_grad():
            shared = self.network.encode_synth(self.synth.encode(flux))

        def mean(latents: Tensor) -> Tensor:
            return self.network.decode_obs(shared, self.members_split(latents, len(flux))).mean(0)

        return along_unit_vectors(mean, split)[1]

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
            "backbone": backbone_of(self.network),
            "shape": asdict(self.network.shape),
            "seeds": self.network.seeds,
        }

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors by name."""
        out = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        for domain, space in (("synth", self.synth), ("obs", self.obs)):
            out |= {f"{domain}.{k}": v for k, v in tensors_of(space).items()}
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
            kinds: dict[str, Any] = {
                "backbone": str,
                "shape": dict[str, Any],
                "seeds": tuple[int, ...],
            }
            require_types(description, kinds, where="adaptation")
            backbone = description["backbone"]
            if backbone not in BACKBONES:
                raise BundleError(
                    f"Expected an adaptation with backbone {' or '.join(map(repr, BACKBONES))}; "
                    f"found {backbone!r}. Update spectrabridge."
                )
            plain = {k: v.float() for k, v in tensors.items()}
            seeds = list(description["seeds"])
            if not 1 <= len(seeds) <= MAX_MEMBERS:
                raise ValueError(f"an ensemble has 1 to {MAX_MEMBERS} members, not {len(seeds)}.")
            shape = read_shape(backbone, description["shape"])
            _require_sizes(shape, len(seeds), plain)
            network = build_network(shape, seeds)
            network.load_state_dict(
                {
                    k.removeprefix("network."): v
                    for k, v in plain.items()
                    if k.startswith("network.")
                }
            )
            kind: type[Any] = KINDS[backbone]
            synth, obs = (
                kind(*(plain[f"{domain}.{f.name}"] for f in fields(kind)))
                for domain in ("synth", "obs")
            )
            return cls(synth, obs, network, plain["split_mean"], plain["split_std"])
        except (
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            OverflowError,
            RuntimeError,
        ) as problem:
            reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
            raise BundleError(f"The adaptation's weights do not fit: {reason}") from problem


def _require_sizes(shape: Shape, n_members: int, tensors: Mapping[str, Tensor]) -> None:
    """Raise a ValueError unless the tensors have these sizes; done before memory is taken."""
    if isinstance(shape, ConvShape):
        expected = _conv_sizes(shape, n_members)
    else:
        expected = _basis_sizes(shape, n_members, tensors["synth.mean"].numel())
    for name, size in expected.items():
        found = tuple(tensors[name].shape)
        if found != size:
            raise ValueError(f"{name} has shape {found}, expected {size}.")


def _basis_sizes(shape: NetworkShape, m: int, n_pixels: int) -> dict[str, tuple[int, ...]]:
    k, h, s = shape.n_basis, shape.hidden, shape.n_split
    expected: dict[str, tuple[int, ...]] = {
        "network.read_synth.layers.0.weight": (m, k, h),
        "network.to_shared.layers.1.weight": (m, h, shape.n_shared),
        "split_mean": (m, s),
        "split_std": (m, s),
    }
    if s:
        expected["network.from_split.layers.0.weight"] = (m, s, 64)
    for domain in ("synth", "obs"):
        expected |= {f"{domain}.{f}": (k,) for f in ("scale", "weight")}
        expected |= {f"{domain}.mean": (n_pixels,), f"{domain}.components": (k, n_pixels)}
    return expected


def _conv_sizes(shape: ConvShape, m: int) -> dict[str, tuple[int, ...]]:
    n, split = shape.n_pixels, shape.n_split * shape.n_positions
    expected: dict[str, tuple[int, ...]] = {"split_mean": (m, split), "split_std": (m, split)}
    for domain in ("synth", "obs"):
        expected |= {f"{domain}.{f}": (n,) for f in ("mean", "centre", "weight")}
        expected |= {f"{domain}.{f}": (1,) for f in ("scale", "noise")}
    return expected | {f"network.{k}": v for k, v in ConvNetwork.sizes(shape, m).items()}


def _side_by_side(latents: Tensor) -> Tensor:
    """Reorder ``(M, B, k)`` to ``(B, M * k)``."""
    return latents.transpose(0, 1).flatten(1)

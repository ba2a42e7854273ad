"""What every adaptation network offers, and its critics, whichever backbone they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn


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

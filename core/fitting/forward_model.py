"""What is compared with a spectrum: flux and derivatives of one of a model's domains."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..adaptation.networks.perceptron import AdaptationNetwork
from ..adaptation.spectral_basis import SpectralBasis
from ..bundle.model import Model
from ..emulator.hidden_lines import HiddenLines
from ..errors import FitError
from .settings import Kind


@dataclass(frozen=True)
class ChangeOfBasis:
    """Derivatives of log flux on the emulator's basis, as coefficients of the adaptation's.

    A derivative of the flux is that of its logarithm times the flux. With the flux as its
    own coefficients have it, the product is a sum over them of matrices that are computed
    once, and no pixels are needed. The part of a synthetic spectrum that its coefficients
    do not hold is left out of the derivatives, not of the flux.

    Parameters
    ----------
    matrices : Tensor, shape ``(1 + n_coefficients, n_basis, n_coefficients)``
        Of the mean spectrum and of each coefficient.
    """

    matrices: Tensor

    @classmethod
    @torch.no_grad()
    def of_model(cls, model: Model) -> ChangeOfBasis | None:
        """Return that of a model; None if its networks do not work on such bases."""
        emulator, synth = model.complete_emulator, model.adapter.synth
        if emulator.architecture != "basis" or not isinstance(synth, SpectralBasis):
            return None
        read = (synth.components / synth.scale[:, None]).T
        if isinstance(model.emulator, HiddenLines):
            read = read * ~model.emulator.hidden[:, None]
        written = emulator.components * emulator.scale[:, None]
        spectra = [synth.mean, *(synth.components * synth.scale[:, None])]
        return cls(torch.stack([(written * flux) @ read for flux in spectra]))

    def of(self, coefficients: Tensor, slopes: Tensor) -> Tensor:
        """Return derivatives of coefficients, ``(n_stars, k, n_coefficients)``.

        Parameters
        ----------
        coefficients : Tensor, shape ``(n_stars, n_coefficients)``
            Of the flux.
        slopes : Tensor, shape ``(n_stars, k, n_basis)``
            Derivatives of the network's output.
        """
        first, rest = self.matrices[0], self.matrices[1:]
        each = first + (coefficients @ rest.flatten(1)).unflatten(1, first.shape)
        return slopes @ each


class Forward:
    """Flux of a model's adapted or emulated spectra, and its derivatives by labels.

    Parameters
    ----------
    model : Model
        Emulator and adaptation.
    spectrum : {"adapted", "emulated"}
        Which of its spectra.
    """

    def __init__(self, model: Model, spectrum: Kind) -> None:
        if spectrum not in ("adapted", "emulated"):
            raise FitError(f"Spectra are 'adapted' or 'emulated'; found {spectrum!r}.")
        self.model = model
        self.spectrum = spectrum
        self.device = model.device
        self._change = ChangeOfBasis.of_model(model) if spectrum == "adapted" else None

    @property
    def n_split(self) -> int:
        """Split latents that change the spectrum."""
        return self.model.n_split if self.spectrum == "adapted" else 0

    @torch.no_grad()
    def flux(self, labels: Tensor, split: Tensor | None = None) -> Tensor:
        """Return flux ``(n_stars, n_pixels)``."""
        flux = self.model.emulator(labels)
        return flux if self.spectrum == "emulated" else self.model.adapter.adapt(flux, split)

    @torch.no_grad()
    def slopes(
        self,
        labels: Tensor,
        split: Tensor | None = None,
        directions: Tensor | None = None,
        by_split: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Return flux ``(n_stars, n_pixels)`` and derivatives ``(n_stars, n_labels, n_pixels)``.

        Parameters
        ----------
        labels : Tensor, shape ``(n_stars, n_labels)``
            Labels.
        split : Tensor, shape ``(n_stars, n_split)``, optional
            Split latents.
        directions : Tensor, shape ``(n_stars, k, n_labels)``, optional
            Differentiate along these directions of label space, not by every label.
        by_split : bool
            Derivatives by every split latent follow, along the second axis.
        """
        model, adapter = self.model, self.model.adapter
        if self.spectrum == "emulated":
            return model.emulator.slopes(labels, directions)
        if self._change is not None and isinstance(adapter.network, AdaptationNetwork):
            flux = model.emulator(labels)
            seen = adapter.synth.encode(flux)
            pushed = self._change.of(seen, model.complete_emulator.pushed(labels, directions)[1])
            latents = adapter.members_split(split, len(labels))
            value, slopes = adapter.network.adapt_along(seen, pushed, latents)
        else:
            flux, slopes = model.emulator.slopes(labels, directions)
            value, slopes = adapter.members_along(flux, slopes, split)
        slopes = slopes.mean(0)
        if by_split:
            assert split is not None
            slopes = torch.cat([slopes, adapter.members_by_split(flux, split)], 1)
        return adapter.obs.decode(value.mean(0)), adapter.obs.decode_slopes(slopes)

    @torch.no_grad()
    def spread(self, labels: Tensor, split: Tensor | None = None) -> Tensor:
        """Return the standard deviation between networks, ``(n_stars, n_pixels)``."""
        flux = self.model.emulator(labels)
        if self.spectrum == "emulated":
            return torch.zeros_like(flux)
        return self.model.adapter.adapt_with_std(flux, split)[1]

"""What is compared with a spectrum: flux and derivatives of one of a model's domains."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import FitError
from ..model import Model
from .settings import Kind


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
    def slopes(self, labels: Tensor, split: Tensor | None = None, by_split: bool = False) -> Tensor:
        """Return derivatives of the flux, ``(n_stars, n_labels, n_pixels)``.

        With `by_split` those by every split latent follow, along the second axis.
        """
        flux, slopes = self.model.emulator.slopes(labels)
        if self.spectrum == "emulated":
            return slopes
        adapter = self.model.adapter
        out = adapter.members_along(flux, slopes, split)[1].mean(0)
        if by_split:
            assert split is not None
            out = torch.cat([out, adapter.members_by_split(flux, split)], 1)
        return adapter.obs.decode_slopes(out)

    @torch.no_grad()
    def spread(self, labels: Tensor, split: Tensor | None = None) -> Tensor:
        """Return the standard deviation between networks, ``(n_stars, n_pixels)``."""
        flux = self.model.emulator(labels)
        if self.spectrum == "emulated":
            return torch.zeros_like(flux)
        return self.model.adapter.adapt_with_std(flux, split)[1]

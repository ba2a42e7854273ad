"""Whitened pixels of one domain: the representation that convolutions work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import TrainingError
from .spectral_basis import mean_of_good

BEST_OVER_TYPICAL = 2.0
"""A pixel weighs at most as if its error were the typical one over this: a floor on errors, so
that a few bright stars do not decide everything."""


@dataclass(frozen=True)
class PixelSpace:
    """All pixels of a domain, in units of how much its spectra differ.

    Parameters
    ----------
    mean : Tensor, shape ``(n_pixels,)``
        Mean spectrum. It fills bad pixels, and pseudo-pairs are shifted by it.
    centre : Tensor, shape ``(n_pixels,)``
        What is subtracted: the mean spectrum, or the mean of all pixels in each of them.
    scale : Tensor, shape ``(1,)``
        What is divided by, in flux. One number, so that noise in pixels where stars are
        alike is not blown up, and so that one convolution suits both domains.
    weight : Tensor, shape ``(n_pixels,)``
        Weight of a typical spectrum's pixels in the losses: 1, or 0 where no spectrum of
        the domain has data.
    noise : Tensor, shape ``(1,)``
        Flux error of a typical pixel, which has weight 1.
    """

    mean: Tensor
    centre: Tensor
    scale: Tensor
    weight: Tensor
    noise: Tensor

    @property
    def n_pixels(self) -> int:
        """Number of pixels."""
        return int(self.mean.shape[0])

    @property
    def n_coefficients(self) -> int:
        """Length of a spectrum as the network sees it: the number of pixels."""
        return self.n_pixels

    def to(self, device: str | torch.device) -> PixelSpace:
        """Return the same space on another device."""
        return PixelSpace(
            self.mean.to(device),
            self.centre.to(device),
            self.scale.to(device),
            self.weight.to(device),
            self.noise.to(device),
        )

    def encode(self, flux: Tensor, ivar: Tensor | None = None) -> Tensor:
        """Return whitened pixels ``(..., n_pixels)``; bad ones as in the mean spectrum.

        Parameters
        ----------
        flux : Tensor, shape ``(..., n_pixels)``
            Flux.
        ivar : Tensor, same shape, optional
            Inverse variance, 0 where a pixel must not be used.
        """
        if ivar is not None:
            flux = torch.where(ivar > 0, flux, self.mean)
        return (flux - self.centre) / self.scale

    def decode(self, coefficients: Tensor) -> Tensor:
        """Return flux ``(..., n_pixels)`` of whitened pixels."""
        return coefficients * self.scale + self.centre

    def decode_slopes(self, slopes: Tensor) -> Tensor:
        """Return derivatives of flux ``(..., n_pixels)``, given those of whitened pixels."""
        return slopes * self.scale

    def weights(self, ivar: Tensor) -> Tensor:
        """Return what each pixel counts in the losses, the shape of `ivar`.

        The square root of the inverse variance in units of a typical pixel's, so that
        weights of losses mean the same for noisy and for clean surveys. 0 at bad pixels,
        and at most :data:`BEST_OVER_TYPICAL`.
        """
        return (ivar.clamp_min(0).sqrt() * self.noise).clamp_max(BEST_OVER_TYPICAL) * self.weight

    def translation(self, other: PixelSpace) -> Callable[[Tensor], Tensor]:
        """Return the mean-shift translation: the same deviation from the other mean."""
        factor = self.scale / other.scale
        offset = (self.centre - self.mean + other.mean - other.centre) / other.scale
        return lambda c: c * factor + offset


def fit_pixels(
    flux: Tensor, noise: float, *, ivar: Tensor | None = None, centre_pixels: bool = True
) -> PixelSpace:
    """Find mean and spread of a domain.

    Parameters
    ----------
    flux : Tensor, shape ``(n_stars, n_pixels)``
        Spectra of the domain.
    noise : float
        Flux error of a typical pixel.
    ivar : Tensor, shape ``(n_stars, n_pixels)``, optional
        Inverse variance; pixels with 0 count for nothing.
    centre_pixels : bool
        Subtract the mean spectrum; if not, only the mean of all its pixels, so that the
        network sees the lines that all stars have.

    Raises
    ------
    TrainingError
        If no pixel varies, or too many are bad in every spectrum.
    """
    bad, dead, mean = mean_of_good(flux, ivar)
    # A copy, because files refuse tensors that share memory.
    centre = mean.clone() if centre_pixels else mean.mean().repeat(len(mean))
    total, count = 0.0, 0
    # In parts, because a copy of all spectra may not fit.
    for rows in torch.arange(len(flux)).split(500):
        square = (flux[rows] - centre).square()
        if bad is not None:
            square = torch.where(bad[rows], torch.zeros_like(square), square)
            count += int((~bad[rows]).sum())
        else:
            count += square.numel()
        total += float(square.double().sum())
    spread = (total / max(1, count)) ** 0.5
    if not spread > 0:
        raise TrainingError("All spectra of a domain are the same; expected a set of stars.")
    return PixelSpace(
        mean,
        centre,
        torch.tensor([spread], dtype=mean.dtype),
        (~dead).to(mean.dtype),
        torch.tensor([noise], dtype=mean.dtype),
    )

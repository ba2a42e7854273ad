"""A fixed linear basis for one domain: spectra to whitened coefficients and back.

Rest-frame spectra on a fixed grid have no translation symmetry for convolutions to
use, and about a hundred principal components hold nearly all of their variance. The
networks therefore work on coefficients; pixels come in and go out through this basis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import TrainingError

N_FOLDS = 10
"""One spectrum in so many is left out of the components, to tell signal from noise."""

MIN_SPREAD_IN_ERRORS = 0.5
"""Smallest spread of a coefficient, in errors of a pixel."""

MAX_DEAD_PIXEL_FRACTION = 0.05
"""Part of the pixels that may be bad in all spectra of a domain."""

PIXEL_RIDGE_STARS = 0.1
"""Pull to zero, in stars, on how a pixel follows the coefficients: for those seen in few."""


@dataclass(frozen=True)
class SpectralBasis:
    """Principal components of a domain, with the spread and tolerance of each.

    Parameters
    ----------
    mean : Tensor, shape ``(n_pixels,)``
        Mean spectrum.
    components : Tensor, shape ``(n_basis, n_pixels)``
        Orthonormal rows.
    scale : Tensor, shape ``(n_basis,)``
        Standard deviation of each coefficient over the domain, in flux.
    weight : Tensor, shape ``(n_basis,)``
        Spread over tolerance: how much a deviation of one standard deviation of the
        coefficient costs in the losses.
    """

    mean: Tensor
    components: Tensor
    scale: Tensor
    weight: Tensor

    @property
    def n_basis(self) -> int:
        """Number of components."""
        return int(self.components.shape[0])

    @property
    def n_coefficients(self) -> int:
        """Length of a spectrum as the network sees it: the number of components."""
        return self.n_basis

    @property
    def n_pixels(self) -> int:
        """Number of pixels."""
        return int(self.components.shape[1])

    def to(self, device: str | torch.device) -> SpectralBasis:
        """Return the same basis on another device."""
        return SpectralBasis(
            self.mean.to(device),
            self.components.to(device),
            self.scale.to(device),
            self.weight.to(device),
        )

    def encode(self, flux: Tensor, ivar: Tensor | None = None, chunk: int = 64) -> Tensor:
        """Return whitened coefficients ``(n_stars, n_basis)`` of spectra.

        Without `ivar` this is the orthogonal projection. With it, the coefficients
        minimise ``ivar * (flux - model)**2`` plus the prior that whitened coefficients
        have unit variance, so that bad pixels (ivar 0) count for nothing and a noisy
        spectrum is drawn to the mean rather than to its noise.

        Parameters
        ----------
        flux : Tensor, shape ``(n_stars, n_pixels)``
            Flux on the pixels of the basis.
        ivar : Tensor, shape ``(n_stars, n_pixels)``, optional
            Inverse variance, 0 where a pixel must not be used.
        chunk : int
            Stars solved at a time; bounds the memory.
        """
        centred = flux - self.mean
        if ivar is None:
            return centred @ self.components.T / self.scale
        design = self.components * self.scale[:, None]
        eye = torch.eye(self.n_basis, dtype=flux.dtype, device=flux.device)
        out = []
        for c, w in zip(centred.split(chunk), ivar.split(chunk), strict=True):
            weighted = design * w[:, None, :]
            normal = weighted @ design.T + eye
            right = (weighted @ c[:, :, None])[..., 0]
            out.append(torch.linalg.solve(normal, right))
        return torch.cat(out)

    def decode(self, coefficients: Tensor) -> Tensor:
        """Return flux ``(..., n_pixels)`` of whitened coefficients ``(..., n_basis)``."""
        return (coefficients * self.scale) @ self.components + self.mean

    def change_to(self, other: SpectralBasis) -> Tensor:
        """Return the matrix that re-expresses deviations from the mean in another basis.

        ``c @ a.change_to(b)`` are the coefficients in `b` of the spectrum that deviates
        from b's mean as ``a.decode(c)`` deviates from a's: the mean-shift translation.
        Shape ``(n_basis, other.n_basis)``.
        """
        return self.scale[:, None] * (self.components @ other.components.T) / other.scale

    def translation(self, other: SpectralBasis) -> Callable[[Tensor], Tensor]:
        """Return the mean-shift translation as a function; see :meth:`change_to`."""
        matrix = self.change_to(other)
        return lambda c: c @ matrix

    def decode_slopes(self, slopes: Tensor) -> Tensor:
        """Return derivatives of flux, given those of coefficients.

        Shape ``(..., n_basis)`` to ``(..., n_pixels)``. Decoding is linear, so that this is
        exact.
        """
        return (slopes * self.scale) @ self.components


def fit_basis(
    flux: Tensor,
    noise: float,
    n_basis: int = 96,
    *,
    ivar: Tensor | None = None,
    seed: int = 0,
    tolerance: float = 0.03,
    sweeps: int = 10,
    sigma: float | None = None,
) -> SpectralBasis:
    """Find the principal components of a domain.

    Parameters
    ----------
    flux : Tensor, shape ``(n_stars, n_pixels)``
        Spectra of the domain.
    noise : float
        Flux error to which a coefficient should be held, at best.
    n_basis : int
        Number of components.
    ivar : Tensor, shape ``(n_stars, n_pixels)``, optional
        Inverse variance; pixels with 0 are filled by what good ones say, those of the
        star and, on how the pixel follows them, those of other stars, so that bad pixels
        do not shape the components.
    seed : int
        Of the randomised decomposition.
    tolerance : float
        A coefficient is never held closer than this fraction of its spread.
    sweeps : int
        Rounds of filling bad pixels, with more components from one to the next.
    sigma : float, optional
        1-sigma error of the flux per pixel, where there is no `ivar`. With either, the
        spread of a coefficient is that of the stars without their noise, as far as it
        shows in a tenth of the spectra that did not shape the components: most of the
        later components of noisy spectra describe the noise they were found in.

    Raises
    ------
    TrainingError
        If there are fewer spectra than components, or more than :data:`MAX_DEAD_PIXEL_FRACTION` of
        the pixels are bad in all of them.
    """
    n = flux.shape[0]
    if n < 2 * n_basis:
        raise TrainingError(
            f"Expected at least {2 * n_basis} spectra for {n_basis} components; found {n}. "
            "Give more spectra or ask for fewer components."
        )
    bad, dead, mean = mean_of_good(flux, ivar)
    filled = flux
    if bad is not None:
        filled = torch.where(bad, mean, flux)
        for sweep in range(sweeps):
            # Few components first: with many, some would describe which pixels are bad.
            few = max(2, round(n_basis * 0.5 ** (0.4 * (sweeps - 1 - sweep))))
            space = _components(filled, noise, few, seed, tolerance)
            # Both fits leave out what was filled in; else it would confirm itself.
            own = _fit_seen(flux - space.mean, bad, space.components.T * space.scale, noise**2)
            own = torch.cat([torch.ones_like(own[:, :1]), own], 1)
            slopes = _fit_seen((flux - mean).T, bad.T, own, PIXEL_RIDGE_STARS)
            filled = torch.where(bad, own @ slopes.T + mean, flux)
            filled[:, dead] = 1
    if sigma is None:
        return _components(filled, noise, n_basis, seed, tolerance)
    kept = torch.ones(n, dtype=torch.bool, device=flux.device)
    kept[::N_FOLDS] = False
    space = _components(filled[kept], noise, n_basis, seed, tolerance)
    scale = _signal(space, flux[~kept], None if ivar is None else ivar[~kept], sigma)
    return replace(space, scale=scale, weight=_weight(scale, noise, tolerance))


def _signal(space: SpectralBasis, flux: Tensor, ivar: Tensor | None, sigma: float) -> Tensor:
    """Return the spread of coefficients over stars beyond their noise, ``(n_basis,)``.

    Each star's unbiased coefficients have the variance of the stars plus their own known
    noise; the former is the mean of squares minus noise, stars weighing by what they tell.
    """
    centred = flux - space.mean
    if ivar is None:
        values = centred @ space.components.T
        noise = torch.full_like(values, sigma**2)
    else:
        ridge = 1e-4 * ivar.max() * torch.eye(space.n_basis).to(flux)
        parts = []
        for c, w in zip(centred.split(64), ivar.split(64), strict=True):
            weighted = space.components * w[:, None, :]
            inverse = torch.linalg.inv(weighted @ space.components.T + ridge)
            solved = (inverse @ (weighted @ c[:, :, None]))[..., 0]
            parts.append((solved, inverse.diagonal(dim1=1, dim2=2)))
        values = torch.cat([p[0] for p in parts])
        noise = torch.cat([p[1] for p in parts])
    trust = 1 / (noise + space.scale.square()).square()
    variance = (trust * (values.square() - noise)).sum(0) / trust.sum(0)
    return variance.clamp_min((MIN_SPREAD_IN_ERRORS * sigma) ** 2).sqrt()


def _components(
    flux: Tensor, noise: float, n_basis: int, seed: int, tolerance: float
) -> SpectralBasis:
    """Return the principal components of complete spectra."""
    mean = flux.mean(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        q = min(n_basis + 10, *flux.shape)
        _, _, v = torch.svd_lowrank(flux - mean, q=q, niter=3)
    components = v[:, :n_basis].T.contiguous()
    scale = ((flux - mean) @ components.T).std(0) + 1e-4
    return SpectralBasis(mean, components, scale, _weight(scale, noise, tolerance))


def _weight(scale: Tensor, noise: float, tolerance: float) -> Tensor:
    return scale / (noise**2 + (tolerance * scale).square()).sqrt()


def _fit_seen(
    values: Tensor, missing: Tensor, design: Tensor, ridge: float, chunk: int = 256
) -> Tensor:
    """Fit every row of values by the columns of a design, leaving out what is missing.

    Parameters
    ----------
    values : Tensor, shape ``(n_rows, n_values)``
        What to fit.
    missing : Tensor of bool, same shape
        Values that do not count.
    design : Tensor, shape ``(n_values, k)``
        Common to all rows.
    ridge : float
        Penalty on the square of a coefficient.
    chunk : int
        Rows solved at a time; bounds the memory.

    Returns
    -------
    Tensor, shape ``(n_rows, k)``
        Coefficients.
    """
    whole = design.T @ design
    penalty = ridge * torch.eye(design.shape[1], dtype=design.dtype, device=design.device)
    out = []
    for some, lost in zip(values.split(chunk), missing.split(chunk), strict=True):
        right = torch.where(lost, torch.zeros_like(some), some) @ design
        normal = whole.expand(len(some), -1, -1).clone()
        for row, gone in zip(normal, lost, strict=True):
            # Whichever are fewer: those to take away, or those to add up.
            mostly = 2 * int(gone.sum()) > len(gone)
            part = design[~gone if mostly else gone]
            row.copy_(part.T @ part if mostly else row - part.T @ part)
        out.append(torch.linalg.solve(normal + penalty, right))
    return torch.cat(out)


def mean_of_good(flux: Tensor, ivar: Tensor | None) -> tuple[Tensor | None, Tensor, Tensor]:
    """Return the mean spectrum of a domain over its good pixels.

    Parameters
    ----------
    flux : Tensor, shape ``(n_stars, n_pixels)``
        Spectra of the domain.
    ivar : Tensor, same shape, optional
        Inverse variance, 0 at bad pixels.

    Returns
    -------
    bad : Tensor of bool, shape ``(n_stars, n_pixels)``, or None
        Bad pixels; None where there is none at all.
    dead : Tensor of bool, shape ``(n_pixels,)``
        Pixels that are bad in every spectrum.
    mean : Tensor, shape ``(n_pixels,)``
        Mean; 1, the continuum, in dead pixels.

    Raises
    ------
    TrainingError
        If more than :data:`MAX_DEAD_PIXEL_FRACTION` of the pixels are dead.
    """
    bad = None if ivar is None else ivar <= 0
    if bad is None or not bad.any():
        return None, torch.zeros(flux.shape[1], dtype=torch.bool, device=flux.device), flux.mean(0)
    count = (~bad).sum(0)
    dead = count == 0
    if dead.double().mean() > MAX_DEAD_PIXEL_FRACTION:
        raise TrainingError(
            f"{int(dead.sum())} of {dead.numel()} pixels are bad in every spectrum (the first "
            f"is pixel {int(torch.nonzero(dead)[0])}), as if a chip were missing; give spectra "
            f"that cover all but {MAX_DEAD_PIXEL_FRACTION:.0%} of the pixels."
        )
    mean = torch.where(bad, torch.zeros_like(flux), flux).sum(0) / count.clamp_min(1)
    # A pixel that no spectrum has stays at the continuum and takes part in nothing.
    return bad, dead, torch.where(dead, torch.ones_like(mean), mean)

"""A fixed linear basis for one domain: spectra to whitened coefficients and back.

Rest-frame spectra on a fixed grid have no translation symmetry for convolutions to
use, and about a hundred principal components hold nearly all of their variance. The
networks therefore work on coefficients; pixels come in and go out through this basis.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import TrainingError

MOST_DEAD = 0.05
"""Part of the pixels that may be bad in all spectra of a domain."""


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


def fit_basis(
    flux: Tensor,
    noise: float,
    n_basis: int = 96,
    *,
    ivar: Tensor | None = None,
    seed: int = 0,
    tolerance: float = 0.03,
    sweeps: int = 4,
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
        Inverse variance; pixels with 0 are filled from the components, in turns
        (`sweeps` times), so that they do not shape them.
    seed : int
        Of the randomised decomposition.
    tolerance : float
        A coefficient is never held closer than this fraction of its spread.
    sweeps : int
        Rounds of filling bad pixels.

    Raises
    ------
    TrainingError
        If there are fewer spectra than components, or more than :data:`MOST_DEAD` of
        the pixels are bad in all of them.
    """
    n = flux.shape[0]
    if n < 2 * n_basis:
        raise TrainingError(
            f"Expected at least {2 * n_basis} spectra for {n_basis} components; found {n}. "
            "Give more spectra or ask for fewer components."
        )
    bad = None if ivar is None else ivar <= 0
    if bad is not None and not bad.any():
        bad = None
    if bad is None:
        filled, mean = flux, flux.mean(0)
    else:
        count = (~bad).sum(0)
        dead = count == 0
        if dead.double().mean() > MOST_DEAD:
            raise TrainingError(
                f"{int(dead.sum())} of {dead.numel()} pixels are bad in every spectrum (the first "
                f"is pixel {int(torch.nonzero(dead)[0])}), as if a chip were missing; give spectra "
                f"that cover all but {MOST_DEAD:.0%} of the pixels."
            )
        count = count.clamp_min(1)
        mean = torch.where(bad, torch.zeros_like(flux), flux).sum(0) / count
        # A pixel that no spectrum has stays at the continuum and takes part in nothing.
        mean = torch.where(dead, torch.ones_like(mean), mean)
        filled = torch.where(bad, mean, flux)
    with torch.random.fork_rng(devices=[]):
        for _ in range(sweeps if bad is not None else 1):
            mean = filled.mean(0)
            torch.manual_seed(seed)
            q = min(n_basis + 10, n)
            _, _, v = torch.svd_lowrank(filled - mean, q=q, niter=3)
            components = v[:, :n_basis].T.contiguous()
            coefficients = (filled - mean) @ components.T
            if bad is not None:
                filled = torch.where(bad, coefficients @ components + mean, flux)
                filled[:, dead] = 1
    scale = coefficients.std(0) + 1e-4
    weight = scale / (noise**2 + (tolerance * scale).square()).sqrt()
    return SpectralBasis(mean, components, scale, weight)

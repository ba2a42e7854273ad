"""Labels of noise-free spectra, by least squares with a known model of their domain.

The fit is a Levenberg-Marquardt iteration (Marquardt 1963, SIAM J. Appl. Math. 11, 431)
of many stars at once, on the coefficients of a basis rather than on pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..adaptation.spectral_basis import SpectralBasis
from ..emulator.emulator import Emulator
from ..emulator.hidden_lines import HiddenLines
from ..fitting.population import LOGARITHMIC_LABELS
from ..forward_mode import along_unit_vectors
from ..labels.label_set import LabelSet

PRIOR_WIDENING = 3.0
"""Factor on the covariance of the labels that the prior has."""

MARGIN = 0.25
"""Labels are held within their range widened by this part of it on either side."""


@dataclass(frozen=True)
class LabelPrior:
    """A broad Gaussian prior of labels and the coordinates in which it is round.

    Parameters
    ----------
    centre : Tensor, shape ``(n_labels,)``
        Mean, in logarithms where `logarithmic`.
    factor : Tensor, shape ``(n_labels, n_labels)``
        Cholesky factor of the covariance.
    low, high : Tensor, shape ``(n_labels,)``
        Between which labels are held, in physical units.
    logarithmic : Tensor of bool, shape ``(n_labels,)``
        Labels that count as logarithms.
    """

    centre: Tensor
    factor: Tensor
    low: Tensor
    high: Tensor
    logarithmic: Tensor

    @classmethod
    def of(cls, labels: Tensor, ranges: LabelSet, widening: float = PRIOR_WIDENING) -> LabelPrior:
        """Return the prior for stars like these.

        Parameters
        ----------
        labels : Tensor, shape ``(n_stars, n_labels)``
            Labels of a population.
        ranges : LabelSet
            Their ranges.
        widening : float
            Factor on the covariance.
        """
        low = torch.tensor(ranges.low, dtype=torch.float32)
        high = torch.tensor(ranges.high, dtype=torch.float32)
        logarithmic = torch.tensor([name in LOGARITHMIC_LABELS for name in ranges.names])
        margin = MARGIN * (high - low)
        floor = torch.where(logarithmic, low / (1 + MARGIN), low - margin)
        y = labels.cpu().float()
        y = torch.where(logarithmic, y.clamp_min(1e-3).log(), y).double()
        # A little of each range keeps labels that hardly vary from being held for good.
        width = torch.where(logarithmic, (high / low.clamp_min(1e-3)).log(), high - low).double()
        covariance = torch.tensor(np.cov(y.numpy(), rowvar=False)).reshape(len(low), len(low))
        covariance = widening * covariance + torch.diag((0.01 * width).square())
        factor = torch.linalg.cholesky(covariance)
        return cls(y.mean(0).float(), factor.float(), floor, high + margin, logarithmic)

    def labels(self, x: Tensor) -> Tensor:
        """Return labels ``(..., n_labels)`` of coordinates that are 0 in the mean."""
        y = self.centre + x @ self.factor.T
        y = torch.where(self.logarithmic, y.clamp(-20, 20).exp(), y)
        return torch.minimum(torch.maximum(y, self.low), self.high)

    def coordinates(self, labels: Tensor) -> Tensor:
        """Return the coordinates of labels ``(n, n_labels)``: the inverse of :meth:`labels`."""
        y = torch.where(self.logarithmic, labels.clamp_min(1e-3).log(), labels)
        return torch.linalg.solve_triangular(self.factor, (y - self.centre).T, upper=False).T


def _slopes(
    model: Callable[[Tensor], Tensor], prior: LabelPrior, x: Tensor, project: Tensor
) -> tuple[Tensor, Tensor]:
    """Return projected derivatives by the coordinates of labels, and the flux."""
    labels, turn = along_unit_vectors(prior.labels, x)
    if isinstance(model, Emulator | HiddenLines):
        flux, by = model.slopes(labels)
    else:
        flux, by = along_unit_vectors(model, labels)
    return (turn @ (by @ project)).transpose(1, 2), flux


def fit_labels(
    model: Callable[[Tensor], Tensor],
    space: SpectralBasis,
    spectra: Tensor,
    prior: LabelPrior,
    *,
    sigma: float = 0.01,
    iterations: int = 10,
    start: Tensor | None = None,
    chunk: int = 25,
) -> Tensor:
    """Return the labels that explain spectra best.

    Minimises, star by star, the squared difference of coefficients in units of `sigma`
    per pixel plus the squared distance from the mean of the prior in its own units.

    Parameters
    ----------
    model : callable
        Labels ``(n, n_labels)`` to flux ``(n, n_pixels)``, differentiable.
    space : SpectralBasis
        Basis in which spectra are compared.
    spectra : Tensor, shape ``(n_stars, n_basis)``
        Whitened coefficients in `space`.
    prior : LabelPrior
        Prior.
    sigma : float
        Error of the flux per pixel. Model errors, not noise, decide: spectra are noise-free.
    iterations : int
        Levenberg-Marquardt steps at most; a star that no longer moves is left alone.
    start : Tensor, shape ``(n_stars, n_labels)``, optional
        Labels to start from; the mean of the prior if not given.
    chunk : int
        Stars whose derivatives are computed at a time; bounds the memory.

    Returns
    -------
    Tensor, shape ``(n_stars, n_labels)``
        Labels in physical units.
    """
    n, k = len(spectra), len(prior.centre)
    unit = space.scale / sigma
    target = spectra * unit
    mean, project = space.mean, space.components.T / sigma

    x = torch.zeros(n, k) if start is None else prior.coordinates(start)
    best = torch.full((n,), torch.inf, dtype=torch.float64)
    damping = torch.full((n,), 1e-2, dtype=torch.float64)
    accepted = x.clone()
    eye = torch.eye(k, dtype=torch.float64)
    normal = torch.zeros(n, k, k, dtype=torch.float64)
    right = torch.zeros(n, k, dtype=torch.float64)
    moving = torch.arange(n)
    with torch.no_grad():
        for _ in range(iterations + 1):
            for rows in moving.split(chunk):
                slope, flux = _slopes(model, prior, x[rows], project)
                miss = (target[rows] - (flux - mean) @ project).double()
                cost = miss.square().sum(1) + x[rows].double().square().sum(1)
                good = cost <= best[rows]
                took, lost = rows[good], rows[~good]
                j = slope[good].double()
                normal[took] = j.transpose(1, 2) @ j + eye
                right[took] = (j.transpose(1, 2) @ miss[good][..., None])[..., 0]
                right[took] -= x[took].double()
                best[took], accepted[took] = cost[good], x[took]
                damping[took] = (damping[took] * 0.1).clamp_min(1e-6)
                damping[lost] = damping[lost] * 10
            step = _damped_step(normal[moving], right[moving], damping[moving])
            x[moving] = accepted[moving] + step.float()
            moving = moving[step.abs().amax(1) > 2e-3]
            if not len(moving):
                break
    return prior.labels(accepted)


def _damped_step(normal: Tensor, right: Tensor, damping: Tensor) -> Tensor:
    """Return Levenberg-Marquardt steps ``(n, k)``, at most two standard deviations of the prior."""
    diagonal = torch.diagonal(normal, dim1=1, dim2=2)
    step = torch.linalg.solve(normal + torch.diag_embed(damping[:, None] * diagonal), right)
    return step * (2 / step.norm(dim=1, keepdim=True).clamp_min(2))

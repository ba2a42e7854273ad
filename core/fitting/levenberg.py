"""Least squares of many stars at once: Levenberg and Marquardt, chips and bounds.

Every star has its own damping (Marquardt 1963, SIAM J. Appl. Math. 11, 431). A polynomial
per chip multiplies the model; it is linear, so it is solved for at every step and
projected out of the derivatives (Golub and Pereyra 2003, Inverse Problems 19, R1). Once
derivatives are known, further steps reuse them as long as they help: they cost much more
than the flux.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.polynomial import chebyshev
from torch import Tensor

from ..spectra.wavelength import WavelengthGrid

TOLERANCE = 0.03
"""A star is done when a step promises to lower chi2 by less than this.

Chi2 computed in float32 is not much better than that.
"""

NEAR = 2.0
"""Derivatives known where a step promised less than this serve to the end, and for the errors.

A step lowers chi2 by as much as the square of its length in errors, here over all labels.
"""

NOISE = 1.5
"""Chi2 per pixel up to which that holds: larger residuals turn small changes of derivatives
into pulls.
"""

STUCK = 0.5
"""A star that no step helps counts as done if the step promised less than this."""

REUSES = 3
"""Steps taken with the same derivatives at most."""

TRIES = 6
"""Times the damping is raised before a star is given up for this set of derivatives."""

_LIMITS = (1e-8, 1e10)

_AFTER_FAILURE = 1e-3
"""Damping is at least this after a step that did not help; less would change nothing."""


@dataclass
class Problem:
    """What is to be made small, for a batch of stars.

    Parameters
    ----------
    flux, ivar : Tensor, shape ``(n_stars, n_pixels)``
        Observed flux and inverse variance.
    value : callable
        ``value(x, rows)`` returns the model's flux ``(n, n_pixels)`` for parameters
        ``(n, n_parameters)`` of some of the stars.
    slopes : callable
        ``slopes(x, rows)`` returns its derivatives ``(n, n_parameters, n_pixels)``.
    low, high : Tensor, shape ``(n_parameters,)``
        Bounds.
    free : Tensor of bool, shape ``(n_parameters,)``
        Parameters that move.
    centre : Tensor, shape ``(n_parameters,)``
        Mean of the Gaussian prior.
    precision : Tensor, shape ``(n_parameters, n_parameters)``
        Its inverse covariance, float64; zeros where nothing is known.
    grid : WavelengthGrid
        Gives the chips.
    degree : int
        Degree of the polynomials; -1 for none.
    """

    flux: Tensor
    ivar: Tensor
    value: Callable[[Tensor, Tensor], Tensor]
    slopes: Callable[[Tensor, Tensor], Tensor]
    low: Tensor
    high: Tensor
    free: Tensor
    centre: Tensor
    precision: Tensor
    grid: WavelengthGrid
    degree: int = 4

    def __post_init__(self) -> None:
        self.weight = self.ivar.sqrt()
        self.polynomials = [
            torch.tensor(
                chebyshev.chebvander(np.linspace(-1, 1, len(chip)), max(0, self.degree)).T,
                dtype=torch.float32,
                device=self.flux.device,
            )
            for chip in self.grid.chips
        ]
        self._products = [(p[:, None] * p).flatten(0, 1).T.contiguous() for p in self.polynomials]

    def _on_chips(
        self, model: Tensor, rows: Tensor
    ) -> Iterator[tuple[slice, Tensor, Tensor, Tensor]]:
        """Yield a chip's pixels, polynomials, their normal matrix and ``model * ivar``.

        The prior is 1 with a standard deviation of 1: without any usable pixel on a chip
        the polynomial stays there.
        """
        if self.degree < 0:
            return
        ivar = self.ivar[rows]
        for chip, p, products in zip(
            self.grid.chips, self.polynomials, self._products, strict=True
        ):
            part = model[:, chip.pixels]
            weighed = part * ivar[:, chip.pixels]
            matrix = ((part * weighed) @ products).double().unflatten(1, (len(p), len(p)))
            prior = torch.eye(len(p), dtype=torch.float64, device=matrix.device)
            yield chip.pixels, p, matrix + prior, weighed

    def continuum(self, model: Tensor, rows: Tensor) -> Tensor:
        """Return the polynomials that fit best, on all pixels."""
        flux, out = self.flux[rows], torch.ones_like(model)
        for pixels, p, matrix, weighed in self._on_chips(model, rows):
            right = ((flux[:, pixels] * weighed) @ p.T).double()
            right[:, 0] += 1
            out[:, pixels] = torch.linalg.solve(matrix, right).float() @ p
        return out

    def residual(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the model, the continuum and the residuals in sigma ``(n, n_pixels)``."""
        model = self.value(x, rows)
        continuum = self.continuum(model, rows)
        return model, continuum, (self.flux[rows] - model * continuum) * self.weight[rows]

    def penalty(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return half the gradient of the prior's chi2, ``(n, q)``, and that chi2, ``(n,)``."""
        d = (x - self.centre).double()
        pull = d @ self.precision
        return pull, (pull * d).sum(1)

    def cost(self, x: Tensor, rows: Tensor) -> Tensor:
        """Return chi2 and the prior's chi2 together, ``(n,)``, float64."""
        return self.residual(x, rows)[2].double().square().sum(1) + self.penalty(x)[1]

    def derivatives(self, x: Tensor, model: Tensor, continuum: Tensor, rows: Tensor) -> Derivatives:
        """Return the derivatives of the residuals of some stars."""
        slopes = self.slopes(x, rows)
        slopes *= (continuum * self.weight[rows])[:, None, :]
        normal = (slopes @ slopes.transpose(1, 2)).double()
        chips = []
        weight = self.weight[rows]
        for pixels, p, matrix, _ in self._on_chips(model, rows):
            columns = (model[:, pixels] * weight[:, pixels])[:, None, :] * p
            cross = (columns @ slopes[:, :, pixels].transpose(1, 2)).double()
            share = torch.linalg.solve(matrix, cross)
            normal -= cross.transpose(1, 2) @ share
            chips.append((pixels, columns, share))
        return Derivatives(slopes, chips, normal)


@dataclass
class Derivatives:
    """Derivatives of residuals, and what the polynomials can do as well.

    The latter is taken out of products, which are small, and not of every pixel.

    Parameters
    ----------
    slopes : Tensor, shape ``(n, n_parameters, n_pixels)``
        Of the model with its continuum, in sigma.
    chips : list of (slice, Tensor, Tensor)
        Pixels, polynomials times the model, in sigma, ``(n, n_polynomials, n_pixels)``, and
        how they follow the parameters, ``(n, n_polynomials, n_parameters)``.
    normal : Tensor, shape ``(n, n_parameters, n_parameters)``
        Products of the derivatives without what polynomials do, float64.
    """

    slopes: Tensor
    chips: list[tuple[slice, Tensor, Tensor]]
    normal: Tensor

    def along(self, residual: Tensor) -> Tensor:
        """Return the product with residuals ``(n, n_pixels)``, float64."""
        # From the left: torch multiplies a matrix by one column ten times as slowly.
        r = residual[:, None, :]
        out = (r @ self.slopes.transpose(1, 2)).double()
        for pixels, columns, share in self.chips:
            out -= (r[:, :, pixels] @ columns.transpose(1, 2)).double() @ share
        return out[:, 0]


@dataclass
class Minimum:
    """Where a fit ended.

    Parameters
    ----------
    x : Tensor, shape ``(n_stars, n_parameters)``
        Parameters.
    chi2 : Tensor, shape ``(n_stars,)``
        Sum of squared residuals in sigma, without the prior's part.
    cost : Tensor, shape ``(n_stars,)``
        With it.
    covariance : Tensor, shape ``(n_stars, n_parameters, n_parameters)``
        Of the parameters, from the derivatives; 0 for those held.
    evaluations : Tensor of int, shape ``(n_stars,)``
        Times that derivatives were computed.
    converged : Tensor of bool, shape ``(n_stars,)``
        Whether the last step promised next to nothing.
    """

    x: Tensor
    chi2: Tensor
    cost: Tensor
    covariance: Tensor
    evaluations: Tensor
    converged: Tensor


@torch.no_grad()
def minimise(problem: Problem, start: Tensor, evaluations: int = 20) -> Minimum:
    """Find the parameters of the smallest cost from one starting point per star.

    Parameters
    ----------
    problem : Problem
        What to minimise.
    start : Tensor, shape ``(n_stars, n_parameters)``
        Within the bounds.
    evaluations : int
        Most times that derivatives are computed for a star.
    """
    p = problem
    n, q = start.shape
    device = start.device
    x = start.clone()
    everyone = torch.arange(n, device=device)
    model, continuum, residual = p.residual(x, everyone)
    chi2 = residual.double().square().sum(1)
    cost = chi2 + p.penalty(x)[1]
    pixels = (p.ivar > 0).sum(1)
    damping = torch.full((n,), 1e-3, dtype=torch.float64, device=device)
    normal = torch.zeros(n, q, q, dtype=torch.float64, device=device)
    count = torch.zeros(n, dtype=torch.long, device=device)
    converged = torch.zeros(n, dtype=torch.bool, device=device)
    stuck = torch.zeros(n, dtype=torch.bool, device=device)
    promised = torch.full((n,), torch.inf, dtype=torch.float64, device=device)
    for _ in range(evaluations):
        rows = everyone[~converged & ~stuck]
        if not len(rows):
            break
        by = p.derivatives(x[rows], model[rows], continuum[rows], rows)
        normal[rows] = by.normal + p.precision
        count[rows] += 1
        fresh = True
        moved = torch.zeros(len(rows), dtype=torch.bool, device=device)
        working = torch.ones(len(rows), dtype=torch.bool, device=device)
        for _reuse in range(REUSES):
            right = by.along(residual[rows]) - p.penalty(x[rows])[0]
            moves = _may_move(p, x[rows], right)
            promise = (_step(normal[rows], right, moves, None) * right).sum(1)
            if fresh:
                promised[rows] = promise
                fresh = False
                done = promise < TOLERANCE
            else:
                # Known nearby, derivatives are as good as new ones, if residuals are noise.
                done = working & (promise < TOLERANCE) & (promised[rows] < NEAR)
                done &= chi2[rows] < NOISE * pixels[rows]
            converged[rows] |= done
            working &= ~done
            if not working.any():
                break
            open_ = working.clone()
            improved = torch.zeros_like(working)
            for _try in range(TRIES if _reuse == 0 else 1):
                if not open_.any():
                    break
                some = rows[open_]
                step = _step(normal[some], right[open_], moves[open_], damping[some])
                trial = (x[some] + step.float()).clamp(p.low, p.high)
                new_model, new_continuum, new_residual = p.residual(trial, some)
                new_chi2 = new_residual.double().square().sum(1)
                new_cost = new_chi2 + p.penalty(trial)[1]
                better = new_cost < cost[some]
                took, lost = some[better], some[~better]
                x[took], cost[took], chi2[took] = trial[better], new_cost[better], new_chi2[better]
                model[took], continuum[took] = new_model[better], new_continuum[better]
                residual[took] = new_residual[better]
                damping[took] = (damping[took] * 0.1).clamp_min(_LIMITS[0])
                damping[lost] = (damping[lost] * 10).clamp(_AFTER_FAILURE, _LIMITS[1])
                done = torch.zeros_like(open_)
                done[open_] = better
                improved |= done
                open_ &= ~done
            moved |= improved
            working &= improved
            if not working.any():
                break
        # With fresh derivatives and no step that helps there is nothing left to gain.
        still = rows[~moved & ~converged[rows]]
        stuck[still] = True
        converged[still] = promised[still] < STUCK
    both = p.free[:, None] & p.free
    covariance = torch.linalg.inv(_safe(normal * both)) * both
    return Minimum(x, chi2, cost, covariance, count, converged)


def _may_move(p: Problem, x: Tensor, right: Tensor) -> Tensor:
    """Return True for free parameters that are not held at a bound by where they would go."""
    held = ((x <= p.low) & (right < 0)) | ((x >= p.high) & (right > 0))
    return p.free & ~held


def _step(normal: Tensor, right: Tensor, moves: Tensor, damping: Tensor | None) -> Tensor:
    """Solve for the step of the parameters that move; the others get 0."""
    both = moves[:, :, None] & moves[:, None, :]
    matrix = normal * both
    diagonal = torch.diagonal(matrix, dim1=1, dim2=2)
    extra = torch.where(moves, 1e-9 * diagonal.clamp_min(1e-6), torch.ones_like(diagonal))
    if damping is not None:
        extra = extra + damping[:, None] * diagonal
    return torch.linalg.solve(matrix + torch.diag_embed(extra), right * moves)


def _safe(normal: Tensor) -> Tensor:
    """Return matrices that can be inverted: a parameter without any effect gets a huge error."""
    diagonal = torch.diagonal(normal, dim1=1, dim2=2)
    return normal + torch.diag_embed(1e-10 * diagonal + 1e-12)

"""Least squares of many stars at once: Levenberg and Marquardt, chips and bounds.

Every star has its own damping (Marquardt 1963, SIAM J. Appl. Math. 11, 431). A polynomial
per chip multiplies the model; it is linear, so it is solved for at every step and
projected out of the derivatives (Golub and Pereyra 2003, Inverse Problems 19, R1). Once
derivatives are known, further steps reuse them as long as they help: they cost much more
than the flux.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .problem import Problem

CHI2_TOLERANCE = 0.03
"""A star is done when a step promises to lower chi2 by less than this.

Chi2 computed in float32 is not much better than that.
"""

NEAR_CHI2 = 2.0
"""Derivatives known where a step promised less than this serve to the end, and for the errors.

A step lowers chi2 by as much as the square of its length in errors, here over all labels.
"""

NOISE_CHI2_PER_PIXEL = 1.5
"""Chi2 per pixel up to which that holds: larger residuals turn small changes of derivatives
into pulls.
"""

STUCK_CHI2 = 0.5
"""A star that no step helps counts as done if the step promised less than this."""

MAX_DERIVATIVE_USES = 3
"""Steps taken with the same derivatives at most."""

MAX_DAMPING_TRIES = 6
"""Times the damping is raised before a star is given up for this set of derivatives."""

DAMPING_LIMITS = (1e-8, 1e10)

DAMPING_AFTER_FAILURE = 1e-3
"""Damping is at least this after a step that did not help; less would change nothing."""


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


class _Search:
    """Where the fits of a batch stand: parameters, what they give, and how they are damped."""

    def __init__(self, problem: Problem, start: Tensor) -> None:
        n, q = start.shape
        device = start.device
        everyone = torch.arange(n, device=device)
        self.problem = problem
        self.x = start.clone()
        self.model, self.continuum, self.residual = problem.residual(self.x, everyone)
        self.chi2 = self.residual.double().square().sum(1)
        self.cost = self.chi2 + problem.penalty(self.x)[1]
        self.pixels = (problem.ivar > 0).sum(1)
        self.damping = torch.full((n,), 1e-3, dtype=torch.float64, device=device)
        self.normal = torch.zeros(n, q, q, dtype=torch.float64, device=device)
        self.count = torch.zeros(n, dtype=torch.long, device=device)
        self.converged = torch.zeros(n, dtype=torch.bool, device=device)
        self.stuck = torch.zeros(n, dtype=torch.bool, device=device)
        self.promised = torch.full((n,), torch.inf, dtype=torch.float64, device=device)

    def advance(self, rows: Tensor) -> None:
        """Compute derivatives of some stars, and take steps with them as long as they help."""
        p = self.problem
        by = p.derivatives(self.x[rows], self.model[rows], self.continuum[rows], rows)
        self.normal[rows] = by.normal + p.precision
        self.count[rows] += 1
        moved = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
        working = torch.ones_like(moved)
        for use in range(MAX_DERIVATIVE_USES):
            right = by.along(self.residual[rows]) - p.penalty(self.x[rows])[0]
            moves = _may_move(p, self.x[rows], right)
            promise = (_step(self.normal[rows], right, moves, None) * right).sum(1)
            if not use:
                self.promised[rows] = promise
                done = promise < CHI2_TOLERANCE
            else:
                # Known nearby, derivatives are as good as new ones, if residuals are noise.
                done = working & (promise < CHI2_TOLERANCE) & (self.promised[rows] < NEAR_CHI2)
                done &= self.chi2[rows] < NOISE_CHI2_PER_PIXEL * self.pixels[rows]
            self.converged[rows] |= done
            working &= ~done
            if not working.any():
                break
            tries = 1 if use else MAX_DAMPING_TRIES
            improved = self.step(rows, right, moves, working, tries)
            moved |= improved
            working &= improved
            if not working.any():
                break
        # With fresh derivatives and no step that helps there is nothing left to gain.
        still = rows[~moved & ~self.converged[rows]]
        self.stuck[still] = True
        self.converged[still] = self.promised[still] < STUCK_CHI2

    def step(
        self, rows: Tensor, right: Tensor, moves: Tensor, working: Tensor, tries: int
    ) -> Tensor:
        """Take a step of the stars that are `working`; return True where one helped.

        A star whose cost would rise is damped more and tried again.
        """
        p = self.problem
        open_ = working.clone()
        improved = torch.zeros_like(working)
        for _ in range(tries):
            if not open_.any():
                break
            some = rows[open_]
            step = _step(self.normal[some], right[open_], moves[open_], self.damping[some])
            trial = (self.x[some] + step.float()).clamp(p.low, p.high)
            model, continuum, residual = p.residual(trial, some)
            chi2 = residual.double().square().sum(1)
            cost = chi2 + p.penalty(trial)[1]
            better = cost < self.cost[some]
            took, lost = some[better], some[~better]
            self.x[took], self.cost[took] = trial[better], cost[better]
            self.chi2[took], self.residual[took] = chi2[better], residual[better]
            self.model[took], self.continuum[took] = model[better], continuum[better]
            self.damping[took] = (self.damping[took] * 0.1).clamp_min(DAMPING_LIMITS[0])
            self.damping[lost] = (self.damping[lost] * 10).clamp(
                DAMPING_AFTER_FAILURE, DAMPING_LIMITS[1]
            )
            done = torch.zeros_like(open_)
            done[open_] = better
            improved |= done
            open_ &= ~done
        return improved


@torch.no_grad()
def minimise(problem: Problem, start: Tensor, evaluations: int = 20) -> Minimum:
    """Return the parameters of the smallest cost, from one starting point per star.

    Parameters
    ----------
    problem : Problem
        What to minimise.
    start : Tensor, shape ``(n_stars, n_parameters)``
        Within the bounds.
    evaluations : int
        Most times that derivatives are computed for a star.

    Examples
    --------
    A constant is fitted to four pixels; its error is that of their mean.

    >>> import torch
    >>> from spectrabridge.core.spectra import WavelengthGrid
    >>> flux = torch.tensor([[1.1, 0.9, 1.2, 0.8]])
    >>> one = torch.ones(1)
    >>> problem = Problem(
    ...     flux,
    ...     100 * torch.ones(1, 4),
    ...     value=lambda x, rows: x.repeat(1, 4),
    ...     slopes=lambda x, rows: torch.ones(len(x), 1, 4),
    ...     low=-one, high=2 * one, free=one > 0, centre=0 * one,
    ...     precision=torch.zeros(1, 1, dtype=torch.float64),
    ...     grid=WavelengthGrid([5000, 5001, 5002, 5003]), degree=-1,
    ... )
    >>> found = minimise(problem, torch.zeros(1, 1))
    >>> round(found.x.item(), 3), round(found.covariance.sqrt().item(), 3)
    (1.0, 0.05)
    """
    search = _Search(problem, start)
    everyone = torch.arange(len(start), device=start.device)
    for _ in range(evaluations):
        rows = everyone[~search.converged & ~search.stuck]
        if not len(rows):
            break
        search.advance(rows)
    both = problem.free[:, None] & problem.free
    covariance = torch.linalg.inv(_safe(search.normal * both)) * both
    return Minimum(search.x, search.chi2, search.cost, covariance, search.count, search.converged)


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


def cheapest(problem: Problem, guesses: list[Tensor]) -> Tensor:
    """Return for each star the parameters of the lowest cost; the first of equals."""
    everyone = torch.arange(len(guesses[0]), device=guesses[0].device)
    cost = torch.stack([problem.cost(x, everyone) for x in guesses])
    best = cost.nan_to_num(torch.inf).argmin(0)
    return torch.stack(guesses)[best, everyone]


def better_of(a: Minimum, b: Minimum) -> Minimum:
    """Return for each star the minimum of the lower cost."""
    won = b.cost < a.cost

    def pick(of_a: Tensor, of_b: Tensor) -> Tensor:
        return torch.where(won.reshape(-1, *[1] * (of_a.dim() - 1)), of_b, of_a)

    return Minimum(
        pick(a.x, b.x),
        pick(a.chi2, b.chi2),
        pick(a.cost, b.cost),
        pick(a.covariance, b.covariance),
        a.evaluations + b.evaluations,
        pick(a.converged, b.converged),
    )

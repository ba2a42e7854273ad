"""Small readers that are trained in closed form: no seed, no learning rate, no surprises."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

RIDGES = tuple(10.0**e for e in range(-6, 4))
"""Ridge penalties that are tried, relative to the mean of the kernel's diagonal."""


@dataclass(frozen=True)
class QuadraticReader:
    """Ridge regression on all products of two inputs, solved through its kernel.

    The kernel is ``(1 + x @ y / d)**2`` on standardised inputs (Saunders et al. 1998,
    kernel ridge regression). The penalty is chosen per output by the error of leaving
    out one example, which has a closed form (Allen 1974, Technometrics 16, 125).

    Parameters
    ----------
    centre, spread : Tensor, shape ``(n_inputs,)``
        Of the inputs in training.
    examples : Tensor, shape ``(n_examples, n_inputs)``
        Standardised inputs of training.
    weights : Tensor, shape ``(n_examples, n_outputs)``
        Solution.
    offset : Tensor, shape ``(n_outputs,)``
        Mean of the outputs in training.
    """

    centre: Tensor
    spread: Tensor
    examples: Tensor
    weights: Tensor
    offset: Tensor

    @classmethod
    def fit(cls, x: Tensor, y: Tensor) -> QuadraticReader:
        """Train on inputs ``(n, n_inputs)`` and outputs ``(n, n_outputs)``."""
        x, y = x.double(), y.double()
        centre, spread = x.mean(0), x.std(0)
        # An input that does not vary says nothing, and must not be blown up later.
        spread = torch.where(spread > 1e-9 * (1 + centre.abs()), spread, torch.inf)
        z = (x - centre) / spread
        offset = y.mean(0)
        kernel = _kernel(z, z)
        values, vectors = torch.linalg.eigh(kernel)
        values = values.clamp_min(0)
        turned = vectors.T @ (y - offset)
        best = torch.full((y.shape[1],), torch.inf, dtype=torch.float64)
        weights = torch.zeros_like(y)
        unit = float(kernel.diagonal().mean())
        for ridge in RIDGES:
            shrunk = 1 / (values + ridge * unit)
            solution = vectors @ (shrunk[:, None] * turned)
            # Left-one-out residual: dual weight over the diagonal of the inverse.
            inverse = (vectors.square() * shrunk).sum(1).clamp_min(1e-300)
            error = (solution / inverse[:, None]).square().mean(0)
            better = error < best
            weights = torch.where(better, solution, weights)
            best = torch.where(better, error, best)
        return cls(centre, spread, z, weights, offset)

    def __call__(self, x: Tensor) -> Tensor:
        """Return outputs ``(n, n_outputs)`` of inputs ``(n, n_inputs)``."""
        z = (x.double() - self.centre) / self.spread
        return (_kernel(z, self.examples) @ self.weights + self.offset).float()


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (1 + a @ b.T / max(1, a.shape[1])).square()


def cross_predictions(x: Tensor, y: Tensor, folds: Tensor) -> Tensor:
    """Return predictions ``(n, n_outputs)`` by readers that did not see the example.

    Parameters
    ----------
    x : Tensor, shape ``(n, n_inputs)``
        Inputs.
    y : Tensor, shape ``(n, n_outputs)``
        Outputs.
    folds : Tensor of int, shape ``(n,)``
        Which part each example belongs to; parts are left out in turn.
    """
    out = torch.empty(y.shape, dtype=torch.float32)
    for part in folds.unique().tolist():
        left_out = folds == part
        out[left_out] = QuadraticReader.fit(x[~left_out], y[~left_out])(x[left_out])
    return out


def draw_folds(n: int, parts: int = 4, seed: int = 0) -> Tensor:
    """Return a random part ``(n,)`` for each of `n` examples, parts of equal size."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed)) % parts

"""Observations and synthetic spectra that no training could use, refused before it starts."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import TrainingError


def check_observed(observed: Tensor, noise: float, ivar: Tensor | None, n_basis: int) -> None:
    """Refuse observations that no training could use, before it starts.

    Raises
    ------
    TrainingError
        With the remedy in words.
    """
    if observed.dim() != 2:
        raise TrainingError(
            f"Expected observed flux of shape (n_stars, n_pixels); found {tuple(observed.shape)}."
        )
    if noise <= 0 or not math.isfinite(noise):
        raise TrainingError(f"The noise of the observations must be positive; found {noise}.")
    needed = 2 * n_basis + 10
    if len(observed) < needed:
        raise TrainingError(
            f"Expected at least {needed} observed spectra for {n_basis} components; found "
            f"{len(observed)}. Give more spectra, or fewer components (--n-basis)."
        )
    bad = ~torch.isfinite(observed)
    if ivar is not None:
        if ivar.shape != observed.shape:
            raise TrainingError(
                f"Expected inverse variance of shape {tuple(observed.shape)}; found "
                f"{tuple(ivar.shape)}."
            )
        bad &= ivar > 0
    if bad.any():
        row = int(torch.nonzero(bad.any(1))[0])
        raise TrainingError(
            f"Observed flux must be finite where it counts; {int(bad.any(1).sum())} spectra have "
            f"NaN, the first in row {row}. Mark such pixels with zero inverse variance."
        )
    if not bool((observed.std(0) > 0).any()):
        raise TrainingError("All observed spectra are the same; expected a set of stars.")

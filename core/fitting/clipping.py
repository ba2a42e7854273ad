"""Pixels far above the best fit: emission, cosmic rays, residuals of sky and telluric lines.

A pixel is left out if it lies above a first fit by more than so many errors, or beside one that
does, as light of either kind spreads over neighbours. Where residuals scatter by more than their
errors, as those of a model that lacks lines do, the scatter counts instead. What lies below is
kept: a line that the model lacks looks like it, and to leave it out would hide what is missing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..spectra.continuum import MAD_TO_SIGMA


def far_above(residual: Tensor, good: Tensor, clip: float) -> Tensor:
    """Return which pixels are left out of a second fit.

    Parameters
    ----------
    residual : Tensor, shape ``(n_stars, n_pixels)``
        (observed - model) / error of a first fit.
    good : Tensor of bool, shape ``(n_stars, n_pixels)``
        Pixels that were fitted.
    clip : float
        Errors above the model beyond which a pixel is left out.

    Returns
    -------
    Tensor of bool
        True for usable pixels to leave out.

    Examples
    --------
    >>> residual = torch.tensor([[0.5, -0.5, 9.0, 0.5, -9.0, -0.5, 0.5, -0.5]])
    >>> far_above(residual, torch.ones_like(residual) > 0, 5.0)[0].tolist()
    [False, True, True, True, False, False, False, False]
    """
    known = torch.where(good, residual, torch.nan)
    middle = known.nanmedian(dim=1, keepdim=True).values
    spread = MAD_TO_SIGMA * (known - middle).abs().nanmedian(dim=1, keepdim=True).values
    far = good & (residual > clip * spread.nan_to_num(1.0).clamp_min(1.0))
    beside = far.clone()
    beside[:, 1:] |= far[:, :-1]
    beside[:, :-1] |= far[:, 1:]
    return beside & good

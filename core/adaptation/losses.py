"""Losses of the adaptation, and a distance between sets that are not paired."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def pseudo_huber(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Return the mean robust distance of coefficients, summed over members.

    Quadratic for deviations below the tolerance, linear above. Coefficients have shape
    ``(M, B, n_basis)``; `weight` is that of the basis.
    """
    return (((a - b) * weight).square().add(1).sqrt() - 1).mean(dim=(1, 2)).sum()


def critics_say(logits: Tensor, real: bool) -> Tensor:
    """Binary cross-entropy of critics' logits, mean over spectra, summed over members."""
    target = torch.ones_like(logits) if real else torch.zeros_like(logits)
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean((1, 2)).sum()


def sliced_distance(a: Tensor, b: Tensor, weight: Tensor, n_directions: int = 64) -> Tensor:
    """Return how far two unpaired sets of coefficients are apart.

    The root-mean-square difference of their quantiles along random directions, after
    weighting by tolerance (a sliced Wasserstein distance, Rabin et al. 2012). Directions
    are the same at every call.

    Parameters
    ----------
    a, b : Tensor, shape ``(M, B, n_basis)``
        Sets of the same size.
    weight : Tensor, shape ``(n_basis,)``
        Weight of each coefficient.
    n_directions : int
        Number of directions.

    Returns
    -------
    Tensor, shape ``(M,)``
        One distance per member.
    """
    generator = torch.Generator().manual_seed(20)
    directions = torch.randn(a.shape[-1], n_directions, generator=generator).to(a)
    directions = directions / directions.norm(dim=0)
    pa, pb = ((x * weight) @ directions for x in (a, b))
    return (pa.sort(dim=1).values - pb.sort(dim=1).values).square().mean(dim=(1, 2)).sqrt()

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
    return member_huber(a, b, weight).sum()


def member_huber(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Return :func:`pseudo_huber` of each member, shape ``(M,)``."""
    return (((a - b) * weight).square().add(1).sqrt() - 1).mean(dim=(1, 2))


def member_squares(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Return each member's weighted mean square over the pixels that count, shape ``(M,)``.

    Parameters
    ----------
    a, b : Tensor, shape ``(M, B, n_pixels)``
        Whitened pixels.
    weight : Tensor, shape ``(n_pixels,)`` or ``(M, B, n_pixels)``
        Square root of the relative inverse variance. Pixels with 0 neither enter the sum
        nor the number it is divided by.
    """
    weight = weight.expand_as(a)
    counted = (weight > 0).sum(dim=(1, 2)).clamp_min(1)
    return ((a - b) * weight).square().sum(dim=(1, 2)) / counted


def critics_say(logits: Tensor, real: bool) -> Tensor:
    """Binary cross-entropy of critics' logits, mean over spectra, summed over members."""
    target = torch.ones_like(logits) if real else torch.zeros_like(logits)
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean((1, 2)).sum()


def sliced_square(a: Tensor, b: Tensor, directions: Tensor) -> Tensor:
    """Return the mean squared difference of the quantiles of two sets along directions.

    The square of a sliced Wasserstein distance (Rabin et al. 2012, section 2).

    Parameters
    ----------
    a, b : Tensor, shape ``(M, B, k)``
        Sets of the same size, not paired.
    directions : Tensor, shape ``(k, n_directions)``
        Any length; they are made unit vectors.

    Returns
    -------
    Tensor, shape ``(M,)``
        One value per member.
    """
    directions = directions / directions.norm(dim=0)
    pa, pb = a @ directions, b @ directions
    return (pa.sort(dim=1).values - pb.sort(dim=1).values).square().mean(dim=(1, 2))


def sliced_square_unbiased(a: Tensor, b: Tensor, directions: Tensor) -> Tensor:
    """Return an estimate of the distance of distributions, where sets are samples of them.

    The quantiles of a small set scatter, most of all in the tails, and their scatter adds to
    :func:`sliced_square`. As a loss it therefore draws the set that is trained together, and
    its odd members most: a sample whose distribution is already right gains by shrinking.
    Here both sets are halved, and the distances within each set are taken off those between
    the sets, as in the energy distance (Szekely and Rizzo 2013, section 2; for losses,
    Bellemare et al. 2017, arXiv:1705.10743, section 3).

    Parameters and result are those of :func:`sliced_square`, but the result may be negative.
    Members of a set must be in random order.
    """
    directions = directions / directions.norm(dim=0)
    half = min(a.shape[1], b.shape[1]) // 2

    def quantiles(x: Tensor) -> tuple[Tensor, Tensor]:
        p = x @ directions
        return p[:, :half].sort(dim=1).values, p[:, half : 2 * half].sort(dim=1).values

    (a1, a2), (b1, b2) = quantiles(a), quantiles(b)
    between = sum((x - y).square() for x in (a1, a2) for y in (b1, b2)) / 2
    within = (a1 - a2).square() + (b1 - b2).square()
    return (between - within).mean(dim=(1, 2)) / 2


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
    return sliced_square(a * weight, b * weight, directions).sqrt()

"""Test stars whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..bundle.model import Model
from ..bundle.sample import Sample
from ..emulator.emulator import in_batches
from ..errors import LabelError
from ..labels import draws

MAX_FRESH_STARS = 800
"""Fresh stars at most."""


@dataclass(frozen=True)
class KnownStars:
    """Stars whose truth is known.

    Parameters
    ----------
    labels : Tensor, shape ``(n_stars, n_labels)``
        Labels.
    flux : Tensor, shape ``(n_stars, n_pixels)``
        Noise-free observed-domain flux.
    population : Tensor, shape ``(n, n_labels)``
        Labels that stand for the population, for the prior of the fit.
    """

    labels: Tensor
    flux: Tensor
    population: Tensor


def known_stars(model: Model, sample: Sample | None, n: int, seed: int) -> KnownStars | None:
    """Return the sample's test stars, or fresh giants if it has none.

    Parameters
    ----------
    model : Model
        A model that has a truth.
    sample : Sample or None
        Held-out stars.
    n : int
        Stars at most.
    seed : int
        Of fresh stars.

    Returns
    -------
    KnownStars or None
        None if fresh giants cannot be drawn because the labels are others.
    """
    emulator = model.truth_emulator
    assert emulator is not None
    if sample is not None and sample.test_labels is not None:
        flux = sample.truth(emulator)
        return KnownStars(sample.test_labels[:n], flux[:n], sample.synthetic_labels)
    try:
        labels = draws.giant_branch(
            min(n, MAX_FRESH_STARS), torch.Generator().manual_seed(seed), emulator.labels
        )
    except LabelError:
        return None
    return KnownStars(labels, in_batches(emulator, labels), labels)

"""Scores on lines that were hidden from the synthetic domain, where the truth is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..bundle.model import Model
from ..domains.domains import SAMPLE_SEED
from ..emulator.emulator import in_batches
from ..emulator.hidden_lines import Feature, HiddenLines, hidden_pixels
from ..errors import BundleError
from ..labels import draws
from ..labels.label_set import LabelSet

TEST_SEED = SAMPLE_SEED
"""Seed of fresh test stars: that of the samples in bundles, which training never uses."""


def r_squared(predicted: Tensor, truth: Tensor) -> float:
    """Return the part of the variance of `truth` over stars that is explained.

    One minus the sum of squared errors over the sum of squared deviations of each pixel
    from its mean over stars; shapes ``(n_stars, n_pixels)``.

    Examples
    --------
    >>> truth = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
    >>> r_squared(truth, truth)
    1.0
    """
    spread = (truth - truth.mean(0)).square().sum()
    return float(1 - (predicted - truth).square().sum() / spread)


def derivative_r_squared(predicted: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return one minus the squared error over the squared size of true derivatives."""
    return float(1 - np.square(predicted - truth).sum() / np.square(truth).sum())


def attribute(derivatives: NDArray[Any], features: list[Feature]) -> list[int]:
    """Name the element of each feature: the one with the most negative mean derivative.

    The mean over the feature rather than its deepest pixel, which noise would choose.

    Parameters
    ----------
    derivatives : array, shape ``(n_pixels, n_elements)``
        Flux change per dex.
    features : list of Feature
        Features to attribute.

    Returns
    -------
    list of int
        Column of `derivatives` for each feature.
    """
    return [int(derivatives[f.pixels].mean(axis=0).argmin()) for f in features]


def element_correlations(
    predicted: NDArray[Any], truth: NDArray[Any], elements: tuple[str, ...]
) -> dict[str, float]:
    """Return the correlation of derivatives over pixels, by element; NaN where truth is flat."""
    out = {}
    for i, element in enumerate(elements):
        a, b = predicted[:, i], truth[:, i]
        flat = a.std() == 0 or b.std() == 0
        out[element] = float("nan") if flat else float(np.corrcoef(a, b)[0, 1])
    return out


def score_hidden_lines(
    model: Model,
    features: list[Feature],
    *,
    n_stars: int = 1000,
    seed: int = TEST_SEED,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Score an adaptation on the lines that were hidden from it.

    Parameters
    ----------
    model : Model
        Emulator with hidden lines, adaptation, and the truth.
    features : list of Feature
        All features of the experiment; those hidden are scored.
    n_stars : int
        Fresh giant-branch stars.
    seed : int
        Of their labels.
    progress : callable, optional
        Called with what is being done.

    Returns
    -------
    dict
        ``masked_r2``, ``unmasked_r2`` over stars and pixels; ``derivative_r2`` over all
        elements in masked pixels of the reference star; ``attribution_agreement``: part
        of hidden features for which own and true derivatives name the same element by
        the same rule; rms values, the same figures for single members, and correlations
        by element with the spread between members.
    """
    say = progress or (lambda _: None)
    if not model.has_truth or not isinstance(model.emulator, HiddenLines):
        raise BundleError(
            "Expected a bundle with hidden lines and known truth; this one has real observations."
        )
    hidden = hidden_pixels(features, model.grid.n_pixels)
    mask = torch.from_numpy(hidden)
    labels = draws.giant_branch(n_stars, torch.Generator().manual_seed(seed), model.labels)
    say("spectra")
    with torch.no_grad():
        raw = in_batches(model.emulate, labels)
        truth = in_batches(model.truth, labels)
        coefficients = torch.cat(
            [model.adapter.adapt_members(part) for part in raw.split(250)], dim=1
        )
        adapted = model.adapter.obs.decode(coefficients.mean(0))
        members = [model.adapter.obs.decode(c) for c in coefficients]

    def rms(flux: Tensor) -> float:
        return float((flux - truth).square().mean().sqrt())

    say("derivatives")
    columns = model.labels.element_columns()
    truth_slope = model.jacobian(model.reference, "truth")[:, columns]
    each = model.member_jacobians(model.reference)[:, :, columns]
    found = _derivative_figures(each, truth_slope, hidden, features, model.labels.elements)
    own_r2 = found.pop("member_r2")
    return {
        "masked_r2": r_squared(adapted[:, mask], truth[:, mask]),
        "unmasked_r2": r_squared(adapted[:, ~mask], truth[:, ~mask]),
        "rms_raw": rms(raw),
        "rms_adapted": rms(adapted),
        "gap_ratio": rms(adapted) / rms(raw),
        "n_stars": n_stars,
        "n_features": len(features),
        "hidden_fraction_of_pixels": float(hidden.mean()),
        "members": [
            {
                "masked_r2": r_squared(flux[:, mask], truth[:, mask]),
                "derivative_r2": r2,
            }
            for flux, r2 in zip(members, own_r2, strict=True)
        ],
        **found,
    }


def _derivative_figures(
    each: np.ndarray,
    truth: np.ndarray,
    hidden: np.ndarray,
    features: list[Feature],
    elements: tuple[str, ...],
) -> dict[str, Any]:
    """Return what the members' derivatives ``(M, n_pixels, n_elements)`` are worth.

    ``member_r2`` is a list, one for each member; for the rest see
    :func:`score_hidden_lines`.
    """
    slope, true = each.mean(0), truth[hidden]
    hidden_features = [f for f in features if f.hidden]
    own = attribute(slope, hidden_features)
    ideal = attribute(truth, hidden_features)
    n = max(1, len(hidden_features))
    correlations = element_correlations(slope[hidden], true, elements)
    by_member = [element_correlations(s[hidden], true, elements) for s in each]

    def as_listed(named: list[int]) -> float:
        pairs = zip(named, hidden_features, strict=True)
        return sum(elements[a] == f.element for a, f in pairs) / n

    return {
        "derivative_r2": derivative_r_squared(slope[hidden], true),
        "attribution_agreement": sum(a == b for a, b in zip(own, ideal, strict=True)) / n,
        "attribution_as_listed": as_listed(own),
        "attribution_as_listed_with_true_derivatives": as_listed(ideal),
        "n_hidden": len(hidden_features),
        "member_r2": [derivative_r_squared(s[hidden], true) for s in each],
        "derivative_correlation": {
            e: {
                "ensemble": correlations[e],
                "member_spread": float(np.std([m[e] for m in by_member])),
                "strongest_true": float(np.abs(true[:, i]).max()),
            }
            for i, e in enumerate(elements)
        },
    }


def weak_elements(
    scores: dict[str, Any], labels: LabelSet, threshold: float = 0.5, spread: float = 0.15
) -> list[str]:
    """Name elements whose derivatives should not be trusted.

    Those with a correlation with the truth below `threshold` or unknown, and those for
    which it differs between members by `spread` (standard deviation) or more.
    """
    out = []
    for element in labels.elements:
        found = scores["derivative_correlation"][element]
        if not (found["ensemble"] >= threshold and found["member_spread"] < spread):
            out.append(element)
    return out

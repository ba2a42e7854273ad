"""How good candidates are, where the truth is known.

With lines hidden from the synthetic domain, what is missing is known pixel by pixel, and
so is the element of each feature. With a truth of another kind, candidates are compared
with what the same method makes of the truth itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundle.bundle import Bundle
from ..emulator.hidden_lines import Feature, hidden_pixels
from ..errors import LinesError
from .candidate import UNDECIDED, Answer, Candidate, Candidates
from .contrast import Contrast, contrast, reference_stars
from .discovery import LineSettings, candidates_in, find_features
from .extent import without_slopes

CALIBRATION_EDGES = (0.0, 0.5, 0.7, 0.85, 0.95, 1.0)
"""Edges of the calibration table."""

N_LARGEST_DIFFERENCES = 100
"""Of so many of the largest true differences the sign is compared."""


def score_candidates(
    bundle: Bundle,
    settings: LineSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score the candidates of a bundle whose truth is known.

    Parameters
    ----------
    bundle : Bundle
        With a truth.
    settings : LineSettings, optional
        How candidates are found.
    progress : callable, optional
        Called with the number of stars done and to do.

    Returns
    -------
    dict
        As JSON: for a bundle with hidden lines the figures of :func:`score_hidden`, for
        the adapted spectra and (``with_truth``) for the same method on the truth; else
        those of :func:`score_against_truth`. Always the counts of :func:`summary` and the
        figures of :func:`score_differences`.

    Raises
    ------
    LinesError
        If the truth is not known.
    """
    if not bundle.model.has_truth:
        raise LinesError(
            "This bundle's observed domain is data; there is no truth to score candidates with."
        )
    settings = settings or LineSettings()
    stars = reference_stars(bundle, settings.n_stars, settings.seed)
    seen = contrast(bundle.model, stars, "adapted", progress)
    truth = contrast(bundle.model, stars, "truth", progress)
    found, ideal = (candidates_in(c, bundle, settings) for c in (seen, truth))
    out = summary(found)
    if bundle.experiment is not None:
        features = [f for f in bundle.experiment.features if f.hidden]
        out |= score_hidden(found, features, bundle.grid.n_pixels)
        perfect = score_hidden(ideal, features, bundle.grid.n_pixels)
        out["with_truth"] = {k: v for k, v in perfect.items() if k != "misses"}
        most = perfect["attribution_top1"]
        out["attribution_top1_over_truth"] = out["attribution_top1"] / most if most else None
    else:
        out |= score_against_truth(found, ideal)
    return out | score_differences(seen, truth, settings)


def summary(found: Candidates) -> dict[str, Any]:
    """Return counts of candidates: by kind, by answer, with and without a known line near."""

    def count(values: Sequence[str]) -> dict[str, int]:
        names, numbers = np.unique(np.array(values, str), return_counts=True)
        order = np.argsort(-numbers, kind="stable")
        return {str(names[i]): int(numbers[i]) for i in order}

    near = sum(bool(c.near) for c in found)
    return {
        "n_candidates": len(found),
        "n_near_known": near,
        "n_without_known": len(found) - near,
        "kinds": count([c.kind for c in found]),
        "answers": count([c.best for c in found]),
    }


# ------------------------------------------------------------------------ hidden lines


def score_hidden(found: Candidates, features: Sequence[Feature], n_pixels: int) -> dict[str, Any]:
    """Score candidates on lines that were hidden from the synthetic domain.

    Parameters
    ----------
    found : Candidates
        Candidates.
    features : sequence of Feature
        The hidden features.
    n_pixels : int
        Of the grid.

    Returns
    -------
    dict
        ``recall``: part of the features in which a candidate peaks. ``precision``: part of
        the candidates with half of their pixels hidden or more. ``attribution_top1``,
        ``attribution_top2``: part of all hidden features of which a candidate names the
        element first, or among its first two answers; a molecule names its atoms.
        ``calibration``: how often first answers of a probability are right. ``misses``:
        features that were not found, and those found that are named otherwise.
    """
    hidden = hidden_pixels(features, n_pixels)
    real = [bool(hidden[c.pixels].mean() >= 0.5) for c in found]
    inside = [[c for c in found if f.start <= c.peak < f.stop] for f in features]

    def named(feature: Feature, candidates: Sequence[Candidate], first: int) -> bool:
        return any(feature.element in a.elements for c in candidates for a in c.answers[:first])

    misses = [
        {
            "element": f.element,
            "start": f.start,
            "stop": f.stop,
            "why": "other answer" if some else "not found",
            "answers": [_words(c.answers[:2]) for c in some],
        }
        for f, some in zip(features, inside, strict=True)
        if not named(f, some, 1)
    ]
    n = max(1, len(features))
    return {
        "n_hidden": len(features),
        "recall": sum(map(bool, inside)) / n,
        "precision": sum(real) / max(1, len(found)),
        "attribution_top1": sum(named(f, c, 1) for f, c in zip(features, inside, strict=True)) / n,
        "attribution_top2": sum(named(f, c, 2) for f, c in zip(features, inside, strict=True)) / n,
        "calibration": calibration(
            [c.answers[0].probability for c in found],
            [_holds(c.answers[0], _elements_in(c, features)) for c in found],
        ),
        "misses": misses,
    }


def _elements_in(candidate: Candidate, features: Sequence[Feature]) -> set[str]:
    """Return the elements of hidden features that share half of a candidate, or are in it."""
    out = set()
    for f in features:
        shared = min(f.stop, candidate.stop) - max(f.start, candidate.start)
        if shared >= 0.5 * min(f.stop - f.start, candidate.stop - candidate.start):
            out.add(f.element)
    return out


def _holds(answer: Answer, elements: set[str]) -> bool:
    """Tell whether an answer is right for a place where these elements have lines."""
    if answer.name == "unknown":
        return not elements
    if answer.name == "blend":
        # Carbon, nitrogen and oxygen together are one molecule.
        molecule = bool(elements & {"C", "N", "O"})
        return len(elements - {"C", "N", "O"}) + molecule > 1
    return bool(elements & set(answer.elements))


def _words(answers: Sequence[Answer]) -> str:
    return ", ".join(f"{a.name} {a.probability:.2f}" for a in answers)


def calibration(probabilities: Sequence[float], right: Sequence[bool]) -> list[dict[str, Any]]:
    """Return how often answers are right, by their probability.

    Returns
    -------
    list of dict
        For each bin that is not empty: its edges, the number of answers, their mean
        probability and the part that is right.

    Examples
    --------
    >>> rows = calibration([0.9, 0.9, 0.3], [True, True, False])
    >>> [(row["from"], row["n"], row["right"]) for row in rows]
    [(0.0, 1, 0.0), (0.85, 2, 1.0)]
    """
    p, r = np.asarray(probabilities, float), np.asarray(right, bool)
    which = np.clip(np.digitize(p, CALIBRATION_EDGES) - 1, 0, len(CALIBRATION_EDGES) - 2)
    return [
        {
            "from": CALIBRATION_EDGES[k],
            "to": CALIBRATION_EDGES[k + 1],
            "n": int((which == k).sum()),
            "probability": float(p[which == k].mean()),
            "right": float(r[which == k].mean()),
        }
        for k in range(len(CALIBRATION_EDGES) - 1)
        if (which == k).any()
    ]


# ------------------------------------------------------------------------ other truths


def score_against_truth(found: Candidates, ideal: Candidates) -> dict[str, Any]:
    """Compare candidates with what the same method makes of the truth.

    Returns
    -------
    dict
        ``recall``: part of the true features near whose peak, within two pixels, there is
        a candidate. ``named``: part of the candidates with an answer other than blend and
        unknown; ``attribution_agreement``: part of these whose true counterpart has the
        same first answer, and ``calibration`` of that.
    """
    peaks = np.array([c.peak for c in ideal])
    own = np.array([c.peak for c in found])

    def nearest(peak: int, among: NDArray[np.intp]) -> int | None:
        if not len(among):
            return None
        i = int(np.abs(among - peak).argmin())
        return i if abs(int(among[i]) - peak) <= 2 else None

    pairs = [(c, nearest(c.peak, peaks)) for c in found if c.best not in UNDECIDED]
    same = [i is not None and ideal[i].best == c.best for c, i in pairs]
    return {
        "recall": float(np.mean([nearest(c.peak, own) is not None for c in ideal] or [False])),
        "n_true": len(ideal),
        "named": len(pairs) / max(1, len(found)),
        "attribution_agreement": float(np.mean(same or [False])),
        "calibration": calibration([c.answers[0].probability for c, _ in pairs], same),
    }


def score_differences(seen: Contrast, truth: Contrast, settings: LineSettings) -> dict[str, Any]:
    """Compare adapted minus emulated spectra with true minus emulated ones.

    Returns
    -------
    dict
        ``confirmed``: part of the candidates where the true difference has the same sign and
        half the size or more. ``sign_right``: part of the :data:`N_LARGEST_DIFFERENCES` true
        differences of which the adaptation has the sign. ``error_over_noise``: rms error of the
        mean difference over what the networks' disagreement says.
    """
    own, real = (without_slopes(-c.difference.mean(axis=0), c.grid) for c in (seen, truth))
    error = np.sqrt(np.square(own - real).mean())
    noise = np.sqrt(np.square(np.asarray(seen.spread, float)).mean())
    candidates = find_features(seen, settings)
    confirmed = [
        own[e.peak] * real[e.peak] > 0 and abs(real[e.peak]) > 0.5 * abs(own[e.peak])
        for e in candidates
    ]
    largest = sorted(find_features(truth, settings), key=lambda e: -abs(real[e.peak]))[
        :N_LARGEST_DIFFERENCES
    ]
    signs = [(own[e.pixels].sum() > 0) == (real[e.pixels].sum() > 0) for e in largest]
    return {
        "confirmed": float(np.mean(confirmed or [False])),
        "sign_right": float(np.mean(signs or [False])),
        "n_signs": len(signs),
        "error_over_noise": float(error / noise) if noise else None,
    }

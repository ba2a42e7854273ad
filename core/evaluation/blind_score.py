"""A score of single networks that needs no truth: for choosing seeds, and for real data.

Training losses cannot tell a good run from one whose latent spaces are aligned to a
permutation, nor can the likeness of adapted and observed spectra. What can is a reader
of labels that has nothing to do with the adaptation: one trained on emulated spectra
moved to the mean of the observed ones. It is wrong for spectra of the observed domain,
but equally wrong for all networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from scipy.stats import spearmanr
from torch import Tensor

from ..adaptation.adapter import Adapter
from ..adaptation.losses import sliced_distance
from ..adaptation.member_selection import Judge
from ..bundle.model import Model
from ..bundle.sample import Sample
from ..domains.domains import Domains
from ..labels.label_set import LabelSet
from .kernel_ridge import QuadraticReader
from .round_trips import Passages, Synthetic, make_passages

READ = ("teff", "logg", "Fe", "Mg", "Si", "C", "N", "O")
"""Labels that count in the score: those with strong features in the H band."""

READER_STARS = 1200
"""Spectra that the reader is trained on."""

READER_NOISE = 10.0
"""Noise that the reader is trained with, in units of the survey's.

With the survey's own noise it would live on weak features, in which the domains differ
most, and read even true spectra of the observed domain badly (scatter 0.6 of the spread
of labels on giants, 0.35 with ten times the noise).
"""

JUDGE_SEED = 3_000_017
"""Seed of the synthetic stars that trainings are judged by; bundles are scored on others."""

FLOORS = {
    "label_consistency": 0.1,
    "label_shift": 0.1,
    "cycle": 0.5,
    "mismatch": 0.5,
    "disagreement": 0.5,
}
"""Added to each figure before its logarithm is taken: below, differences mean nothing."""


class LabelReader:
    """Reads labels from spectra of the observed domain without knowing the adaptation.

    Parameters
    ----------
    passages : Passages
        Gives the basis, and the means of both domains.
    synthetic : callable
        The synthetic domain.
    labels : LabelSet
        What the labels are; spectra it is trained on stay within their ranges.
    population : Tensor, shape ``(n, n_labels)``
        Labels of synthetic stars; training labels are drawn from them by a smooth
        bootstrap (Silverman 1986, section 6.4) that keeps mean and covariance.
    seed : int
        Of labels and noise.
    """

    def __init__(
        self,
        passages: Passages,
        synthetic: Synthetic,
        labels: LabelSet,
        population: Tensor,
        seed: int = 0,
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.mean, spread = population.mean(0), population.std(0)
        self.spread = spread.clamp_min(1e-6)
        y = _bootstrap(population, READER_STARS, generator)
        y = y.clamp(
            torch.tensor(labels.low, dtype=torch.float32),
            torch.tensor(labels.high, dtype=torch.float32),
        )
        space = passages.space
        with torch.no_grad():
            c = torch.cat([space.encode(synthetic(part)) for part in y.split(250)])
        c = c - passages.emulated.mean(0) + passages.observed.mean(0)
        noise = READER_NOISE * passages.noise * torch.randn(c.shape, generator=generator)
        self._reader = QuadraticReader.fit(c + noise / space.scale, (y - self.mean) / self.spread)

    def __call__(self, spectra: Tensor) -> Tensor:
        """Return labels ``(..., n_labels)`` of coefficients ``(..., n_basis)``."""
        flat = spectra.reshape(-1, spectra.shape[-1])
        read = self._reader(flat) * self.spread + self.mean
        return read.reshape(*spectra.shape[:-1], -1)


def _bootstrap(labels: Tensor, n: int, generator: torch.Generator, keep: float = 0.95) -> Tensor:
    """Return `n` labels distributed like these, none of which is among them."""
    mean = labels.mean(0)
    centred = (labels - mean).double()
    covariance = centred.T @ centred / max(1, len(labels) - 1)
    covariance = covariance + torch.diag(1e-6 * covariance.diagonal() + 1e-12)
    factor = torch.linalg.cholesky(covariance).float()
    rows = torch.randint(0, len(labels), (n,), generator=generator)
    fresh = torch.randn(n, labels.shape[1], generator=generator) @ factor.T
    return mean + keep * (labels[rows] - mean) + math.sqrt(1 - keep**2) * fresh


def _robust_scatter(x: Tensor) -> Tensor:
    """Return 1.4826 times the median absolute deviation of each column."""
    return 1.4826 * (x - x.median(0).values).abs().median(0).values


def scores_of(passages: Passages, reader: LabelReader, labels: LabelSet) -> list[dict[str, Any]]:
    """Return every member's figures; see :func:`score_without_truth`."""
    names = [n for n in READ if n in labels] or list(labels.names)
    columns = labels.columns(names)
    n, members = passages.n_stars, passages.n_members
    weight = passages.space.weight
    spread = reader.spread[columns]
    true = passages.labels[:, columns]
    mean = passages.adapted.mean(0)
    observed = passages.observed.expand(members, *passages.observed.shape)
    distance = sliced_distance(passages.dressed, observed, weight)
    out = []
    for i in range(members):
        read = reader(passages.adapted[i])[:, columns]
        consistency = _robust_scatter((read - true) / spread)
        dressed = reader(passages.dressed[i])[:, columns]
        seen = reader(passages.reconstructed[i])[:, columns]
        shift = ((dressed.mean(0) - seen.mean(0)) / spread).abs()
        apart = ((passages.adapted[i] - mean) * weight).square().mean().sqrt()
        # Unbiased: every member is part of the mean that it is compared with.
        apart = apart * math.sqrt(members / max(1, members - 1))
        figures: dict[str, Any] = {
            "label_consistency": float(consistency.mean()),
            "label_shift": float(shift.mean()),
            "cycle": float(passages.cycle_tolerance[i]),
            "mismatch": float(distance[i]),
            "disagreement": float(apart),
        }
        counted = [k for k in FLOORS if members > 1 or k != "disagreement"]
        figures["score"] = sum(math.log(figures[k] + FLOORS[k]) for k in counted) / len(counted)
        figures["label_consistency_by_label"] = dict(zip(names, consistency.tolist(), strict=True))
        figures["n_stars"] = n
        out.append(figures)
    return out


def score_without_truth(
    model: Model | tuple[Adapter, Any], sample: Sample, *, most: int = 500, seed: int = 0
) -> list[dict[str, Any]]:
    """Score the members of an adaptation without any knowledge of the truth.

    Parameters
    ----------
    model : Model, or tuple of Adapter and Emulator or HiddenLines
        The adaptation and its synthetic domain, on the CPU.
    sample : Sample
        Held-out stars; their observed labels are not looked at.
    most : int
        Stars of each domain to use at most.
    seed : int
        Of the reader's training set.

    Returns
    -------
    list of dict
        One per member:

        ``label_consistency``
            Robust scatter of labels read from adapted spectra about those they were made
            for, in units of the spread of the labels, after removing the median error, as
            a mean over :data:`READ`. About 1 where latent spaces are permuted; by label
            under ``label_consistency_by_label``.
        ``label_shift``
            Difference of the mean label read from adapted and from reconstructed observed
            spectra, in the same units: adapted stars should be a population like the
            observed one, if the synthetic labels were drawn so.
        ``cycle``
            Root-mean-square error of a round trip through the other domain, in tolerances.
        ``mismatch``
            Sliced distance of adapted to observed spectra, in tolerances.
        ``disagreement``
            Distance from the mean of the members, in tolerances; 0 for a single one.
        ``score``
            One number, lower is better: the mean of the logarithms of these figures plus
            their :data:`FLOORS`. Comparable between members trained on the same domains
            only. For a single member `disagreement` is left out.
    """
    if isinstance(model, Model):
        adapter, synthetic = model.adapter, model.emulator
    else:
        adapter, synthetic = model
    passages = make_passages(adapter, synthetic, sample, most=most)
    reader = LabelReader(passages, synthetic, synthetic.labels, sample.synthetic_labels, seed)
    return scores_of(passages, reader, synthetic.labels)


def judge_of(domains: Domains, *, most: int = 500, seed: int = 0) -> Judge:
    """Return a function that scores the members of an adaptation between two domains.

    For :class:`~spectrabridge.core.adaptation.training.AdaptationTrainer`: it needs labels
    of synthetic stars, which a user has, and nothing of the observed ones.

    Parameters
    ----------
    domains : Domains
        The domains.
    most : int
        Stars of each domain to use at most.
    seed : int
        Of the synthetic stars and of the reader's training set.
    """
    labels = domains.draw_labels(most, torch.Generator().manual_seed(JUDGE_SEED + seed))

    def judge(adapter: Adapter, observed: Tensor) -> list[float]:
        sample = Sample(labels, observed[:most], noise=domains.noise)
        scores = score_without_truth((adapter, domains.synthetic), sample, most=most, seed=seed)
        return [float(s["score"]) for s in scores]

    return judge


def rank_agreement(scores: Sequence[float], truths: Sequence[float]) -> float:
    """Return Spearman's rank correlation of scores with what they should predict.

    Both lower for better; 1 if they order networks alike, NaN if either is constant.

    Examples
    --------
    >>> rank_agreement([0.1, 0.2, 0.3], [1.0, 2.0, 5.0])
    1.0
    """
    if len(scores) < 2 or len(set(scores)) == 1 or len(set(truths)) == 1:
        return math.nan
    return float(spearmanr(scores, truths).statistic)

"""How well the two domains mix: the numbers behind the paper's Fig. 2.

Two measures. Domain purity looks at neighbours, as one does in a picture of an
embedding. A classifier two-sample test (Lopez-Paz & Oquab 2017, ICLR, arXiv:1610.06545)
trains a classifier to tell the domains apart and reports how it does on stars left out:
it finds differences that no picture shows.

Mixing is no proof: a network that permutes stars mixes them perfectly. And where the
labels of the two domains are distributed differently, spectra differ for that reason
alone, and even the truth would not mix.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.stats import rankdata
from torch import Tensor

from .kernel_ridge import cross_predictions, draw_folds
from .round_trips import Passages

NEIGHBOURS = 15
"""Neighbours that purity looks at."""

LATENT_DIMENSIONS = 64
"""Latents are reduced to so many principal components before they are compared."""


def domain_purity(a: Tensor, b: Tensor, k: int = NEIGHBOURS) -> float:
    """Return the mean part of nearest neighbours that are of the own domain.

    Parameters
    ----------
    a, b : Tensor, shape ``(n, n_dimensions)``
        The two domains; as many stars of each.
    k : int
        Neighbours, the star itself left out.

    Returns
    -------
    float
        0.5 where the domains are perfectly mixed, 1 where they are apart.
    """
    points = torch.cat([a, b]).numpy()
    own = np.repeat([0, 1], [len(a), len(b)])
    k = max(1, min(k, len(points) - 1))
    _, rows = cKDTree(points).query(points, k=k + 1)
    return float((own[rows[:, 1:]] == own[:, None]).mean())


def two_sample_test(a: Tensor, b: Tensor, seed: int = 0) -> dict[str, float]:
    """Train a classifier to tell two sets apart and test it on what it has not seen.

    The classifier is ridge regression of the domain on all products of two inputs, in
    four folds; see :class:`~spectrabridge.core.evaluation.kernel_ridge.QuadraticReader`.

    Parameters
    ----------
    a, b : Tensor, shape ``(n, n_dimensions)``
        The two sets.
    seed : int
        Of the folds.

    Returns
    -------
    dict
        ``accuracy`` and ``auc`` (area under the receiver operating characteristic) on
        left-out stars: 0.5 if the sets cannot be told apart, 1 if always.
    """
    x = torch.cat([a, b])
    y = torch.cat([-torch.ones(len(a), 1), torch.ones(len(b), 1)])
    # The same folds in both sets, so that no fold has more of one of them.
    folds = torch.cat([draw_folds(len(a), seed=seed), draw_folds(len(b), seed=seed + 1)])
    read = cross_predictions(x, y, folds)[:, 0].numpy()
    second = y[:, 0].numpy() > 0
    ranks = rankdata(read)
    n, m = int((~second).sum()), int(second.sum())
    auc = (ranks[second].sum() - m * (m + 1) / 2) / (n * m)
    return {"accuracy": float(((read > 0) == second).mean()), "auc": float(auc)}


def latent_components(a: Tensor, b: Tensor, most: int = LATENT_DIMENSIONS) -> tuple[Tensor, Tensor]:
    """Return standardised latents of both domains, reduced to principal components if many."""
    both = torch.cat([a, b])
    both = (both - both.mean(0)) / both.std(0).clamp_min(1e-6)
    if both.shape[1] > most:
        _, _, v = torch.linalg.svd(both, full_matrices=False)
        both = both @ v[:most].T
    return both[: len(a)], both[len(a) :]


def mixing(passages: Passages, truth: Tensor | None = None) -> dict[str, Any]:
    """Return how well the domains mix before and after adaptation, and in latent space.

    Parameters
    ----------
    passages : Passages
        Stars on every route.
    truth : Tensor, shape ``(n, k)``, optional
        True spectra of the synthetic stars, as coefficients of the passages' basis.

    Returns
    -------
    dict
        Each with ``purity``, ``accuracy`` and ``auc``; 0.5 is perfect.

        ``raw``
            Emulated spectra with noise against observed spectra.
        ``adapted``
            The headline: adapted spectra (each with the split latents of some observed
            star) against the networks' reconstructions of observed spectra, which is what
            critics compare. Neither has noise. ``members`` has the figure of every
            network; the rest is for the mean of the members.
        ``adapted_noisy``
            The same adapted spectra with noise against observed spectra as they are. The
            noise is white and the same for all stars, that of a survey is not: values
            above 0.5 may be due to that.
        ``truth_noisy``
            True spectra with the same noise against observed spectra, where the truth is
            known: what a perfect adaptation would reach.
        ``latents``
            Shared latents of synthetic against those of observed spectra, as a mean over
            members.
    """
    p = passages

    def spectra(a: Tensor, b: Tensor) -> dict[str, Any]:
        # Distances are those of spectra; the classifier standardises by itself.
        near = domain_purity(a * p.space.scale, b * p.space.scale)
        return {"purity": near} | two_sample_test(a, b)

    dressed, seen = p.dressed.mean(0), p.reconstructed.mean(0)
    latents = []
    for a, b in zip(p.shared_s, p.shared_o, strict=True):
        za, zb = latent_components(a, b)
        latents.append({"purity": domain_purity(za, zb)} | two_sample_test(za, zb))
    adapted = spectra(dressed, seen)
    if p.n_members == 1:
        members = [dict(adapted)]
    else:
        pairs = zip(p.dressed, p.reconstructed, strict=True)
        members = [spectra(a, b) for a, b in pairs]
    out = {
        "raw": spectra(p.noisy(p.emulated, 1), p.observed),
        "adapted": adapted | {"members": members},
        "adapted_noisy": spectra(p.noisy(dressed, 2), p.observed),
        "latents": {k: float(np.mean([z[k] for z in latents])) for k in latents[0]},
        "n_stars": p.n_stars,
    }
    if truth is not None:
        out["truth_noisy"] = spectra(p.noisy(truth, 3), p.observed)
    return out

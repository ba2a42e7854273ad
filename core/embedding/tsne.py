"""Two dimensions of many: t-SNE with fixed seeds, as openTSNE computes it.

van der Maaten & Hinton (2008, JMLR 9, 2579); openTSNE: Poličar et al. (2024, JSS 109, 3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_EXACT_POINTS = 10_000
"""Points up to which nearest neighbours are found exactly and forces with a tree."""

REPORT_EVERY_STEPS = 10
"""Steps between reports of progress."""

Report = Callable[[int, int], None]
"""``report(step, steps)``; what it raises stops the work."""


@dataclass(frozen=True)
class TsneSettings:
    """How coordinates are found.

    Parameters
    ----------
    perplexity : float
        About how many neighbours a star has.
    early_iterations, iterations : int
        Steps with early exaggeration, and after it.
    early_exaggeration : float
        Factor on attraction in the early steps.
    seed : int
        Of everything random.
    threads : int
        Threads; the same seed gives the same map with one.
    """

    perplexity: float = 30.0
    early_iterations: int = 250
    iterations: int = 500
    early_exaggeration: float = 12.0
    seed: int = 0
    threads: int = 1


def fit_tsne(
    x: NDArray[np.float32], settings: TsneSettings, report: Report | None = None
) -> tuple[NDArray[np.float32], float]:
    """Return coordinates ``(n, 2)``, centred, and the Kullback-Leibler divergence.

    Starts from the first two principal components (Kobak & Berens 2019, Nature Comm. 10,
    5416), with the learning rate of Belkina et al. (2019, Nature Comm. 10, 5415).

    Parameters
    ----------
    x : ndarray, shape ``(n, d)``
        Points.
    settings : TsneSettings
        How.
    report : callable, optional
        Told of progress.
    """
    from openTSNE import TSNE

    few = len(x) <= MAX_EXACT_POINTS
    step = 0

    def count(iteration: int, error: float, coordinates: Any) -> bool:
        nonlocal step
        step += REPORT_EVERY_STEPS
        if report is not None:
            report(step, settings.early_iterations + settings.iterations)
        return False

    found = TSNE(
        perplexity=min(settings.perplexity, (len(x) - 1) / 3),
        early_exaggeration_iter=settings.early_iterations,
        early_exaggeration=settings.early_exaggeration,
        n_iter=settings.iterations,
        initialization="pca",
        learning_rate="auto",
        neighbors="exact" if few else "annoy",
        negative_gradient_method="bh" if few else "fft",
        random_state=settings.seed,
        n_jobs=settings.threads,
        callbacks=[count],
        callbacks_every_iters=REPORT_EVERY_STEPS,
    ).fit(np.asarray(x, np.float64))
    out = np.asarray(found, np.float64)
    out = out - (out.max(axis=0) + out.min(axis=0)) / 2
    return out.astype(np.float32), float(found.kl_divergence)

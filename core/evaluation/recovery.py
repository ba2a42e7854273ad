"""Whether fits recover labels, and whether their errors are right: on a bundle's own spectra."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..bundle.bundle import Bundle
from ..fitting import FitSettings, Fitter, population_of
from ..fitting.initial_labels import draw_like
from ..spectra.spectra import Spectra

MADE_NORMALISED = {"continuum": {"routine": "none, made at 1"}}
"""Provenance of spectra that need no normalisation."""


def score_recovery(
    bundle: Bundle,
    n: int = 500,
    snr: float = 100.0,
    seed: int = 0,
    settings: FitSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Fit adapted spectra with noise and compare with the labels they were made with.

    Parameters
    ----------
    bundle : Bundle
        Its adapted spectra are observed, at labels drawn like those of its population
        (a smooth bootstrap), with whatever it takes for its population as prior.
    n : int
        Stars.
    snr : float
        Signal-to-noise ratio per pixel.
    seed : int
        Of labels and noise.
    settings : FitSettings, optional
        How to fit; the error floor is left out, because these spectra have none.
    progress : callable, optional
        Called with (stars done, stars).

    Returns
    -------
    dict
        By label: ``bias`` and ``scatter`` (median and standard deviation of fit minus
        truth), ``bias_sigma`` (the median in quoted errors), ``pull_mean``, ``pull_std``
        (of the difference over the quoted error). ``median_abs_bias_sigma`` over labels,
        ``velocity_pull_std``, ``reduced_chi2`` (median), ``not_converged``, ``n_stars``.
    """
    settings = replace(settings or FitSettings(), floor=0.0, search=0.0, spectrum="adapted")
    model = bundle.model
    fitter = Fitter(model, population_of(bundle), settings)
    x = draw_like(torch.tensor(population_of(bundle)).float(), fitter.space, n, seed)
    labels = fitter.space.labels(x).double().numpy()
    rng = np.random.default_rng(seed)
    sigma = 1 / snr
    flux = np.concatenate([model.adapt(y) for y in np.array_split(labels, max(1, n // 100))])
    flux = flux + sigma * rng.standard_normal(flux.shape, dtype=np.float32)
    ivar = np.full_like(flux, sigma**-2)
    found = fitter.fit(Spectra(model.grid, flux, ivar, provenance=MADE_NORMALISED), progress)
    miss = found.labels - labels
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = miss / found.errors
    names = model.labels.names

    def by_label(values: np.ndarray) -> dict[str, float]:
        return dict(zip(names, map(float, values), strict=True))

    bias_sigma = np.nanmedian(pull, axis=0)
    return {
        "n_stars": n,
        "snr": snr,
        "bias": by_label(np.nanmedian(miss, axis=0)),
        "scatter": by_label(np.nanstd(miss, axis=0)),
        "bias_sigma": by_label(bias_sigma),
        "pull_mean": by_label(np.nanmean(pull, axis=0)),
        "pull_std": by_label(np.nanstd(pull, axis=0)),
        "median_abs_bias_sigma": float(np.nanmedian(np.abs(bias_sigma))),
        "velocity_pull_std": float(np.nanstd(found.velocity / found.velocity_error)),
        "reduced_chi2": float(np.nanmedian(found.reduced_chi2)),
        "not_converged": sum("not_converged" in f for f in found.flags),
    }

"""How well a bundle fits real spectra: residuals with and without the adaptation.

O'Briain et al. (2020, section 3.2, Fig. 3) judge the adaptation by fits of observed stars:
with adapted spectra residuals should be normal, with the emulator's they are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle.bundle import Bundle
from ..errors import FitError
from ..fitting.residuals import ResidualDensity
from ..fitting.settings import FitSettings
from ..fitting.star_fits import SPECTRA, fit_stars, fitters
from ..fitting.stars import read_stars
from .report import PLOTS

MAX_DENSITY_BINS = 800
"""Bins in wavelength of the density that is drawn."""


def score_fits(
    bundle: Bundle,
    files: Sequence[str | Path],
    settings: FitSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Fit stars from files with both spectra of a bundle and describe the residuals.

    Parameters
    ----------
    bundle : Bundle
        Must keep a sample, for the prior.
    files : sequence of path
        Files of any format that is read.
    settings : FitSettings, optional
        How to fit.
    progress : callable, optional
        Called with (fits done, fits).

    Returns
    -------
    dict
        ``raw`` and ``adapted``: ``mean``, ``std``, ``beyond_3_sigma`` of all residuals and
        the median of ``reduced_chi2``; ``stars``: a row per star, as the fit command
        reports them; and what is to be drawn.

    Raises
    ------
    FitError
        If not one of the files could be read.
    """
    stars = read_stars(files)
    if all(s.error for s in stars):
        raise FitError(f"None of the files could be read. The first: {stars[0].error}")
    ready = fitters(bundle, tuple(SPECTRA), settings)
    found = fit_stars(ready, stars, progress)
    out: dict[str, Any] = {"n_stars": int(found.fits["adapted"].fitted.sum())}
    drawn: dict[str, Any] = {"wavelength": bundle.grid.wavelength}
    for kind, name in SPECTRA.items():
        fits = found.fits[kind]
        density = ResidualDensity(bundle.grid)
        density.add(fits.residual)
        chi2 = fits.reduced_chi2[fits.fitted]
        out[name] = density.figures() | {
            "reduced_chi2": float(np.median(chi2)) if chi2.size else float("nan")
        }
        drawn[name] = {
            "edges": density.edges,
            "counts": pooled(density.counts),
            "distribution": density.distribution(),
        }
    out["stars"] = found.as_json()
    return {"fits": out, PLOTS: {"residuals": drawn}}


def pooled(counts: np.ndarray, widest: int = MAX_DENSITY_BINS) -> np.ndarray:
    """Return counts ``(n_bins, <= widest)``: neighbouring pixels added up."""
    cuts = np.linspace(0, counts.shape[1], min(widest, counts.shape[1]) + 1).astype(int)[:-1]
    return np.add.reduceat(counts, cuts, axis=1)

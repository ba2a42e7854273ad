"""Fits in one call, as one wants them in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..bundle.bundle import Bundle
from ..errors import BundleError
from ..spectra.spectra import Spectra
from .fit import Progress
from .settings import FitSettings
from .star_fits import SPECTRA, StarFits, fit_stars, fitters
from .stars import read_stars


def fit(
    bundle: Bundle,
    files: str | Path | Sequence[str | Path],
    settings: FitSettings | None = None,
    progress: Progress | None = None,
) -> StarFits:
    """Fit the stars of files with the plain emulator and with adapted spectra.

    Parameters
    ----------
    bundle : Bundle
        From :func:`~spectrabridge.core.bundle.open_bundle`.
    files : path or sequence of path
        Files of any format that is read.
    settings : FitSettings, optional
        How to fit.
    progress : callable, optional
        Called with (fits done, fits).

    Returns
    -------
    StarFits
        ``fits["emulated"]`` and ``fits["adapted"]``, and a :meth:`~StarFits.table` of both.
    """
    several = [files] if isinstance(files, str | Path) else list(files)
    stars = read_stars(several)
    return fit_stars(fitters(bundle, tuple(SPECTRA), settings), stars, progress)


def held_out_spectra(bundle: Bundle, n_stars: int, snr: float = 100.0, seed: int = 0) -> Spectra:
    """Return spectra of stars that training never saw, with noise and their true labels.

    Parameters
    ----------
    bundle : Bundle
        Must keep test stars, as all shipped ones do.
    n_stars : int
        How many; at most those that there are.
    snr : float
        Signal-to-noise ratio per pixel.
    seed : int
        Of the choice of stars and of the noise.

    Raises
    ------
    BundleError
        If the bundle keeps no test stars or knows no truth.
    """
    sample, emulator = bundle.sample, bundle.model.truth_emulator
    if sample is None or sample.test_labels is None or emulator is None:
        raise BundleError(f"The bundle {bundle.name!r} keeps no test stars whose truth is known.")
    rng = np.random.default_rng(seed)
    flux = sample.truth(emulator).numpy()
    rows = rng.permutation(len(flux))[:n_stars]
    noisy = flux[rows] + rng.normal(0, 1 / snr, (len(rows), flux.shape[1]))
    return Spectra(
        bundle.grid,
        noisy.astype(np.float32),
        np.full(noisy.shape, snr**2, np.float32),
        tuple(f"test star {row}" for row in rows),
        labels=sample.test_labels.double().numpy()[rows],
        label_set=bundle.model.labels,
    )

"""A gap that is real atomic physics: one simulator, two lists of oscillator strengths.

The observed domain is an emulator of spectra computed with 1,076 atomic log gf values
tuned to the solar and Arcturus atlases, seen with noise, a smooth error of the continuum
and bad pixels. The truth is known for every label.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import torch
from numpy.polynomial import chebyshev
from torch import Tensor

from ..emulator.emulator import Emulator, in_batches
from ..errors import TrainingError
from ..labels import draws
from ..spectra.continuum import normalise
from ..spectra.spectra import Spectra
from .bad_pixels import bad_pixels
from .domains import N_SAMPLE, SAMPLE_SEED, Domains, HeldOut
from .registry import Sources, register

TITLE = "Tuned log gf: what wrong oscillator strengths do"

DESCRIPTION = (
    "Emulated spectra of giants adapted to those of the same simulator with 1,076 atomic log gf "
    "values tuned to the Sun and Arcturus: the gap between the domains is real atomic physics. "
    "The observed spectra have noise (S/N 100), a smooth error of the continuum of 1 % and 12 % "
    "bad pixels. Training never sees pairs or labels of observed spectra; the truth is known "
    "for every label. Real stars differ from the simulator in more than log gf."
)


@dataclass(frozen=True)
class TunedSurvey:
    """How the spectra with tuned log gf are observed.

    Parameters
    ----------
    n_stars : int
        Observed spectra.
    snr : float
        Signal-to-noise ratio per pixel at the continuum.
    continuum_error : float
        Standard deviation, relative, of the smooth error of the continuum on each chip,
        a polynomial of degree 4 in pixel.
    bad_fraction : float
        Part of the pixels that are bad: runs of pixels, some where sky lines fall, others
        anywhere.
    seed : int
        Of everything random.
    """

    n_stars: int = 6000
    snr: float = 100.0
    continuum_error: float = 0.01
    bad_fraction: float = 0.12
    seed: int = 1


def tuned_domains(
    emulator: Emulator, truth: Emulator, survey: TunedSurvey | None = None
) -> Domains:
    """Return both domains.

    Parameters
    ----------
    emulator : Emulator
        Of the simulator as it is.
    truth : Emulator
        Of the simulator with tuned log gf.
    survey : TunedSurvey, optional
        How it is observed.

    Raises
    ------
    TrainingError
        If the emulators have other pixels, labels or continua.
    """
    survey = survey or TunedSurvey()
    if truth.grid != emulator.grid or truth.labels.names != emulator.labels.names:
        raise TrainingError("Both emulators must have the same pixels and labels.")
    if emulator.continuum != "pseudo" or truth.continuum != "pseudo":
        raise TrainingError(
            "Both emulators must be normalised like observations; train them with --continuum "
            "pseudo."
        )
    # Stars where both grids have been: the smaller one has less room.
    low, high = (
        f(getattr(emulator.labels, end), getattr(truth.labels, end))
        for f, end in ((np.maximum, "low"), (np.minimum, "high"))
    )
    labels = emulator.labels.with_ranges(low.tolist(), high.tolist())
    draw = partial(draws.giant_branch, labels=labels)
    generator = torch.Generator().manual_seed(survey.seed)
    fresh = torch.Generator().manual_seed(SAMPLE_SEED + 1)
    observed, ivar = observe(truth, draw(survey.n_stars, generator), survey, survey.seed)
    seen = draw(N_SAMPLE, fresh)
    held, held_ivar = observe(truth, seen, survey, SAMPLE_SEED)
    return Domains(
        "tuned-gf",
        TITLE,
        DESCRIPTION,
        emulator,
        emulator,
        draw,
        observed,
        1 / survey.snr,
        ivar=ivar,
        held_out=HeldOut(held, held_ivar, seen),
        truth=truth,
        test_labels=draw(N_SAMPLE, torch.Generator().manual_seed(SAMPLE_SEED)),
        facts=asdict(survey),
        reference=draws.ordinary_giant(emulator.labels),
    )


def observe(
    truth: Emulator, labels: Tensor, survey: TunedSurvey, seed: int
) -> tuple[Tensor, Tensor]:
    """Return flux and inverse variance ``(n_stars, n_pixels)`` as the survey sees the stars.

    The spectra are normalised like any observation, which takes the error of the
    continuum away again as far as that is possible.
    """
    rng, grid = np.random.default_rng(seed), truth.grid
    clean = in_batches(truth, labels).numpy()
    n, p = clean.shape
    error = np.zeros((n, p), np.float32)
    for chip in grid.chips:
        x = np.linspace(-1, 1, chip.stop - chip.start)
        shapes = chebyshev.chebvander(x, 4)[:, 1:] / 2**0.5
        error[:, chip.pixels] = 0.5 * rng.standard_normal((n, 4)) @ shapes.T
        error[:, chip.pixels] += rng.standard_normal((n, 1))
    noise = rng.standard_normal((n, p), dtype=np.float32) / survey.snr
    flux = (clean + noise) * np.exp(survey.continuum_error * error)
    good = ~bad_pixels(n, p, survey.bad_fraction, rng)
    ivar = np.where(good, np.float32(survey.snr) ** 2, np.float32(0))
    spectra = normalise(Spectra(grid, np.where(good, flux, 1), ivar))
    return torch.from_numpy(spectra.flux), torch.from_numpy(spectra.ivar)


@register(
    "tuned-gf",
    "spectra of another list of log gf",
    needs="truth",
    request="an emulator of the tuned grid; give one",
)
def _build(sources: Sources) -> Domains:
    """Return the domains; the registry has seen to the truth."""
    assert sources.truth is not None
    return tuned_domains(sources.emulator, sources.truth)

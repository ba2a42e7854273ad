"""A semi-empirical observed domain: giants as APOGEE sees them, at labels that are known.

Flux at the four main labels comes from a published data-driven model of 1,801 real
giants (a quadratic Cannon model, Ness et al. 2015, ApJ 808, 16, as distributed with the
package `apogee`); the scatter of single elements about what these four labels imply
comes from the emulator::

    observed = empirical(Teff, log g, [M/H], [alpha/M]) * G(all labels) / G(expected labels)

with G the emulator and the expected labels those of a star that is ordinary for its
four. Noise and bad pixels are those of real APOGEE spectra. Synthetic spectra are the
emulator's at the labels of other stars of the same catalogue, so that nothing is paired.

The catalogue has few giants cooler than 4100 K, so in each half some stars are moved up
the giant branch (:func:`up_the_branch`): both models are smooth there, and real giants
of 3700 to 4100 K are what a survey sees in the distant disc and bulge.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ..emulator.emulator import Emulator, in_batches
from ..emulator.training import EmulatorTraining
from ..errors import SpectrumError, TrainingError
from ..spectra.continuum import normalise
from ..spectra.spectra import Spectra
from .domains import Domains
from .empirical_giants import EmpiricalGiants
from .giant_catalogue import Giants, read_giants, up_the_branch
from .registry import Sources, register
from .semi_empirical import Parts, Survey, semi_empirical_domains
from .survey_errors import SurveyErrors, read_survey_errors

TITLE = "APOGEE giants: what real red giants show and the models lack"

DESCRIPTION = (
    "Emulated spectra of giants adapted to APOGEE red giants. The observed domain is "
    "semi-empirical: a published data-driven model of 1,801 real giants gives the flux at "
    "Teff, log g, [M/H] and [alpha/M] of real stars (APOGEE DR12 labels), one in fourteen of them "
    "moved up the giant branch, to 3716 K, where the catalogue ends; the scatter of single "
    "elements about what these four imply is that of the emulator; noise and bad pixels are "
    "those of real spectra. Training used neither pairs nor labels of observed spectra. "
    "Because the labels are known, label fidelity can be checked; single elements are only "
    "as real as the emulator where they do not follow the four labels. To train on your own "
    "spectra instead: spectrabridge train-adaptation --observed."
)


TRUTH_TRAINING = EmulatorTraining(n_basis=64, hidden=(128, 128, 128), steps=12_000, confine=False)
"""How the observed domain is learnt, to have it at any label; small, as it ships."""


@dataclass(frozen=True)
class GiantSurvey(Survey):
    """How the observed giants are made from a catalogue.

    Parameters
    ----------
    snr, snr_scatter, test_fraction, seed
        See :class:`~spectrabridge.core.domains.semi_empirical.Survey`.
    moved : float
        Stars moved up the giant branch and added, relative to the number of others.
    """

    moved: float = 0.08


@torch.no_grad()
def true_flux(emulator: Emulator, empirical: EmpiricalGiants, giants: Giants) -> Spectra:
    """Return noise-free observed-domain spectra, normalised like everything else.

    Raises
    ------
    TrainingError
        If the emulator's pixels are not those of the empirical model.
    """
    if emulator.grid.n_pixels != empirical.n_pixels:
        raise TrainingError(
            f"The empirical model has {empirical.n_pixels} pixels, the emulator "
            f"{emulator.grid.n_pixels}. Train the emulator on the chips of the apStar grid."
        )
    own = in_batches(emulator, torch.tensor(giants.labels, dtype=torch.float32))
    ordinary = in_batches(emulator, torch.tensor(giants.expected, dtype=torch.float32))
    flux = empirical(giants.four) * own / ordinary.clamp_min(1e-3)
    return normalise(Spectra(emulator.grid, flux.numpy(), ids=giants.ids))


def giant_domains(
    emulator: Emulator,
    empirical: EmpiricalGiants,
    giants: Giants,
    errors: SurveyErrors,
    survey: GiantSurvey | None = None,
    truth_training: EmulatorTraining = TRUTH_TRAINING,
) -> Domains:
    """Split a catalogue in two halves and a test part, and observe one half.

    The truth emulator that goes with the domains is learnt from the noise-free spectra of
    both halves; the exact flux of the test stars is kept beside it.

    Raises
    ------
    TrainingError
        If the emulator is not normalised like observations, or on other pixels.
    """
    survey = survey or GiantSurvey()
    if emulator.continuum != "pseudo":
        raise TrainingError(
            "Real giants need an emulator normalised like observations; train it with "
            "--continuum pseudo."
        )
    labels = emulator.labels
    rng = np.random.default_rng(survey.seed)
    order = rng.permutation(len(giants))
    n_test = round(survey.test_fraction * len(giants))
    half = (len(giants) - n_test) // 2
    test, synthetic = giants.part(order[:n_test]), giants.part(order[n_test : n_test + half])
    seen = giants.part(order[n_test + half :])
    # Within each part, so that no star is in two of them, moved or not.
    test, synthetic, seen = (
        up_the_branch(stars, labels, survey.moved, survey.seed + i)
        for i, stars in enumerate((test, synthetic, seen))
    )
    return semi_empirical_domains(
        emulator,
        Parts(seen, synthetic, test),
        partial(true_flux, emulator, empirical),
        errors,
        survey,
        truth_training,
        named=("apogee-giants", TITLE, DESCRIPTION),
        rng=rng,
    )


def read_domains(
    folder: str | Path, emulator: Emulator, survey: GiantSurvey | None = None
) -> Domains:
    """Build the domains from the data pack.

    Parameters
    ----------
    folder : path
        Folder with ``observed/empirical_giants.npz``, ``observed/apogee_real.h5`` and
        ``labels/apogee_dr12_labels.csv``.
    emulator : Emulator
        Of the simulator, normalised like observations.
    survey : GiantSurvey, optional
        How the stars are observed.

    Raises
    ------
    SpectrumError
        If a file is missing or another one.
    """
    folder = Path(folder)
    names = (
        "observed/empirical_giants.npz",
        "labels/apogee_dr12_labels.csv",
        "observed/apogee_real.h5",
    )
    missing = [n for n in names if not (folder / n).exists()]
    if missing:
        raise SpectrumError(
            f"{folder} lacks {', '.join(missing)}. Give the data folder that has the empirical "
            "model of giants, the catalogue of labels and the real spectra."
        )
    empirical = EmpiricalGiants(folder / names[0])
    giants = read_giants(folder / names[1], empirical, emulator.labels)
    errors = read_survey_errors(folder / names[2], emulator.grid)
    return giant_domains(emulator, empirical, giants, errors, survey)


@register(
    "apogee-giants",
    "a model of real giants",
    needs="data",
    request="the empirical model, the catalogue and the real spectra; give their folder",
)
def _build(sources: Sources) -> Domains:
    """Return the domains; the registry has seen to the data."""
    assert sources.data is not None
    return read_domains(sources.data, sources.emulator)

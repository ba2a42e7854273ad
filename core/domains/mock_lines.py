"""The mock experiment as a whole: domains, training, bundle.

O'Briain et al. (2020, section 3.3): observed spectra are complete emulated spectra with
noise; synthetic spectra are emulated ones in which about 30 % of the line features are
set to the continuum. The two sets are drawn independently and never paired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..adaptation.settings import AdaptationTraining
from ..adaptation.training import AdaptationTrainer
from ..emulator.emulator import Emulator, in_batches
from ..emulator.hidden_lines import (
    Experiment,
    Feature,
    HiddenLines,
    design_experiment,
    hidden_pixels,
)
from ..labels import draws
from ..labels.label_set import APOGEE_LABELS, LabelSet
from .domains import N_SAMPLE, SAMPLE_SEED, Domains, HeldOut
from .registry import Sources, register

TITLE = "Hidden lines: can the adaptation bring back what the simulator lacks?"

DESCRIPTION = (
    "A controlled experiment after O'Briain et al. (2020, section 3.3). Both domains come from "
    "one emulator of giants in the H band. The emulated spectra lack about 30 % of the line "
    "features of each element; the observed ones have all lines and noise (S/N 100). Training "
    "never sees pairs or labels of observed spectra. The truth is known for every label, so "
    "every claim can be checked; real stars differ from both domains in more than lines."
)


@dataclass(frozen=True)
class MockSurvey:
    """The observed domain of the experiment.

    Parameters
    ----------
    n_stars : int
        Observed spectra.
    snr : float
        Signal-to-noise ratio per pixel at the continuum.
    seed : int
        Of labels and noise.
    """

    n_stars: int = 12_000
    snr: float = 100.0
    seed: int = 1


def reference_giant(labels: LabelSet = APOGEE_LABELS) -> NDArray[np.float64]:
    """Return the paper's reference star: a K giant of solar composition.

    4750 K, log g 2.5, v_turb 1.5 km/s, 12C/13C 7.5, v_macro 6 km/s.

    Examples
    --------
    >>> APOGEE_LABELS.mapping(reference_giant())["teff"]
    4750.0
    """
    values = dict.fromkeys(labels.names, 0.0)
    values |= {"teff": 4750.0, "logg": 2.5, "vturb": 1.5, "c12c13": 7.5, "vmacro": 6.0}
    return labels.array(values)


def _stars(emulator: Emulator, survey: MockSurvey) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(survey.seed)
    labels = draws.giant_branch(survey.n_stars, generator, emulator.labels)
    flux = in_batches(emulator, labels)
    return labels, flux + torch.randn(flux.shape, generator=generator) / survey.snr


def observe(emulator: Emulator, survey: MockSurvey) -> Tensor:
    """Return the noisy observed spectra, ``(n_stars, n_pixels)``."""
    return _stars(emulator, survey)[1]


def synthetic_draws(
    emulator: Emulator, features: list[Feature]
) -> Callable[[int, torch.Generator], Tensor]:
    """Return the function that draws synthetic spectra without the hidden lines."""
    synthetic = HiddenLines(emulator, hidden_pixels(features, emulator.grid.n_pixels))

    def draw(n: int, generator: torch.Generator) -> Tensor:
        return in_batches(synthetic, draws.giant_branch(n, generator, emulator.labels))

    return draw


def mock_domains(
    emulator: Emulator, experiment: Experiment, survey: MockSurvey | None = None
) -> Domains:
    """Return both domains of the experiment.

    Parameters
    ----------
    emulator : Emulator
        The complete emulator; also the truth.
    experiment : Experiment
        Its hidden features are those the synthetic domain lacks.
    survey : MockSurvey, optional
        The observed domain.
    """
    survey = survey or MockSurvey()
    hidden = hidden_pixels(experiment.features, emulator.grid.n_pixels)
    observed = observe(emulator, survey)
    seen, held = _stars(emulator, replace(survey, n_stars=N_SAMPLE, seed=SAMPLE_SEED + 1))
    test = draws.giant_branch(N_SAMPLE, torch.Generator().manual_seed(SAMPLE_SEED), emulator.labels)
    return Domains(
        "mock-lines",
        TITLE,
        DESCRIPTION,
        emulator,
        HiddenLines(emulator, hidden),
        partial(draws.giant_branch, labels=emulator.labels),
        observed,
        1 / survey.snr,
        held_out=HeldOut(held, labels=seen),
        truth=emulator,
        test_labels=test,
        experiment=experiment,
        facts=asdict(survey),
    )


def mock_trainer(
    emulator: Emulator,
    features: list[Feature],
    training: AdaptationTraining,
    survey: MockSurvey,
    device: str = "cpu",
) -> AdaptationTrainer:
    """Return a trainer for the experiment with these hidden features."""
    experiment = Experiment(features, 1.0, 0.0, 0)
    return mock_domains(emulator, experiment, survey).trainer(training, device)


def mock_experiment(emulator: Emulator, seed: int = 0) -> Experiment:
    """Return the features of the reference giant, 30 % of each element's hidden."""
    return design_experiment(emulator, reference_giant(emulator.labels), seed=seed)


@register(
    "mock-lines", "line features of the emulator are hidden (paper, section 3.3)", hides_lines=True
)
def _build(sources: Sources) -> Domains:
    """Return the domains with the features that are given, or with those of the paper's design."""
    hidden = sources.hidden or mock_experiment(sources.emulator)
    return mock_domains(sources.emulator, hidden)

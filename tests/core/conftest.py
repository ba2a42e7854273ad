"""A toy simulator with lines of every element, small enough to train on in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from spectrabridge.core.adaptation.callbacks import Step
from spectrabridge.core.adaptation.result import TrainingResult
from spectrabridge.core.adaptation.settings import AdaptationTraining
from spectrabridge.core.bundle import Bundle
from spectrabridge.core.bundle.writing import write_bundle
from spectrabridge.core.domains.mock_lines import MockSurvey, mock_trainer, reference_giant
from spectrabridge.core.emulator import Emulator, EmulatorTraining, train_emulator
from spectrabridge.core.emulator.hidden_lines import Experiment, design_experiment
from spectrabridge.core.labels import APOGEE_LABELS, draws
from spectrabridge.core.spectra import Chip, Spectra, WavelengthGrid

TOY_GRID = WavelengthGrid.log_linear(
    4.18, 6e-6, 640, (Chip("left", 0, 320), Chip("right", 320, 640)), "toy"
)


@dataclass(frozen=True)
class ToySimulator:
    """Gaussian lines: four per element, stronger with abundance and in cool stars."""

    centre: np.ndarray
    strength: np.ndarray

    def __call__(self, labels: np.ndarray) -> np.ndarray:
        pixel = np.arange(TOY_GRID.n_pixels)
        width = 2.0 + 0.15 * labels[:, 24]
        tau = np.zeros((len(labels), TOY_GRID.n_pixels))
        cool = (labels[:, 0] - 4700) / 1000
        for e in range(20):
            for centre, strength in zip(self.centre[e], self.strength[e], strict=True):
                profile = np.exp(-0.5 * ((pixel - centre) / width[:, None]) ** 2)
                depth = strength * 10 ** (0.6 * labels[:, 3 + e]) * np.exp(-cool)
                tau += depth[:, None] * profile
        return np.exp(-tau).astype(np.float32)


@pytest.fixture(scope="session")
def toy_simulator() -> ToySimulator:
    rng = np.random.default_rng(5)
    centre = rng.permutation(np.arange(4, 637, 7))[:80].reshape(20, 4).astype(float)
    strength = rng.uniform(0.05, 0.35, (20, 4))
    return ToySimulator(centre, strength)


@pytest.fixture(scope="session")
def toy_spectra(toy_simulator: ToySimulator) -> Spectra:
    generator = torch.Generator().manual_seed(3)
    giants = draws.giant_branch(600, generator).numpy().astype(float)
    box = draws.box(200, generator).numpy().astype(float)
    labels = np.concatenate([giants, box])
    kind = np.repeat([1, 0], [600, 200])
    return Spectra(
        TOY_GRID,
        toy_simulator(labels),
        labels=labels,
        label_set=APOGEE_LABELS,
        columns={"kind": kind},
    )


TOY_EMULATOR = EmulatorTraining(steps=2500, hidden=(96, 96), n_basis=40)


@pytest.fixture(scope="session")
def toy_emulator(toy_spectra: Spectra) -> Emulator:
    return train_emulator(toy_spectra, TOY_EMULATOR)


TOY_TRAINING = AdaptationTraining(
    iterations=700,
    batch=128,
    members=2,
    n_basis=32,
    hidden=96,
    n_shared=24,
    pool=2000,
    refresh=32,
    validation=200,
    warm_steps=250,
    critics_from=200,
    critics_full=350,
    check_every=50,
    patience=0,
)
TOY_SURVEY = MockSurvey(n_stars=2000)


class StopAt:
    """A callback that stops a training after a step, to go on later."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def after_step(self, step: Step) -> None:
        step.stopping = step.stopping or step.iteration == self.iteration


@pytest.fixture(scope="session")
def toy_experiment(toy_emulator: Emulator) -> Experiment:
    reference = reference_giant(toy_emulator.labels)
    return design_experiment(toy_emulator, reference, n_features=70, seed=2)


@pytest.fixture(scope="session")
def toy_adaptation(toy_emulator: Emulator, toy_experiment: Experiment) -> TrainingResult:
    return mock_trainer(toy_emulator, toy_experiment.features, TOY_TRAINING, TOY_SURVEY).run()


@pytest.fixture(scope="session")
def make_toy_bundle(
    toy_emulator: Emulator,
    toy_experiment: Experiment,
    toy_adaptation: TrainingResult,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[], Bundle]:
    def make() -> Bundle:
        return write_bundle(
            tmp_path_factory.mktemp("bundles") / "toy",
            name="toy",
            title="A toy",
            description="Gaussian lines, some hidden.",
            emulator=toy_emulator,
            adapter=toy_adaptation.adapter,
            reference=reference_giant(toy_emulator.labels),
            experiment=toy_experiment,
            provenance={"train_seconds": toy_adaptation.seconds, "train_device": "cpu"},
        )

    return make


@pytest.fixture(scope="session")
def toy_bundle(make_toy_bundle: Callable[[], Bundle]) -> Bundle:
    """A bundle that tests must not change."""
    return make_toy_bundle()

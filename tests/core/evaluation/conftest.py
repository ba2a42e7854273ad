"""The toy's held-out stars, and a model of it."""

from __future__ import annotations

import pytest
import torch

from spectrabridge.core.adaptation.result import TrainingResult
from spectrabridge.core.adaptation.settings import AdaptationTraining
from spectrabridge.core.bundle import Model, Sample
from spectrabridge.core.domains.domains import Domains
from spectrabridge.core.domains.mock_lines import MockSurvey, mock_domains, reference_giant
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.emulator.hidden_lines import Experiment
from spectrabridge.core.evaluation import Passages, make_passages

BRIEF = AdaptationTraining(
    iterations=12,
    batch=32,
    members=1,
    n_basis=16,
    hidden=24,
    n_shared=12,
    pool=200,
    refresh=4,
    validation=60,
    critics_from=2,
    critics_full=4,
    check_every=6,
    patience=0,
)
"""A training that teaches nothing, in a second."""


@pytest.fixture(scope="session")
def toy_domains(toy_emulator: Emulator, toy_experiment: Experiment) -> Domains:
    return mock_domains(toy_emulator, toy_experiment, MockSurvey(n_stars=600))


@pytest.fixture(scope="session")
def toy_model(toy_domains: Domains, toy_adaptation: TrainingResult) -> Model:
    reference = reference_giant(toy_domains.emulator.labels)
    return Model(toy_domains.synthetic, toy_adaptation.adapter, reference, toy_domains.truth)


@pytest.fixture(scope="session")
def toy_sample(toy_domains: Domains, toy_adaptation: TrainingResult) -> Sample:
    sample = toy_domains.sample(toy_adaptation.adapter)
    assert sample is not None
    return sample


@pytest.fixture(scope="session")
def toy_passages(toy_model: Model, toy_sample: Sample) -> Passages:
    return make_passages(toy_model.adapter, toy_model.emulator, toy_sample, most=300)


def shuffled(n: int) -> torch.Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(4))

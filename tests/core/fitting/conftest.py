"""A toy bundle that observed spectra can be fitted with, and stars observed with noise."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from spectrabridge.core.adaptation.result import TrainingResult
from spectrabridge.core.bundle import Bundle, Sample
from spectrabridge.core.bundle.writing import write_bundle
from spectrabridge.core.domains.mock_lines import reference_giant
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.emulator.hidden_lines import Experiment, HiddenLines, hidden_pixels
from spectrabridge.core.labels import draws
from spectrabridge.core.spectra import Spectra

NORMALISED = {"continuum": {"routine": "none, made at 1"}}


@pytest.fixture(scope="session")
def fit_bundle(
    toy_emulator: Emulator,
    toy_experiment: Experiment,
    toy_adaptation: TrainingResult,
    tmp_path_factory: pytest.TempPathFactory,
) -> Bundle:
    """The toy, which lacks lines, as if it had been trained on normalised spectra."""
    emulator = copy.deepcopy(toy_emulator)
    emulator.continuum = "pseudo"
    adapter = toy_adaptation.adapter
    stars = draws.giant_branch(400, torch.Generator().manual_seed(8))
    hidden = hidden_pixels(toy_experiment.features, emulator.grid.n_pixels)
    with torch.no_grad():
        observed = adapter.adapt_members(HiddenLines(emulator, hidden)(stars[:300])).mean(0)
    return write_bundle(
        tmp_path_factory.mktemp("bundles") / "toy-fit",
        name="toy-fit",
        title="A toy to fit with",
        description="Gaussian lines.",
        emulator=emulator,
        adapter=adapter,
        reference=reference_giant(emulator.labels),
        experiment=toy_experiment,
        sample=Sample(stars, observed, noise=0.01),
    )


@dataclass(frozen=True)
class Observed:
    """Stars with their true labels."""

    spectra: Spectra
    labels: np.ndarray
    velocity: np.ndarray


@pytest.fixture(scope="session")
def observe(fit_bundle: Bundle) -> Callable[..., Observed]:
    """Make adapted spectra of giants with noise."""

    def make(n: int, sigma: float = 0.01, seed: int = 1, whole: int = 0) -> Observed:
        model = fit_bundle.model
        labels = draws.giant_branch(n, torch.Generator().manual_seed(seed)).double().numpy()
        flux = model.adapt(labels)
        rng = np.random.default_rng(seed)
        if whole:
            flux = np.roll(flux, whole, axis=1)
        flux = flux + sigma * rng.standard_normal(flux.shape).astype(np.float32)
        spectra = Spectra(
            model.grid,
            flux,
            np.full_like(flux, sigma**-2),
            ids=tuple(f"star{i}" for i in range(n)),
            provenance=NORMALISED,
        )
        return Observed(spectra, labels, np.full(n, float(whole)))

    return make

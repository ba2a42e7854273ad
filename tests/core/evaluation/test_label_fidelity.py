"""Labels read back: small bias for true spectra, the bias that is there for adapted ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spectrabridge.core.bundle import Model, Sample
from spectrabridge.core.evaluation import LabelFidelity, label_fidelity
from spectrabridge.core.labels import APOGEE_LABELS


@pytest.fixture(scope="module")
def fidelity(toy_model: Model, toy_sample: Sample) -> LabelFidelity:
    labels = toy_sample.test_labels
    assert labels is not None
    said: list[str] = []
    found = label_fidelity(
        toy_model,
        labels,
        toy_model.truth(labels),
        toy_sample.synthetic_labels,
        toy_model.adapter.obs,
        n_stars=30,
        iterations=8,
        progress=said.append,
    )
    assert said[0] == "labels of true spectra" and said[-1] == "labels of member 2"
    return found


def test_figures_have_every_label_and_member(fidelity: LabelFidelity) -> None:
    figures = fidelity.figures()
    for key in ("label_bias", "label_scatter", "label_bias_raw"):
        assert set(figures[key]) == set(APOGEE_LABELS.names)
    assert set(figures["label_floor"]) == {"bias", "scatter"}
    assert len(fidelity.member_figures()) == 2
    assert figures["label_stars"] == 30


def test_the_floor_is_lower_than_what_adaptation_and_emulation_do(fidelity: LabelFidelity) -> None:
    figures = fidelity.figures()
    # Heat and abundances of the toy cannot be told apart, ratios of abundances can.
    mg, fe = APOGEE_LABELS.columns(("Mg", "Fe"))

    def error(read: torch.Tensor) -> float:
        wrong = (read - fidelity.true)[:, mg] - (read - fidelity.true)[:, fe]
        return float(wrong.square().mean().sqrt())

    assert error(fidelity.floor) < 0.03
    assert error(fidelity.floor) < error(fidelity.ensemble) < error(fidelity.raw)
    assert abs(figures["label_floor"]["bias"]["teff"]) < abs(figures["label_bias_raw"]["teff"])


def test_bias_and_scatter_are_mean_and_deviation_of_the_error(fidelity: LabelFidelity) -> None:
    shifted = replace(fidelity, ensemble=fidelity.true + 0.5)
    figures = shifted.figures()
    assert figures["label_bias"]["Mg"] == pytest.approx(0.5, abs=1e-3)
    assert figures["label_scatter"]["Mg"] == pytest.approx(0, abs=1e-3)


def test_only_the_ensemble_if_that_is_all_that_is_asked_for(
    toy_model: Model, toy_sample: Sample, fidelity: LabelFidelity
) -> None:
    labels = fidelity.true
    found = label_fidelity(
        toy_model,
        labels,
        toy_model.truth(labels),
        toy_sample.synthetic_labels,
        toy_model.adapter.obs,
        iterations=8,
        ensemble_only=True,
    )
    assert torch.allclose(found.ensemble, fidelity.ensemble)
    assert found.floor.isnan().all()

"""One evaluation holds what a bundle allows, as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from spectrabridge.core.bundle import Bundle, Model, Sample
from spectrabridge.core.emulator.hidden_lines import Experiment
from spectrabridge.core.evaluation import (
    evaluate_bundle,
    evaluate_model,
    weak_elements,
    without_plots,
)


@pytest.fixture(scope="module")
def figures(toy_model: Model, toy_sample: Sample, toy_experiment: Experiment) -> dict[str, Any]:
    return evaluate_model(toy_model, toy_sample, toy_experiment.features, n_stars=80, fit_stars=12)


def test_everything_is_measured(figures: dict[str, Any]) -> None:
    for key in (
        "masked_r2",
        "unmasked_r2",
        "derivative_r2",
        "attribution_agreement",
        "gap_ratio",
        "label_bias",
        "label_floor",
        "reconstruction",
        "mixing",
        "leakage",
        "score_without_truth",
        "element_verdicts",
        "warnings",
    ):
        assert key in figures, key
    assert figures["has_truth"] is True
    assert figures["n_test"] == 80
    assert figures["leakage"]["labels_from"] == "true labels"
    for member in figures["members"]:
        assert {"masked_r2", "derivative_r2", "gap_ratio", "label_bias", "without_truth"} <= set(
            member
        )


def test_weak_elements_follow_the_verdicts(figures: dict[str, Any], toy_model: Model) -> None:
    assert figures["weak_elements"] == weak_elements(figures, toy_model.labels)
    judged = figures["element_verdicts"]
    assert {e for e, v in judged.items() if v == "not measurable"} == set(figures["weak_elements"])


def test_plots_are_apart_from_json(figures: dict[str, Any]) -> None:
    plain = without_plots(figures | {"bad": [float("nan"), {"x": float("inf")}]})
    assert plain["bad"] == [None, {"x": None}]
    json.dumps(plain, allow_nan=False)
    plots = figures["plots"]
    assert plots["gap"]["raw"].shape == plots["wavelength"].shape == (640,)
    assert plots["chips"] == [(0, 320), (320, 640)]
    assert set(plots["read"]) == {"teff", "logg", "Fe"}
    assert np.isfinite(plots["read"]["teff"]["adapted"]).all()


def test_a_bundle_without_a_sample_is_measured_against_the_truth(toy_bundle: Bundle) -> None:
    assert toy_bundle.sample is None
    said: list[str] = []
    figures = evaluate_bundle(toy_bundle, n_stars=60, fit_stars=8, progress=said.append)
    assert {"masked_r2", "gap_ratio", "label_bias", "train_seconds", "fingerprint"} <= set(figures)
    assert "mixing" not in figures
    assert any("no held-out" in w for w in figures["warnings"])
    assert "transfer" in said
    assert figures["train_device"] == "cpu"
    assert "ablations" not in figures


def test_a_bundle_without_truth_and_labels(toy_model: Model, toy_sample: Sample) -> None:
    model = Model(toy_model.emulator, toy_model.adapter, toy_model.reference)
    sample = Sample(
        toy_sample.synthetic_labels[:200], toy_sample.observed[:200], noise=toy_sample.noise
    )
    figures = evaluate_model(model, sample)
    assert "gap_ratio" not in figures and "label_bias" not in figures
    assert figures["plots"] == {}
    assert "independent reader" in figures["leakage"]["labels_from"]
    assert figures["members"][0]["without_truth"]["label_consistency"] > 0
    assert any("No truth is known" in w for w in figures["warnings"])
    few = Sample(toy_sample.synthetic_labels[:5], toy_sample.observed[:5])
    assert "mixing" not in evaluate_model(model, few)

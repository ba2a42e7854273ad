"""Gap ratios of spectra whose distance from the truth is known, and of quartets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spectrabridge.core.bundle import Model, Sample
from spectrabridge.core.emulator.hidden_lines import Feature, hidden_pixels
from spectrabridge.core.evaluation import (
    Slopes,
    Transfer,
    quartets,
    reference_slopes,
    transfer,
    verdicts,
)


@pytest.fixture(scope="module")
def gap(toy_model: Model, toy_sample: Sample) -> Transfer:
    labels = toy_sample.test_labels
    assert labels is not None
    return transfer(toy_model, labels[:100], toy_model.truth(labels[:100]))


def test_adaptation_closes_most_of_the_gap(gap: Transfer) -> None:
    figures = gap.figures()
    assert figures["gap_ratio"] == pytest.approx(figures["rms_adapted"] / figures["rms_raw"])
    assert figures["gap_ratio"] < 0.6
    assert figures["r2"] > figures["r2_raw"]
    assert len(figures["members"]) == 2
    assert set(figures["members"][0]) == {"rms_adapted", "gap_ratio", "r2"}
    per_pixel = gap.per_pixel()
    assert per_pixel["raw"].shape == (640,)
    assert per_pixel["raw"].square().mean().sqrt() == pytest.approx(gap.rms_raw, rel=1e-4)


def test_perfect_and_useless_adaptations(gap: Transfer) -> None:
    obs = gap.adapter.obs
    perfect = replace(gap, coefficients=obs.encode(gap.truth)[None])
    assert perfect.gap_ratio() < 0.3
    useless = replace(gap, truth=gap.adapted())
    assert useless.figures()["gap_ratio"] == 0


def test_derivatives_of_the_truth_are_measured(toy_model: Model) -> None:
    slopes = reference_slopes(toy_model)
    perfect = replace(slopes, members=slopes.truth[None])
    figures = perfect.figures()
    assert figures["derivative_r2"] == 1
    assert set(verdicts(figures["derivative_correlation"]).values()) == {"measured"}
    noise = np.random.default_rng(0).normal(size=(2, *slopes.truth.shape))
    judged = verdicts(replace(slopes, members=noise).figures()["derivative_correlation"])
    assert set(judged.values()) == {"not measurable"}


def test_an_element_on_which_members_disagree_is_not_measurable() -> None:
    good = {"ensemble": 0.8, "member_spread": 0.05, "strongest_true": 1.0}
    found = verdicts(
        {
            "Fe": good,
            "K": good | {"ensemble": 0.4},
            "S": good | {"member_spread": 0.2},
            "V": good | {"ensemble": float("nan")},
        }
    )
    assert [e for e, v in found.items() if v == "measured"] == ["Fe"]


def test_quartets_leave_each_of_five_out(gap: Transfer, toy_model: Model) -> None:
    assert quartets(gap, None, None) is None
    slopes = reference_slopes(toy_model)
    # The third of five members is worst: without it the ensemble is best.
    one, truth = gap.coefficients[0], gap.adapter.obs.encode(gap.truth)
    five = torch.stack([truth, truth, one + 3, truth, truth])
    features = [Feature("Fe", 10, 20, -1.0, True), Feature("Mg", 30, 40, -1.0, False)]
    hidden = hidden_pixels(features, 640)
    members = np.stack([slopes.truth, slopes.truth, -slopes.truth, slopes.truth, slopes.truth])
    many = Slopes(slopes.elements, members, slopes.truth, hidden)
    found = quartets(replace(gap, coefficients=five), many, None, hidden, features)
    assert found is not None
    each = found["each"]
    assert [q["without"] for q in each] == [0, 1, 2, 3, 4]
    assert min(each, key=lambda q: q["gap_ratio"])["without"] == 2
    assert each[2]["derivative_r2"] == pytest.approx(1)
    assert each[0]["derivative_r2"] == pytest.approx(0.75)
    assert found["median"]["gap_ratio"] == sorted(q["gap_ratio"] for q in each)[2]
    assert set(found["median"]) == {
        "gap_ratio",
        "derivative_r2",
        "masked_r2",
        "attribution_agreement",
    }

"""The shipped bundle keeps the promises that README makes for it."""

from __future__ import annotations

import numpy as np
import pytest

from spectrabridge.core.bundle import Bundle, open_bundle, verify_bundle
from spectrabridge.core.emulator.hidden_lines import hidden_pixels
from spectrabridge.core.evaluation import score_hidden_lines


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle("mock-lines")


def test_it_is_whole_and_small(bundle: Bundle) -> None:
    assert verify_bundle("mock-lines") == []
    total = sum(f.stat().st_size for f in bundle.path.iterdir())
    assert total <= 8_000_000


def test_its_experiment_is_like_the_paper_s(bundle: Bundle) -> None:
    features = bundle.experiment.features
    assert abs(len(features) - 415) <= 10
    hidden = [f for f in features if f.hidden]
    assert 0.25 < len(hidden) / len(features) < 0.35
    assert 0.1 < hidden_pixels(features, 7214).mean() < 0.25
    for element in ("C", "N", "Fe"):
        of_element = [f for f in features if f.element == element]
        assert round(0.3 * len(of_element)) == sum(f.hidden for f in of_element)


@pytest.mark.slow
def test_hidden_lines_are_recovered(bundle: Bundle) -> None:
    scores = score_hidden_lines(bundle.model, bundle.experiment.features)
    assert scores["masked_r2"] >= 0.99
    assert scores["unmasked_r2"] >= 0.99
    assert scores["derivative_r2"] >= 0.85
    assert scores["attribution_agreement"] >= 0.92
    for key in ("masked_r2", "derivative_r2", "attribution_agreement"):
        assert scores[key] == pytest.approx(bundle.metrics[key], abs=2e-3)


def test_derivatives_of_strong_elements_are_right(bundle: Bundle) -> None:
    model = bundle.model
    hidden = hidden_pixels(bundle.experiment.features, 7214)
    own = model.jacobian(model.reference, "adapted")[hidden]
    true = model.jacobian(model.reference, "truth")[hidden]
    for element in ("C", "N", "O", "Mg", "Si", "Fe"):
        column = model.labels.index(element)
        assert np.corrcoef(own[:, column], true[:, column])[0, 1] > 0.85

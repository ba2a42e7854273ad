"""Variants differ from the full training in one part, and are compared in one table."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from spectrabridge.core.domains.domains import Domains
from spectrabridge.core.errors import TrainingError
from spectrabridge.core.evaluation import VARIANTS, ablations, train_ablations

from .conftest import BRIEF


@pytest.fixture(autouse=True)
def few_stars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablations, "FIT_STARS", 8)


def test_every_variant_is_trained_and_scored(toy_domains: Domains) -> None:
    steps: dict[str, int] = {}

    def progress(variant: str, step: int, total: int, figures: dict[str, float]) -> None:
        assert total == BRIEF.iterations
        steps[variant] = step

    training = replace(BRIEF, match_from=1, warm_steps=2)
    table = train_ablations(toy_domains, training, members=2, progress=progress)
    assert [row["variant"] for row in table] == list(VARIANTS)
    assert steps == dict.fromkeys(VARIANTS, BRIEF.iterations)
    for row in table:
        assert row["members"] == 2
        assert set(row["label_bias"]) == {"teff", "logg", "Fe"}
        for key in ("gap_ratio", "masked_r2", "derivative_r2", "mixing_auc", "score_without_truth"):
            assert math.isfinite(row[key]), key
    json.dumps(table, allow_nan=False)
    # One part less gives another network from the same seeds.
    assert len({row["gap_ratio"] for row in table}) == len(table)


def test_domains_without_truth_have_no_figures_of_it(toy_domains: Domains) -> None:
    blind = replace(toy_domains, truth=None, test_labels=None, experiment=None)
    (row,) = train_ablations(blind, BRIEF, variants=["full"])
    assert "gap_ratio" not in row
    assert math.isfinite(row["score_without_truth"])


def test_unknown_variants_are_refused(toy_domains: Domains) -> None:
    with pytest.raises(TrainingError, match="found no spectra"):
        train_ablations(toy_domains, BRIEF, variants=["no spectra"])

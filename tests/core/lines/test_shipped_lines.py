"""What is promised of the shipped bundles' candidates."""

from __future__ import annotations

import pytest

from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.errors import LinesError
from spectrabridge.core.lines import CANDIDATES, Candidates, LineSettings, find_candidates
from spectrabridge.core.lines.scoring import score_candidates

NAMES = ("mock-lines", "tuned-gf", "apogee-giants")


@pytest.mark.parametrize("name", NAMES)
def test_bundles_keep_the_candidates_of_their_own_weights(name: str) -> None:
    bundle = open_bundle(name)
    kept = Candidates.loads(bundle.attached(CANDIDATES))
    assert kept.fingerprint == bundle.fingerprint
    assert len(kept) > 100


def test_hidden_lines_are_found_and_named() -> None:
    scores = score_candidates(open_bundle("mock-lines"))
    assert scores["recall"] >= 0.95
    assert scores["precision"] >= 0.9
    assert scores["attribution_top1"] >= 0.85
    assert scores["attribution_top1_over_truth"] >= 0.95
    assert scores["attribution_top2"] >= scores["attribution_top1"]
    # What is not found or named otherwise is listed, and nothing else.
    assert len(scores["misses"]) == round((1 - scores["attribution_top1"]) * scores["n_hidden"])
    # Nine in ten of the answers that are sure are right, about half of the doubtful ones.
    low, high = scores["calibration"][0], scores["calibration"][-1]
    assert high["right"] >= 0.9 > 0.7 >= low["right"]


def test_changes_of_log_gf_have_the_right_sign() -> None:
    scores = score_candidates(open_bundle("tuned-gf"), LineSettings(n_stars=24))
    assert scores["n_signs"] == 100
    assert scores["sign_right"] >= 0.9
    assert scores["confirmed"] >= 0.9


def test_looking_twice_finds_the_same() -> None:
    bundle = open_bundle("apogee-giants")
    settings = LineSettings(n_stars=9)
    assert find_candidates(bundle, settings) == find_candidates(bundle, settings)


@pytest.mark.parametrize(
    "wrong",
    [{"n_stars": 0}, {"least_depth": 0.0}, {"least_depth": 2.0}, {"least_significance": -1}],
)
def test_settings_that_make_no_sense_are_refused(wrong) -> None:
    with pytest.raises(LinesError, match="Expected"):
        LineSettings(**wrong)

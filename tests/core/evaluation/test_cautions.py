"""Warnings come when they should, in words, and not otherwise."""

from __future__ import annotations

from typing import Any

from spectrabridge.core.evaluation import cautions
from spectrabridge.core.labels import APOGEE_LABELS

GOOD: dict[str, Any] = {
    "has_truth": True,
    "gap_ratio": 0.1,
    "mixing": {"adapted": {"auc": 0.55}},
    "label_bias": {"teff": 5.0, "logg": 0.01, "Fe": 0.01},
    "leakage": {"split": {"teff": 0.01}, "split_max": 0.01, "split_max_label": "teff"},
    "weak_elements": [],
    "members": [{"gap_ratio": 0.1, "label_bias": {"teff": v}} for v in (0.0, 9.0)],
}


def said(**changes: Any) -> list[str]:
    return cautions(GOOD | changes, APOGEE_LABELS)


def test_nothing_to_say_of_a_good_bundle() -> None:
    assert said() == []


def test_good_mixing_with_bad_labels() -> None:
    (sentence,) = said(label_bias={"teff": 120.0, "Fe": -0.1, "logg": 0.02})
    assert "look like observed ones (AUC 0.55)" in sentence
    assert "Teff +120 K" in sentence and "[Fe/H] -0.10 dex" in sentence
    assert "log g" not in sentence


def test_bad_mixing() -> None:
    (sentence,) = said(mixing={"adapted": {"auc": 0.95}})
    assert "AUC 0.95" in sentence and "populations" in sentence


def test_what_noise_does_not_hide() -> None:
    mixing = {"adapted": {"auc": 0.55}, "adapted_noisy": {"auc": 0.9}, "truth_noisy": {"auc": 0.85}}
    assert said(mixing=mixing) == []
    (sentence,) = said(mixing=mixing | {"truth_noisy": {"auc": 0.52}})
    assert "AUC 0.90" in sentence and "AUC 0.52" in sentence


def test_leakage_names_the_labels() -> None:
    leak = {"split": {"teff": 0.8, "Fe": 0.1}, "split_max": 0.8, "split_max_label": "teff"}
    (sentence,) = said(leakage=leak)
    assert "teff" in sentence and "Fe" not in sentence
    none = {"split": {}, "split_max": None, "split_max_label": None}
    assert said(leakage=none) == []


def test_members_that_disagree() -> None:
    members = [{"gap_ratio": g, "label_bias": {"teff": t}} for g, t in ((0.1, -90), (0.3, 60))]
    labels, gaps = said(members=members)
    assert "Teff -90 to +60 K" in labels
    assert "10% to 30%" in gaps
    read = [{"without_truth": {"label_consistency": v}} for v in (0.3, 0.95)]
    (sentence,) = said(members=read)
    assert "member 2" in sentence and "permuted" in sentence
    assert "single network" in said(members=[{}])[0]


def test_weak_elements_a_wide_gap_and_no_truth() -> None:
    assert "K, Cu" in said(weak_elements=["K", "Cu"])[0]
    assert "60%" in said(gap_ratio=0.6)[0]
    assert "No truth is known" in said(has_truth=False)[0]
    without = {k: v for k, v in GOOD.items() if k not in ("mixing", "leakage")}
    assert "no held-out" in cautions(without, APOGEE_LABELS)[0]

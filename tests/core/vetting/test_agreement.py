from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from spectrabridge.core.lines import Candidates
from spectrabridge.core.vetting import open_vetting
from spectrabridge.core.vetting.agreement import cohen_kappa, compare_vetters


def test_kappa_of_a_table_worked_by_hand() -> None:
    # 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: p_o = 0.7, p_e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5.
    first = ["y"] * 25 + ["n"] * 25
    second = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4, abs=1e-12)
    # 45, 15, 25, 15: p_o = 0.6, p_e = 0.54.
    first = ["y"] * 60 + ["n"] * 40
    second = ["y"] * 45 + ["n"] * 15 + ["y"] * 25 + ["n"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.06 / 0.46, abs=1e-12)
    # They always differ.
    assert cohen_kappa(["a", "b"], ["b", "a"]) == pytest.approx(-1.0)
    assert cohen_kappa(["a", "a"], ["b", "b"]) == pytest.approx(0.0)


def test_kappa_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    for n in (5, 40, 300):
        words = np.array(["Fe", "CN", "blend", "Si"])
        first = words[rng.integers(0, 4, n)]
        second = np.where(rng.random(n) < 0.6, first, words[rng.integers(0, 4, n)])
        expected = metrics.cohen_kappa_score(first, second)
        assert cohen_kappa(list(first), list(second)) == pytest.approx(expected, abs=1e-12)


def test_where_kappa_is_not_defined_it_says_why(tmp_path: Path, thirty: Candidates) -> None:
    assert math.isnan(cohen_kappa(["a"] * 5, ["a"] * 5))
    assert math.isnan(cohen_kappa([], []))
    with open_vetting(tmp_path / "v.sqlite", thirty) as vetting:
        for c in thirty[:4]:
            vetting.decide(c, "ann", status="accepted")
            vetting.decide(c, "bob", status="accepted")
        found = compare_vetters(vetting, thirty)
    assert found.status[0].words == (
        "ann and bob agree on the status of 4 of 4; kappa is not defined, because both said "
        "'accepted' throughout."
    )
    assert "not both given" in found.element[0].words
    plain = found.as_json()
    assert plain["status"]["pairs"][0]["kappa"] is None
    assert plain["element"]["mean_kappa"] is None
    assert plain["status"]["pairs"][0]["n"] == 4


def test_only_what_both_decided_counts(tmp_path: Path, thirty: Candidates) -> None:
    with open_vetting(tmp_path / "v.sqlite", thirty) as vetting:
        for i, c in enumerate(thirty):
            if i < 20:
                vetting.decide(c, "ann", status="accepted" if i % 2 else "rejected", element="Fe")
            if i >= 10:
                vetting.decide(c, "bob", status="accepted" if i % 3 else "unsure")
        vetting.decide(thirty[12], "bob", element="Si")
        vetting.decide(thirty[0], "bob", comment="not decided")
        all_of_them = compare_vetters(vetting)
        some = compare_vetters(vetting, thirty[:15])
    status = all_of_them.status[0]
    assert status.n == 10
    assert status.categories == ("accepted", "rejected", "unsure")
    # i = 10..19: ann accepts odd ones, bob is unsure of 12, 15, 18.
    assert status.table == ((4, 0, 1), (3, 0, 2), (0, 0, 0))
    assert status.kappa == pytest.approx((0.4 - (5 * 7) / 100) / (1 - (5 * 7) / 100))
    assert all_of_them.element[0].n == 1 and all_of_them.element[0].n_agreed == 0
    assert some.status[0].n == 5


def test_three_vetters_are_compared_in_pairs(tmp_path: Path, thirty: Candidates) -> None:
    with open_vetting(tmp_path / "v.sqlite", thirty) as vetting:
        for i, c in enumerate(thirty):
            vetting.decide(c, "ann", status="accepted" if i % 2 else "rejected")
            vetting.decide(c, "bob", status="accepted" if i % 2 else "rejected")
            vetting.decide(c, "eve", status="accepted" if i % 3 else "rejected")
        found = compare_vetters(vetting, thirty)
        two = compare_vetters(vetting, thirty, ["ann", "eve"])
    kappas = [a.kappa for a in found.status]
    assert [a.vetters for a in found.status] == [("ann", "bob"), ("ann", "eve"), ("bob", "eve")]
    assert kappas[0] == 1.0 and kappas[1] == kappas[2] < 0.5
    assert found.mean_kappa("status") == pytest.approx(sum(kappas) / 3)
    assert len(two.status) == 1

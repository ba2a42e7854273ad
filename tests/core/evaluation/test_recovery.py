"""What evaluate --recovery reports, on the shipped giants."""

from __future__ import annotations

from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.evaluation.recovery import score_recovery

STRONG = ("teff", "logg", "Fe", "Mg", "Si", "C", "N", "O")


def test_labels_of_giants_are_recovered_with_honest_errors() -> None:
    found = score_recovery(open_bundle("apogee-giants"), n=120)
    assert found["median_abs_bias_sigma"] < 0.2
    # 120 stars: the spread is known to 7 %.
    for name in STRONG:
        assert 0.75 < found["pull_std"][name] < 1.3, name
        assert abs(found["bias_sigma"][name]) < 0.4, name
    assert 0.8 < found["velocity_pull_std"] < 1.25
    assert abs(found["reduced_chi2"] - 1) < 0.03
    assert found["not_converged"] <= 2
    assert found["scatter"]["teff"] < 40 and found["scatter"]["Fe"] < 0.03

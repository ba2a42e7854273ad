"""Residuals of the example star, as evaluate reports them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.errors import FitError
from spectrabridge.core.evaluation import without_plots
from spectrabridge.core.evaluation.real_star_fits import pooled, score_fits
from spectrabridge.core.io import example_apstar
from spectrabridge.explorer.about.evaluation_report import report_html


def test_figures_rows_and_plots(tmp_path: Path) -> None:
    bundle = open_bundle("apogee-giants")
    (tmp_path / "bad.fits").write_text("no")
    found = score_fits(bundle, [example_apstar(), tmp_path / "bad.fits"])
    fits = found["fits"]
    assert fits["n_stars"] == 1
    # The example is no giant of the kind that the bundle knows, but the emulator alone is worse.
    assert fits["adapted"]["std"] < fits["raw"]["std"]
    assert [r["id"] for r in fits["stars"]] == ["2M19485057+5005279", "bad.fits"]
    json.dumps(without_plots(found), allow_nan=False)
    drawn = found["plots"]["residuals"]
    assert drawn["raw"]["counts"].sum() == fits["stars"][0]["raw"]["n_pixels"]
    page = report_html(found, bundle)
    assert "Fits of real stars" in page and "bad.fits" in page


def test_pooling_keeps_every_count() -> None:
    counts = np.random.default_rng(0).integers(0, 9, (4, 1001))
    assert pooled(counts, 100).shape == (4, 100)
    assert (pooled(counts, 100).sum(axis=1) == counts.sum(axis=1)).all()
    assert (pooled(counts, 5000) == counts).all()


def test_nothing_to_fit_is_said(tmp_path: Path) -> None:
    (tmp_path / "bad.fits").write_text("no")
    with pytest.raises(FitError, match="None of the files"):
        score_fits(open_bundle("apogee-giants"), [tmp_path / "bad.fits"])

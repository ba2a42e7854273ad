"""The page of an evaluation: whole, offline, and safe to open whatever a bundle says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectrabridge.core.bundle import Bundle, open_bundle
from spectrabridge.explorer.about import evaluation_plots as plots
from spectrabridge.explorer.about.evaluation_report import number, report_html

EVIL = "</script><script>alert('evil')</script>"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle("mock-lines")


@pytest.fixture(scope="module")
def figures(bundle: Bundle) -> dict[str, Any]:
    """Figures as an evaluation gives them, made up."""
    names, rng = bundle.labels.names, np.random.default_rng(0)

    def by_label(size: float) -> dict[str, float]:
        return dict(zip(names, (size * rng.standard_normal(25)).tolist(), strict=True))

    mixed = {"purity": 0.6, "accuracy": 0.6, "auc": 0.7}
    routes = ("synthetic_reconstruction", "observed_reconstruction")
    routes += ("synthetic_cycle", "observed_cycle")
    true = rng.uniform(4000, 5000, 30)
    return {
        "has_truth": True,
        "n_members": 2,
        "gap_ratio": 0.0421,
        "masked_r2": 0.9912,
        "train_seconds": 321.0,
        "label_bias": by_label(0.02),
        "label_scatter": dict.fromkeys(names, 0.1),
        "label_bias_raw": by_label(0.5),
        "label_floor": {"bias": by_label(0.001), "scatter": by_label(0.001)},
        "mixing": dict.fromkeys(("raw", "adapted", "adapted_noisy", "latents"), mixed),
        "leakage": {
            "shared": by_label(0.3),
            "split": by_label(0.1),
            "split_max": 0.2,
            "labels_from": "true labels",
        },
        "reconstruction": {k: {"flux": 0.002, "noise": None, "members": [0.002]} for k in routes},
        "derivative_correlation": {
            e: {"ensemble": 0.9 if e != "K" else float("nan"), "member_spread": 0.05}
            for e in bundle.labels.elements
        },
        "weak_elements": ["K"],
        "members": [
            {"gap_ratio": 0.05, "label_bias": by_label(0.02), "mixing": mixed} for _ in range(2)
        ],
        "quartets": {
            "each": [{"without": i, "gap_ratio": 0.04} for i in range(5)],
            "median": {"gap_ratio": 0.04},
        },
        "ablations": [{"variant": "full", "gap_ratio": 0.04}, {"variant": EVIL, "gap_ratio": EVIL}],
        "warnings": [f"Beware of {EVIL}."],
        "plots": {
            "wavelength": bundle.grid.wavelength.astype(np.float32),
            "chips": [(c.start, c.stop) for c in bundle.grid.chips],
            "gap": {k: rng.uniform(0, 0.05, bundle.grid.n_pixels) for k in ("raw", "adapted")},
            "read": {"teff": {"true": true, "adapted": true + 10}},
        },
    }


@pytest.fixture(scope="module")
def page(figures: dict[str, Any], bundle: Bundle) -> str:
    return report_html(figures, bundle)


def test_every_section_is_there(page: str) -> None:
    for title in (
        "The gap",
        "Do labels hold?",
        "Derivatives",
        "Mixing, and what split latents know",
        "Members",
        "Other choices of seeds",
        "What each part is worth",
        "Training",
    ):
        assert f"<h2>{title}</h2>" in page, title
    assert "0.0421" in page and "0.9912" in page
    assert "Not measurable: K." in page
    assert "without member 5" in page and "median" in page


def test_nothing_is_fetched(page: str) -> None:
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page)
    assert tags
    for tag in tags:
        assert "src=" not in tag and "href=" not in tag, tag
    assert "@import" not in page and "url(http" not in page


def test_what_bundles_say_is_escaped(figures: dict[str, Any], bundle: Bundle) -> None:
    data = dict(bundle.data) | {"title": EVIL, "description": EVIL, "name": EVIL}
    data["provenance"] = {
        "train_device": EVIL,
        "versions": {"spectrabridge": EVIL},
        "history": [{"iteration": EVIL}, EVIL, {"iteration": 1.0, "mismatch": EVIL}],
    }
    evil = Bundle(bundle.path, data, _files=bundle._files)
    text = report_html(figures | {"train_device": EVIL, "mask": EVIL}, evil)
    assert "alert('evil')" not in text
    assert "alert(&#x27;evil&#x27;)" in text
    assert "<h2>Training</h2>" not in text  # a history without numbers is ignored


def test_labels_of_a_stranger_cannot_break_out_of_plots(
    figures: dict[str, Any], bundle: Bundle
) -> None:
    data = dict(bundle.data)
    data["labels"] = [
        dict(label) | ({"name": EVIL} if label["name"] == "c12c13" else {})
        for label in data["labels"]
    ]
    evil = Bundle(bundle.path, data, _files=bundle._files)
    leak = {k: dict(v) if isinstance(v, dict) else v for k, v in figures["leakage"].items()}
    for key in ("shared", "split"):
        leak[key][EVIL] = leak[key].pop("c12c13")
    bare = {k: v for k, v in figures.items() if k not in ("label_bias", "warnings", "ablations")}
    text = report_html(bare | {"leakage": leak}, evil)
    assert "<script>alert" not in text


def test_a_bundle_of_which_little_is_known_gives_a_short_page(bundle: Bundle) -> None:
    data = dict(bundle.data) | {"provenance": {}}
    short = report_html({"n_members": 1}, Bundle(bundle.path, data, _files=bundle._files))
    assert "Nothing to warn of." in short
    assert "<h2>" not in short
    assert len(short) < 10_000


def test_numbers_are_written_for_people() -> None:
    assert number(0.04212) == "0.0421"
    assert number(-12.345) == "\u221212.35" or number(-12.345) == "\u221212.34"
    assert number(12345.6) == "12346"
    assert number(float("nan")) == number(None) == "not known"
    assert number("<b>") == "&lt;b&gt;"


def test_a_history_is_drawn_if_it_has_numbers(bundle: Bundle) -> None:
    assert plots.history_plot(bundle.provenance["history"]) is not None
    assert plots.history_plot(None) is None
    assert plots.history_plot([{"iteration": 1.0, "mismatch": 2.0}]) is None


@pytest.mark.browser
def test_it_opens_in_a_browser_without_a_network(page: str, tmp_path: Path, root: Path) -> None:
    from playwright.sync_api import sync_playwright

    found = runpy.run_path(str(root / "tests" / "ui" / "conftest.py"))
    find_browser = found["find_browser"]
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    with sync_playwright() as playwright:
        binary = find_browser(playwright.chromium.executable_path)
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        screen = browser.new_page(viewport={"width": 1280, "height": 900})
        wanted: list[str] = []
        said: list[str] = []
        screen.on("request", lambda request: wanted.append(request.url))
        screen.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
        screen.goto(path.as_uri())
        screen.wait_for_function(
            "Bokeh.documents.length > 0 && document.querySelector('.bk-Figure')"
        )
        assert wanted == [path.as_uri()]
        assert said == []
        assert screen.evaluate("document.documentElement.scrollWidth <= innerWidth")
        browser.close()

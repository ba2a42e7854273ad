"""The About page: words for shipped bundles, and for those that say little or nonsense."""

import dataclasses
import re

import pytest

from spectrabridge.core.bundle import read_bundle
from spectrabridge.core.bundle.bundle import SHIPPED
from spectrabridge.explorer.about.page import AboutPage
from spectrabridge.explorer.about.text import about_parts
from spectrabridge.explorer.pages import PAGES
from spectrabridge.explorer.state.view_state import ViewState

NAMES = sorted(p.name for p in SHIPPED.iterdir() if (p / "bundle.json").exists())


def with_data(bundle, **changes):
    return dataclasses.replace(bundle, data={**bundle.data, **changes})


@pytest.fixture(scope="module")
def giants():
    return read_bundle(SHIPPED / "apogee-giants")


@pytest.mark.parametrize("name", NAMES)
def test_shipped_bundles_tell_what_a_referee_asks(name):
    bundle = read_bundle(SHIPPED / name)
    parts = dict(about_parts(bundle, shipped=True))
    text = re.sub("<[^>]+>", " ", " ".join(parts.values()))
    for wanted in ("train-adaptation", "5 networks, seeds 0 to 4", "minutes", "T_eff", "Measured:",
                   "area under curve", "licence", "extrapolated"):  # fmt: skip
        assert wanted in text
    assert "{" not in text
    assert "cannot be understood" not in text
    assert "None" not in text
    assert "nan" not in text.split()


def test_the_semi_empirical_domain_is_the_first_warning(giants):
    cautions = dict(about_parts(giants, True))["Before you use it"]
    assert cautions.index("semi-empirical") < cautions.index("<li>", 10)


def test_weak_elements_are_said_not_to_be_measured(giants):
    derivatives = dict(about_parts(giants, True))["Whose derivatives are measured"]
    for element, verdict in giants.metrics["element_verdicts"].items():
        assert f"<tr><td>{element}</td><td>{verdict}</td>" in derivatives


def test_a_bundle_without_figures_says_so(giants):
    bare = with_data(giants, metrics={}, provenance={})
    parts = dict(about_parts(bare, shipped=False))
    assert "has not been evaluated" in parts["Before you use it"]
    assert "does not say how it was made" in parts["How it was made"]
    assert "does not say under what licence" in parts["Data and licence"]
    assert "Do labels hold?" not in parts


@pytest.mark.parametrize("nonsense", [7, "text", [1, 2], {"teff": "hot"}, None])
def test_nonsense_among_the_figures_ends_no_page(giants, nonsense):
    for key in giants.metrics:
        metrics = {**giants.metrics, key: nonsense}
        about_parts(with_data(giants, metrics=metrics), shipped=False)
    for key in giants.provenance:
        provenance = {**giants.provenance, key: nonsense}
        about_parts(with_data(giants, provenance=provenance), shipped=False)


def test_a_strangers_text_is_no_html(giants):
    hostile = "<img src=x onerror=alert(1)>"
    bundle = with_data(
        giants,
        description=hostile,
        provenance={"command": hostile, "versions": {hostile: hostile}, "licence": hostile},
        metrics={**giants.metrics, "element_verdicts": {hostile: hostile}},
    )
    html = " ".join(html for _, html in about_parts(bundle, False))
    assert "<img" not in html
    assert "&lt;img" in html


def test_earlier_trainings_are_told(giants):
    made = {
        **giants.provenance,
        "started_from": {
            "command": "first <b>try</b>",
            "train_seconds": 600.0,
            "started_from": {"command": "before it"},
        },
        "training": {**giants.provenance["training"], "members": 6, "seed": 0},
        "seeds_kept": [0, 2, 5],
    }
    html = dict(about_parts(with_data(giants, provenance=made), True))["How it was made"]
    assert "first &lt;b&gt;try&lt;/b&gt;</code> (10.0 minutes)" in html
    assert html.index("first") < html.index("before it")
    assert "6 networks, seeds 0 to 5; kept: 0, 2, 5" in html
    del made["started_from"]
    anew = about_parts(with_data(giants, provenance=made), True)
    assert "trained before by" not in dict(anew)["How it was made"]


def test_buttons_lead_to_other_pages(giants):
    state = ViewState(giants.labels, giants.data["reference"])
    page = AboutPage(giants, state, PAGES)
    page.links["derivatives"].clicks += 1
    assert state.page == "derivatives"

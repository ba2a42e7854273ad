"""The Derivatives page without a browser."""

from types import SimpleNamespace

import numpy as np
import pytest

from spectrabridge.explorer.app import Explorer
from spectrabridge.explorer.derivatives.heatmap import picture
from spectrabridge.explorer.derivatives.page import DerivativesPage
from spectrabridge.explorer.figures.theme import element_colour


@pytest.fixture
def page(model, state):
    page = DerivativesPage(model, state)
    page._settled()
    yield page
    page.close()


def curves(page):
    """The curves on show, by name: colour, wavelengths and values."""
    colours, _, names = page.figures._about.tags
    x, y = page.figures.flat.data["x"], page.figures.flat.data["y"]
    return {n: (c, x, y[:, i]) for i, (n, c) in enumerate(zip(names, colours, strict=True))}


def test_the_map_has_a_row_per_element_from_the_top(page, model):
    value = page.figures.image.data["image"][0] * page._picture.request.top
    assert value.shape == (20, page.figures.columns)
    carbon, germanium = value[-1], value[0]
    hidden = 0.57 * model.hidden[:, model.labels.columns(["C", "Ge"])].max(axis=0)
    assert np.nanmin(carbon) == pytest.approx(-hidden[0], rel=1e-4)
    assert np.nanmin(germanium) == pytest.approx(-hidden[1], rel=1e-4)


def test_each_domain_can_be_seen_alone(page, model):
    page.quantity = "emulated"
    shown = 0.6 * model.shown[:, model.labels.element_columns()].max()
    assert np.nanmin(page._picture.pooled) == pytest.approx(-shown, rel=1e-4)
    page.state.element = "Si"
    assert list(curves(page)) == ["adapted", "truth", "emulated"]
    page.quantity = "missing"
    assert list(curves(page)) == ["truth \u2212 emulated", "adapted \u2212 emulated"]


def test_curves_are_those_of_the_chosen_element_or_of_all(page):
    assert list(curves(page)) == page.elements
    page.state.element = "Mg"
    assert list(curves(page).values())[-1][0] == element_colour("Mg")
    assert "[Mg/H]" in page.figures.curves.yaxis.axis_label
    assert len(page.figures.chosen.data_source.data["top"]) == 1


def test_curves_keep_their_peaks_zoomed_in_and_out(page, model):
    page.state.element = "Si"
    hidden = 0.57 * model.hidden[:, model.labels.index("Si")]
    assert np.nanmin(list(curves(page).values())[-1][2]) == pytest.approx(-hidden.max(), rel=1e-4)
    at = float(model.grid.wavelength[int(hidden.argmax())])
    page.state.window = (at - 10, at + 10)
    assert np.nanmin(list(curves(page).values())[-1][2]) == pytest.approx(-hidden.max(), rel=1e-4)
    x = list(curves(page).values())[-1][1]
    assert at - 11 < x[0] < x[-1] < at + 11


def test_a_click_on_a_feature_goes_there_and_one_beside_it_chooses_the_row(page, model):
    hidden = model.hidden[:, model.labels.index("Ti")]
    at = float(model.grid.wavelength[int(hidden.argmax())])
    page.tapped("Ti", at + 0.3, 1.0)
    assert page.state.element == "Ti"
    low, high = page.state.window
    assert (low + high) / 2 == pytest.approx(at, abs=0.02)
    assert high - low == pytest.approx(24, abs=0.05)
    page.state.window = None
    page.tapped("Ge", 15160.0, 0.1)
    assert page.state.element == "Ge"
    assert page.state.window is None


def test_zoom_and_units_are_pooled_anew(page):
    page.state.window = (16000.0, 16010.0)
    assert page.figures.image.data["x"] == [16000.0]
    page.state.unit = "nm"
    assert page.figures.image.data["dw"][0] == pytest.approx(1.0)


def test_the_page_follows_labels_only_while_it_is_open(bundles):
    explorer = Explorer()
    explorer.state.page = "derivatives"
    page = explorer.pages["derivatives"]
    assert explorer.navigation.value == "derivatives"
    assert page.parts[0] is None
    sliders, view = explorer.pages["spectrum"].parts
    assert sliders.visible
    assert not view.visible
    explorer.close()
    found = page.found
    explorer.state.move("teff", 5000)
    assert page.found is found


def test_labels_that_were_shown_are_shown_again_at_once(page):
    first, asked = page._picture, []
    # As on a server, where workers answer later.
    page._slow = page._pooling = SimpleNamespace(submit=asked.append, close=lambda: None)
    page.state.page = "derivatives"
    page.state.move("teff", page.state.labels["teff"] + 100)
    assert page._picture is first
    ((early, _),) = asked
    late = page.derivatives.get(page.state.values)
    page._publish(late, early)
    page._show(picture(asked[-1][1], page.model.grid), asked[-1][0])
    assert page.found is late
    second = page._picture
    page.state.reset()
    assert page._picture is first
    assert len(asked) == 2
    # What was asked for before comes too late.
    page._publish(late, early)
    page._show(second, asked[-1][0])
    assert page._picture is first


def test_both_themes_have_their_own_colours(page):
    light = page.figures.mapper.palette
    page.state.dark = True
    assert page.figures.mapper.palette != light
    assert page.figures.mapper.nan_color == "rgba(0, 0, 0, 0)"

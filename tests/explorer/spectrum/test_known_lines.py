"""Known lines above the spectra: which, in what order, and what a click tells."""

from itertools import pairwise

import numpy as np
import pytest

from spectrabridge.core.linelist.species import Species
from spectrabridge.explorer.figures.label_placement import text_width
from spectrabridge.explorer.spectrum.known_lines import known_lines, lines_near
from spectrabridge.explorer.spectrum.line_strip import NAME_SIZE_PIXELS
from spectrabridge.explorer.spectrum.view import SpectrumView


def test_lines_of_an_element_are_its_own_and_those_of_its_molecules():
    known = known_lines("C", 4700.0)
    assert all("C" in Species.parse(str(n)).symbols for n in known.lines.species_names)
    assert {"CO 1", "CN 1"} <= set(known.lines.species_names)
    assert set(known_lines("Si", 4700.0).names()) == {"Si I"}


def test_the_strongest_are_kept():
    known = known_lines("all", 4700.0)
    near = known.between(15900.0, 16000.0, most=10)
    here = (known.lines.wl_vac >= 15900) & (known.lines.wl_vac <= 16000)
    assert len(near.lines) == 10
    assert near.strength.min() >= np.sort(known.strength[here])[-10]
    assert (np.diff(near.lines.wl_vac) >= 0).all()


def test_the_strong_silicon_line_is_found_where_it_is():
    found = lines_near(known_lines("all", 4700.0), 15892.8, 0.4)
    assert found.words()[0].startswith("Si I 15892.7")
    assert "eV" in found.words()[0]


@pytest.fixture
def view(model, state):
    view = SpectrumView(model, state)
    yield view
    view.close()


def boxes(strip):
    half = {
        i: text_width(text, NAME_SIZE_PIXELS) / 2
        for i, (_, _, text, _, _) in enumerate(strip.view.names)
    }
    return [(row, x - half[i], x + half[i]) for i, (x, row, *_) in enumerate(strip.view.names)]


@pytest.mark.parametrize("window", [None, (15800.0, 16200.0), (15960.0, 15970.0)])
def test_names_do_not_overlap_at_any_zoom(view, state, window):
    view.line_toggle.value = True
    state.window = window
    view.strip.draw()
    found = sorted(boxes(view.strip))
    assert found
    for (row, _, right), (other, left, _) in pairwise(found):
        assert row != other or left > right


def test_the_strip_rests_while_it_is_hidden(view, state):
    state.element = "Si"
    assert view.strip.view.names == []
    view.line_toggle.value = True
    assert {name[2] for name in view.strip.view.names} == {"Si I"}
    state.element = "Mg"
    assert {name[2] for name in view.strip.view.names} == {"Mg I"}


def test_a_click_on_a_name_identifies_and_marks_the_line(view, state):
    view.line_toggle.value = True
    state.window = (15891.0, 15895.0)
    view.strip.draw()
    line = next(n[4] for n in view.strip.view.names if n[2] == "Si I")
    view.strip.view.take_message({"line": line})
    assert "Si I 15892.7" in view.identification.box.object
    assert view.figures.marks[0].location == pytest.approx(15892.77, abs=0.05)
    state.unit = "nm"
    assert view.figures.marks[0].location == pytest.approx(1589.277, abs=0.005)
    view.line_toggle.value = False
    assert not view.identification.box.visible
    assert not view.figures.marks[0].visible


def test_pinned_spectra_stay_while_sliders_move(view, state):
    before = view.frame
    view.pin_toggle.value = True
    pinned = view.figures.source.data["pinned_adapted"]
    state.move("teff", 5200)
    assert view.figures.source.data["pinned_adapted"] is pinned
    assert view.figures.pinned is before
    assert np.nanmin(pinned) == pytest.approx(before.adapted.min())
    assert "pinned" in [name for name, _, _ in view.legend.curves]
    view.legend.hidden = ["adapted"]
    assert not view.figures.lines["pinned_adapted"].visible
    assert view.figures.lines["pinned_emulated"].visible
    view.pin_toggle.value = False
    assert not view.figures.lines["pinned_emulated"].visible

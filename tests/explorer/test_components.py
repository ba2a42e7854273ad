"""The components without a browser: what they put into Bokeh models and into the state."""

from dataclasses import replace

import numpy as np
import pytest

from spectrabridge.core.errors import GridError, SpectrumError
from spectrabridge.core.io.apstar import example_apstar
from spectrabridge.core.spectra import APSTAR_GRID, Spectra
from spectrabridge.explorer.session.messages import sentence_of
from spectrabridge.explorer.session.open_stars import OpenStars
from spectrabridge.explorer.sidebar.labels_panel import LabelsPanel
from spectrabridge.explorer.sidebar.observed_panel import ObservedPanel
from spectrabridge.explorer.sidebar.presets import PRESETS
from spectrabridge.explorer.spectrum.view import SpectrumView
from spectrabridge.explorer.widgets.file_drop import FileDrop


@pytest.fixture
def view(model, state):
    view = SpectrumView(model, state)
    view._settled()
    yield view
    view.close()


@pytest.fixture
def star(model):
    rng = np.random.default_rng(3)
    flux = model.truth(model.reference)[0] + rng.normal(0, 0.01, model.grid.n_pixels)
    ivar = np.full(model.grid.n_pixels, 1e4)
    ivar[100:150] = 0
    return Spectra(model.grid, flux, ivar)


def test_the_first_frame_is_there_at_once(view, model):
    drawn = view.figures.source.data["emulated"]
    assert np.nanmin(drawn) == pytest.approx(model.emulate(model.reference).min())
    assert np.isnan(drawn).sum() == 2


def test_frames_are_float32_and_wavelengths_are_not_sent_again(view, state):
    x = view.figures.source.data["x"]
    before = view.figures.source.data["adapted"]
    state.move("Si", 0.4)
    assert view.figures.source.data["x"] is x
    assert view.figures.source.data["adapted"].dtype == np.float32
    assert not np.array_equal(view.figures.source.data["adapted"], before, equal_nan=True)


def test_extrapolation_is_in_the_status_line(view, state):
    assert view.status.note == "inside the trained range"
    assert not view.status.extrapolates
    state.move("teff", 6000)
    assert "extrapolation: T_eff 6000 (trained 3800 to 5500)" in view.status.note
    assert view.status.extrapolates


def test_one_element_is_a_curve_with_its_truth(view, state, model):
    state.element = "Si"
    si = model.labels.index("Si")
    assert np.nanmin(view.figures.derivatives.curve.data["value"]) == pytest.approx(
        -0.57 * model.hidden[:, si].max()
    )
    assert np.nanmin(view.figures.derivatives.curve.data["truth"]) == pytest.approx(
        -0.6 * model.hidden[:, si].max()
    )
    assert view.figures.derivatives.element_curve.visible
    assert not view.figures.derivatives.element_peaks.visible
    assert "[Si/H]" in view.figures.derivatives.plot.yaxis.axis_label


def test_all_elements_are_runs_of_pixels(view, model):
    peaks = view.figures.derivatives.peaks.data
    elements = np.array(model.labels.elements)[peaks["element"]]
    assert set(elements) == set(model.labels.elements)
    assert (np.diff(peaks["element"].astype(int)) >= 0).all()
    for k in np.unique(peaks["element"]):
        assert (np.diff(peaks["at"][peaks["element"] == k].astype(int)) > 0).all()
    # Every point is where the spectrum's own point of that pixel is, and as high.
    x = view.figures.derivatives.curve.data["x"][peaks["at"]]
    assert np.isin(x, model.grid.wavelength).all()
    pixels = np.searchsorted(model.grid.wavelength, x)
    columns = np.array(model.labels.element_columns())[peaks["element"]]
    true = view._found.difference[pixels, columns]
    step = view.figures.derivatives.peaks.tags[0]
    np.testing.assert_allclose(peaks["y"] * step, true, atol=0.51 * step)


def test_an_observed_star_is_laid_over_with_gaps(view, star, model):
    view.overlay(star)
    observed = view.figures.source.data["observed"]
    assert np.isnan(observed).sum() == 50 + 2
    assert np.nanmax(view.figures.source.data["root_ivar"]) == pytest.approx(100)
    assert view.figures.lines["observed"].visible
    assert "observed" in [name for name, _, _ in view.legend.curves]
    assert "\u03c3" in view.figures.middle.yaxis.axis_label
    view.overlay(None)
    assert not view.figures.lines["observed"].visible
    assert view.figures.middle.yaxis.axis_label == "adapted \u2212 emulated"


def test_a_star_on_another_grid_is_refused(view):
    spectra = Spectra(APSTAR_GRID, np.ones(APSTAR_GRID.n_pixels))
    with pytest.raises(GridError, match="observed spectrum"):
        view.overlay(spectra)


def test_hidden_curves_stay_hidden(view, star, state):
    view.legend.hidden = ["truth"]
    assert not view.figures.lines["truth"].visible
    state.move("teff", 5000)
    view.overlay(star)
    assert not view.figures.lines["truth"].visible
    view.legend.hidden = []
    assert view.figures.lines["truth"].visible


def test_units_change_axis_and_zoom_together(view, state):
    state.chip = "green"
    low, high = view.figures.x_range.start, view.figures.x_range.end
    state.unit = "um"
    assert view.figures.x_range.start == pytest.approx(low / 1e4, rel=1e-5)
    assert view.figures.x_range.end == pytest.approx(high / 1e4, rel=1e-5)
    assert "\u00b5m" in view.figures.derivatives.plot.xaxis.axis_label
    assert view.figures.source.data["x"][0] == pytest.approx(1.5168, abs=1e-3)
    state.unit = "angstrom"
    assert view.figures.x_range.start == pytest.approx(low)


def test_the_dark_theme_turns_observed_white(view, state):
    assert view.figures.lines["observed"].glyph.line_color == "#000000"
    state.dark = True
    assert view.figures.lines["observed"].glyph.line_color == "#ffffff"


def test_a_closed_view_rests(view, state):
    view.close()
    before = view.figures.source.data["emulated"]
    state.move("teff", 5000)
    assert view.figures.source.data["emulated"] is before


# Labels


def test_rows_and_state_follow_each_other(state, drag):
    panel = LabelsPanel(state)
    drag(panel.rows_of("Mg"), "Mg", 0.25)
    assert state.labels["Mg"] == 0.25
    state.move("Mg", -0.5)
    assert panel.rows_of("Mg").value("Mg") == -0.5


def test_moves_that_come_together_are_all_taken_and_none_twice(state):
    rows = LabelsPanel(state).rows_of("teff")
    places = {row["name"]: i for i, row in enumerate(rows.rows)}
    moved = [list(pair) for pair in rows.told]
    moved[places["teff"]] = [3, 5000.0]  # the third move of the row; two were overtaken
    moved[places["logg"]] = [1, 2.5]
    rows.moved = moved
    assert (state.labels["teff"], state.labels["logg"]) == (5000, 2.5)
    state.move("logg", 3.0)
    # The browser moves another row, and has not heard of the change yet.
    moved = [list(pair) for pair in moved]
    moved[places["teff"]] = [4, 5100.0]
    rows.moved = moved
    assert (state.labels["teff"], state.labels["logg"]) == (5100, 3.0)
    assert rows.told[places["teff"]] == [4, 5100.0]
    assert rows.told[places["logg"]] == [1, 3.0]


def test_what_the_browser_knows_is_not_told_again(state, drag):
    panel = LabelsPanel(state)
    rows, told = panel.rows_of("teff"), []
    rows.param.watch(told.append, "told")
    drag(rows, "teff", 5000.0)
    assert told == []
    state.move("teff", 5200.0)
    assert len(told) == 1


def test_a_drag_settles_when_the_row_says_so(state, drag):
    panel = LabelsPanel(state)
    drag(panel.rows_of("teff"), "teff", 5000)
    assert state.settled == 0
    panel.rows_of("teff").settled += 1
    assert state.settled == 1


def test_every_label_has_a_row_and_a_place(state):
    panel = LabelsPanel(state)
    rows = [row["name"] for group in panel.rows.values() for row in group.rows]
    assert sorted(rows) == sorted(state.label_set.names)
    placed = set(panel._always) | {n for names in panel._groups.values() for n in names}
    assert placed == set(state.label_set.names)
    assert panel._always == ["teff", "logg", "vturb", "vmacro", "Fe"]


def test_a_tab_tells_that_one_of_its_labels_extrapolates(state):
    panel = LabelsPanel(state)
    state.move("Na", 2.0)
    assert [t for t in panel.tabs._names if "\u25b2" in t] == ["other \u25b2"]
    state.reset()
    assert not [t for t in panel.tabs._names if "\u25b2" in t]


def test_nonsense_from_a_row_is_told_and_undone(state, drag):
    told = []
    panel = LabelsPanel(state, told.append)
    rows = panel.rows_of("teff")
    drag(rows, "teff", 1e9)
    assert told == ["T_eff must be between 2500 and 15000; found 1e+09."]
    assert rows.value("teff") == 4750
    rows.refused = "Expected a number."
    assert told[-1] == "Expected a number."


def test_a_preset_moves_the_rows(state):
    panel = LabelsPanel(state)
    panel.choose(PRESETS[2])
    assert panel.rows_of("teff").value("teff") == 4286
    assert panel.rows_of("O").value("O") == pytest.approx(-0.02)


# Files


def test_pieces_of_a_file_are_put_together():
    drop, files, problems = FileDrop(), [], []
    drop.on_file = lambda name, content: files.append((name, content))
    drop.on_problem = problems.append
    for piece, data in enumerate([b"abc", b"de"]):
        drop.take_message({"name": "a", "size": 5, "piece": piece, "pieces": 2, "data": data})
    drop.take_message({"name": "empty", "size": 0, "piece": 0, "pieces": 1, "data": b""})
    drop.take_message({"name": "huge", "size": 10**12, "problem": "large"})
    drop.take_message({"name": "folder", "size": 0, "problem": "unreadable"})
    assert files == [("a", b"abcde"), ("empty", b"")]
    assert problems[0].startswith("huge is larger than 100 MB")
    assert "folder cannot be read" in problems[1]


def test_a_file_dropped_again_starts_anew():
    drop, files = FileDrop(), []
    drop.on_file = lambda name, content: files.append(content)
    drop.take_message({"name": "a", "size": 4, "piece": 0, "pieces": 2, "data": b"lost"})
    for piece, data in enumerate([b"ab", b"cd"]):
        drop.take_message({"name": "a", "size": 4, "piece": piece, "pieces": 2, "data": data})
    assert files == [b"abcd"]


@pytest.fixture
def observed(state, model):
    """Return a panel, the names laid over, and what was told."""
    told, chosen = [], []
    stars = OpenStars(state, told.append)
    panel = ObservedPanel(
        state,
        stars,
        model.grid,
        lambda spectra: chosen.append("" if spectra is None else spectra.ids[0]),
        told.append,
    )
    return panel, chosen, told


def test_bad_files_are_told_and_good_ones_open(observed, state):
    panel, chosen, told = observed
    content = example_apstar().read_bytes()
    panel.stars.receive("bad.txt", b"no star")
    panel.stars.receive("good.fits", content)
    panel.stars.receive("cut.fits", content[:5000])
    assert [type(e) for e in told] == [SpectrumError, SpectrumError]
    assert list(panel.stars.files) == ["good.fits"]
    assert state.star == "good.fits"
    assert chosen[-1] == "2M19485057+5005279"
    panel._hide()
    assert state.star == ""
    assert chosen[-1] == ""


def test_stars_of_one_name_can_be_told_apart(observed, state):
    panel, _, told = observed
    content = example_apstar().read_bytes()
    panel.stars.receive("a.fits", content)
    panel.stars.receive("b.fits", content)
    rows = panel.list.table.rows
    assert [row["key"] for row in rows] == ["a.fits#0", "b.fits#0"]
    assert [row["cells"][0][0] for row in rows] == [
        "2M19485057+5005279 (a.fits)",
        "2M19485057+5005279 (b.fits)",
    ]
    assert panel.list.table.chosen == "b.fits#0"
    assert state.star == "b.fits"
    assert told == []


def test_a_choice_that_is_gone_is_ignored(observed, state):
    panel, _, _ = observed
    panel.stars.receive("a.fits", example_apstar().read_bytes())
    panel.list.table.chosen = "gone.fits#0"
    assert state.star == "a.fits"
    panel.row.value = "7"
    assert panel.row.value == "0"


def test_names_and_notes_of_files_are_text(observed):
    panel, _, _ = observed
    panel.stars.receive("a.fits", example_apstar().read_bytes())
    (star,) = panel.stars.files["a.fits"].stars
    panel.stars.add(replace(star, notes=("<img src=x onerror=alert(1)>",)))
    assert "&lt;img" in panel.notes.object and "<img" not in panel.notes.object


# Messages


def test_messages_for_users_stay_as_they_are(caplog):
    assert sentence_of(SpectrumError("a.fits is empty.")) == "a.fits is empty."
    assert not caplog.records


def test_other_errors_are_logged_and_told_without_their_text(caplog):
    told = sentence_of(RuntimeError("secret"))
    assert "RuntimeError" in told
    assert "secret" not in told
    assert "secret" in caplog.text

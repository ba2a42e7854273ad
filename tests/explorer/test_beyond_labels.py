"""What surrounds the labels: trained ranges, likeness to training stars, the instrument."""

import numpy as np
import pytest

from spectrabridge.core.bundle import open_bundle
from spectrabridge.explorer.computed.population_distance import PopulationDistance
from spectrabridge.explorer.computed.split_directions import SplitDirections, SplitLatents
from spectrabridge.explorer.sidebar.instrument_panel import InstrumentPanel
from spectrabridge.explorer.sidebar.labels_panel import INSTRUMENT, LabelsPanel
from spectrabridge.explorer.spectrum.view import SpectrumView
from spectrabridge.explorer.state.view_state import ViewState


@pytest.fixture(scope="module")
def bundle():
    return open_bundle("mock-lines")


@pytest.fixture
def own(bundle):
    model = bundle.model
    return ViewState(model.labels, model.reference, model.extrapolations)


def test_ends_of_the_trained_range_are_where_extrapolation_begins(bundle, own):
    model = bundle.model
    own.show(own.reference)
    own.move("Fe", -0.4)
    own.move("Mg", 0.1)
    for name in ("teff", "Mg", "Ge", "c12c13"):
        i = model.labels.index(name)
        for end, out in zip(model.trained_ranges(own.values)[i], (-1, 1), strict=True):
            values = own.values
            width = model.labels.high[i] - model.labels.low[i]
            values[i] = end - out * 0.002 * width
            assert name not in [e.label for e in model.extrapolations(values)]
            values[i] = end + out * 0.01 * width
            assert name in [e.label for e in model.extrapolations(values)]


def test_a_model_without_emulator_has_the_ranges_of_its_labels(model):
    found = model.trained_ranges(model.reference)
    np.testing.assert_array_equal(found[:, 0], model.labels.low)


def test_rows_show_the_range_when_a_move_has_settled(bundle, own):
    panel = LabelsPanel(own, ranges=bundle.model.trained_ranges)
    before = panel.rows_of("Mg").trained("Mg")
    own.with_fe = False
    own.move("Fe", own.labels["Fe"] - 0.5, settled=False)
    assert panel.rows_of("Mg").trained("Mg") == before
    own.settled += 1
    assert panel.rows_of("Mg").trained("Mg") == pytest.approx(np.subtract(before, 0.5), abs=1e-3)
    assert panel.rows_of("Fe").trained("Fe")[1] > 0
    panel.close()


def test_likeness_is_told_in_words(bundle):
    likeness = PopulationDistance(bundle)
    stars = bundle.sample.synthetic_labels.numpy().astype(float)
    out, further = likeness.distance(stars.mean(axis=0))
    assert out < 0.3
    assert further > 0.8
    assert likeness.words(stars.mean(axis=0)).endswith("% of training stars are further out")
    hot = bundle.labels.mapping(stars.mean(axis=0)) | {"teff": 9000.0}
    assert likeness.words(bundle.labels.array(hot)) == "unlike any training star"


def test_nothing_is_said_without_training_stars(model):
    class Bare:
        sample = None
        has_sample = False

    assert PopulationDistance(Bare()).words(model.reference) == ""
    bare = Bare()
    bare.model = model
    assert SplitLatents(bare).n_directions == 0
    assert SplitLatents(bare).latents([1.0]) is None


def test_directions_are_those_in_which_latents_vary():
    rng = np.random.default_rng(2)
    common = rng.normal(size=(4000, 1))
    latents = 5 + np.hstack([common, -2 * common, 0.1 * rng.normal(size=(4000, 1))])
    found = SplitDirections.of(latents, 2)
    assert found.latents([0, 0]) == pytest.approx([5, 5, 5], abs=0.1)
    moved = found.latents([1]) - found.latents([0])
    assert moved[0] / moved[1] == pytest.approx(-0.5, rel=0.02)
    assert np.abs(moved[:2]) == pytest.approx([1, 2], rel=0.1)
    assert found.share[0] == pytest.approx(2 / 3, abs=0.02)


def test_sliders_of_the_instrument_move_the_adapted_spectrum_alone(bundle, own, drag):
    instrument = SplitLatents(bundle)
    view = SpectrumView(bundle.model, own, instrument=instrument)
    panel = InstrumentPanel(instrument, own)
    before = view.frame
    drag(panel.rows, "split_1", 2.0)
    assert own.split == [2.0, 0.0]
    assert np.abs(view.frame.adapted - before.adapted).max() > 1e-3
    np.testing.assert_array_equal(view.frame.emulated, before.emulated)
    panel.reset.clicks += 1
    assert [panel.rows.value(name) for name in panel.names] == [0.0, 0.0]
    np.testing.assert_array_equal(view.frame.adapted, before.adapted)
    view.close()
    panel.close()


def test_the_instrument_has_a_tab_only_where_there_is_something_to_move(bundle, own, state):
    assert INSTRUMENT not in LabelsPanel(state).tabs._names
    panel = LabelsPanel(own, instrument=InstrumentPanel(SplitLatents(bundle), own))
    assert panel.tabs._names[-1] == INSTRUMENT
    own.move("Na", 2.0)
    assert len(panel.tabs) == len(panel.tabs._names)
    assert panel.tabs._names[-1] == INSTRUMENT

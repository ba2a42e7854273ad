import numpy as np
import pytest

from spectrabridge.core.labels import APOGEE_LABELS, Label, LabelSet
from spectrabridge.explorer.sidebar.presets import PRESETS
from spectrabridge.explorer.state.label_text import bounds
from spectrabridge.explorer.state.view_state import ViewState


def test_a_view_starts_at_the_reference(state, model):
    assert state.values == pytest.approx(model.reference)
    assert state.outside == ""


def test_values_outside_the_trained_range_are_kept_and_told(state):
    state.move("teff", 6200)
    assert state.labels["teff"] == 6200
    assert "T_eff 6200 (trained 3800 to 5500)" in state.outside


@pytest.mark.parametrize("value", [100.0, 1e6, np.nan, np.inf])
def test_values_without_sense_are_refused(state, value):
    with pytest.raises(ValueError, match=r"T_eff must be between 2500 and 15000"):
        state.move("teff", value)
    assert state.labels["teff"] == 4750


def test_limits_hold_the_trained_range():
    for label in APOGEE_LABELS:
        low, high = bounds(APOGEE_LABELS, label.name)
        assert low <= label.low
        assert high >= label.high
    wide = LabelSet((Label("teff", "K", 2000, 20000, "hot", "T", "stellar", 50),))
    assert bounds(wide, "teff") == (2000, 20000)


def test_abundances_follow_iron_unless_told_not_to(state):
    state.move("Mg", 0.3)
    state.with_fe = False
    state.move("Fe", -0.5)
    assert state.labels["Mg"] == 0.3
    state.with_fe = True
    state.move("Fe", -1.0)
    assert state.labels["Mg"] == pytest.approx(-0.2)
    assert state.labels["Ge"] == pytest.approx(-0.5)
    assert state.labels["teff"] == 4750
    state.move("Mg", 0.0)
    assert state.labels["Fe"] == -1.0


def test_a_drag_settles_once(state):
    seen = []
    state.param.watch(lambda event: seen.append(event.new), "settled")
    for value in (4800, 4900, 5000):
        state.move("teff", value, settled=False)
    state.move("teff", 5000)
    assert seen == [1]


def test_reset_restores_every_label(state, model):
    state.move("teff", 5000)
    state.move("Si", -0.4)
    state.reset()
    assert state.values == pytest.approx(model.reference)


def test_watchers_get_a_new_dictionary(state):
    before = state.labels
    state.move("logg", 1.0)
    assert before["logg"] == 2.5
    assert state.labels is not before


def test_presets_give_every_label(model):
    for preset in PRESETS:
        values = preset.values(model.labels, model.reference)
        assert np.isfinite(values).all()
        for label, value in zip(model.labels, values, strict=True):
            low, high = bounds(model.labels, label.name)
            assert low <= value <= high


def test_arcturus_has_its_abundances(model):
    arcturus = next(p for p in PRESETS if p.name == "Arcturus-like")
    star = model.labels.mapping(arcturus.values(model.labels, model.reference))
    assert star["teff"] == 4286
    assert star["Fe"] == pytest.approx(-0.52)
    assert star["O"] == pytest.approx(-0.02)
    assert star["Mg"] == pytest.approx(-0.15)
    assert star["Ni"] == pytest.approx(-0.52)


def test_only_the_sun_lies_outside_the_range_of_giants(model):
    outside = {
        p.name: model.labels.describe_outside(p.values(model.labels, model.reference))
        for p in PRESETS
    }
    assert [name for name, text in outside.items() if text] == ["Sun-like"]


def test_a_preset_leaves_labels_it_does_not_know(model):
    few = LabelSet(
        (
            APOGEE_LABELS["teff"],
            APOGEE_LABELS["Fe"],
            Label("vsini", "km s-1", 0, 50, "rotation", "v", "stellar", 1),
        )
    )
    assert PRESETS[0].values(few, [4000, -1, 7.5]) == pytest.approx([4750, 0, 7.5])


def test_unknown_start_values_are_refused(model):
    with pytest.raises(TypeError):
        ViewState(model.labels, model.reference, nonsense=1)

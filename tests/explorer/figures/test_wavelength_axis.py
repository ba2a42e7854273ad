"""The shared wavelength axis: windows of the state, zooms by hand, and the way back."""

import pytest

from spectrabridge.core.spectra import vacuum_to_air
from spectrabridge.explorer.figures.wavelength_axis import Wavelengths


@pytest.fixture
def axis(model, state):
    axis = Wavelengths(model.grid, state)
    state.param.watch(axis.follow, ["chip", "window"])
    return axis


def test_a_window_is_shown_and_taken_away(axis, state):
    whole = axis.ends
    state.window = (15960.0, 15980.0)
    assert axis.ends == pytest.approx((15960, 15980))
    state.window = None
    assert axis.ends == pytest.approx(whole)


def test_a_window_is_vacuum_angstrom_whatever_is_shown(axis, state):
    state.param.update(unit="nm", medium="air")
    axis.show_unit()
    state.window = (15960.0, 15980.0)
    assert axis.ends == pytest.approx(vacuum_to_air([15960, 15980]) / 10)
    assert axis.view == pytest.approx((15960, 15980))
    axis.settle()
    assert state.window == (15960.0, 15980.0)


def test_choosing_a_chip_gives_up_the_window(axis, state):
    state.window = (15960.0, 15980.0)
    state.chip = "red"
    assert state.window is None
    assert axis.ends[0] > 16400


def test_a_chip_and_a_window_at_once_show_the_window(axis, state):
    state.param.update(chip="red", window=(16500.0, 16520.0))
    assert state.window == (16500.0, 16520.0)
    assert axis.ends == pytest.approx((16500, 16520))


@pytest.mark.parametrize("window", [(1.0, 2.0), (16000.0, 16000.0), (float("nan"), 16000.0)])
def test_a_window_without_wavelengths_is_no_window(axis, state, window):
    whole = axis.ends
    state.window = window
    assert axis.ends == pytest.approx(whole)


def test_a_window_too_wide_is_cut(axis, state):
    state.window = (100.0, 1e6)
    assert axis.ends[0] > 15000
    assert axis.ends[1] < 17000


def test_a_zoom_by_hand_becomes_the_window_of_the_state(axis, state):
    axis.range.update(start=15950.0, end=15990.0)
    assert state.window is None
    axis.settle()
    assert state.window == (15950.0, 15990.0)
    axis.range.update(start=axis.range.reset_start, end=axis.range.reset_end)
    axis.settle()
    assert state.window is None


def test_zooms_are_told(model, state):
    told = []
    axis = Wavelengths(model.grid, state, lambda: told.append(axis.ends))
    axis.range.update(start=15950.0, end=15990.0)
    assert told[-1] == (15950.0, 15990.0)


def test_the_way_back_and_forth(axis, state):
    history = state.zooms
    assert history.can_go == (False, False)
    state.chip = "green"
    state.window = (15960.0, 15980.0)
    state.window = (15965.0, 15970.0)
    assert history.can_go == (True, False)
    history.go(-1)
    assert state.window == (15960.0, 15980.0)
    history.go(-1)
    assert (state.chip, state.window) == ("green", None)
    history.go(-5)
    assert (state.chip, state.window) == ("all", None)
    assert history.can_go == (False, True)
    history.go(1)
    assert state.chip == "green"
    state.chip = "red"
    assert history.can_go == (True, False)
    history.go(1)
    assert state.chip == "red"


def test_a_window_that_was_cut_leaves_the_way_back_open(axis, state):
    state.window = (100.0, 15180.0)
    axis.settle()
    assert state.window == (100.0, 15180.0)
    state.zooms.go(-1)
    axis.settle()
    assert state.window is None

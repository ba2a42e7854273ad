import numpy as np
import pytest

from spectrabridge.core.spectra import APOGEE_GRID, APSTAR_GRID, WavelengthGrid
from spectrabridge.explorer.computed.derivatives import DerivativeCache
from spectrabridge.explorer.computed.frame import compute_frame, residual
from spectrabridge.explorer.figures.chip_axis import ChipAxis


def test_a_frame_holds_what_the_model_says(model):
    values = model.reference
    frame = compute_frame(model, values)
    assert frame.emulated.dtype == np.float32
    assert frame.emulated == pytest.approx(model.emulate(values)[0])
    assert frame.difference == pytest.approx(model.adapt(values)[0] - model.emulate(values)[0])
    assert frame.truth.shape == (APOGEE_GRID.n_pixels,)


def test_no_truth_where_the_model_knows_none(model, monkeypatch):
    monkeypatch.setattr(type(model), "has_truth", False)
    assert compute_frame(model, model.reference).truth is None
    assert DerivativeCache(model).get(model.reference).true_difference is None


def test_residuals_are_in_sigma_and_bad_pixels_are_gaps():
    out = residual([1.0, 0.9, 0.0], [100.0, 400.0, 0.0], [0.9, 1.0, 1.0])
    assert out[:2] == pytest.approx([1.0, -2.0])
    assert np.isnan(out[2])


@pytest.mark.parametrize("grid", [APOGEE_GRID, APSTAR_GRID])
def test_chips_are_parted_by_gaps(grid):
    axis = ChipAxis(grid)
    spread = axis.spread(np.arange(grid.n_pixels))
    x = axis.positions()
    assert spread.size == x.size == 7214 + 2
    assert list(np.flatnonzero(np.isnan(spread))) == axis.breaks
    assert (np.diff(x) > 0).all()
    at = axis.breaks[0]
    assert x[at - 1] == pytest.approx(grid.wavelength[grid.chips[0].stop - 1])
    assert x[at + 1] == pytest.approx(grid.wavelength[grid.chips[1].start])


def test_a_grid_without_chips_has_no_gap():
    axis = ChipAxis(WavelengthGrid(np.linspace(5000, 5100, 50)))
    assert axis.breaks == []
    assert np.isfinite(axis.spread(np.ones(50))).all()


def test_units_and_media_change_only_the_axis():
    axis = ChipAxis(APOGEE_GRID)
    assert axis.positions("nm") == pytest.approx(axis.positions() / 10)
    shift = axis.positions() - axis.positions("angstrom", "air")
    assert (shift > 4.0).all()
    assert (shift < 4.7).all()


def test_the_span_of_a_chip_holds_its_pixels():
    axis = ChipAxis(APOGEE_GRID)
    low, high = axis.span("green")
    chip = APOGEE_GRID.wavelength[APOGEE_GRID.chips[1].pixels]
    assert low < chip[0] < chip[-1] < high
    assert high - low == pytest.approx(1.01 * np.ptp(chip))
    assert axis.span()[0] < low
    assert axis.span()[1] > high


def test_derivatives_are_computed_once(model, monkeypatch):
    calls = []
    original = model.jacobian
    monkeypatch.setattr(
        model, "jacobian", lambda labels, of: calls.append(of) or original(labels, of)
    )
    cache = DerivativeCache(model, size=2)
    first = cache.get(model.reference)
    assert cache.get(model.reference.copy()) is first
    assert sorted(calls) == ["adapted", "emulated", "truth"]
    si = model.labels.index("Si")
    assert first.difference[:, si] == pytest.approx(-0.57 * model.hidden[:, si], abs=1e-6)
    assert first.true_difference[:, si] == pytest.approx(-0.6 * model.hidden[:, si], abs=1e-6)


def test_the_oldest_derivatives_are_forgotten(model):
    cache = DerivativeCache(model, size=2)
    first = cache.get(model.reference)
    for step in (1, 2):
        cache.get(model.reference + step)
    assert cache.get(model.reference) is not first

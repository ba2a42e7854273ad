"""Pictures of derivatives: nothing vanishes, signs stay, scales are what they say."""

import numpy as np
import pytest

from spectrabridge.core.spectra import APOGEE_GRID, APSTAR_GRID, Chip, WavelengthGrid
from spectrabridge.core.spectra.wavelength import convert
from spectrabridge.explorer.computed.derivatives import LabelDerivatives
from spectrabridge.explorer.derivatives.diverging_palette import diverging
from spectrabridge.explorer.derivatives.heatmap import (
    ElementRows,
    HeatMapRequest,
    peak_near,
    picture,
    pool,
    ticks,
    values_of,
)

WHOLE = (15152.0, 16964.0)


@pytest.mark.parametrize("columns", [40, 333, 900, 20000])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_line_of_one_pixel_never_vanishes(columns, sign):
    rng = np.random.default_rng(columns)
    edges = np.linspace(*WHOLE, columns + 1)
    for pixel in rng.integers(0, APOGEE_GRID.n_pixels, 12):
        values = 0.01 * rng.normal(size=(APOGEE_GRID.n_pixels, 2))
        values[pixel, 1] = sign
        pooled = pool(values.T, APOGEE_GRID, edges)
        assert pooled.shape == (2, columns)
        assert np.nanmax(sign * pooled[1]) == 1
        at = int(np.nanargmax(sign * pooled[1]))
        assert abs(edges[at] - APOGEE_GRID.wavelength[pixel]) < 1 + np.diff(edges)[0]
        assert np.nanmax(np.abs(pooled[0])) < 0.1


def test_every_column_has_the_largest_of_the_pixels_it_touches():
    grid = WavelengthGrid(np.arange(5000.0, 5010.0), [Chip("a", 0, 4), Chip("b", 6, 10)])
    values = np.array([1, -3, 2, 0.5, 99, 99, -1, 4, -5, 2.0])[None]
    found = pool(values, grid, [4990, 4998, 5001.5, 5003, 5004.9, 5005.4, 5007.4, 5020])
    assert found.shape == (1, 7)
    np.testing.assert_array_equal(found[0], np.float32([np.nan, -3, 2, 0.5, np.nan, 4, -5]))


def test_zoomed_in_every_pixel_is_several_columns():
    grid = WavelengthGrid(np.arange(5000.0, 5004.0))
    found = pool([[1.0, 2, 3, 4]], grid, np.linspace(4999.5, 5003.5, 17))
    assert found[0].tolist() == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4


def test_what_is_out_of_view_is_not_there():
    found = pool(np.ones((3, APSTAR_GRID.n_pixels)), APSTAR_GRID, [1000, 2000, 3000])
    assert np.isnan(found).all()


@pytest.fixture
def found():
    n = APOGEE_GRID.n_pixels
    emulated, adapted, truth = (np.zeros((n, 3), np.float32) for _ in range(3))
    emulated[100, 1], adapted[100, 1], truth[100, 1] = -0.1, -0.3, -0.4
    adapted[5000, 2], truth[5000, 2] = 0.05, 0.04
    return LabelDerivatives(emulated, adapted, truth)


@pytest.mark.parametrize(
    ("quantity", "value"),
    [("difference", -0.2), ("adapted", -0.3), ("emulated", -0.1), ("missing", -0.3)],
)
def test_each_quantity_is_what_it_says(found, quantity, value):
    elements = ElementRows.of(found, quantity, APOGEE_GRID, [1, 2])
    made = picture(HeatMapRequest(elements, *WHOLE, 800), APOGEE_GRID)
    assert np.nanmin(made.pooled[0]) == pytest.approx(value)


def test_a_truth_that_nobody_knows_is_refused(found):
    with pytest.raises(ValueError, match="Nobody knows"):
        values_of(LabelDerivatives(found.emulated, found.adapted), "missing")


def test_the_root_lifts_weak_elements_and_rows_can_have_their_own_scale(found):
    def smallest_and_largest(**how):
        elements = ElementRows.of(found, "difference", APOGEE_GRID, [1, 2])
        made = picture(HeatMapRequest(elements, *WHOLE, 800, **how), APOGEE_GRID)
        return np.nanmin(made.scaled[0]), np.nanmax(made.scaled[1]), made.request.top

    assert smallest_and_largest(power=1.0) == pytest.approx((-1, 0.25, 0.2))
    assert smallest_and_largest(power=0.5) == pytest.approx((-1, 0.5, 0.2))
    assert smallest_and_largest(power=1.0, each_row=True) == pytest.approx((-1, 1, 1))


def test_units_and_media_show_the_same_pixels(found):
    elements = ElementRows.of(found, "adapted", APOGEE_GRID, [1])
    plain = picture(HeatMapRequest(elements, *WHOLE, 500), APOGEE_GRID)
    low, high = convert(WHOLE, "um", "air")
    other = picture(HeatMapRequest(elements, low, high, 500, unit="um", medium="air"), APOGEE_GRID)
    assert abs(np.nanargmin(plain.pooled) - np.nanargmin(other.pooled)) <= 1


@pytest.mark.parametrize("top", [0.0031, 0.2, 0.86, 1.0, 7.0])
@pytest.mark.parametrize("power", [0.5, 1.0])
def test_ticks_are_round_symmetric_and_apart(top, power):
    found = np.array(ticks(top, power))
    assert 5 <= len(found) <= 13
    assert (np.diff(found) > 0).all()
    np.testing.assert_allclose(found, -found[::-1])
    assert found[-1] <= top
    places = np.sign(found) * np.abs(found / top) ** power
    assert np.diff(places).min() > 0.12


def test_a_feature_is_found_by_its_neighbourhood():
    values = np.zeros(APOGEE_GRID.n_pixels)
    values[1000], values[3000] = -0.5, 0.04
    at = APOGEE_GRID.wavelength
    assert peak_near(values, APOGEE_GRID, at[1000] + 0.8, 1.0) == 1000
    assert peak_near(values, APOGEE_GRID, at[1000] + 1.8, 1.0) is None
    assert peak_near(values, APOGEE_GRID, at[3000], 1.0) is None
    assert peak_near(values, APOGEE_GRID, 100.0, 1.0) is None


@pytest.mark.parametrize("dark", [False, True])
def test_lightness_grows_evenly_away_from_zero(dark):
    def luminance(colour):
        rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return rgb**2.2 @ [0.2126, 0.7152, 0.0722]

    colours = diverging(dark)
    light = np.array([luminance(c) for c in colours])
    sign = 1 if dark else -1
    assert (sign * np.diff(light[127:]) > 0).all()
    assert (sign * np.diff(light[:128]) < 0).all()
    assert len(set(colours)) == 255

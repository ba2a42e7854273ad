"""Features begin and end where a person would say."""

import numpy as np

from spectrabridge.core.lines import find_extents
from spectrabridge.core.lines.extent import without_slopes
from spectrabridge.core.spectra import Chip, WavelengthGrid

GRID = WavelengthGrid.log_linear(
    4.2, 6e-6, 800, (Chip("left", 0, 400), Chip("right", 410, 800)), "lines"
)
PIXEL = np.arange(800)


def line(centre: float, depth: float, width: float = 2.0) -> np.ndarray:
    return depth * np.exp(-0.5 * ((PIXEL - centre) / width) ** 2)


def test_a_line_is_one_feature_around_its_peak() -> None:
    (found,) = find_extents(line(200, 0.1), 0.01, GRID)
    assert (found.peak, found.sign) == (200, 1)
    assert found.start < 197 and found.stop > 203 and found.stop - found.start < 14


def test_lines_that_touch_are_two_features_that_share_no_pixel() -> None:
    a, b = find_extents(line(200, 0.1) + line(208, 0.08), 0.01, GRID)
    assert (a.peak, b.peak) == (200, 208)
    assert a.stop <= b.start


def test_a_ripple_on_a_line_is_not_a_line() -> None:
    assert len(find_extents(line(200, 0.1, 4) + line(203, 0.005, 0.8), 0.01, GRID)) == 1


def test_less_absorption_is_found_with_its_sign_or_left_out() -> None:
    values = line(100, 0.05) - line(600, 0.05)
    assert [(e.peak, e.sign) for e in find_extents(values, 0.01, GRID)] == [(100, 1), (600, -1)]
    assert [e.peak for e in find_extents(values, 0.01, GRID, both=False)] == [100]


def test_what_is_shallower_than_asked_is_left_out_pixel_by_pixel() -> None:
    least = np.where(PIXEL < 300, 0.06, 0.01)
    values = line(100, 0.05) + line(600, 0.05)
    assert [e.peak for e in find_extents(values, least, GRID)] == [600]


def test_features_stay_on_their_chip_and_may_be_cut_by_its_end() -> None:
    found = find_extents(line(399, 0.1) + line(410, 0.1), 0.01, GRID)
    assert [(e.peak, e.stop <= 400) for e in found] == [(399, True), (410, False)]


def test_errors_of_the_continuum_are_no_features() -> None:
    slope = 0.03 * np.sin(PIXEL / 150) + 0.02
    found = find_extents(without_slopes(line(200, 0.05) + slope, GRID), 0.01, GRID)
    assert [e.peak for e in found] == [200]


def test_nothing_is_found_in_nothing() -> None:
    assert find_extents(np.zeros(800), 0.01, GRID) == []
    assert find_extents(without_slopes(np.full(800, 0.5), GRID), 0.01, GRID) == []

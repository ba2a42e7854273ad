"""Runs of pixels where derivatives stand out."""

import numpy as np
import pytest

from spectrabridge.core.spectra import Chip, WavelengthGrid
from spectrabridge.explorer.spectrum.element_features import element_runs, no_runs


@pytest.fixture
def grid():
    return WavelengthGrid(np.linspace(5000, 5011, 12), [Chip("a", 0, 6), Chip("b", 7, 12)])


def runs_of(found):
    pixel, element = found["pixel"].astype(int), found["element"].astype(int)
    ends = np.flatnonzero((np.diff(pixel) != 1) | (np.diff(element) != 0)) + 1
    parts = zip(np.split(element, ends), np.split(pixel, ends), strict=True)
    return [(int(mine[0]), pixels.tolist()) for mine, pixels in parts]


def test_runs_have_a_pixel_on_both_sides_and_end_with_the_chip(grid):
    values = np.zeros((12, 3))
    values[2, 1], values[5, 1], values[7, 1], values[11, 2] = 3, -2, 4, 2
    found = element_runs(values, [1, 2], grid, 1.0)
    assert runs_of(found) == [(0, [1, 2, 3, 4, 5]), (0, [7, 8]), (1, [10, 11])]
    assert found["value"].dtype == np.float32
    assert found["value"][1] == 3


def test_pixels_on_no_chip_are_in_no_run(grid):
    values = np.zeros((12, 1))
    values[6] = 9
    assert element_runs(values, [0], grid, 1.0)["pixel"].size == 0


def test_nothing_stands_out_of_nothing(grid):
    for found in (element_runs(np.zeros((12, 2)), [0, 1], grid, 1.0), no_runs()):
        assert all(column.size == 0 for column in found.values())
    assert element_runs(np.ones((12, 2)), [], grid, 0.1)["pixel"].size == 0

"""Positions of pixels: those of the grid itself, not of one that is equal within rounding."""

import numpy as np

from spectrabridge.core.spectra import APOGEE_GRID, WavelengthGrid
from spectrabridge.explorer.figures.chip_axis import ChipAxis


def test_equal_grids_keep_their_own_wavelengths():
    other = WavelengthGrid(APOGEE_GRID.wavelength * (1 + 1e-12), APOGEE_GRID.chips)
    assert other == APOGEE_GRID
    assert not np.array_equal(other.wavelength, APOGEE_GRID.wavelength)
    for grid in (other, APOGEE_GRID):
        axis = ChipAxis(grid)
        at = axis.places(grid.chip_pixels)
        assert np.array_equal(axis.positions()[at], grid.wavelength[grid.chip_pixels])


def test_positions_are_shared_and_cannot_be_changed():
    first, second = ChipAxis(APOGEE_GRID).positions("nm"), ChipAxis(APOGEE_GRID).positions("nm")
    assert first is second
    assert not first.flags.writeable

"""Air and vacuum, units, grids and chips."""

import json

import numpy as np
import pytest

from spectrabridge.core.errors import GridError
from spectrabridge.core.spectra import (
    APOGEE_GRID,
    APSTAR_GRID,
    Chip,
    WavelengthGrid,
    air_to_vacuum,
    vacuum_to_air,
)
from spectrabridge.core.spectra.wavelength import convert

# Air and vacuum wavelengths as tabulated, not by the formula of the code: Na D from the NIST
# atomic spectra database, H-alpha, H-beta and [O III] from the SDSS table of emission lines,
# the Mg I triplet and Br 11 in the H band from line lists used for APOGEE.
PAIRS = [
    (5889.951, 5891.583),
    (5895.924, 5897.558),
    (6562.80, 6564.61),
    (4861.33, 4862.68),
    (5006.84, 5008.24),
    (15740.716, 15745.017),
    (15748.988, 15753.291),
    (16806.52, 16811.11),
]


@pytest.mark.parametrize(("air", "vacuum"), PAIRS)
def test_air_and_vacuum_agree_with_published_pairs(air, vacuum):
    assert vacuum_to_air(vacuum) == pytest.approx(air, abs=0.02)
    assert air_to_vacuum(air) == pytest.approx(vacuum, abs=0.02)


def test_refractive_index_agrees_with_an_independent_formula():
    # Morton (2000, ApJS 130, 403), equation 8: Birch & Downs (1994) for standard air.
    vacuum = np.linspace(3000, 17000, 500)
    s2 = (1e4 / vacuum) ** 2
    index = 1 + 8.34254e-5 + 2.406147e-2 / (130 - s2) + 1.5998e-4 / (38.9 - s2)
    assert np.abs(vacuum / index - vacuum_to_air(vacuum)).max() < 1e-3


def test_round_trip_is_exact():
    vacuum = np.linspace(2000, 25000, 20001)
    assert np.abs(air_to_vacuum(vacuum_to_air(vacuum)) - vacuum).max() < 1e-6
    assert np.abs(vacuum_to_air(air_to_vacuum(vacuum)) - vacuum).max() < 1e-6


def test_units_are_converted_after_the_medium():
    assert convert(16000.0, "nm") == pytest.approx(1600)
    assert convert(16000.0, "um", "air") == pytest.approx(vacuum_to_air(16000.0) * 1e-4)
    with pytest.raises(GridError, match="found 'feet'"):
        convert(16000.0, "feet")
    with pytest.raises(GridError, match="found 'water'"):
        convert(16000.0, "nm", "water")


def test_apstar_grid_is_the_published_one():
    assert APSTAR_GRID.n_pixels == 8575
    assert APSTAR_GRID.wavelength[0] == pytest.approx(15100.80, abs=0.01)
    assert APSTAR_GRID.wavelength[-1] == pytest.approx(16999.81, abs=0.01)
    assert APOGEE_GRID.n_pixels == 7214
    assert [len(c) for c in APOGEE_GRID.chips] == [2920, 2400, 1894]
    np.testing.assert_array_equal(
        APOGEE_GRID.wavelength, APSTAR_GRID.wavelength[APSTAR_GRID.chip_pixels]
    )


def test_wavelengths_cannot_be_changed_and_are_copied():
    mine = np.linspace(5000, 6000, 10)
    grid = WavelengthGrid(mine)
    mine[0] = 1
    assert grid.wavelength[0] == 5000
    with pytest.raises(ValueError, match="read-only"):
        grid.wavelength[0] = 1


@pytest.mark.parametrize(
    ("wavelength", "words"),
    [
        ([5000, 4000], "increase"),
        ([5000, 5000], "increase"),
        ([5000, np.nan], "finite"),
        ([5000], "row of wavelengths"),
        ([[5000, 5001]], "row of wavelengths"),
        ([1.5, 1.6], "Convert the unit"),
    ],
)
def test_bad_wavelengths_are_refused(wavelength, words):
    with pytest.raises(GridError, match=words):
        WavelengthGrid(wavelength)


@pytest.mark.parametrize(
    "chips",
    [
        [Chip("a", 0, 6), Chip("b", 5, 10)],
        [Chip("b", 5, 10), Chip("a", 0, 5)],
        [Chip("a", 0, 11)],
        [Chip("a", -1, 4)],
        [Chip("a", 4, 4)],
    ],
)
def test_bad_chips_are_refused(chips):
    with pytest.raises(GridError, match="must cover pixels inside"):
        WavelengthGrid(np.linspace(5000, 5100, 10), chips)


def test_gaps_are_left_out_on_chips():
    grid = WavelengthGrid(np.linspace(5000, 5009, 10), [Chip("a", 1, 3), Chip("b", 6, 10)])
    on = grid.on_chips()
    np.testing.assert_allclose(on.wavelength, [5001, 5002, 5006, 5007, 5008, 5009])
    assert on.chips == (Chip("a", 0, 2), Chip("b", 2, 6))
    assert on.on_chips() == on


@pytest.mark.parametrize(
    "grid",
    [
        APSTAR_GRID,
        APOGEE_GRID,
        WavelengthGrid(np.sort(np.random.default_rng(1).uniform(4000, 5000, 40)), name="odd"),
    ],
)
def test_json_round_trip(grid):
    text = json.dumps(grid.to_json())
    again = WavelengthGrid.from_json(json.loads(text))
    assert again == grid
    assert again.name == grid.name
    assert np.abs(again.wavelength - grid.wavelength).max() < 1e-7
    assert again.fingerprint() == grid.fingerprint()


def test_json_of_a_long_grid_is_short():
    assert len(json.dumps(APOGEE_GRID.to_json())) < 500


def test_damaged_json_is_a_grid_error():
    with pytest.raises(GridError, match="cannot be read"):
        WavelengthGrid.from_json({"name": "x", "chips": [["a", 0, 5]]})


def test_equality_and_require_same():
    shifted = WavelengthGrid(APSTAR_GRID.wavelength * (1 + 1e-5), APSTAR_GRID.chips, "shifted")
    assert shifted != APSTAR_GRID
    assert shifted.fingerprint() != APSTAR_GRID.fingerprint()
    assert APSTAR_GRID != "apStar"
    APSTAR_GRID.require_same(APSTAR_GRID)
    with pytest.raises(GridError, match=r"8575 pixels.*7214 pixels"):
        APSTAR_GRID.require_same(APOGEE_GRID)


def test_pixel_is_the_nearest():
    assert APSTAR_GRID.pixel(APSTAR_GRID.wavelength[4321] + 0.05) == 4321
    assert APSTAR_GRID.pixel(0) == 0

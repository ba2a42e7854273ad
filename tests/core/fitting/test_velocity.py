import numpy as np
import pytest
import torch

from spectrabridge.core.errors import GridError
from spectrabridge.core.fitting.velocity import (
    find_shift,
    log_step,
    shift,
    shift_pixels,
    to_velocity,
)
from spectrabridge.core.spectra import (
    APOGEE_GRID,
    APSTAR_GRID,
    SPEED_OF_LIGHT,
    Chip,
    WavelengthGrid,
)

GRID = WavelengthGrid.log_linear(4.18, 6e-6, 600, (Chip("a", 0, 280), Chip("b", 300, 600)))


def lines(pixels: np.ndarray, offset: np.ndarray) -> np.ndarray:
    centres = np.arange(15, 600, 23.7)
    depth = 0.1 + 0.4 * np.sin(centres) ** 2
    x = pixels[None, :, None] - offset[:, None, None] - centres
    return 1 - (depth * np.exp(-0.5 * (x / 1.7) ** 2)).sum(-1)


def test_the_apstar_pixel_is_four_kilometres_per_second():
    assert log_step(APOGEE_GRID) == pytest.approx(np.log(10) * 6e-6, rel=1e-6)
    assert to_velocity(np.array([1.0]), log_step(APSTAR_GRID))[0] == pytest.approx(4.142, abs=1e-3)


def test_a_linear_grid_has_no_such_pixel():
    grid = WavelengthGrid(np.linspace(15000, 17000, 1000))
    with pytest.raises(GridError, match="uniform in the logarithm"):
        log_step(grid)


@pytest.mark.parametrize("by", [-1.4, -0.5, 0.03, 0.5, 1.2])
def test_shifted_lines_are_those_of_a_moving_star(by):
    pixels = np.arange(600.0)
    offset = np.array([by, 0.0])
    rest = torch.tensor(lines(pixels, np.zeros(2)), dtype=torch.float32)
    moved = shift(rest, torch.tensor(offset, dtype=torch.float32), GRID).numpy()
    expected = lines(pixels, offset)
    inner = np.r_[6:274, 306:594]
    assert np.abs(moved - expected)[:, inner].max() < 2e-3
    assert np.array_equal(moved[1, GRID.chip_pixels], rest.numpy()[1, GRID.chip_pixels])


def test_derivative_by_the_shift():
    rest = torch.tensor(lines(np.arange(600.0), np.zeros(1)), dtype=torch.float64).float()
    at, step = torch.tensor([0.3]), 1e-2
    numeric = (shift(rest, at + step, GRID) - shift(rest, at - step, GRID)) / (2 * step)
    assert torch.allclose(shift(rest, at, GRID, derivative=True), numeric, atol=2e-4)


def test_many_rows_per_star_move_together():
    rest = torch.tensor(lines(np.arange(600.0), np.zeros(2)), dtype=torch.float32)
    stacked = torch.stack([rest, 2 * rest], 1)
    by = torch.tensor([0.4, -0.7])
    assert torch.allclose(shift(stacked, by, GRID)[:, 1], 2 * shift(rest, by, GRID), atol=1e-6)


def test_whole_pixels_are_found_in_noise_and_gaps():
    rng = np.random.default_rng(3)
    pixels = np.arange(600.0)
    true = np.array([0, 37, -52, 4])
    flux = (lines(pixels, true.astype(float)) + 0.03 * rng.standard_normal((4, 600))).astype("f4")
    ivar = np.full_like(flux, 1e3)
    ivar[:, 280:300] = 0
    flux[:, 280:300] = 0
    flux[1, 100] = -40  # a cosmic ray is no line
    template = lines(pixels, np.zeros(1)).astype("f4")
    template[:, 280:300] = np.nan
    found = find_shift(flux, ivar, template, 80)
    assert found.tolist() == true.tolist()
    back = shift_pixels(flux, found, 1.0)
    assert np.median(np.abs(back[1, 60:240] - template[0, 60:240])) < 0.06


def test_velocities_are_relativistic_ratios_of_wavelengths():
    step = log_step(APSTAR_GRID)
    v = to_velocity(np.array([100.0]), step)[0]
    ratio = APSTAR_GRID.wavelength[1100] / APSTAR_GRID.wavelength[1000]
    assert 1 + v / SPEED_OF_LIGHT == pytest.approx(ratio, rel=1e-9)

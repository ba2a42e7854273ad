"""What no training could use is refused before it starts, with the remedy in words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from spectrabridge.core.adaptation.input_checks import (
    check_observed,
    check_same_grid,
    check_synthetic,
)
from spectrabridge.core.errors import GridError, TrainingError
from spectrabridge.core.spectra import APOGEE_GRID, Chip, WavelengthGrid, vacuum_to_air

N, P = 60, 120
CHIPS = (Chip("blue", 0, 40), Chip("green", 40, 70), Chip("red", 70, 120))
IDS = tuple(f"star{i}" for i in range(N))


def flux() -> Tensor:
    return 1 - 0.3 * torch.rand(N, P, generator=torch.Generator().manual_seed(0))


def refuse(words: str, observed: Tensor, ivar: Tensor | None = None, noise: float = 0.01) -> None:
    with pytest.raises(TrainingError, match=words) as caught:
        check_observed(observed, noise, ivar, 8, ids=IDS, chips=CHIPS)
    assert str(caught.value).endswith(".")


def test_good_spectra_pass() -> None:
    check_observed(flux(), 0.01, None, 8)
    check_observed(flux(), 0.01, torch.ones(N, P), 8, ids=IDS, chips=CHIPS)
    check_synthetic(flux(), P)


def test_neither_flux_nor_errors_are_changed() -> None:
    observed, ivar = flux(), torch.ones(N, P)
    ivar[3, 5], observed[3, 5] = 0, torch.nan
    kept = observed.clone(), ivar.clone()
    check_observed(observed, 0.01, ivar, 8, ids=IDS, chips=CHIPS)
    assert torch.equal(observed.nan_to_num(-1), kept[0].nan_to_num(-1))
    assert torch.equal(ivar, kept[1])


@pytest.mark.parametrize("noise", [0.0, -0.1, float("nan"), float("inf")])
def test_noise_must_be_positive(noise: float) -> None:
    refuse("noise of the observations must be positive", flux(), None, noise)


def test_shapes_and_numbers() -> None:
    refuse("\\(n_stars, n_pixels\\); found \\(120,\\)", flux()[0])
    refuse("at least 26 observed spectra for 8 components; found 25.*--n-basis", flux()[:25])
    refuse("inverse variance of shape \\(60, 120\\); found \\(60, 7\\)", flux(), torch.ones(N, 7))


def set_at(value: float, *rows: int) -> Tensor:
    out = flux()
    out[list(rows)] = value
    return out


def test_nan_spectra_are_named() -> None:
    refuse("3 of 60 spectra: star4 \\(row 4\\), star9 .*zero inverse", set_at(torch.nan, 4, 9, 11))
    refuse("finite where it counts", set_at(torch.inf, 4))
    with pytest.raises(TrainingError, match="row 4, row 9"):
        check_observed(set_at(torch.nan, 4, 9), 0.01, None, 8)


def test_no_more_than_five_are_named() -> None:
    refuse("star0 .*star4 \\(row 4\\) and 7 more", set_at(torch.nan, *range(12)))


def test_spectra_without_a_good_pixel_are_named() -> None:
    ivar = torch.ones(N, P)
    ivar[[7, 50]] = 0
    refuse("2 of 60 observed spectra have no good pixel: star7 .*star50.*Leave", flux(), ivar)
    refuse("Every pixel of the observed spectra is bad", flux(), torch.zeros(N, P))


@pytest.mark.parametrize("value", [-1.0, torch.nan, torch.inf])
def test_absurd_inverse_variance_is_named(value: float) -> None:
    ivar = torch.ones(N, P)
    ivar[5, 3] = value
    refuse("finite and not negative.*star5 \\(row 5\\).*with 0", flux(), ivar)


def test_constant_spectra_are_named() -> None:
    refuse("2 of 60 observed spectra are constant.*star2.*star8.*out", set_at(0.9, 2, 8))
    levels = torch.linspace(0.5, 1, N)[:, None].expand(N, P)
    refuse("Every observed spectrum is constant", levels)
    refuse("All observed spectra are the same", flux()[:1].expand(N, P))


def test_bad_pixels_do_not_hide_a_constant_spectrum() -> None:
    observed, ivar = set_at(0.9, 2), torch.ones(N, P)
    observed[2, :9], ivar[2, :9] = 5, 0
    refuse("constant over their pixels: star2", observed, ivar)


def test_a_missing_chip_is_named() -> None:
    ivar = torch.ones(N, P)
    ivar[:, 40:70] = 0
    refuse("Chip green \\(30 of 30 pixels\\) is bad in every.*grid without it", flux(), ivar)
    ivar[:, 70:119] = 0
    refuse("green \\(30 of 30 pixels\\), red \\(49 of 50 pixels\\)", flux(), ivar)


def test_a_chip_that_some_stars_have_is_not_missing() -> None:
    ivar = torch.ones(N, P)
    ivar[: N // 2, 40:70] = 0
    check_observed(flux(), 0.01, ivar, 8, chips=CHIPS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x[0], "shape \\(n_stars, n_pixels\\)"),
        (lambda x: x[:, :50], "have 50 pixels, observed ones 120"),
        (lambda x: torch.where(torch.arange(N)[:, None] == 3, torch.nan, x), "1 of 60.*row 3"),
        (lambda x: torch.where(torch.arange(N)[:, None] == 3, 1.0, x), "1 of 60.*constant"),
        (lambda x: torch.ones_like(x), "Every synthetic spectrum is constant"),
        (lambda x: x[:1].expand(N, P), "All synthetic spectra are the same"),
    ],
)
def test_synthetic_spectra_are_checked_too(change: Callable[[Tensor], Tensor], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        check_synthetic(change(flux()), P)


def test_many_rows_are_looked_at_in_parts() -> None:
    many = flux().repeat(40, 1)
    many[2001] = torch.nan
    with pytest.raises(TrainingError, match="row 2001"):
        check_observed(many, 0.01, None, 8)


GRID = WavelengthGrid.log_linear(4.18, 6e-6, P, CHIPS, "toy")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (WavelengthGrid.log_linear(4.18, 6e-6, 90), "has 120 pixels.*observed spectra 90 from"),
        (WavelengthGrid(GRID.wavelength + 0.4, CHIPS), "by up to 0.4 angstrom.*Resample"),
        (WavelengthGrid(vacuum_to_air(GRID.wavelength), CHIPS), "in air; convert them"),
        (WavelengthGrid(GRID.wavelength, CHIPS[:2]), "chips blue \\(0 to 39\\), green .*, the"),
        (APOGEE_GRID, "120 pixels.*7214"),
    ],
)
def test_the_difference_of_grids_is_named(other: WavelengthGrid, words: str) -> None:
    with pytest.raises(GridError, match=words):
        check_same_grid(GRID, other)


def test_equal_grids_pass() -> None:
    check_same_grid(GRID, WavelengthGrid(np.array(GRID.wavelength), CHIPS))

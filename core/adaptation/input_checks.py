"""Observations and synthetic spectra that no training could use, refused before it starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import GridError, TrainingError
from ..spectra.wavelength import Chip, WavelengthGrid, vacuum_to_air
from .settings import AdaptationTraining

MAX_NAMED_SPECTRA = 5
"""Spectra that a message names at most."""

MIN_RELATIVE_SCATTER = 1e-5
"""Relative scatter over its pixels below which a spectrum is constant."""

MISSING_CHIP_FRACTION = 0.9
"""A chip with more of its pixels bad in every spectrum than this is missing."""

MIN_CONV_SPECTRA = 50
"""Observed spectra without which convolutions are not trained."""

_ROWS_AT_ONCE = 1024


def check_trainable(
    observed: Tensor, noise: float, ivar: Tensor | None, training: AdaptationTraining
) -> None:
    """Refuse observations that the backbone of a training could not be trained on.

    See :func:`check_observed` for the parameters.

    Raises
    ------
    TrainingError
        With the remedy in words.
    """
    basis = training.backbone == "basis"
    if not basis and observed.dim() == 2 and len(observed) < MIN_CONV_SPECTRA:
        raise TrainingError(
            f"Expected at least {MIN_CONV_SPECTRA} observed spectra; found {len(observed)}. "
            "Give more spectra."
        )
    check_observed(observed, noise, ivar, training.n_basis if basis else 0)


def check_observed(
    observed: Tensor,
    noise: float,
    ivar: Tensor | None,
    n_basis: int,
    *,
    ids: Sequence[str] | None = None,
    chips: Sequence[Chip] | None = None,
) -> None:
    """Refuse observations that no training could use, before it starts.

    Parameters
    ----------
    observed : Tensor, shape ``(n_stars, n_pixels)``
        Observed flux.
    noise : float
        Typical 1-sigma error of the flux per pixel.
    ivar : Tensor, shape ``(n_stars, n_pixels)``, optional
        Inverse variance, 0 at bad pixels.
    n_basis : int
        Components that the spectra must support.
    ids : sequence of str, optional
        Names of the stars for the messages; rows are counted from 0 without them.
    chips : sequence of Chip, optional
        Detectors of the grid, so that one without a good pixel can be named.

    Raises
    ------
    TrainingError
        With the remedy in words.
    """
    if observed.dim() != 2:
        raise TrainingError(
            f"Expected observed flux of shape (n_stars, n_pixels); found {tuple(observed.shape)}."
        )
    if noise <= 0 or not math.isfinite(noise):
        raise TrainingError(f"The noise of the observations must be positive; found {noise}.")
    needed = 2 * n_basis + 10
    if len(observed) < needed:
        raise TrainingError(
            f"Expected at least {needed} observed spectra for {n_basis} components; found "
            f"{len(observed)}. Give more spectra, or fewer components (--n-basis)."
        )
    if ivar is not None:
        _check_ivar(observed, ivar, ids)
    bad = _rows(observed, ivar, lambda flux, good: (good & ~torch.isfinite(flux)).any(1))
    if bad:
        raise TrainingError(
            f"Observed flux must be finite where it counts; it is not in {len(bad)} of "
            f"{len(observed)} spectra: {_names(bad, ids)}. Mark such pixels with zero inverse "
            "variance."
        )
    flat = _rows(observed, ivar, _is_flat)
    if len(flat) == len(observed):
        raise TrainingError(
            "Every observed spectrum is constant over its pixels, as if the flux had been replaced "
            "by its continuum; expected spectra of stars, with lines."
        )
    if flat:
        raise TrainingError(
            f"{len(flat)} of {len(observed)} observed spectra are constant over their pixels: "
            f"{_names(flat, ids)}. Leave them out."
        )
    if not bool((observed.std(0) > 0).any()):
        raise TrainingError("All observed spectra are the same; expected a set of stars.")
    if ivar is not None and chips is not None:
        _check_chips(ivar, chips)


def check_synthetic(synthetic: Tensor, n_pixels: int) -> None:
    """Refuse synthetic spectra that no training could use, before it starts.

    Parameters
    ----------
    synthetic : Tensor, shape ``(n_stars, n_pixels)``
        Drawn synthetic flux.
    n_pixels : int
        Pixels of the observed spectra.

    Raises
    ------
    TrainingError
        With the remedy in words.
    """
    if synthetic.dim() != 2:
        raise TrainingError(
            f"Expected synthetic flux of shape (n_stars, n_pixels); found {tuple(synthetic.shape)}."
        )
    if synthetic.shape[1] != n_pixels:
        raise TrainingError(
            f"Synthetic spectra have {synthetic.shape[1]} pixels, observed ones {n_pixels}; both "
            "must be on one grid."
        )
    bad = _rows(synthetic, None, lambda flux, good: (~torch.isfinite(flux)).any(1))
    if bad:
        raise TrainingError(
            f"{len(bad)} of {len(synthetic)} synthetic spectra have flux that is not finite, the "
            f"first in row {bad[0]}. Is the emulator trained, and are the labels that are drawn "
            "inside its range?"
        )
    flat = _rows(synthetic, None, _is_flat)
    if len(flat) == len(synthetic):
        raise TrainingError(
            "Every synthetic spectrum is constant over its pixels; is the emulator trained?"
        )
    if flat:
        raise TrainingError(
            f"{len(flat)} of {len(synthetic)} synthetic spectra are constant over their pixels, "
            f"the first in row {flat[0]}; are the labels that are drawn inside the emulator's "
            "range?"
        )
    if not bool((synthetic.std(0) > 0).any()):
        raise TrainingError("All synthetic spectra are the same; draw labels that differ.")


def check_same_grid(synthetic: WavelengthGrid, observed: WavelengthGrid) -> None:
    """Refuse domains on different grids.

    Raises
    ------
    GridError
        That names the difference: pixels, wavelengths or chips.
    """
    if synthetic == observed:
        return
    have, want = observed.wavelength, synthetic.wavelength
    remedy = "Resample the spectra to the grid of the emulator."
    if have.size != want.size:
        raise GridError(
            f"Both domains must be on one grid; the emulator has {want.size} pixels from "
            f"{want[0]:.2f} to {want[-1]:.2f} angstrom, the observed spectra {have.size} from "
            f"{have[0]:.2f} to {have[-1]:.2f}. {remedy}"
        )
    off = np.abs(have - want)
    if not np.allclose(have, want, rtol=1e-9, atol=0):
        worst = int(off.argmax())
        if np.allclose(have, vacuum_to_air(want), rtol=0, atol=0.01):
            remedy = "The observed ones are wavelengths in air; convert them to vacuum."
        raise GridError(
            "Both domains must be on one grid; the wavelengths of the observed spectra differ from "
            f"the emulator's by up to {off[worst]:.3g} angstrom (pixel {worst}: {have[worst]:.3f} "
            f"instead of {want[worst]:.3f}). {remedy}"
        )
    raise GridError(
        "Both domains must be on one grid; the wavelengths agree, but the observed spectra have "
        f"chips {_chips(observed)}, the emulator {_chips(synthetic)}. Save the spectra with the "
        "grid of the emulator."
    )


def _chips(grid: WavelengthGrid) -> str:
    return ", ".join(f"{c.name} ({c.start} to {c.stop - 1})" for c in grid.chips)


def _check_ivar(observed: Tensor, ivar: Tensor, ids: Sequence[str] | None) -> None:
    if ivar.shape != observed.shape:
        raise TrainingError(
            f"Expected inverse variance of shape {tuple(observed.shape)}; found "
            f"{tuple(ivar.shape)}."
        )
    absurd = _rows(ivar, None, lambda w, _: (~torch.isfinite(w) | (w < 0)).any(1))
    if absurd:
        raise TrainingError(
            f"Inverse variance must be finite and not negative; it is not in {len(absurd)} of "
            f"{len(ivar)} spectra: {_names(absurd, ids)}. Mark bad pixels with 0."
        )
    empty = _rows(ivar, None, lambda w, _: ~(w > 0).any(1))
    if len(empty) == len(ivar):
        raise TrainingError("Every pixel of the observed spectra is bad; nothing to adapt to.")
    if empty:
        raise TrainingError(
            f"{len(empty)} of {len(ivar)} observed spectra have no good pixel: "
            f"{_names(empty, ids)}. Leave them out, or check their flux and inverse variance."
        )


def _check_chips(ivar: Tensor, chips: Sequence[Chip]) -> None:
    dead = ~(ivar > 0).any(0)
    missing = []
    for chip in chips:
        n_dead = int(dead[chip.pixels].sum())
        if n_dead > MISSING_CHIP_FRACTION * len(chip):
            missing.append(f"{chip.name} ({n_dead} of {len(chip)} pixels)")
    if len(missing) == 1:
        raise TrainingError(
            f"Chip {missing[0]} is bad in every observed spectrum. Give spectra that have it, or "
            "train an emulator on a grid without it."
        )
    if missing:
        raise TrainingError(
            f"Chips {', '.join(missing)} are bad in every observed spectrum. Give spectra that "
            "have them, or train an emulator on a grid without them."
        )


def _is_flat(flux: Tensor, good: Tensor) -> Tensor:
    """Tell which spectra hardly vary over their good pixels, shape ``(n_stars,)``."""
    count = good.sum(1).clamp_min(1)
    mean = torch.where(good, flux, 0).sum(1) / count
    # As deviations from the mean: sums of squares would lose the last digits.
    square = torch.where(good, flux - mean[:, None], 0).square().sum(1) / count
    # A lone good pixel never varies; such spectra are poor but not constant.
    return (square.sqrt() <= MIN_RELATIVE_SCATTER * mean.abs()) & (count > 1)


def _rows(
    values: Tensor, ivar: Tensor | None, test: Callable[[Tensor, Tensor], Tensor]
) -> list[int]:
    """Return the rows for which ``test(values, good)`` holds, a part of them at a time."""
    out: list[int] = []
    for start in range(0, len(values), _ROWS_AT_ONCE):
        part = values[start : start + _ROWS_AT_ONCE]
        if ivar is None:
            good = torch.ones_like(part, dtype=torch.bool)
        else:
            good = ivar[start : start + _ROWS_AT_ONCE] > 0
        out += (torch.nonzero(test(part, good))[:, 0] + start).tolist()
    return out


def _names(rows: list[int], ids: Sequence[str] | None) -> str:
    """Name the first few spectra: ``A (row 3), B (row 7) and 12 more``."""
    named = [
        f"{ids[r]} (row {r})" if ids is not None else f"row {r}" for r in rows[:MAX_NAMED_SPECTRA]
    ]
    more = f" and {len(rows) - MAX_NAMED_SPECTRA} more" if len(rows) > MAX_NAMED_SPECTRA else ""
    return ", ".join(named) + more

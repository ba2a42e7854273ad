"""Radial velocity: shifts of a spectrum along a logarithmic grid.

On a grid that is uniform in the logarithm of the wavelength a velocity is the same
number of pixels everywhere. Whole pixels are taken out of the data, which needs no
interpolation; the rest moves the model, so that noise stays uncorrelated.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import GridError
from ..spectra.wavelength import SPEED_OF_LIGHT, WavelengthGrid

N_TAPS = 7
"""Pixels that an interpolated value is made of."""

MAX_SHIFT_PIXELS = 1.5
"""Largest shift of the model, either way; the interpolation is good that far."""

LEAST_CORRELATION_GAIN = 0.05
"""A velocity found by correlation counts if it is so much better than none."""


def log_step(grid: WavelengthGrid) -> float:
    """Return the step of ln(wavelength) from pixel to pixel.

    Raises
    ------
    GridError
        If it is not the same all over the chips.

    Examples
    --------
    >>> from spectrabridge.core.spectra import APOGEE_GRID
    >>> round(log_step(APOGEE_GRID) * SPEED_OF_LIGHT, 3)
    4.142
    """
    steps = np.concatenate([np.diff(np.log(grid.wavelength[c.pixels])) for c in grid.chips])
    step = float(np.median(steps))
    if np.abs(steps / step - 1).max() > 1e-3:
        raise GridError(
            "A velocity is fitted on grids that are uniform in the logarithm of the wavelength; "
            f"the steps of {grid.name or 'this grid'} differ. Resample the spectra, or fit "
            "without velocity."
        )
    return step


def to_velocity(pixels: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Return velocities in km/s, receding positive, of shifts in pixels.

    Examples
    --------
    >>> from spectrabridge.core.spectra import APOGEE_GRID
    >>> to_velocity(np.array([-1.0, 2.0]), log_step(APOGEE_GRID)).round(2).tolist()
    [-4.14, 8.28]
    """
    return np.asarray(SPEED_OF_LIGHT * np.expm1(pixels * step))


@lru_cache(maxsize=1)
def _polynomials() -> Tensor:
    """Return Lagrange's polynomials through the taps: row j holds the powers of the j-th."""
    nodes = np.arange(N_TAPS) - N_TAPS // 2
    return torch.tensor(np.linalg.inv(np.vander(nodes, increasing=True)).T, dtype=torch.float32)


def _weights(pixels: Tensor, derivative: bool) -> Tensor:
    """Return the weight of each tap, ``(n, N_TAPS)``, for spectra moved by some pixels."""
    x = -pixels[:, None]
    powers = torch.arange(N_TAPS, device=pixels.device)
    if derivative:
        terms = -powers * x ** (powers - 1).clamp_min(0)
    else:
        terms = x**powers
    return terms @ _polynomials().to(pixels).T


def shift(values: Tensor, pixels: Tensor, grid: WavelengthGrid, derivative: bool = False) -> Tensor:
    """Move spectra to longer wavelengths by a part of a pixel.

    Lagrange interpolation through :data:`N_TAPS` pixels, chip by chip; beyond the end of a
    chip its last value is repeated.

    Parameters
    ----------
    values : Tensor, shape ``(n_stars, ..., n_pixels)``
        Spectra.
    pixels : Tensor, shape ``(n_stars,)``
        By how much, at most :data:`MAX_SHIFT_PIXELS`.
    grid : WavelengthGrid
        Gives the chips.
    derivative : bool
        Return the derivative by `pixels` instead.
    """
    half = N_TAPS // 2
    weights = _weights(pixels, derivative)
    weights = weights.reshape(len(pixels), *[1] * (values.dim() - 2), N_TAPS)
    out = torch.zeros_like(values)
    for chip in grid.chips:
        part = values[..., chip.pixels]
        ends = [part[..., :1].expand(*part.shape[:-1], half)]
        ends.append(part[..., -1:].expand(*part.shape[:-1], half))
        padded = torch.cat([ends[0], part, ends[1]], -1)
        n = part.shape[-1]
        target = out[..., chip.pixels]
        for j in range(N_TAPS):
            target.addcmul_(padded[..., j : j + n], weights[..., j : j + 1])
    return out


def find_shift(
    flux: NDArray[np.float32],
    ivar: NDArray[np.float32],
    templates: NDArray[np.float32],
    most: int,
) -> NDArray[np.int64]:
    """Find by how many whole pixels spectra are redder than templates.

    Cross-correlation (Tonry and Davis 1979, AJ 84, 1511) of the depths below the
    continuum at every lag, with the pixels that both have at that lag; the best of the
    templates counts.

    Parameters
    ----------
    flux, ivar : ndarray, shape ``(n_stars, n_pixels)``
        Normalised flux; ivar 0 where unusable.
    templates : ndarray, shape ``(n_templates, n_pixels)``
        Normalised flux at rest, NaN where unknown.
    most : int
        Largest lag tried.

    Returns
    -------
    ndarray of int, shape ``(n_stars,)``
        0 where no lag is clearly better than none.
    """
    n, p = flux.shape
    length = 1 << int(np.ceil(np.log2(p + most + 1)))
    good = (ivar > 0).astype(np.float64)
    # Depths are clipped: a cosmic ray must not outweigh all lines.
    depth = np.clip(1 - flux.astype(np.float64), -0.2, 1.0) * good
    known = np.isfinite(templates)
    lines = np.where(known, 1 - templates, 0).astype(np.float64)
    lags = np.arange(-most, most + 1)

    def transform(x: NDArray[np.float64]) -> NDArray[np.complex128]:
        return np.fft.rfft(x, length)

    f_depth, f_good, f_square = transform(depth), transform(good), transform(depth**2)
    best = np.full(n, -np.inf)
    found = np.zeros(n, np.int64)
    for line, seen in zip(lines, known, strict=True):
        f_line, f_square_line = np.conj(transform(line)), np.conj(transform(line**2))
        f_seen = np.conj(transform(seen.astype(np.float64)))

        def at_lags(product: NDArray[np.complex128]) -> NDArray[np.float64]:
            return np.fft.irfft(product, length)[:, lags % length]

        cross = at_lags(f_depth * f_line)
        own = at_lags(f_square * f_seen)
        theirs = at_lags(f_good * f_square_line)
        quality = cross / np.sqrt(np.maximum(own * theirs, 1e-12))
        peak = quality.argmax(axis=1)
        height = quality[np.arange(n), peak]
        worth = height > quality[:, most] + LEAST_CORRELATION_GAIN
        shifts = np.where(worth, lags[peak], 0)
        better = height > best
        best[better], found[better] = height[better], shifts[better]
    return found


def shift_pixels(
    values: NDArray[np.float32], pixels: NDArray[np.int64], fill: float
) -> NDArray[np.float32]:
    """Move rows to shorter wavelengths by whole pixels; what comes in is `fill`.

    Examples
    --------
    >>> shift_pixels(np.array([[1, 2, 3, 4]], np.float32), np.array([1]), fill=0).tolist()
    [[2.0, 3.0, 4.0, 0.0]]
    """
    out = np.full_like(values, fill)
    for row, by in enumerate(pixels.tolist()):
        if by > 0:
            out[row, :-by] = values[row, by:]
        elif by < 0:
            out[row, -by:] = values[row, :by]
        else:
            out[row] = values[row]
    return out

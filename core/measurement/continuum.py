"""The continuum beside a line: a straight line through the pixels on both sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import LinesError
from ..spectra.continuum import MAD_TO_SIGMA

CLIP_SIGMA = 3.0
"""A pixel that lies further below the line, in its errors, belongs to another line."""

ROUNDS = 20
"""Pixels are left out so many times at most."""

LEAST_PIXELS = 4
"""Pixels that a straight line needs, so that its errors mean something."""


@dataclass(frozen=True)
class LocalContinuum:
    """A straight line ``level + slope (wavelength - middle)`` with its errors.

    Parameters
    ----------
    middle : float
        Vacuum angstrom.
    level : float
        Flux there.
    slope : float
        Flux per angstrom.
    covariance : array, shape ``(2, 2)``
        Of level and slope; zeros for a continuum that somebody has set.
    used : array of bool, shape ``(n_pixels,)``
        Pixels of the spectrum that it was drawn through.
    """

    middle: float
    level: float
    slope: float
    covariance: NDArray[np.float64]
    used: NDArray[np.bool_]

    def at(self, wavelength: ArrayLike) -> NDArray[np.float64]:
        """Return the continuum at wavelengths in vacuum angstrom."""
        return self.level + self.slope * (np.asarray(wavelength, np.float64) - self.middle)

    def slopes(self, wavelength: ArrayLike) -> NDArray[np.float64]:
        """Return what level and slope change at wavelengths, shape ``(n, 2)``."""
        away = np.asarray(wavelength, np.float64) - self.middle
        return np.stack([np.ones_like(away), away], axis=-1)


def local_continuum(
    wavelength: NDArray[np.float64],
    flux: NDArray[np.float64],
    sigma: NDArray[np.float64],
    low: float,
    high: float,
    reach: float,
) -> LocalContinuum:
    """Return the continuum beside a line.

    Pixels within `reach` on each side of the line are fitted with a straight line, weighted by
    their errors, at first those of each side's upper half. Pixels more than :data:`CLIP_SIGMA`
    errors below it, or above it by twice as much, are left out, and the others fitted again,
    until nothing changes: other lines go down, spikes go up. Where pixels scatter more than
    their errors say, as much more is allowed.

    Parameters
    ----------
    wavelength : array, shape ``(n_pixels,)``
        Vacuum angstrom, rising.
    flux, sigma : array, shape ``(n_pixels,)``
        Flux and its errors; pixels without a finite positive error are not used.
    low, high : float
        Edges of the line, vacuum angstrom.
    reach : float
        How far to look on each side, angstrom.

    Raises
    ------
    LinesError
        If there are too few pixels beside the line.

    Examples
    --------
    >>> import numpy as np
    >>> wavelength = np.linspace(15990, 16010, 201)
    >>> flux = np.where(abs(wavelength - 16000) < 1, 0.7, 1.0)
    >>> found = local_continuum(wavelength, flux, np.full(201, 0.01), 15999, 16001, 4.0)
    >>> round(found.level, 6), abs(found.slope) < 1e-9
    (1.0, True)
    """
    good = np.isfinite(flux) & np.isfinite(sigma) & (sigma > 0)
    beside = ((wavelength >= low - reach) & (wavelength < low)) | (
        (wavelength > high) & (wavelength <= high + reach)
    )
    middle = 0.5 * (low + high)
    used = np.zeros(len(flux), bool)
    for side in (good & beside & (wavelength < low), good & beside & (wavelength > high)):
        if side.any():
            used |= side & (flux >= np.median(flux[side]))
    for _ in range(ROUNDS):
        if used.sum() < LEAST_PIXELS:
            raise LinesError(
                f"Expected {2 * LEAST_PIXELS} good pixels or more within {reach:g} angstrom beside "
                f"{low:.2f} to {high:.2f} for the continuum; found {int((good & beside).sum())}. "
                "Look further away, or set the continuum."
            )
        away = wavelength[used] - middle
        design = np.stack([np.ones_like(away), away], axis=1) / sigma[used, None]
        covariance = np.linalg.pinv(design.T @ design)
        level, slope = covariance @ (design.T @ (flux[used] / sigma[used]))
        rest = (flux - level - slope * (wavelength - middle)) / np.where(good, sigma, 1.0)
        scatter = max(1.0, MAD_TO_SIGMA * float(np.median(np.abs(rest[used]))))
        clip = CLIP_SIGMA * scatter
        kept = good & beside & (rest > -clip) & (rest < 2 * clip)
        if (kept == used).all():
            break
        used = kept
    return LocalContinuum(
        middle, float(level), float(slope), np.asarray(covariance, np.float64), used
    )


def set_continuum(level: float, slope: float, middle: float, n_pixels: int) -> LocalContinuum:
    """Return a continuum that somebody has set, without an error.

    Parameters
    ----------
    level : float
        Flux at the middle, positive.
    slope : float
        Flux per angstrom.
    middle : float
        Vacuum angstrom.
    n_pixels : int
        Of the spectrum.

    Raises
    ------
    LinesError
        If the level is not positive.

    Examples
    --------
    >>> set_continuum(1.02, 0.0, 16000.0, 201).at(16001.0).item()
    1.02
    """
    if not (np.isfinite(level) and level > 0 and np.isfinite(slope)):
        raise LinesError(f"Expected a positive continuum; found {level:g} with slope {slope:g}.")
    return LocalContinuum(middle, level, slope, np.zeros((2, 2)), np.zeros(n_pixels, bool))

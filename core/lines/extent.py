"""Where features begin and end in a difference of spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import median_filter
from scipy.signal import find_peaks

from ..spectra.wavelength import WavelengthGrid

SADDLE_RISE = 0.25
"""Two peaks are two features if the lower rises by this part of its height above what lies
between them."""

FOOT_HEIGHT = 0.1
"""A feature ends where it has fallen to this part of its height."""

SMOOTH_PIXELS = 301
"""Width of the running median that takes away what is wider than any line."""


@dataclass(frozen=True)
class Extent:
    """Pixels of a feature.

    Parameters
    ----------
    start, stop : int
        Half-open.
    peak : int
        Where it is deepest.
    sign : int
        1 where there is more absorption, -1 where there is less.
    """

    start: int
    stop: int
    peak: int
    sign: int

    @property
    def pixels(self) -> slice:
        """Its pixels as a slice."""
        return slice(self.start, self.stop)


def without_slopes(absorption: ArrayLike, grid: WavelengthGrid) -> NDArray[np.float64]:
    """Take the running median of each chip away, shape ``(n_pixels,)``.

    What is left has no errors of the continuum; lines cover less than half of any window.

    Examples
    --------
    >>> grid = WavelengthGrid(15000 + np.arange(40.0))
    >>> float(without_slopes(np.full(40, 0.1), grid).max())
    0.0
    """
    out = np.array(absorption, np.float64)
    for chip in grid.chips:
        part = out[chip.pixels]
        width = min(SMOOTH_PIXELS, 2 * (len(part) // 4) + 1)
        part -= median_filter(part, width, mode="nearest")
    return out


def find_extents(
    absorption: ArrayLike, least: ArrayLike, grid: WavelengthGrid, both: bool = True
) -> list[Extent]:
    """Find features in a difference of absorption.

    A peak counts where it exceeds `least`; of two that overlap, the lower must rise by
    :data:`SADDLE_RISE` of its height out of the saddle between them. A feature ends at the
    saddle, at :data:`FOOT_HEIGHT` of its height or at half of `least`, whichever comes first.

    Parameters
    ----------
    absorption : array, shape ``(n_pixels,)``
        More absorption is positive.
    least : array, shape ``(n_pixels,)``, or float
        Lowest peak that counts.
    grid : WavelengthGrid
        Features do not cross its chips.
    both : bool
        Also find where there is less absorption.

    Returns
    -------
    list of Extent
        In order of their peaks.

    Examples
    --------
    >>> grid = WavelengthGrid(15000 + np.arange(40.0))
    >>> absorption = 0.2 * np.exp(-0.5 * ((np.arange(40) - 20) / 2.0) ** 2)
    >>> [(e.start, e.stop, e.peak, e.sign) for e in find_extents(absorption, 0.05, grid)]
    [(16, 25, 20, 1)]
    """
    values = np.asarray(absorption, np.float64)
    lowest = np.broadcast_to(np.asarray(least, np.float64), values.shape)
    found = []
    for sign in (1, -1) if both else (1,):
        for chip in grid.chips:
            part, floor = sign * values[chip.pixels], lowest[chip.pixels]
            found += [
                Extent(chip.start + a, chip.start + b, chip.start + p, sign)
                for a, b, p in _features(part, floor)
            ]
    return sorted(found, key=lambda e: e.peak)


def _features(part: NDArray[np.float64], floor: NDArray[np.float64]) -> list[tuple[int, int, int]]:
    # A step down at either end makes peaks of features that the chip cuts.
    padded = np.concatenate([[-np.inf], part, [-np.inf]])
    peaks, found = find_peaks(padded, height=0, prominence=0)
    peaks -= 1
    heights, rise = found["peak_heights"], found["prominences"]
    peaks = peaks[(heights > floor[peaks]) & (rise > SADDLE_RISE * heights)]
    out = []
    for i, peak in enumerate(peaks):
        left = peaks[i - 1] + part[peaks[i - 1] : peak].argmin() if i else 0
        right = peak + part[peak : peaks[i + 1]].argmin() if i + 1 < len(peaks) else len(part)
        end = max(FOOT_HEIGHT * part[peak], floor[peak] / 2)
        below = np.flatnonzero(part[left:peak] < end)
        start = left + below[-1] + 1 if len(below) else left
        below = np.flatnonzero(part[peak:right] < end)
        stop = peak + below[0] if len(below) else right
        out.append((int(start), int(max(stop, peak + 1)), int(peak)))
    return out

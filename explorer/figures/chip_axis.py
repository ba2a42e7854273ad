"""Positions of pixels on the wavelength axis, and the gaps between chips."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.spectra import WavelengthGrid
from ...core.spectra.wavelength import convert
from ..computed.frame import Array


class ChipAxis:
    """The wavelength axis of a figure, where the space between chips stays empty.

    Between two chips stands one point whose flux is not a number, so that a line
    breaks there. Pixels on no chip are left out.

    Parameters
    ----------
    grid : WavelengthGrid
        Grid of the spectra.
    """

    def __init__(self, grid: WavelengthGrid) -> None:
        self.grid = grid
        self._breaks = _breaks(grid)

    @property
    def breaks(self) -> list[int]:
        """Places of the points between chips among the values of :meth:`spread`."""
        return [int(b) + i for i, b in enumerate(self._breaks)]

    @property
    def nothing(self) -> Array:
        """Values of :meth:`spread` of which none is a number."""
        return _nothing(len(self.grid.chip_pixels) + len(self._breaks))

    def spread(self, values: ArrayLike) -> Array:
        """Return values per pixel, shape ``(n_pixels,)``, as float32 with breaks."""
        on_chips = np.asarray(values, dtype=np.float32)[self.grid.chip_pixels]
        return np.insert(on_chips, self._breaks, np.nan)

    def places(self, pixels: ArrayLike) -> NDArray[np.int64]:
        """Return where pixels of chips stand among the values of :meth:`spread`."""
        on_chips = np.searchsorted(self.grid.chip_pixels, np.asarray(pixels))
        return on_chips + np.searchsorted(self._breaks, on_chips, side="right")

    def positions(self, unit: str = "angstrom", medium: str = "vacuum") -> NDArray[np.float64]:
        """Return where :meth:`spread` values stand; a break stands between its neighbours."""
        pixels = self.grid.wavelength[self.grid.chip_pixels]
        return _positions(pixels.tobytes(), tuple(self._breaks.tolist()), unit, medium)

    def span(
        self, chip: str | None = None, unit: str = "angstrom", medium: str = "vacuum"
    ) -> tuple[float, float]:
        """Return both ends of a chip, or of all chips, with a margin of half a percent."""
        chips = [c for c in self.grid.chips if c.name == chip] or list(self.grid.chips)
        ends = self.grid.wavelength[[chips[0].start, chips[-1].stop - 1]]
        low, high = convert(ends, unit, medium)
        margin = 0.005 * (high - low)
        return float(low - margin), float(high + margin)


def _breaks(grid: WavelengthGrid) -> NDArray[np.int64]:
    """Return how many pixels of chips there are before each break."""
    return np.cumsum([len(chip) for chip in grid.chips])[:-1]


# The same for all sessions, which would otherwise hold one each.


@lru_cache(maxsize=16)
def _positions(
    pixels: bytes, breaks_at: tuple[int, ...], unit: str, medium: str
) -> NDArray[np.float64]:
    """Return positions for wavelengths given as the bytes of an array of float64.

    Grids are equal within a tolerance, so a grid would be given the positions of another one.
    """
    x = convert(np.frombuffer(pixels, np.float64), unit, medium)
    breaks = np.array(breaks_at, np.int64)
    out = np.insert(x, breaks, (x[breaks - 1] + x[breaks]) / 2)
    out.setflags(write=False)
    return out


@lru_cache(maxsize=16)
def _nothing(n: int) -> Array:
    out = np.full(n, np.nan, np.float32)
    out.setflags(write=False)
    return out

"""Derivatives by every element as a picture: pooled to the pixels of the screen, scaled.

Nothing here knows a screen; the functions run in worker threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.spectra import WavelengthGrid, air_to_vacuum
from ...core.spectra.wavelength import UNITS
from ..computed.derivatives import LabelDerivatives
from ..computed.frame import Array
from ..figures.axis_limits import round_up

Quantity = Literal["difference", "adapted", "emulated", "missing"]

QUANTITIES: dict[Quantity, str] = {
    "difference": "adapted \u2212 emulated",
    "adapted": "adapted",
    "emulated": "emulated",
    "missing": "truth \u2212 emulated",
}
"""What can be shown, and what it is called; the last only where the truth is known."""

POWERS = {"linear": 1.0, "root": 0.5}
"""Scales of the colours: sign(v) |v|**power."""

FEATURE_SHARE = 0.1
"""Part of the largest derivative of an element from which on a peak counts as a feature."""


def values_of(found: LabelDerivatives, quantity: Quantity) -> Array:
    """Return what is to be shown, shape ``(n_pixels, n_labels)``.

    Raises
    ------
    ValueError
        If it needs a truth that is not known.
    """
    if quantity == "adapted":
        return found.adapted
    if quantity == "emulated":
        return found.emulated
    values = found.difference if quantity == "difference" else found.true_difference
    if values is None:
        raise ValueError("Nobody knows the true derivatives of this model.")
    return values


def pool(rows: ArrayLike, grid: WavelengthGrid, edges: ArrayLike) -> Array:
    """Pool spectra to columns of the screen; of each column the value largest in size stays.

    Every pixel reaches half-way to its neighbours, and every column that it touches sees
    it: a line of a single pixel never vanishes, however many pixels share a column.

    Parameters
    ----------
    rows : array_like, shape ``(n_rows, n_pixels)``
        Values per pixel; their sign is kept.
    grid : WavelengthGrid
        Pixels and chips; columns between chips are NaN.
    edges : array_like, shape ``(n_columns + 1,)``
        Ends of the columns, vacuum angstrom, increasing.

    Returns
    -------
    ndarray, shape ``(n_rows, n_columns)``, float32
    """
    rows = np.asarray(rows, dtype=np.float32)
    edges = np.asarray(edges, dtype=np.float64)
    out = np.full((rows.shape[0], edges.size - 1), np.nan, np.float32)
    for chip in grid.chips:
        here = rows[:, chip.pixels]
        left, right = _reach(grid.wavelength[chip.pixels])
        first = np.searchsorted(right, edges[:-1], side="right")
        last = np.searchsorted(left, edges[1:], side="left")
        columns = np.flatnonzero(first < last)
        if not columns.size:
            continue
        # One more pixel, so that the last run may end with the chip.
        padded = np.concatenate([here, here[:, -1:]], axis=1)
        pairs = np.stack([first[columns], last[columns]], axis=1).ravel()
        high = np.maximum.reduceat(padded, pairs, axis=1)[:, ::2]
        low = np.minimum.reduceat(padded, pairs, axis=1)[:, ::2]
        found = np.where(-low > high, low, high)
        before = out[:, columns]
        out[:, columns] = np.where(np.abs(before) > np.abs(found), before, found)
    return out


def _reach(wavelength: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both ends of every pixel of a chip."""
    if wavelength.size == 1:
        return wavelength - 0.05, wavelength + 0.05
    middles = (wavelength[1:] + wavelength[:-1]) / 2
    start, end = 2 * wavelength[0] - middles[0], 2 * wavelength[-1] - middles[-1]
    return np.concatenate([[start], middles]), np.concatenate([middles, [end]])


@dataclass(frozen=True, eq=False)
class ElementRows:
    """Derivatives by every element, over the whole spectrum.

    Parameters
    ----------
    rows : ndarray, shape ``(n_elements, n_pixels)``
        Change of flux per dex.
    reach : ndarray, shape ``(n_elements,)``
        Size of the largest of each element.
    """

    rows: Array
    reach: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        found: LabelDerivatives,
        quantity: Quantity,
        grid: WavelengthGrid,
        columns: Sequence[int],
    ) -> ElementRows:
        """Return the derivatives by the labels in some columns."""
        rows = np.ascontiguousarray(values_of(found, quantity).T[list(columns)])
        reach = np.abs(rows[:, grid.chip_pixels]).max(axis=1, initial=0.0)
        return cls(rows, reach.astype(np.float64))


@lru_cache(maxsize=16)
def element_rows(
    found: LabelDerivatives, quantity: Quantity, grid: WavelengthGrid, columns: tuple[int, ...]
) -> ElementRows:
    """Return :meth:`ElementRows.of`; the last few are kept, for all sessions."""
    return ElementRows.of(found, quantity, grid, columns)


@dataclass(frozen=True)
class HeatMapRequest:
    """A request for a picture: a part of the spectrum, pooled into columns, in one scale.

    Parameters
    ----------
    elements : ElementRows
        Derivatives of the star on show.
    low, high : float
        Ends of the view, in `unit` and `medium`.
    columns : int
        Pixels of the screen between them.
    unit, medium : str
        How wavelengths are written.
    power : float
        See :data:`POWERS`.
    each_row : bool
        Scale every element by its own largest value.
    """

    elements: ElementRows
    low: float
    high: float
    columns: int
    unit: str = "angstrom"
    medium: str = "vacuum"
    power: float = 0.5
    each_row: bool = False

    @property
    def top(self) -> float:
        """Derivative at the end of the colours, a round one; 1 where every row has its own.

        Being round it stays the same for most moves, and colours can be compared.
        """
        if self.each_row:
            return 1.0
        return round_up(max(float(self.elements.reach.max(initial=0.0)), 1e-9))


@dataclass(frozen=True, eq=False)
class HeatMapPicture:
    """A picture of derivatives.

    Parameters
    ----------
    request : HeatMapRequest
        What was asked for.
    pooled : ndarray, shape ``(n_elements, n_columns)``
        Derivatives per dex, one row per element.
    scaled : ndarray, same shape
        The same for the colours, within -1 and 1.
    """

    request: HeatMapRequest
    pooled: Array
    scaled: Array


def edges_of(request: HeatMapRequest) -> NDArray[np.float64]:
    """Return the ends of the columns, vacuum angstrom, shape ``(n_columns + 1,)``."""
    edges = np.linspace(request.low, request.high, request.columns + 1) / UNITS[request.unit]
    return air_to_vacuum(edges) if request.medium == "air" else edges


def picture(request: HeatMapRequest, grid: WavelengthGrid) -> HeatMapPicture:
    """Return a picture."""
    pooled = pool(request.elements.rows, grid, edges_of(request))
    top = request.elements.reach[:, None] if request.each_row else request.top
    share = pooled / np.maximum(top, 1e-9)
    scaled = (np.sign(share) * np.abs(share) ** request.power).astype(np.float32)
    return HeatMapPicture(request, pooled, scaled)


def ticks(top: float, power: float) -> list[float]:
    """Return values to write beside the colours, round ones and the ends apart.

    Parameters
    ----------
    top : float
        Value at the end of the colours.
    power : float
        See :data:`POWERS`.
    """
    decade = 10.0 ** np.floor(np.log10(top))
    candidates = [m * decade * 10.0**-k for k in range(4) for m in (5, 2, 1)]
    kept: list[float] = []
    for value in candidates:
        at = (value / top) ** power
        if 0.13 <= at <= 1 and all(abs(at - (k / top) ** power) >= 0.14 for k in kept):
            kept.append(float(f"{value:.1g}"))
    return sorted([-k for k in kept] + [0.0] + kept)


def peak_near(
    values: ArrayLike, grid: WavelengthGrid, wavelength: float, within: float
) -> int | None:
    """Return the pixel of the feature next to a wavelength, or None if none is there.

    Parameters
    ----------
    values : array_like, shape ``(n_pixels,)``
        Derivatives by one element.
    grid : WavelengthGrid
        Pixels and chips.
    wavelength : float
        Vacuum angstrom.
    within : float
        How far away a feature may be, in angstrom.
    """
    size = np.abs(np.asarray(values, dtype=np.float64))
    pixels = grid.chip_pixels
    near = pixels[np.abs(grid.wavelength[pixels] - wavelength) <= within]
    if not near.size:
        return None
    best = int(near[np.argmax(size[near])])
    return best if size[best] >= FEATURE_SHARE * size[pixels].max() else None

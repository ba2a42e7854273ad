"""What one position of the sliders shows: spectra, difference and residuals.

Nothing here knows a screen; the functions run in worker threads.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ...core.bundle import Model
from ...core.spectra import WavelengthGrid
from ...core.spectra.wavelength import convert

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Frame:
    """Spectra for one set of labels.

    Parameters
    ----------
    values : ndarray, shape ``(n_labels,)``
        The labels.
    emulated, adapted : ndarray, shape ``(n_pixels,)``
        Model spectra, continuum-normalised.
    truth : ndarray, shape ``(n_pixels,)``, or None
        Noise-free truth, where the model knows it.
    """

    values: NDArray[np.float64]
    emulated: Array
    adapted: Array
    truth: Array | None = None

    @property
    def difference(self) -> Array:
        """Adapted minus emulated, shape ``(n_pixels,)``."""
        return self.adapted - self.emulated


def compute_frame(
    model: Model, values: ArrayLike, split: NDArray[np.float64] | None = None
) -> Frame:
    """Evaluate a model for one star.

    Parameters
    ----------
    model : Model
        Model of a bundle.
    values : array_like, shape ``(n_labels,)``
        Label values in physical units.
    split : ndarray, shape ``(n_split,)``, optional
        Split latents; typical ones if not given.
    """
    row = np.array(values, dtype=np.float64)
    added = None if split is None else split[None]

    def one(spectra: Any) -> Array:
        return np.asarray(spectra, dtype=np.float32).reshape(-1)

    with torch.inference_mode():
        return Frame(
            row,
            one(model.emulate(row)),
            one(model.adapt(row, added)),
            one(model.truth(row)) if model.has_truth else None,
        )


def residual(flux: ArrayLike, ivar: ArrayLike, model: ArrayLike) -> Array:
    """Return (observed - model) / sigma with sigma = ivar**-0.5, NaN where ivar is 0.

    Parameters
    ----------
    flux, ivar, model : array_like, shape ``(n_pixels,)``
        Observed flux, its inverse variance, and a model on the same grid.
    """
    weight = np.asarray(ivar, dtype=np.float32)
    with np.errstate(invalid="ignore"):
        out = (np.asarray(flux, np.float32) - np.asarray(model, np.float32)) * np.sqrt(weight)
    return np.where(weight > 0, out, np.nan).astype(np.float32)


class Axis:
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
        """Where the points between chips stand among the values of :meth:`spread`."""
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
        return _positions(self.grid, unit, medium)

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
def _positions(grid: WavelengthGrid, unit: str, medium: str) -> NDArray[np.float64]:
    x = convert(grid.wavelength[grid.chip_pixels], unit, medium)
    breaks = _breaks(grid)
    out = np.insert(x, breaks, (x[breaks - 1] + x[breaks]) / 2)
    out.setflags(write=False)
    return out


@lru_cache(maxsize=16)
def _nothing(n: int) -> Array:
    out = np.full(n, np.nan, np.float32)
    out.setflags(write=False)
    return out


@dataclass(frozen=True, eq=False)
class Derivatives:
    """Derivatives of both domains for one star, shape ``(n_pixels, n_labels)`` each.

    Parameters
    ----------
    emulated, adapted : ndarray
        d flux / d label, in flux per unit of the label.
    truth : ndarray or None
        The same of the truth, where the model knows it.
    """

    emulated: Array
    adapted: Array
    truth: Array | None = None

    @property
    def difference(self) -> Array:
        """Adapted minus emulated: what the simulator lacks."""
        return self.adapted - self.emulated

    @property
    def true_difference(self) -> Array | None:
        """Truth minus emulated, or None."""
        return None if self.truth is None else self.truth - self.emulated


class DerivativeCache:
    """Derivatives of a model, the last few sets of labels kept; safe to share by threads.

    Parameters
    ----------
    model : Model
        Model of a bundle.
    size : int
        How many sets of labels are kept, about 2 MB each for 25 labels.
    """

    def __init__(self, model: Model, size: int = 16) -> None:
        self.model = model
        self.size = size
        self._kept: OrderedDict[bytes, Derivatives] = OrderedDict()
        self._lock = Lock()

    def known(self, values: ArrayLike) -> Derivatives | None:
        """Return the derivatives at label values if they are kept, else None; at once."""
        key = _key(values)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def get(self, values: ArrayLike) -> Derivatives:
        """Return the derivatives at label values of shape ``(n_labels,)``."""
        row = np.array(values, dtype=np.float64)
        kept = self.known(row)
        if kept is not None:
            return kept

        def jacobian(of: Literal["emulated", "adapted", "truth"]) -> Array:
            return np.asarray(self.model.jacobian(row, of=of), dtype=np.float32)

        found = Derivatives(
            jacobian("emulated"),
            jacobian("adapted"),
            jacobian("truth") if self.model.has_truth else None,
        )
        with self._lock:
            self._kept[_key(row)] = found
            while len(self._kept) > self.size:
                self._kept.popitem(last=False)
        return found


def _key(values: ArrayLike) -> bytes:
    return np.round(np.array(values, dtype=np.float64), 6).tobytes()

"""How residuals are distributed: over wavelength, and about zero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.spectra import WavelengthGrid

MAX_SIGMA = 6.0
"""Residuals are shown from minus to plus so many sigma."""

EDGES = np.linspace(-MAX_SIGMA, MAX_SIGMA, 61)
"""Edges of the bins of residuals."""

BIN_ANGSTROM = 2.0
"""Width of bins of wavelength, angstrom: about one column of the screen."""


@dataclass(frozen=True)
class Spread:
    """Distribution of residuals.

    Parameters
    ----------
    density : ndarray, shape ``(60,)``
        Share of the residuals per sigma, in the bins between :data:`EDGES`.
    mean, std : float
        Of all residuals, those beyond the bins included; NaN if there are none.
    n : int
        Residuals.
    """

    density: NDArray[np.float64]
    mean: float
    std: float
    n: int

    @classmethod
    def of(cls, residual: NDArray[np.float32]) -> Spread:
        """Return the distribution of residuals; what is not finite does not count."""
        values = residual[np.isfinite(residual)].astype(np.float64)
        counts = np.histogram(values, EDGES)[0]
        return cls._made(counts, len(values), float(values.sum()), float((values**2).sum()))

    @classmethod
    def _made(cls, counts: NDArray[np.int64], n: int, total: float, squares: float) -> Spread:
        if n == 0:
            return cls(np.zeros(len(EDGES) - 1), np.nan, np.nan, 0)
        mean = total / n
        density = counts / (n * (EDGES[1] - EDGES[0]))
        return cls(density, mean, float(np.sqrt(max(0.0, squares / n - mean**2))), n)


class ResidualCounts:
    """Counts of the residuals of many stars, by wavelength and size.

    Parameters
    ----------
    grid : WavelengthGrid
        Grid of the residuals.
    """

    def __init__(self, grid: WavelengthGrid) -> None:
        wave = grid.wavelength
        self.ends = (float(wave[0]), float(wave[-1]))
        """First and last wavelength, vacuum angstrom."""
        n = max(1, round((self.ends[1] - self.ends[0]) / BIN_ANGSTROM))
        part = (wave - wave[0]) / (wave[-1] - wave[0])
        self._columns = np.minimum((part * n).astype(np.int64), n - 1)
        self.counts = np.zeros((len(EDGES) - 1, n), np.int64)
        """By size, then wavelength."""
        self.n_stars = 0
        self._n = 0
        self._sum = self._squares = 0.0

    def add(self, residual: NDArray[np.float32], times: int = 1) -> None:
        """Count the residuals of a star, shape ``(n_pixels,)``; -1 times takes them away."""
        finite = np.isfinite(residual)
        values = residual[finite].astype(np.float64)
        rows = np.floor((values + MAX_SIGMA) / (EDGES[1] - EDGES[0])).astype(np.int64)
        inside = (rows >= 0) & (rows < len(EDGES) - 1)
        n = self.counts.shape[1]
        flat = rows[inside] * n + self._columns[finite][inside]
        self.counts += times * np.bincount(flat, minlength=self.counts.size).reshape(-1, n)
        self.n_stars += times
        self._n += times * len(values)
        self._sum += times * float(values.sum())
        self._squares += times * float((values**2).sum())

    @property
    def spread(self) -> Spread:
        """Distribution of all residuals together."""
        return Spread._made(self.counts.sum(axis=1), self._n, self._sum, self._squares)

    @property
    def image(self) -> NDArray[np.float32]:
        """Logarithm of the density from 0 (no residual) to 1, shape ``(60, n_columns)``."""
        density = np.log1p(self.counts)
        return (density / max(1e-9, float(density.max()))).astype(np.float32)

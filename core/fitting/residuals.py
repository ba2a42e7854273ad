"""Residuals of many fits: where they lie in wavelength, and how they are distributed.

O'Briain et al. (2020, Fig. 3) judge fits by z-scores, (observed - model) / error: those of
a perfect model are normal with mean 0 and standard deviation 1 at every wavelength.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spectra.wavelength import WavelengthGrid

MAX_Z_SCORE = 6.0
"""Z-scores beyond this, either way, are counted in the outermost bins."""

N_BINS = 96
"""Bins of the z-scores."""


@dataclass
class ResidualDensity:
    """Counts of z-scores by wavelength; grows star by star, so that surveys fit in memory.

    Parameters
    ----------
    grid : WavelengthGrid
        Pixels.
    counts : ndarray of int, shape ``(N_BINS, n_pixels)``
        How many residuals fell into each bin.

    Examples
    --------
    >>> from spectrabridge.core.spectra import WavelengthGrid
    >>> density = ResidualDensity(WavelengthGrid([15000, 15001]))
    >>> density.add(np.array([[0.5, -0.5], [1.5, np.nan]]))
    >>> density.n_stars, density.mean
    (2, 0.5)
    """

    grid: WavelengthGrid
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    n_stars: int = 0
    _sum: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    _square: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    _n: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        p = self.grid.n_pixels
        if not self.counts.size:
            self.counts = np.zeros((N_BINS, p), np.int64)
            self._sum, self._square = np.zeros(p), np.zeros(p)
            self._n = np.zeros(p, np.int64)

    @property
    def edges(self) -> NDArray[np.float64]:
        """Edges of the bins of z-scores, ``(N_BINS + 1,)``."""
        return np.linspace(-MAX_Z_SCORE, MAX_Z_SCORE, N_BINS + 1)

    def add(self, residual: NDArray[Any]) -> None:
        """Count the residuals ``(n_stars, n_pixels)`` of some stars; NaN counts nowhere."""
        z = np.atleast_2d(np.asarray(residual, np.float64))
        known = np.isfinite(z)
        bins = np.floor((np.where(known, z, 0) + MAX_Z_SCORE) / (2 * MAX_Z_SCORE) * N_BINS).astype(
            int
        )
        bins = bins.clip(0, N_BINS - 1)
        pixel = np.broadcast_to(np.arange(z.shape[1]), z.shape)
        np.add.at(self.counts, (bins[known], pixel[known]), 1)
        self._sum += np.where(known, z, 0).sum(axis=0)
        self._square += np.square(np.where(known, z, 0)).sum(axis=0)
        self._n += known.sum(axis=0)
        self.n_stars += int(known.any(axis=1).sum())

    @property
    def mean(self) -> float:
        """Mean of all residuals; NaN without any."""
        n = self._n.sum()
        return float(self._sum.sum() / n) if n else float("nan")

    @property
    def std(self) -> float:
        """Standard deviation of all residuals; NaN without any."""
        n = self._n.sum()
        return float(np.sqrt(self._square.sum() / n - self.mean**2)) if n else float("nan")

    @property
    def mean_by_pixel(self) -> NDArray[np.float64]:
        """Mean residual of each pixel over stars, ``(n_pixels,)``; NaN without any.

        Where it is far from 0, the model errs in the same way in all stars.
        """
        out: NDArray[np.float64] = np.divide(
            self._sum, self._n, out=np.full(self._sum.shape, np.nan), where=self._n > 0
        )
        return out

    def distribution(self) -> NDArray[np.float64]:
        """Return the density of all residuals in the bins, ``(N_BINS,)``: its integral is 1."""
        total = self.counts.sum(axis=1)
        width = 2 * MAX_Z_SCORE / N_BINS
        return total / max(1, total.sum()) / width

    def figures(self) -> dict[str, float]:
        """Return figures for reports: mean, standard deviation, and part beyond 3 sigma."""
        total = self.counts.sum(axis=1)
        middle = (self.edges[1:] + self.edges[:-1]) / 2
        beyond = total[np.abs(middle) > 3].sum() / max(1, total.sum())
        return {
            "n_stars": float(self.n_stars),
            "mean": self.mean,
            "std": self.std,
            "beyond_3_sigma": float(beyond),
        }

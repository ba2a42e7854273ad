"""The stored list of continuum pixels, found on any grid that it covers.

It was derived from a synthetic grid by
:func:`~spectrabridge.core.synthesis.continuum_pixels.derive_continuum_pixels`::

    python -m spectrabridge.core.synthesis.continuum_pixels GRID.npz
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import GridError
from .wavelength import WavelengthGrid

LEAST_PIXELS_PER_CHIP = 10
"""Stored continuum pixels that a chip must have: twice the coefficients of a fit."""

STORED_PIXELS = Path(__file__).with_name("continuum_pixels.json")
"""File with the stored list of continuum pixels."""


@lru_cache(maxsize=1)
def _stored_wavelengths() -> tuple[float, ...]:
    data = json.loads(STORED_PIXELS.read_text(encoding="utf-8"))
    grid = WavelengthGrid.from_json(data["grid"])
    return tuple(grid.wavelength[data["pixels"]].tolist())


def default_continuum_pixels(grid: WavelengthGrid) -> NDArray[np.bool_]:
    """Return the stored continuum pixels on a grid.

    Parameters
    ----------
    grid : WavelengthGrid
        Any grid; each stored wavelength selects the nearest pixel on a chip.

    Returns
    -------
    ndarray of bool, shape ``(n_pixels,)``
        True at continuum pixels.

    Raises
    ------
    GridError
        If a chip of the grid has too few of the stored wavelengths for a fit.

    Examples
    --------
    >>> from spectrabridge.core.spectra import APOGEE_GRID
    >>> use = default_continuum_pixels(APOGEE_GRID)
    >>> use.shape, bool(0.1 < use.mean() < 0.2)
    ((7214,), True)
    """
    stored = np.array(_stored_wavelengths())
    out = np.zeros(grid.n_pixels, bool)
    for chip in grid.chips:
        wavelength = grid.wavelength[chip.pixels]
        if wavelength.size < 2:
            edges = np.array([wavelength[0] - 0.1, wavelength[0] + 0.1])
        else:
            middle = (wavelength[1:] + wavelength[:-1]) / 2
            edges = np.concatenate(
                [[2 * wavelength[0] - middle[0]], middle, [2 * wavelength[-1] - middle[-1]]]
            )
        where = np.searchsorted(edges, stored) - 1
        where = where[(where >= 0) & (where < len(chip))]
        out[chip.start + where] = True
        if out[chip.pixels].sum() < LEAST_PIXELS_PER_CHIP:
            raise GridError(
                f"Expected a grid within {stored[0]:.0f} to {stored[-1]:.0f} angstrom, where "
                f"continuum pixels are known; chip {chip.name!r} covers {wavelength[0]:.0f} to "
                f"{wavelength[-1]:.0f}. Give the continuum pixels of this grid."
            )
    return out

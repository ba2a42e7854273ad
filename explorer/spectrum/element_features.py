"""Where the derivatives of elements stand out: runs of pixels, drawn element by element.

Nothing here knows a screen; the functions may run in worker threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.spectra import WavelengthGrid


def no_runs() -> dict[str, NDArray[Any]]:
    """Return the columns of :func:`element_runs` without any run."""
    return {
        "pixel": np.empty(0, np.uint16),
        "value": np.empty(0, np.float32),
        "element": np.empty(0, np.uint8),
    }


def element_runs(
    derivatives: ArrayLike, columns: Sequence[int], grid: WavelengthGrid, threshold: float
) -> dict[str, NDArray[Any]]:
    """Return the runs of pixels where derivatives stand out, one after the other.

    A run covers neighbouring pixels of a chip whose absolute value is above `threshold`,
    and one more on each side where there is one, so that a line drawn through it starts
    and ends near zero. Runs that touch are one; a run ends where the next point is not the
    next pixel of the same element and chip.

    Parameters
    ----------
    derivatives : array_like, shape ``(n_pixels, n_labels)``
        Derivatives by every label.
    columns : sequence of int
        Columns of the elements.
    grid : WavelengthGrid
        Pixels and chips.
    threshold : float
        Smallest absolute value of the peak of a run.

    Returns
    -------
    dict of ndarray
        ``pixel`` and ``value`` of every point, and its ``element`` as a position in
        `columns`; as few bytes each as hold them, because every session keeps them and sends
        them to its browser.
    """
    by_element = np.asarray(derivatives, dtype=np.float32).T[list(columns)]
    if not by_element.size:
        return no_runs()
    inside = np.zeros(by_element.shape, dtype=bool)
    for chip in grid.chips:
        above = np.abs(by_element[:, chip.pixels]) > threshold
        wide = above.copy()
        wide[:, 1:] |= above[:, :-1]
        wide[:, :-1] |= above[:, 1:]
        inside[:, chip.pixels] = wide
    element, pixel = np.nonzero(inside)
    return {
        "pixel": _narrow(pixel),
        "value": by_element[element, pixel],
        "element": element.astype(np.uint8),
    }


def _narrow(numbers: NDArray[np.int64]) -> NDArray[Any]:
    """Return numbers from 0 in two bytes where those suffice, else in four."""
    small = numbers.size == 0 or int(numbers.max()) <= np.iinfo(np.uint16).max
    return numbers.astype(np.uint16 if small else np.uint32)

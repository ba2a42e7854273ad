"""Where names of spectral lines stand above a spectrum, so that none covers another.

Nothing here knows a screen: positions and widths are numbers of pixels.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

HIDDEN = -1
"""Row of a name for which there is no room."""

_WIDTHS = {
    **dict.fromkeys("iIjl.,:;'|! ", 0.29),
    **dict.fromkeys("frt()[]/-1", 0.46),
    **dict.fromkeys("mwMW", 0.90),
}
_OTHER_WIDTH = 0.68


def text_width(text: str, size: float = 11.0) -> float:
    """Return about how wide a text is in pixels, rather too wide than too narrow.

    Parameters
    ----------
    text : str
        One line in a proportional typeface without serifs, at most of medium weight.
    size : float
        Size of the type in pixels.
    """
    return size * sum(_WIDTHS.get(letter, _OTHER_WIDTH) for letter in text)


@dataclass(frozen=True)
class LabelPlacement:
    """Rows and centres of names.

    Parameters
    ----------
    row : ndarray of int, shape ``(n_names,)``
        0 for the row nearest to the spectrum, counted away from it; -1 for hidden.
    centre : ndarray, shape ``(n_names,)``
        Middle of each name in pixels; its line's position unless that is near an end.
    """

    row: NDArray[np.int64]
    centre: NDArray[np.float64]

    @property
    def shown(self) -> NDArray[np.int64]:
        """Which names are shown, in the order given."""
        return np.flatnonzero(self.row != HIDDEN)


def place(
    positions: ArrayLike,
    widths: ArrayLike,
    priorities: ArrayLike,
    *,
    low: float,
    high: float,
    rows: int = 2,
    gap: float = 4.0,
    keep: Sequence[int] = (),
) -> LabelPlacement:
    """Choose rows for names, the most important first; what finds no room is hidden.

    Every name is centred on its line, or moved in where it would leave the view. It takes
    the nearest row in which it keeps its distance from the names that are there already.

    Parameters
    ----------
    positions : array_like, shape ``(n_names,)``
        Where the lines are, in pixels. Lines out of view have no name.
    widths : array_like, shape ``(n_names,)``
        Widths of the names in pixels.
    priorities : array_like, shape ``(n_names,)``
        The higher, the earlier a name is placed; NaN is last. Equals go by their order.
    low, high : float
        Ends of the view in pixels.
    rows : int
        Rows that there are.
    gap : float
        Least distance between names of one row.
    keep : sequence of int
        Names that are placed before all others, such as the one chosen.

    Raises
    ------
    ValueError
        If positions, widths and priorities differ in number.
    """
    at = np.asarray(positions, dtype=np.float64).ravel()
    wide = np.asarray(widths, dtype=np.float64).ravel()
    rank = np.asarray(priorities, dtype=np.float64).ravel()
    if not at.size == wide.size == rank.size:
        raise ValueError(
            f"Expected as many widths and priorities as positions; found {at.size} positions, "
            f"{wide.size} widths and {rank.size} priorities."
        )
    row = np.full(at.size, HIDDEN, dtype=np.int64)
    half = wide / 2
    centre = np.maximum(np.minimum(at, high - half), low + half)
    order = np.argsort(-np.nan_to_num(rank, nan=-np.inf), kind="stable")
    first = dict.fromkeys(int(i) for i in keep)
    ends: list[list[float]] = [[] for _ in range(rows)]  # left, right, left, right, ...
    for i in (*first, *(int(i) for i in order if int(i) not in first)):
        if not low <= at[i] <= high or wide[i] > high - low:
            continue
        left, right = centre[i] - half[i] - gap / 2, centre[i] + half[i] + gap / 2
        for k, taken in enumerate(ends):
            where = bisect(taken, left)
            if where % 2 == 0 and (where == len(taken) or taken[where] >= right):
                taken[where:where] = [left, right]
                row[i] = k
                break
    return LabelPlacement(row, centre)

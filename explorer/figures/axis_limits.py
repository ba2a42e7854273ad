"""How far vertical axes reach: round numbers, the same on both sides of zero."""

from __future__ import annotations

import numpy as np
from bokeh.models.ranges import Range1d


def round_up(value: float) -> float:
    """Return the smallest of 1, 1.5, 2, 3, 5, 7 times a power of ten that is not below `value`."""
    if not np.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(m * power for m in (1, 1.5, 2, 3, 5, 7, 10) if m * power >= value * 0.9999))


def set_symmetric(y_range: Range1d, reach: float, exactly: bool = True) -> None:
    """Set a range symmetric about 0; one that is only a little too wide stays."""
    end = 1.08 * reach  # so that the labels of the ticks at both ends have room
    if exactly or not 0.4 < end / float(y_range.end) <= 1:  # type: ignore[arg-type]
        y_range.update(start=-end, end=end, reset_start=-end, reset_end=end)

"""Numbers as they are written for a person."""

from __future__ import annotations

import math

MINUS = "\u2212"


def number(value: float, digits: int) -> str:
    """Return a number with so many decimals, and with a minus sign; empty if unknown."""
    if not math.isfinite(value):
        return ""
    # Adding 0 makes -0.0 a 0.
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", MINUS)

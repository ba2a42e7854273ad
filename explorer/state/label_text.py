"""Labels as a person reads and types them: numbers, units, decimals, limits."""

from __future__ import annotations

import math

from ...core.labels import Label, LabelSet

MINUS = "\u2212"

_UNITS = {"log10(cm s-2)": "", "km s-1": "km/s"}

BOUNDS: dict[str, tuple[float, float]] = {
    "teff": (2500.0, 15000.0),
    "logg": (-1.0, 6.0),
    "vturb": (0.0, 20.0),
    "vmacro": (0.0, 200.0),
    "c12c13": (1.0, 1000.0),
}
"""Physically sane limits of what can be typed, by label; wider than any training grid."""

ABUNDANCE_BOUNDS = (-6.0, 3.0)
"""Limits of what can be typed for an abundance [X/H], in dex."""


def number(value: float, digits: int) -> str:
    """Return a number with so many decimals, and with a minus sign; empty if unknown."""
    if not math.isfinite(value):
        return ""
    # Adding 0 makes -0.0 a 0.
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", MINUS)


def bounds(labels: LabelSet, name: str) -> tuple[float, float]:
    """Return the limits of what can be typed for a label.

    They always hold the trained range.
    """
    label = labels[name]
    span = label.high - label.low
    if label.element:
        low, high = ABUNDANCE_BOUNDS
    else:
        low, high = BOUNDS.get(label.name, (label.low - 10 * span, label.high + 10 * span))
    return min(low, label.low), max(high, label.high)


def decimals(label: Label) -> int:
    """Return how many decimals of a label are shown: none where its step is 1 or more."""
    return 0 if label.step >= 1 else 2


def short_unit(label: Label) -> str:
    """Return a unit short enough to stand behind a box; none for logarithms of g."""
    return _UNITS.get(label.unit, label.unit)

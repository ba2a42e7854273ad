"""What lies outside the range that an emulator was trained on."""

from __future__ import annotations

from dataclasses import dataclass


def _short(limit: float) -> str:
    """Write a limit of a range with two decimals, or none where it is large."""
    return f"{limit:.0f}" if abs(limit) >= 100 else f"{limit:.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Extrapolation:
    """One input of an emulator outside its trained range.

    Parameters
    ----------
    label : str
        Short name of the label behind it.
    title : str
        What is outside, as shown to users: ``T_eff``, ``[Mg/Fe]``.
    value, low, high : float
        The value and the trained range, in the label's unit.
    """

    label: str
    title: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.title} {self.value:.4g} (trained {_short(self.low)} to {_short(self.high)})"

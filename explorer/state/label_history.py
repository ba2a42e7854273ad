"""Labels that were left by a jump, to go back to."""

from __future__ import annotations

from collections.abc import Mapping

MAX_JUMPS = 50
"""How many jumps can be undone."""


class LabelHistory:
    """The labels before each jump: to a preset, to a star, to the fit of one.

    Examples
    --------
    >>> history = LabelHistory()
    >>> history.record("Sun-like", {"teff": 4750.0})
    >>> history.last
    'Sun-like'
    >>> history.back()
    {'teff': 4750.0}
    >>> history.last
    ''
    """

    def __init__(self) -> None:
        self._jumps: list[tuple[str, dict[str, float]]] = []

    @property
    def last(self) -> str:
        """What the last jump led to, in words; empty if there is none to undo."""
        return self._jumps[-1][0] if self._jumps else ""

    def record(self, what: str, labels: Mapping[str, float]) -> None:
        """Keep the labels that a jump leaves."""
        self._jumps = [*self._jumps, (what, dict(labels))][-MAX_JUMPS:]

    def back(self) -> dict[str, float] | None:
        """Return the labels before the last jump, and forget it; None if there is none."""
        return self._jumps.pop()[1] if self._jumps else None

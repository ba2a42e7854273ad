"""Views that were looked at before, to go back to."""

from __future__ import annotations

import param

Zoom = tuple[str, tuple[float, float] | None]
"""A chip, and the wavelengths within it or None."""

MAX_VIEWS = 100
"""How many views are kept."""


class ZoomHistory:
    """The views of a state in the order they were looked at.

    Parameters
    ----------
    state : Parameterized
        A ViewState. Its chip and window are watched, and set to go back and forth.
    """

    def __init__(self, state: param.Parameterized) -> None:
        self._state = state
        self._seen: list[Zoom] = [self._now]
        self._at = 0
        self._going = False
        state.param.watch(self._looked, ["chip", "window"])

    @property
    def _now(self) -> Zoom:
        return self._state.chip, self._state.window  # type: ignore[attr-defined]

    @property
    def can_go(self) -> tuple[bool, bool]:
        """True for a view before, and for one after."""
        return self._at > 0, self._at < len(self._seen) - 1

    def go(self, steps: int) -> None:
        """Show the view so many steps later, or earlier; as far as there are any."""
        to = min(max(self._at + steps, 0), len(self._seen) - 1)
        if to == self._at:
            return
        chip, window = self._seen[to]
        self._going, self._at = True, to
        try:
            self._state.param.update(chip=chip, window=window)
        finally:
            self._going = False

    def _looked(self, *_: object) -> None:
        if self._going or self._now == self._seen[self._at]:
            return
        self._seen = [*self._seen[: self._at + 1], self._now][-MAX_VIEWS:]
        self._at = len(self._seen) - 1

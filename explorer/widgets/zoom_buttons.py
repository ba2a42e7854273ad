"""Buttons and keys that lead back to earlier zooms."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import param

from ..session.component import Component
from ..state.view_state import ViewState
from .browser_component import BrowserComponent


class ZoomButtons(Component, BrowserComponent):
    """Previous and next zoom, also by the keys ``[`` and ``]``."""

    back = param.Boolean(default=False, doc="Whether there is an earlier view.")
    forth = param.Boolean(default=False, doc="Whether there is a later view.")

    _esm = Path(__file__).with_name("zoom_buttons.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("zoom_buttons.css")]

    def __init__(self, state: ViewState | None = None, **params: Any) -> None:
        super().__init__(**params)
        self._state = state
        if state is not None:
            self.watch(state, self._show, ["chip", "window"])
            self._show()

    def _show(self, *_: object) -> None:
        if self._state is not None:
            back, forth = self._state.zooms.can_go
            self.param.update(back=back, forth=forth)

    def receive(self, message: dict[str, Any]) -> None:
        """Go a step back or forth."""
        if self._state is not None:
            self._state.zooms.go(-1 if message.get("step") == -1 else 1)
            self._show()

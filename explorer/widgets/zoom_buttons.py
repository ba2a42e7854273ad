"""Buttons and keys that lead back to earlier zooms."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent

from ..state.view_state import ViewState


class ZoomButtons(JSComponent):
    """Previous and next zoom, also by the keys ``[`` and ``]``."""

    back = param.Boolean(default=False, doc="Whether there is an earlier view.")
    forth = param.Boolean(default=False, doc="Whether there is a later view.")

    _esm = Path(__file__).with_name("zoom_buttons.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("zoom_buttons.css")]

    def __init__(self, state: ViewState | None = None, **params: Any) -> None:
        super().__init__(**params)
        self._state = state
        if state is not None:
            self._watcher = state.param.watch(self._show, ["chip", "window"])
            self._show()

    def _show(self, *_: object) -> None:
        if self._state is not None:
            back, forth = self._state.zooms.can_go
            self.param.update(back=back, forth=forth)

    def _handle_msg(self, message: Any) -> None:
        if self._state is not None and isinstance(message, dict):
            self._state.zooms.go(-1 if message.get("step", 1) < 0 else 1)
            self._show()

    def close(self) -> None:
        """Stop watching the state."""
        if self._state is not None:
            self._state.param.unwatch(self._watcher)

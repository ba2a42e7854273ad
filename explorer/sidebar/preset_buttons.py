"""Buttons for stars to start from, and one for the way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import param

from ..widgets.browser_component import BrowserComponent
from .presets import Preset

RESET = ("Reset", "return to the labels that the model starts with")
"""Label and description of the last button."""


class PresetButtons(BrowserComponent):
    """Small buttons side by side, one component for all of them.

    Parameters
    ----------
    presets : sequence of Preset
        A button for each.
    on_choose : callable
        Called with the preset whose button is pressed, and with None for the last button.
    on_undo : callable, optional
        Called when the button is pressed that is there while `undoable` says what it undoes.
    """

    buttons = param.List(default=[], doc="A list [label, description] for each button.")
    undoable = param.String(default="", doc="What can be undone, in words; empty for nothing.")

    _esm = Path(__file__).with_name("preset_buttons.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("preset_buttons.css")]

    def __init__(
        self,
        presets: Sequence[Preset],
        on_choose: Callable[[Preset | None], None],
        on_undo: Callable[[], None] = lambda: None,
        **params: Any,
    ) -> None:
        self._on_undo = on_undo
        self._presets = tuple(presets)
        self._on_choose = on_choose
        shown = [[p.name, p.description] for p in presets]
        super().__init__(buttons=[*shown, list(RESET)], **params)

    def press(self, number: int) -> None:
        """Do what a button does; the last one resets."""
        self._on_choose(self._presets[number] if number < len(self._presets) else None)

    def receive(self, message: dict[str, Any]) -> None:
        """Do what the button that was pressed does."""
        number = message.get("pressed")
        if number == "undo":
            self._on_undo()
        elif isinstance(number, int) and 0 <= number <= len(self._presets):
            self.press(number)

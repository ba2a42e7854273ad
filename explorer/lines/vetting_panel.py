"""The candidate that is vetted: its answers, the vetter's words, and the keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import param

from ..widgets.browser_component import BrowserComponent


class VettingPanel(BrowserComponent):
    """Shows a candidate and sends what a vetter does, by keys, buttons or fields.

    Every message names the candidate that was on the screen, so that a key pressed while
    one is shown never counts for the next. Texts that could not be kept stay in their
    fields and are sent again with the next decision about the same candidate.
    """

    candidate = param.Dict(
        default={}, doc="What is shown: id, title, status, facts, answers, element, comment."
    )
    problem = param.String(default="", doc="Why something was not kept, empty if all was.")
    said = param.String(default="", doc="What was done, such as what was taken back.")
    stored = param.List(
        default=[], doc="Id of the candidate last written about, and a number that grows."
    )
    answered = param.Integer(default=0, doc="Number of the last message that was dealt with.")
    channel = param.String(default="", doc="Prefix of the figure's events.")
    note = param.String(default="", doc="What stands below the buttons.")

    _esm = Path(__file__).with_name("vetting_panel.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("vetting_panel.css")]

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.on_message: Callable[[dict[str, Any]], None] = lambda message: None
        """Called with each message: ``do`` says what, ``id`` about which candidate."""

    def receive(self, message: dict[str, Any]) -> None:
        """Have a message dealt with, and tell the browser that it was."""
        try:
            self.on_message(message)
        finally:
            self.answered = int(message.get("n", 0))

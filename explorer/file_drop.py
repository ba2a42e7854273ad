"""Receive files from the browser: by a button, or dropped anywhere on the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent


class FileDrop(JSComponent):
    """A drop zone that hands over one file after the other.

    Set :attr:`on_file` and :attr:`on_problem` to receive them. Files arrive in pieces
    small enough for a websocket and are put together here, in memory.
    """

    label = param.String(default="Open files, or drop them on the page", doc="What it says.")
    largest = param.Integer(default=500_000_000, doc="Largest file taken, in bytes.")

    _esm = Path(__file__).with_name("file_drop.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("file_drop.css")]

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.on_file: Callable[[str, bytes], None] = lambda name, content: None
        """Called with name and content of each file."""
        self.on_problem: Callable[[str], None] = lambda sentence: None
        """Called with a sentence for each file that could not be received."""
        self.on_refused: Callable[[str, str], None] = lambda name, sentence: self.on_problem(
            sentence
        )
        """Called with name and sentence for each such file; tells the sentence if not set."""
        self._pieces: dict[str, list[bytes]] = {}

    def _handle_msg(self, message: dict[str, Any]) -> None:
        name = str(message.get("name", "the file"))
        problem = message.get("problem")
        if problem == "large":
            self.on_refused(
                name,
                f"{name} is larger than {self.largest // 10**6} MB; apStar files are below 100 MB.",
            )
        elif problem:
            self._pieces.pop(name, None)
            self.on_refused(
                name, f"{name} cannot be read by the browser; expected a file, not a folder."
            )
        else:
            pieces = self._pieces.setdefault(name, [])
            if message["piece"] == 0:
                pieces.clear()
            pieces.append(bytes(message["data"]))
            if len(pieces) == message["pieces"]:
                del self._pieces[name]
                self.on_file(name, b"".join(pieces))

"""Receive files from the browser: by a button, or dropped anywhere on the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import param

from .browser_component import BrowserComponent

MAX_AT_ONCE = 1000
"""Files that may be on their way at a time; pages send one after the other."""


class FileDrop(BrowserComponent):
    """A drop zone that hands over one file after the other.

    Set :attr:`on_file` and :attr:`on_problem` to receive them. Files arrive in pieces
    small enough for a websocket and are put together here, in memory.
    """

    label = param.String(default="Open files, or drop them on the page", doc="What it says.")
    largest = param.Integer(default=100_000_000, doc="Largest file taken, in bytes.")

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
        self.batch: tuple[int, int] = (id(self), 0)
        """Names what was dropped or opened together, for the file that is handed over."""
        self._arriving: dict[str, tuple[int, bytearray]] = {}
        """Number of pieces and content of files that are not whole yet."""

    def receive(self, message: dict[str, Any]) -> None:
        """Take a piece of a file, or what the browser says is wrong with one."""
        name = str(message.get("name", "the file"))
        problem = message.get("problem")
        if problem == "large":
            self._refuse(name)
        elif problem:
            self._arriving.pop(name, None)
            self.on_refused(
                name, f"{name} cannot be read by the browser; expected a file, not a folder."
            )
        else:
            self._take(name, message)

    def _take(self, name: str, message: dict[str, Any]) -> None:
        """Keep a piece, unless that is more than a file may have; hand over what is whole."""
        piece, whole, data = (message.get(k) for k in ("piece", "pieces", "data"))
        # The browser should say what is so, but a browser can be made to say anything.
        if not (isinstance(piece, int) and isinstance(whole, int) and isinstance(data, bytes)):
            self._arriving.pop(name, None)
            self.on_refused(name, f"{name} came in pieces that cannot be put together. Try again.")
            return
        if piece == 0 and len(self._arriving) < MAX_AT_ONCE:
            self._arriving[name] = (0, bytearray())
        elif name not in self._arriving:
            return  # the rest of a file that was refused
        count, content = self._arriving[name]
        content += data
        self._arriving[name] = (count + 1, content)
        if sum(len(held) for _, held in self._arriving.values()) > self.largest:
            self._refuse(name)
        elif count + 1 == whole:
            del self._arriving[name]
            together = message.get("batch")
            self.batch = (id(self), together if isinstance(together, int) else 0)
            self.on_file(name, bytes(content))

    def _refuse(self, name: str) -> None:
        self._arriving.pop(name, None)
        self.on_refused(
            name,
            f"{name} is larger than {self.largest // 10**6} MB, the most that is taken here. "
            "Fit large files with `spectrabridge fit`.",
        )


def spectra_drop() -> FileDrop:
    """Return a place to open spectra at, or to drop them onto, as wide as its column."""
    return FileDrop(
        label="Open spectra, or drop them here", margin=0, height=34, sizing_mode="stretch_width"
    )

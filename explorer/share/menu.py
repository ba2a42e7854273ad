"""A button in the header with all ways to share what is shown; the address bar follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import param

from ..widgets.browser_component import BrowserComponent


class ShareMenu(BrowserComponent):
    """A menu of links, pictures, tables and pages; sets the query of the page's address.

    Set :attr:`on_ask` to answer what the browser cannot make itself, by :meth:`give`,
    :meth:`give_text` or :meth:`tell`.
    """

    query = param.String(default="", doc="Query of the address; the page is not loaded anew.")
    actions = param.List(
        default=[], doc="A title and its buttons [label, want, format, about] for each action."
    )
    caption = param.String(default="", doc="What stands above a picture.")
    file = param.String(default="spectrabridge", doc="Name of saved pictures, without suffix.")
    paper = param.String(default="#ffffff", doc="Colour behind the figures of a picture.")
    ink = param.String(default="#000000", doc="Colour of the words of a picture.")

    _esm = Path(__file__).with_name("menu.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("menu.css")]

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.on_ask: Callable[[str, str], None] = lambda want, format_: None
        """Called with what is wanted, and in which format."""

    def receive(self, message: dict[str, Any]) -> None:
        """Have a question answered."""
        self.on_ask(str(message.get("want", "")), str(message.get("format", "")))

    def give(self, name: str, content: bytes, kind: str) -> None:
        """Let the browser save a file of a media type."""
        self.send({"kind": "file", "name": name, "type": kind, "content": content})

    def give_text(self, kind: str, text: str) -> None:
        """Let the browser copy a text: a ``link``, as a query, or ``python``."""
        self.send({"kind": kind, "text": text})

    def tell(self, sentence: str) -> None:
        """Say something in the menu."""
        self.send({"kind": "problem", "text": sentence})

"""The list of pages in the header."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import param

from .browser_component import BrowserComponent


class Navigation(BrowserComponent):
    """Names of pages; a click, or Enter, opens one, and so does its shortcut after a ``g``.

    What takes longer than a third of a second is shown by a bar along the top of the page.
    """

    pages = param.List(default=[], doc="A list [key, title, shortcut] for each page.")
    value = param.String(default="", doc="Key of the page that is open.")
    opened = param.Integer(default=0, doc="Counts pages that have been opened.")
    busy = param.Boolean(default=False, doc="Whether something else is being opened.")

    from_browser = ("value",)

    _esm = Path(__file__).with_name("navigation.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("navigation.css")]

    @classmethod
    def accepts(cls, name: str, value: Any, server: Mapping[str, Any]) -> bool:
        """Tell whether this is one of the pages."""
        return super().accepts(name, value, server) and value in [p[0] for p in server["pages"]]

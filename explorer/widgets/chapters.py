"""A long text in chapters, with a list of them that stays in view."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import param

from .browser_component import BrowserComponent


class Chapters(BrowserComponent):
    """Titles on the left, text on the right; a click on a title goes there.

    The HTML must come from this package, with whatever is not its own escaped.
    """

    heading = param.String(default="", doc="What stands above the text.")
    chapters = param.List(default=[], doc="A list [title, HTML] for each chapter.")

    _esm = Path(__file__).with_name("chapters.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("chapters.css")]

"""A labelled drop-down list whose keys outlive changes of its titles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import param

from .browser_component import BrowserComponent


class Choice(BrowserComponent):
    """Choose one of a few things by name.

    The browser sends keys, not titles, so a choice made while the list changes is
    either known or can be ignored.
    """

    label = param.String(default="", doc="What is chosen.")
    options = param.List(default=[], doc="A list [key, title] for each option.")
    value = param.String(default="", doc="Key of the choice.")

    from_browser = ("value",)

    _esm = Path(__file__).with_name("choice.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("choice.css")]

    @classmethod
    def accepts(cls, name: str, value: Any, server: Mapping[str, Any]) -> bool:
        """Tell whether this is one of the options."""
        return super().accepts(name, value, server) and value in [o[0] for o in server["options"]]

"""Who vets, how far the work is, and which candidates are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import param

from ..widgets.browser_component import BrowserComponent


class VettingBar(BrowserComponent):
    """Name of the vetter, progress, and filters of the table."""

    vetter = param.String(default="", doc="Who decides.")
    vetters = param.List(default=[], item_type=str, doc="Names known so far.")
    done = param.List(default=[0, 0], doc="How many candidates are decided, of how many.")
    words = param.String(default="", doc="More about the progress.")
    options = param.Dict(default={}, doc="Lists of [key, title] for element, kind and status.")
    element = param.String(default="", doc="Wanted element, empty for any.")
    kind = param.String(default="", doc="Wanted kind, empty for any.")
    status = param.String(default="", doc="Wanted status, empty for any.")
    least = param.Number(default=0.0, bounds=(0, None), doc="Least significance.")

    from_browser = ("vetter", "element", "kind", "status", "least")

    _esm = Path(__file__).with_name("vetting_bar.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("vetting_bar.css")]

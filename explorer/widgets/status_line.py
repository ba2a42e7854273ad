"""The line under the figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import param

from .browser_component import BrowserComponent


class StatusLine(BrowserComponent):
    """Cursor readout, extrapolation and the time from a move to its paint.

    The readout and the time come from the figures, in the browser, by document events
    ``{channel}-cursor`` and ``{channel}-painted``; Python never sees them.
    """

    channel = param.String(default="", doc="Prefix of the events, one per view.")
    hint = param.String(default="", doc="Shown while the cursor is elsewhere.")
    star = param.String(default="", doc="Of the observed star; shown in place of the hint.")
    note = param.String(default="", doc="What the labels are: inside the trained range or not.")
    working = param.String(default="", doc="What is being computed; empty for nothing.")
    extrapolates = param.Boolean(default=False, doc="Whether the note is a warning.")

    _esm = Path(__file__).with_name("status_line.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("status_line.css")]

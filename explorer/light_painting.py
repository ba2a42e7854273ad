"""Figures that repaint often: without the work that they do not need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bokeh.models import CustomJS

_CODE = Path(__file__).with_name("light_painting.mjs")


def lighten(plot: Any) -> None:
    """Make a Bokeh figure cheap to paint anew, see light_painting.mjs.

    Style sheets of the page can no longer restyle it, and nothing in it can be selected.
    """
    # Told when the figure has been laid out, and so has views.
    plot.js_on_change("inner_width", CustomJS.from_file(_CODE, plot=plot))

"""The legend of the flux figure, outside of it so that it costs no paint."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import param

from .browser_component import BrowserComponent


class CurveLegend(BrowserComponent):
    """Names of curves with their strokes; a click, or the space bar, hides a curve."""

    curves = param.List(default=[], doc="A list [name, colour, dashed] for each curve.")
    hidden = param.List(default=[], item_type=str, doc="Names of the curves that are hidden.")

    from_browser = ("hidden",)

    _esm = Path(__file__).with_name("curve_legend.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("curve_legend.css")]

    def _get_properties(self, doc: Any) -> dict[str, Any]:
        # In a notebook panel-material-ui takes every model whose class is called something
        # with Legend at the end for a legend of Bokeh's, and fails.
        return super()._get_properties(doc) | {"class_name": "CurveNames"}

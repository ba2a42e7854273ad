"""Figures of residuals: against wavelength, and their distribution beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.layouts import gridplot
from bokeh.models import (
    BasicTicker,
    BoxZoomTool,
    ColumnDataSource,
    ToolProxy,
    WheelZoomTool,
)
from bokeh.models.annotations import Span, Title
from bokeh.models.ranges import Range1d
from bokeh.plotting import figure

from ...core.fitting.settings import Kind
from ..figures.theme import ADAPTED, paint, surface
from ..workarounds.fast_repaint import drop_spare_glyphs
from .residual_counts import EDGES, MAX_SIGMA, Spread

SIDE_WIDTH_PIXELS = 176
"""Width of the distributions, in pixels."""


def grid_of(rows: list[list[Any]], heights: list[str]) -> Any:
    """Return figures in two columns, the right one narrow, with one toolbar for all."""
    options: Any = {"active_drag": "auto", "active_scroll": "auto"}
    grid: Any = gridplot(
        rows,
        merge_tools=True,
        toolbar_location="right",
        sizing_mode="stretch_both",
        toolbar_options={"logo": None, "autohide": False} | options,
    )
    grid.rows, grid.cols = heights, ["1fr", f"{SIDE_WIDTH_PIXELS}px"]
    # The figures on the right have no tools, so what is active must be said for the grid.
    for tool in grid.toolbar.tools:
        inner = tool.tools[0] if isinstance(tool, ToolProxy) else tool
        if isinstance(inner, BoxZoomTool):
            grid.toolbar.active_drag = tool
        elif isinstance(inner, WheelZoomTool):
            grid.toolbar.active_scroll = tool
    return grid


def sigma_range() -> Range1d:
    """Return a range for residuals."""
    return Range1d(start=-MAX_SIGMA, end=MAX_SIGMA, reset_start=-MAX_SIGMA, reset_end=MAX_SIGMA)


class SigmaLines:
    """Lines at 0, +-1 and +-3 sigma."""

    def __init__(self, plot: Any) -> None:
        dashes = {0: "solid", 1: "dotted", 3: "dashed"}
        self.spans = [
            Span(location=sign * at, dimension="width", line_width=1, line_dash=dash, level="image")
            for at, dash in dashes.items()
            for sign in ((1,) if at == 0 else (1, -1))
        ]
        for span in self.spans:
            plot.add_layout(span)

    def paint(self, dark: bool) -> None:
        """Give the lines the colour of a theme."""
        for span in self.spans:
            span.line_color = surface(dark).text
            span.line_alpha = 0.75


class Distribution:
    """Bars of how residuals are distributed, lying, beside a figure with the same range.

    Parameters
    ----------
    y_range : Range1d
        Range of the residuals.
    last : bool
        Whether its axis is shown.
    """

    def __init__(self, kind: Kind, y_range: Range1d, last: bool = False) -> None:
        self.kind = kind
        self.source = ColumnDataSource(
            {"low": EDGES[:-1], "high": EDGES[1:], "density": np.zeros(len(EDGES) - 1)}
        )
        self.title = Title(
            text="no residuals", text_font_size="11.5px", text_font_style="normal", standoff=2
        )
        self.plot: Any = figure(
            y_range=y_range,
            x_range=Range1d(start=0, end=0.48),
            tools="",
            toolbar_location=None,
            width=SIDE_WIDTH_PIXELS,
            sizing_mode="stretch_height",
            min_border_left=8,
            min_border_right=6,
            min_border_top=3,
            min_border_bottom=3,
            title=self.title,
        )
        self.bars = self.plot.quad(
            left=0, right="density", bottom="low", top="high", source=self.source, line_color=None
        )
        at = np.linspace(-MAX_SIGMA, MAX_SIGMA, 121)
        self.normal = self.plot.line(np.exp(-0.5 * at**2) / np.sqrt(2 * np.pi), at, line_width=1.5)
        drop_spare_glyphs(self.plot)
        self.plot.yaxis.major_label_text_font_size = "0px"
        self.plot.yaxis.ticker = BasicTicker(desired_num_ticks=4)
        self.plot.xaxis.visible = last
        if last:
            self.plot.xaxis.axis_label = "share per \u03c3, line: N(0,1)"
            self.plot.xaxis.axis_label_standoff = 2
        self.plot.xaxis.ticker = BasicTicker(desired_num_ticks=3)

    def show(self, spread: Spread) -> None:
        """Show a distribution, with mean and standard deviation above it."""
        self.source.data.update({"density": spread.density})
        end = max(0.48, 1.08 * float(spread.density.max()))
        self.plot.x_range.update(start=0, end=end)
        text = f"mean {_signed(spread.mean)}, std {spread.std:.2f}" if spread.n else "no residuals"
        self.title.text = text

    def paint(self, dark: bool) -> None:
        """Give everything the colours of a theme."""
        paint(self.plot, dark)
        self.title.text_color = surface(dark).text
        self.bars.glyph.fill_color = colour_of(self.kind, dark)
        self.normal.glyph.line_color = surface(dark).observed


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\u2212")


def colour_of(kind: Kind, dark: bool) -> str:
    """Return the colour of a kind of fit."""
    return ADAPTED if kind == "adapted" else surface(dark).emulated

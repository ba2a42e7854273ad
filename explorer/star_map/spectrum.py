"""The spectrum beside a map: of the chosen star, or the mean of the selected ones."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import panel as pn
from bokeh.models import ColumnDataSource
from bokeh.models.ranges import Range1d

from ...core.spectra import WavelengthGrid
from ..figures.theme import ADAPTED, paint, surface
from ..figures.wavelength_axis import Wavelengths, wavelength_figure
from ..session.component import Component
from ..state.view_state import ViewState
from ..widgets.curve_legend import CurveLegend
from ..widgets.view_controls import chip_choice, word
from ..workarounds.fast_repaint import drop_spare_glyphs
from .stars import Array, Curves

HINT = "Tap a star to see its spectrum."

NAMES = ("observed", "adapted", "emulated")


class MapSpectrum(Component, pn.viewable.Viewer):
    """A figure of the curves of a star or a selection.

    Parameters
    ----------
    grid : WavelengthGrid
        Grid of the spectra.
    state : ViewState
        Gives unit, medium, chip and theme.
    """

    def __init__(self, grid: WavelengthGrid, state: ViewState) -> None:
        super().__init__()
        self.state = state
        self.wavelengths = Wavelengths(grid, state)
        x = self.wavelengths.positions
        empty = np.full(x.size, np.nan, np.float32)
        columns = dict.fromkeys((*NAMES, "low", "high"), empty)
        self.source = ColumnDataSource({"x": x} | columns)
        self.flux_range = Range1d(start=0.3, end=1.1)
        self.plot: Any = wavelength_figure("flux", self.wavelengths.range, self.flux_range, True)
        self.plot.toolbar_location = None
        self.band = self.plot.varea(
            "x", "low", "high", source=self.source, fill_alpha=0.3, visible=False
        )
        self.lines = {
            name: self.plot.line("x", name, source=self.source, line_width=1)
            for name in ("observed", "adapted", "emulated")
        }
        drop_spare_glyphs(self.plot)
        self.curves: Curves | None = None
        self.legend = CurveLegend(margin=0, width=256)
        self.legend.param.watch(self._hide, "hidden")
        self.title = pn.pane.HTML(HINT, margin=0, sizing_mode="stretch_width", styles=_TITLE)
        self.watch(state, self._show_wavelengths, ["unit", "medium"])
        self.watch(state, self.wavelengths.follow, ["chip", "window"])
        self._show_axis()

    def draw(self, curves: Curves) -> None:
        """Show curves; ranges that are only a little too wide stay."""
        self.curves = curves
        spread = self.wavelengths.axis.spread
        nothing = np.full(self.wavelengths.axis.grid.n_pixels, np.nan, np.float32)
        given = {n: getattr(curves, n) for n in NAMES}
        columns = {n: spread(nothing if c is None else c) for n, c in given.items()}
        self.band.visible = curves.spread is not None and "observed" not in self.legend.hidden
        if curves.spread is not None and curves.observed is not None:
            columns["low"] = self._closed(curves.observed, -curves.spread)
            columns["high"] = self._closed(curves.observed, curves.spread)
        self.source.data.update(columns)
        lowest = min(
            (float(np.nanpercentile(c, 0.1)) for c in given.values() if c is not None), default=0.3
        )
        start = max(-0.05, np.floor((lowest - 0.05) * 10) / 10)
        if not start - 0.21 < float(self.flux_range.start) <= start:  # type: ignore[arg-type]
            self.flux_range.start = start
        about = [curves.title]
        if curves.spread is not None:
            about.append("the band is one standard deviation of the observed stars")
        about += [curves.note] if curves.note else []
        self.title.object = (
            f'<span title="{html.escape("; ".join(about))}">'
            f"<b>{html.escape(curves.title)}</b></span>"
        )
        self._show_legend()

    def _closed(self, mean: Array, off: Array) -> Array:
        """Return an edge of the band, which closes at the ends of chips.

        An area has no gaps: between chips it has no height instead.
        """
        axis = self.wavelengths.axis
        centre, edge = axis.spread(mean), axis.spread(mean + off)
        for at in axis.breaks:
            edge[at - 1], edge[at + 1] = centre[at - 1], centre[at + 1]
            edge[at] = (centre[at - 1] + centre[at + 1]) / 2
        return edge

    def _show_legend(self) -> None:
        colours = surface(self.state.dark)
        shades = dict(zip(NAMES, (colours.observed, ADAPTED, colours.emulated), strict=True))
        there = [n for n in NAMES if self.curves and getattr(self.curves, n) is not None]
        self.legend.visible = bool(there)
        self.legend.curves = [[n, shades[n], False] for n in there]

    def _hide(self, *_: object) -> None:
        for name, line in self.lines.items():
            line.visible = name not in self.legend.hidden
        has = self.curves is not None and self.curves.spread is not None
        self.band.visible = has and "observed" not in self.legend.hidden

    def _show_wavelengths(self, *_: object) -> None:
        self.source.data.update({"x": self.wavelengths.show_unit()})
        self._show_axis()

    def _show_axis(self) -> None:
        self.plot.xaxis.axis_label = self.wavelengths.label

    def paint(self, dark: bool) -> None:
        """Give everything the colours of a theme."""
        colours = surface(dark)
        paint(self.plot, dark)
        self.lines["observed"].glyph.line_color = colours.observed
        self.lines["adapted"].glyph.line_color = ADAPTED
        self.lines["emulated"].glyph.line_color = colours.emulated
        self.band.glyph.fill_color = colours.observed
        self._show_legend()

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            pn.Row(
                self.title,
                self.legend,
                word("chip"),
                chip_choice(self.state, self.wavelengths.axis.grid),
                sizing_mode="stretch_width",
                height=26,
                margin=(4, 8, 0, 12),
                styles={"gap": "10px"},
            ),
            pn.pane.Bokeh(self.plot, sizing_mode="stretch_both", margin=0),
            sizing_mode="stretch_both",
            margin=0,
            styles={"flex": "5 1 400px", "min-width": "0", "min-height": "150px"},
        )


_TITLE = {
    "font-size": "12.5px",
    "line-height": "24px",
    "white-space": "nowrap",
    "overflow": "hidden",
    "text-overflow": "ellipsis",
}

"""A candidate feature at close range: spectra, known lines, and derivatives below.

The whole spectra are in the browser. What is in the window is cut out there, so that
another candidate, or another zoom, needs no more than the ends of a window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import panel as pn
from bokeh.core.properties import value
from bokeh.events import MouseLeave, MouseMove
from bokeh.layouts import gridplot
from bokeh.models import (
    BasicTicker,
    BoxZoomTool,
    ColumnDataSource,
    CustomJS,
    ToolProxy,
    WheelZoomTool,
)
from bokeh.models.annotations import BoxAnnotation, Span
from bokeh.models.ranges import Range1d
from bokeh.models.widgets import Div
from bokeh.plotting import figure
from numpy.typing import NDArray

from ...core.lines import Candidate
from ...core.spectra import WavelengthGrid
from ...core.spectra.wavelength import convert
from ..computed.derivatives import LabelDerivatives
from ..figures.chip_axis import ChipAxis
from ..figures.theme import ADAPTED, TRUTH, element_colour, paint, surface
from ..figures.wavelength_axis import DIGITS, UNIT_SYMBOLS, wavelength_figure
from ..state.view_state import ViewState
from ..workarounds.fast_repaint import drop_spare_glyphs
from .reference_star import ReferenceStar, StarLines, columns_by_element, top_elements, window_of

CURVES = ("observed", "adapted", "truth", "emulated")
"""Names of the spectra, in the order in which they are painted."""

NAME_ROWS = 3
"""Rows of names of known lines."""

NAME_HEIGHT_PIXELS = 15
"""Height of each, in pixels."""

_FOLDER = Path(__file__).parent
_BORDERS = (62, 6, 3)


class CandidateFigure(pn.viewable.Viewer):
    """Emulated, adapted, true or observed flux around a feature, and derivatives below.

    Parameters
    ----------
    grid : WavelengthGrid
        Grid of the spectra.
    labels : LabelSet
        Names the columns of derivatives.
    star : ReferenceStar
        Its spectra.
    state : ViewState
        Gives unit, medium and theme.
    known : StarLines, optional
        Lines to name.

    Notes
    -----
    Previous zooms are kept in the browser; the event ``{channel}-previous`` on its
    document returns to the one before. ``{channel}-painted`` says that a candidate has
    been painted.
    """

    def __init__(
        self,
        grid: WavelengthGrid,
        labels: Any,
        star: ReferenceStar,
        state: ViewState,
        known: StarLines | None = None,
    ) -> None:
        super().__init__()
        self.axis = ChipAxis(grid)
        self.state = state
        self.star = star
        self._observed = star.observed
        self.known = known
        self.channel = f"spectrabridge-{uuid4().hex}"
        self.candidate: Candidate | None = None
        self._columns = columns_by_element(labels)
        self._derivatives: LabelDerivatives | None = None
        self._build_sources()
        self._build_plots()
        self._draw_in_browser()
        self.paint()
        self.on_drawn: Callable[[], None] = lambda: None
        """Called when the browser has laid out the figure, so that it knows its sources."""
        self.flux.on_change("inner_width", self._laid_out)

    def _laid_out(self, attribute: str, before: Any, now: Any) -> None:
        if now:
            self.on_drawn()

    # ------------------------------------------------------------------ sources

    def _build_sources(self) -> None:
        x = self.axis.positions(self.state.unit, self.state.medium)
        empty = np.full(x.size, np.nan, np.float32)
        star = self.star
        spectra = {name: getattr(star, name) for name in CURVES}
        self.full = ColumnDataSource(
            {"x": x} | {k: empty if v is None else self.axis.spread(v) for k, v in spectra.items()}
        )
        """Every pixel; drawn by nobody."""
        self.slopes = ColumnDataSource({"x": x[:0]})
        """Derivative differences by element, every pixel; empty until they are known."""
        known = self.known
        self.lines = ColumnDataSource(
            {
                "x": self._known_positions(),
                "strength": np.empty(0, np.float32) if known is None else known.strength,
                "loggf": np.empty(0, np.float32) if known is None else known.loggf,
                "ep": np.empty(0, np.float32) if known is None else known.ep,
                "species": np.empty(0, np.uint8) if known is None else known.species,
            }
        )
        self.chosen = ColumnDataSource(self._choice(None))
        """One row: the window to show, the feature's ends in it, the elements drawn."""
        self.drawn = ColumnDataSource({"x": []} | {name: [] for name in CURVES})
        self.drawn_slopes = ColumnDataSource({"xs": [], "ys": [], "colour": []})
        self.curve_names = ColumnDataSource({"x": [], "y": [], "text": [], "colour": []})
        self.names = ColumnDataSource({"x": [], "y": [], "text": [], "colour": []})
        self.leaders = ColumnDataSource({"x": [], "top": [], "colour": []})
        self.ticks = ColumnDataSource({"x": [], "top": [], "colour": []})

    def _known_positions(self) -> NDArray[np.float64]:
        if self.known is None:
            return np.empty(0)
        return convert(self.known.wavelength, self.state.unit, self.state.medium)

    def _choice(self, candidate: Candidate | None) -> dict[str, list[Any]]:
        """Return the row that tells the browser what to show."""
        names = ("low", "high", "start", "end")
        if candidate is None:
            low, high = self.axis.span(None, "angstrom", "vacuum")
            ends: Sequence[float] = (np.nan, np.nan, low, high)
            elements: list[str] = []
        else:
            ends = (candidate.low, candidate.high, *window_of(candidate))
            elements = []
            if self._derivatives is not None:
                elements = top_elements(candidate, self._derivatives, self._columns)
        at = convert(ends, self.state.unit, self.state.medium)
        row: dict[str, list[Any]] = {n: [float(v)] for n, v in zip(names, at, strict=True)}
        row["id"] = [candidate.id if candidate is not None else ""]
        row["elements"] = [",".join(elements)]
        return row

    # ------------------------------------------------------------------- plots

    def _build_plots(self) -> None:
        low, high = self.axis.span(None, self.state.unit, self.state.medium)
        self.x_range = Range1d(start=low, end=high, bounds=(low, high))
        self.flux_range = Range1d(start=0.3, end=1.06)
        self.lower_range = Range1d(start=-0.1, end=0.1)
        height = NAME_ROWS * NAME_HEIGHT_PIXELS + 4
        left, right, _ = _BORDERS
        self.strip: Any = figure(
            x_range=self.x_range,
            y_range=Range1d(start=0, end=height),
            tools="",
            toolbar_location=None,
            height=height,
            sizing_mode="stretch_width",
            min_border_left=left,
            min_border_right=right,
            min_border_top=0,
            min_border_bottom=0,
        )
        self.strip.axis.visible = False
        self.strip.grid.visible = False
        self._build_curves()

    def _build_curves(self) -> None:
        """Build the figures of the flux and of the derivatives."""
        self.flux = wavelength_figure("flux", self.x_range, self.flux_range, borders=_BORDERS)
        self.lower = wavelength_figure(
            "\u0394 \u2202flux/\u2202[X/H]", self.x_range, self.lower_range, True, _BORDERS
        )
        for plot in (self.flux, self.lower):
            plot.xaxis.ticker = BasicTicker(desired_num_ticks=8)
        self.lower.xaxis.axis_label = self._axis_label()
        self.spectra = {
            name: self.flux.line(
                "x",
                name,
                source=self.drawn,
                line_width=1.5,
                line_dash=[5, 4] if name == "truth" else "solid",
            )
            for name in CURVES
        }
        self.spectra["adapted"].glyph.line_color = ADAPTED
        self.spectra["truth"].glyph.line_color = TRUTH
        self.curves = self.lower.multi_line(
            "xs", "ys", source=self.drawn_slopes, line_color="colour", line_width=1.5
        )
        words: dict[str, Any] = {
            "text_font": value("Roboto, sans-serif"),
            "text_font_size": value("11px"),
            "text_color": "colour",
        }
        self.lower.text(
            "x",
            "y",
            "text",
            source=self.curve_names,
            text_align="left",
            text_baseline="top",
            **(words | {"text_font_size": value("12px"), "text_font_style": "bold"}),
        )
        self.strip.text(
            "x",
            "y",
            "text",
            source=self.names,
            text_align="center",
            text_baseline="middle",
            **words,
        )
        for source in (self.leaders, self.ticks):
            self.strip.segment("x", 0, "x", "top", source=source, line_color="colour", line_width=1)
        self.guides = self.flux.vspan(
            "x", source=self.leaders, line_color="colour", line_alpha=0.35, line_dash=[2, 3]
        )
        drop_spare_glyphs(self.strip, self.flux, self.lower)
        self._annotate()
        options: Any = {"active_drag": "auto", "active_scroll": "auto"}
        grid: Any = gridplot(
            [[self.strip], [self.flux], [self.lower]],
            merge_tools=True,
            toolbar_location="right",
            sizing_mode="stretch_both",
            toolbar_options={"logo": None, "autohide": False} | options,
        )
        grid.rows = [f"{self.strip.height}px", "1.7fr", "1.15fr"]
        # The strip has no tools, so what is active must be said for the grid.
        for tool in grid.toolbar.tools:
            inner = tool.tools[0] if isinstance(tool, ToolProxy) else tool
            if isinstance(inner, BoxZoomTool):
                grid.toolbar.active_drag = tool
            elif isinstance(inner, WheelZoomTool):
                grid.toolbar.active_scroll = tool
        self.grid = grid

    def _annotate(self) -> None:
        self.levels = [
            Span(location=at, dimension="width", line_width=1, level="image") for at in (1, 0)
        ]
        self.flux.add_layout(self.levels[0])
        self.lower.add_layout(self.levels[1])
        self.shades = []
        for plot in (self.flux, self.lower):
            shade = BoxAnnotation(left=0, right=0, level="image", line_color=None, visible=False)
            plot.add_layout(shade)
            self.shades.append(shade)

    # ------------------------------------------------------------------ browser

    def _draw_in_browser(self) -> None:
        self._format = Div(tags=self._tags())
        known = self.known
        draw = CustomJS.from_file(
            _FOLDER / "window.mjs",
            full=self.full,
            slopes=self.slopes,
            lines=self.lines,
            chosen=self.chosen,
            drawn=self.drawn,
            drawn_slopes=self.drawn_slopes,
            curve_names=self.curve_names,
            names=self.names,
            leaders=self.leaders,
            ticks=self.ticks,
            shades=self.shades,
            range=self.x_range,
            flux_range=self.flux_range,
            lower_range=self.lower_range,
            plot=self.flux,
            format=self._format,
            colours={e: element_colour(e) for e in self._columns},
            species=list(known.names) if known else [],
            species_colours=[element_colour(e) if e else "" for e in known.elements]
            if known
            else [],
            rows=NAME_ROWS,
            row_height=NAME_HEIGHT_PIXELS,
            channel=self.channel,
        )
        for source in (self.full, self.slopes, self.chosen):
            source.js_on_change("data", draw)
        for end in ("start", "end"):
            self.x_range.js_on_change(end, draw)
        for side in ("inner_width", "inner_height"):
            self.flux.js_on_change(side, draw)
        self._format.js_on_change("tags", draw)
        cursor = CustomJS.from_file(
            _FOLDER / "cursor.mjs",
            full=self.full,
            lines=self.lines,
            spectra=self.spectra,
            species=list(known.names) if known else [],
            range=self.x_range,
            plot=self.flux,
            format=self._format,
            channel=self.channel,
        )
        for plot in (self.strip, self.flux, self.lower):
            plot.js_on_event(MouseMove, cursor)
            plot.js_on_event(MouseLeave, cursor)

    def _axis_label(self) -> str:
        unit = UNIT_SYMBOLS[self.state.unit]
        return f"wavelength in {self.state.medium}, rest frame ({unit})"

    def _tags(self) -> list[Any]:
        unit = self.state.unit
        return [UNIT_SYMBOLS[unit], DIGITS[unit], surface(self.state.dark).text, self.state.dark]

    # -------------------------------------------------------------------- shown

    def draw(self, candidate: Candidate | None) -> None:
        """Go to a candidate; to the whole spectrum for None."""
        self.candidate = candidate
        self.chosen.data = self._choice(candidate)

    def take(self, derivatives: LabelDerivatives) -> None:
        """Draw derivatives from now on."""
        self._derivatives = derivatives
        difference = derivatives.difference
        columns: dict[str, Any] = {
            element: self.axis.spread(difference[:, column])
            for element, column in self._columns.items()
        }
        self.slopes.data = {"x": self.full.data["x"]} | columns
        self.draw(self.candidate)

    def observe(self, flux: NDArray[np.float32] | None) -> None:
        """Draw the flux of an observed star; None draws that of the reference star, if any."""
        self._observed = self.star.observed if flux is None else flux
        spread = self.axis.nothing if self._observed is None else self.axis.spread(self._observed)
        self.full.data.update({"observed": spread})
        self.draw(self.candidate)

    def hide(self, names: Sequence[str]) -> None:
        """Hide some of the spectra by name."""
        for name, line in self.spectra.items():
            line.visible = name not in names

    @property
    def legend(self) -> list[list[Any]]:
        """Names of the spectra with their colours, and whether they are dashed."""
        colours = surface(self.state.dark)
        out: list[list[Any]] = [["emulated", colours.emulated, False], ["adapted", ADAPTED, False]]
        if self.star.truth is not None:
            out.append(["truth", TRUTH, True])
        if self._observed is not None:
            out.append(["observed", colours.observed, False])
        return out

    def show_axis(self) -> None:
        """Follow the unit and the medium of the wavelengths."""
        low, high = self.axis.span(None, self.state.unit, self.state.medium)
        x = self.axis.positions(self.state.unit, self.state.medium)
        self.x_range.bounds = (low, high)
        self.full.data.update({"x": x})
        self.lines.data.update({"x": self._known_positions()})
        self._format.tags = self._tags()
        self.lower.xaxis.axis_label = self._axis_label()
        self.draw(self.candidate)

    def paint(self) -> None:
        """Give everything the colours of the theme."""
        dark = self.state.dark
        colours = surface(dark)
        for plot in (self.strip, self.flux, self.lower):
            paint(plot, dark)
        self.strip.outline_line_color = None
        for level in self.levels:
            level.line_color = colours.line
        for shade in self.shades:
            shade.fill_color = colours.text
            shade.fill_alpha = 0.14
        self.spectra["emulated"].glyph.line_color = colours.emulated
        self.spectra["observed"].glyph.line_color = colours.observed
        self._format.tags = self._tags()

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.pane.Bokeh(self.grid, sizing_mode="stretch_both", margin=0)

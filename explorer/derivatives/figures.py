"""The figures of the Derivatives page: elements x wavelength as colours, curves below."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import panel as pn
from bokeh.events import MouseLeave, MouseMove, Tap
from bokeh.layouts import gridplot
from bokeh.models import (
    ColumnDataSource,
    CustomJS,
    CustomJSTickFormatter,
    FixedTicker,
    LinearColorMapper,
)
from bokeh.models.annotations import Span
from bokeh.models.annotations.legends import ColorBar
from bokeh.models.ranges import Range1d
from bokeh.models.widgets import Div

from ...core.spectra import WavelengthGrid
from ...core.spectra.wavelength import convert
from ..computed.frame import Array
from ..figures.axis_limits import round_up
from ..figures.theme import paint, surface
from ..figures.wavelength_axis import DIGITS, UNIT_SYMBOLS, Wavelengths, wavelength_figure
from ..state.view_state import ViewState
from ..workarounds.fast_repaint import drop_spare_glyphs
from .diverging_palette import diverging
from .heatmap import HeatMapPicture, ticks

SIDE_WIDTH_PIXELS = 74
"""Width of what stands right of the figures: the bar of colours, in pixels."""

_FOLDER = Path(__file__).parent

_TICK = """
const [top, power] = scale.tags
const value = Math.sign(tick) * Math.abs(tick) ** (1 / power) * top
return String(Number(value.toPrecision(1))).replace("-", "\u2212")
"""

Curve = tuple[str, str, bool, Array]
"""Name, colour, whether dashed, and values per pixel or per column of the picture."""


class DerivativeFigures(pn.viewable.Viewer):
    """A map of derivatives and curves of some of them, on one wavelength axis.

    Parameters
    ----------
    grid : WavelengthGrid
        Pixels of the model.
    elements : sequence of str
        Rows of the map, from the top.
    state : ViewState
        Gives unit, medium, chip, window and theme; read, not watched.
    on_view : callable
        Called when the view or its width on the screen has changed.
    on_tap : callable
        ``on_tap(element, wavelength, width)`` for a click into the map, with vacuum
        angstrom and the width of four pixels of the screen in angstrom.
    """

    def __init__(
        self,
        grid: WavelengthGrid,
        elements: list[str],
        state: ViewState,
        on_view: Callable[[], None],
        on_tap: Callable[[str, float, float], None],
    ) -> None:
        super().__init__()
        self.grid = grid
        self.elements = elements
        self.state = state
        self._on_tap = on_tap
        self.wavelengths = Wavelengths(grid, state, on_view)
        self.channel = f"spectrabridge-{uuid4().hex}"
        """Prefix of the events by which the figures speak to the status line."""
        self.columns = 826
        """Width of the map on the screen in pixels, when the browser has told it."""
        self._build(on_view)

    def _build(self, on_view: Callable[[], None]) -> None:
        n = len(self.elements)
        low, high = self.wavelengths.ends
        empty = np.full((n, 1), np.nan, np.float32)
        self.image = ColumnDataSource({"image": [empty], "x": [low], "dw": [high - low]})
        self.mapper = LinearColorMapper(low=-1, high=1, nan_color="rgba(0, 0, 0, 0)")
        self.row_range = Range1d(start=0, end=n, bounds=(0, n), reset_start=0, reset_end=n)
        self.map = wavelength_figure(
            "", self.wavelengths.range, self.row_range, borders=(58, SIDE_WIDTH_PIXELS, 4)
        )
        self.map.image(
            "image", x="x", y=0, dw="dw", dh=n, source=self.image, color_mapper=self.mapper
        )
        places = [n - 0.5 - i for i in range(n)]
        self.map.yaxis.ticker = FixedTicker(ticks=places)
        self.map.yaxis.major_label_overrides = dict(zip(places, self.elements, strict=True))
        self.map.yaxis.major_tick_out = 0
        self.map.yaxis.major_label_standoff = 4
        self.map.grid.visible = False
        self.chosen = self.map.quad(
            left="left",
            right="right",
            bottom="bottom",
            top="top",
            fill_color=None,
            line_width=1.5,
            source=ColumnDataSource({"left": [], "right": [], "bottom": [], "top": []}),
        )
        # Inside the figure's border, so that both figures keep the same width.
        self._scale = Div(tags=[1.0, 1.0])
        self.ticker = FixedTicker(ticks=[-1, 0, 1])
        self.bar = ColorBar(
            color_mapper=self.mapper,
            ticker=self.ticker,
            formatter=CustomJSTickFormatter(args={"scale": self._scale}, code=_TICK),
            width=12,
            padding=0,
            margin=0,
            location=(6, 0),
            title="flux per dex",
            title_standoff=4,
            title_text_font_size="11px",
            title_text_font_style="normal",
            major_label_text_font_size="10.5px",
            label_standoff=4,
            background_fill_color=None,
            border_line_color=None,
            bar_line_color=None,
            major_tick_line_color=None,
        )
        self.map.add_layout(self.bar, "right")
        self.curve_range = Range1d(start=-1, end=1)
        self.curves = wavelength_figure(
            "",
            self.wavelengths.range,
            self.curve_range,
            last=True,
            borders=(58, SIDE_WIDTH_PIXELS, 4),
        )
        self.curves.xaxis.axis_label = self.wavelengths.label
        self.flat = ColumnDataSource({"x": np.zeros(0), "y": np.zeros((0, 0), np.float32)})
        """All curves, one column each; cut into lines in the browser, see curves.mjs."""
        self.lines = ColumnDataSource({"x": [], "y": [], "colour": [], "dash": [], "name": []})
        self.curves.multi_line(
            "x", "y", line_color="colour", line_dash="dash", line_width=1, source=self.lines
        )
        self.zero = Span(location=0, dimension="width", line_width=1)
        self.curves.add_layout(self.zero)
        self._connect(on_view)
        drop_spare_glyphs(self.map, self.curves)
        self.layout = gridplot(
            [[self.map], [self.curves]],
            merge_tools=True,
            toolbar_location="right",
            sizing_mode="stretch_both",
            toolbar_options={"logo": None, "autohide": False},
        )
        self.layout.rows = ["2.1fr", "1fr"]  # type: ignore[assignment]

    def _connect(self, on_view: Callable[[], None]) -> None:
        # A model that carries units and scales to the browser; it is never drawn.
        self._format = Div(tags=self._tags("", 1.0, [1.0]))
        cursor = CustomJS.from_file(
            _FOLDER / "cursor.mjs",
            image=self.image,
            map=self.map,
            lines=self.lines,
            elements=self.elements,
            channel=self.channel,
            format=self._format,
        )
        for plot in (self.map, self.curves):
            plot.js_on_event(MouseMove, cursor)
            plot.js_on_event(MouseLeave, cursor)
        self.image.js_on_change(
            "data",
            CustomJS.from_file(_FOLDER.parent / "figures" / "painted.mjs", channel=self.channel),
        )
        self.map.on_event(Tap, self._tapped)
        self._about = Div(tags=[[], [], []])
        cut = CustomJS.from_file(
            _FOLDER / "curves.mjs", flat=self.flat, drawn=self.lines, about=self._about
        )
        self.flat.js_on_change("data", cut)
        self.curves.js_on_change("inner_width", cut)

        def sized(attr: str, old: object, new: int) -> None:
            self.columns = min(max(int(new), 50), 4000)
            on_view()

        self.map.on_change("inner_width", sized)

    def _tags(self, per: str, power: float, tops: list[float]) -> list[Any]:
        return [UNIT_SYMBOLS[self.state.unit], DIGITS[self.state.unit], per, power, tops]

    def _tapped(self, event: Any) -> None:
        row = len(self.elements) - 1 - int(np.floor(event.y))
        low, high = self.wavelengths.view
        if not 0 <= row < len(self.elements):
            return
        start, end = self.wavelengths.ends
        share = (event.x - start) / (end - start)
        step = 4 * (high - low) / self.columns
        self._on_tap(self.elements[row], low + share * (high - low), step)

    # What is shown

    def show_picture(self, made: HeatMapPicture, per: str) -> None:
        """Show a picture; `per` is the unit of its colours in words."""
        request = made.request
        self.image.data.update(
            {
                "image": [made.scaled[::-1]],
                "x": [request.low],
                "dw": [request.high - request.low],
            }
        )
        at = ticks(request.top, request.power)
        self._scale.tags = [request.top, request.power]
        self.ticker.ticks = [
            float(np.sign(v) * (abs(v) / request.top) ** request.power) for v in at
        ]
        self.bar.title = "part of each row's largest" if request.each_row else "flux per dex"
        tops = request.elements.reach.tolist() if request.each_row else [request.top]
        self._format.tags = self._tags(per, request.power, tops)

    def show_curves(self, curves: list[Curve], label: str, reach: float) -> None:
        """Show curves; if they are as long as the grid they are cut to what is in view.

        Parameters
        ----------
        curves : list of Curve
            The curves, one or more, all of the same length.
        label : str
            What stands beside them.
        reach : float
            Size of the largest value there is.
        """
        whole = all(values.size == self.grid.n_pixels for _, _, _, values in curves)
        if whole:
            x = self.wavelengths.positions
            start, stop = np.searchsorted(x, self.wavelengths.ends)
            part = slice(max(int(start) - 1, 0), int(stop) + 1)
            x = x[part]
            ys = [self.wavelengths.axis.spread(values)[part] for _, _, _, values in curves]
        else:
            edges = np.linspace(*self.wavelengths.ends, self.columns + 1)
            x = (edges[1:] + edges[:-1]) / 2
            ys = [values for _, _, _, values in curves]
        self._about.tags = [
            [colour for _, colour, _, _ in curves],
            ["dashed" if dashed else "solid" for _, _, dashed, _ in curves],
            [name for name, _, _, _ in curves],
        ]
        self.flat.data = {"x": x, "y": np.stack(ys, axis=1).astype(np.float32)}
        self.curves.yaxis.axis_label = label
        end = 1.08 * round_up(max(reach, 1e-6))
        self.curve_range.update(start=-end, end=end, reset_start=-end, reset_end=end)

    def choose(self, element: str) -> None:
        """Frame the row of an element; none if it is not there."""
        rows = (
            [len(self.elements) - 1 - self.elements.index(element)]
            if element in self.elements
            else []
        )
        low, high = self.wavelengths.axis.span(None, self.state.unit, self.state.medium)
        self.chosen.data_source.data = {
            "left": [low for _ in rows],
            "right": [high for _ in rows],
            "bottom": [float(k) for k in rows],
            "top": [k + 1.0 for k in rows],
        }

    def show_unit(self) -> None:
        """Go over to the unit and medium of the state."""
        self.wavelengths.show_unit()
        self.curves.xaxis.axis_label = self.wavelengths.label
        self.choose(self.state.element)

    def paint(self) -> None:
        """Give everything the colours of the theme."""
        dark = self.state.dark
        colours = surface(dark)
        for plot in (self.map, self.curves):
            paint(plot, dark)
        self.mapper.palette = diverging(dark)
        self.bar.major_label_text_color = self.bar.title_text_color = colours.text
        self.zero.line_color = colours.line
        self.chosen.glyph.line_color = colours.observed

    def shown(self, wavelength: float) -> float:
        """Return a vacuum wavelength in angstrom as it is drawn."""
        return float(convert([wavelength], self.state.unit, self.state.medium)[0])

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.pane.Bokeh(self.layout, sizing_mode="stretch_both", margin=0)

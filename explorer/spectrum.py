"""The spectrum view: three linked figures, their controls and the status line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.events import MouseLeave, MouseMove
from bokeh.layouts import gridplot
from bokeh.models import BasicTicker, BasicTickFormatter, ColumnDataSource, CustomJS, HoverTool
from bokeh.models.annotations import Span
from bokeh.models.ranges import Range1d
from bokeh.models.widgets import Div
from bokeh.plotting import figure
from numpy.typing import NDArray

from ..core.model import Model
from ..core.spectra import Spectra
from ..core.wavelength import convert
from .frame import (
    Axis,
    DerivativeCache,
    Derivatives,
    Frame,
    compute_frame,
    features,
    residual,
)
from .legend import CurveLegend
from .scheduler import LatestWins, under_lock
from .state import ALL, ViewState
from .status_line import StatusLine
from .theme import ADAPTED, ELEMENT_COLOURS, TRUTH, element_colour, paint, surface

UNIT_SYMBOLS = {"angstrom": "\u00c5", "nm": "nm", "um": "\u00b5m"}
"""How units are written on buttons and axes."""

DIGITS = {"angstrom": 2, "nm": 3, "um": 6}
"""Decimals of the cursor readout, by unit."""

LINE_WIDTH = 1
"""Width of curves in pixels. Chromium without a GPU takes twice the time for 1.2."""

_TOP = 1.06  # of the flux

FEATURE_THRESHOLD = 0.05
"""Share of the highest peak from which on an element's features are drawn among all."""

HINT = "Drag over the spectra or turn the wheel to zoom; click the name of a curve to hide it."
"""What the status line says while the cursor is elsewhere."""

_FOLDER = Path(__file__).parent


def _nice(value: float) -> float:
    """Return the smallest of 1, 1.5, 2, 3, 5, 7 times a power of ten that is not below `value`."""
    if not np.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(m * power for m in (1, 1.5, 2, 3, 5, 7, 10) if m * power >= value * 0.9999))


def _no_peaks() -> dict[str, NDArray[Any]]:
    return {
        "x": np.empty(0),
        "y": np.empty(0, np.float32),
        "run": np.empty(0, np.int32),
        "element": np.empty(0, np.int32),
    }


class SpectrumView(pn.viewable.Viewer):
    """Emulated, adapted, true and observed spectra; their difference; derivatives.

    Parameters
    ----------
    model : Model
        Model of a bundle.
    state : ViewState
        What to show; watched.
    derivatives : DerivativeCache, optional
        Shared between views of one model; own if not given.
    on_error : callable, optional
        ``on_error(exception)`` for what goes wrong in the background.

    Notes
    -----
    The first frame is computed at once. Later ones come from a worker thread through
    :class:`~spectrabridge.explorer.scheduler.LatestWins`; derivatives follow when a
    move has settled.
    """

    def __init__(
        self,
        model: Model,
        state: ViewState,
        derivatives: DerivativeCache | None = None,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.state = state
        self.axis = Axis(model.grid)
        self.derivatives = derivatives or DerivativeCache(model)
        self._on_error = on_error
        self._observed: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        self._found: Derivatives | None = None
        self.frame = compute_frame(model, state.values)
        self._build_sources()
        self._build_figures()
        self._build_controls()
        self._paint_theme()
        self._scheduler: LatestWins[NDArray[np.float64], Frame] | None = None
        self._slow: LatestWins[NDArray[np.float64], Derivatives] | None = None
        self._watchers = [
            state.param.watch(self._moved, "labels"),
            state.param.watch(self._settled, "settled"),
            state.param.watch(self._show_wavelengths, ["unit", "medium"]),
            state.param.watch(self._show_chip, "chip"),
            state.param.watch(self._show_derivatives, "element"),
            state.param.watch(self._paint_theme, "dark"),
        ]
        self._show_range()
        self._fit_flux(exactly=True)

    # Figures

    def _build_sources(self) -> None:
        x = self._positions()
        empty = np.full(x.size, np.nan, np.float32)
        columns = self._flux_columns()
        self.source = ColumnDataSource(
            {"x": x, "truth": empty, "observed": empty, "root_ivar": empty} | columns
        )
        """Every pixel; what is drawn is reduced from it in the browser, see reduce.mjs."""
        self.drawn = ColumnDataSource({"x": x, "truth": empty, "observed": empty} | columns)
        self.drawn_middle = ColumnDataSource(
            {
                "x": x,
                "difference": self.axis.spread(self.frame.difference),
                "residual_emulated": empty,
                "residual_adapted": empty,
            }
        )
        self.curve = ColumnDataSource({"x": x, "value": empty, "truth": empty})
        self.peaks = ColumnDataSource(_no_peaks())
        self.drawn_peaks = ColumnDataSource({"x": [], "y": [], "colour": [], "element": []})

    def _flux_columns(self) -> dict[str, NDArray[np.float32]]:
        frame = self.frame
        columns = {"emulated": frame.emulated, "adapted": frame.adapted}
        if frame.truth is not None:
            columns["truth"] = frame.truth
        return {name: self.axis.spread(values) for name, values in columns.items()}

    def _positions(self) -> NDArray[np.float64]:
        return self.axis.positions(self.state.unit, self.state.medium)

    def _build_figures(self) -> None:
        low, high = self._span()
        self.x_range = Range1d(start=low, end=high)
        self._reset_span()
        self.flux_range = Range1d(start=0.3, end=_TOP)
        self.middle_range = Range1d(start=-0.3, end=0.3)
        self.lower_range = Range1d(start=-0.1, end=0.1)
        self.flux = self._figure("flux", self.flux_range)
        self.middle = self._figure("adapted \u2212 emulated", self.middle_range)
        self.lower = self._figure("", self.lower_range, last=True)

        # Lines that models lack are deeper in the adapted spectrum and in the truth, so
        # the emulated one on top of them hides nothing of interest.
        dashes = {"truth": [4, 4]}
        self.lines = {
            name: self.flux.line(
                "x",
                name,
                source=self.drawn,
                line_width=LINE_WIDTH,
                line_dash=dashes.get(name, "solid"),
            )
            for name in ("observed", "adapted", "truth", "emulated")
        }
        self.lines["adapted"].glyph.line_color = ADAPTED
        self.lines["truth"].glyph.line_color = TRUTH
        self.difference = self.middle.line(
            "x", "difference", source=self.drawn_middle, line_color=ADAPTED, line_width=LINE_WIDTH
        )
        self.residuals = {
            name: self.middle.line(
                "x",
                f"residual_{name}",
                source=self.drawn_middle,
                line_width=LINE_WIDTH,
                visible=False,
            )
            for name in ("emulated", "adapted")
        }
        self.residuals["adapted"].glyph.line_color = ADAPTED
        self.true_curve = self.lower.line(
            "x",
            "truth",
            source=self.curve,
            line_color=TRUTH,
            line_dash=[4, 4],
            line_width=LINE_WIDTH,
        )
        self.element_curve = self.lower.line("x", "value", source=self.curve, line_width=LINE_WIDTH)
        self.element_peaks = self.lower.multi_line(
            "x", "y", source=self.drawn_peaks, line_color="colour", line_width=LINE_WIDTH
        )
        hover = HoverTool(
            renderers=[self.element_peaks],
            tooltips="<b>@element</b>",
            line_policy="interp",
        )
        self.lower.add_tools(hover)
        self.zero = [Span(location=0, dimension="width", line_width=1) for _ in range(2)]
        self.middle.add_layout(self.zero[0])
        self.lower.add_layout(self.zero[1])

        self._connect_status()
        self._cut_peaks_in_browser()
        self._reduce_in_browser()

        self.grid = gridplot(
            [[self.flux], [self.middle], [self.lower]],
            merge_tools=True,
            toolbar_location="right",
            sizing_mode="stretch_both",
            toolbar_options={"logo": None, "autohide": False},
        )
        self.grid.rows = ["2.3fr", "1fr", "1.15fr"]  # type: ignore[assignment]

    def _cut_peaks_in_browser(self) -> None:
        elements = list(self.model.labels.elements)
        cut = CustomJS.from_file(
            _FOLDER / "peaks.mjs",
            flat=self.peaks,
            drawn=self.drawn_peaks,
            elements=elements,
            colours=[element_colour(e) for e in elements],
        )
        self.peaks.js_on_change("data", cut)
        # The flat source is drawn by nobody; this ties it to the document.
        self.element_peaks.js_on_change("visible", cut)

    def _connect_status(self) -> None:
        channel = f"spectrabridge-{uuid4().hex}"
        self.status = StatusLine(
            channel=channel,
            hint=HINT,
            sizing_mode="stretch_width",
            height=22,
            margin=(0, 10, 2, 62),
        )
        # A model that carries the unit to the browser; it is never drawn.
        self._format = Div(tags=self._tags())
        cursor = CustomJS.from_file(
            _FOLDER / "cursor.mjs",
            full=self.source,
            lines=self.lines,
            channel=channel,
            format=self._format,
        )
        for plot in (self.flux, self.middle, self.lower):
            plot.js_on_event(MouseMove, cursor)
            plot.js_on_event(MouseLeave, cursor)
        self.drawn.js_on_change(
            "data", CustomJS.from_file(_FOLDER / "painted.mjs", channel=channel)
        )

    def _reduce_in_browser(self) -> None:
        reduce = CustomJS.from_file(
            _FOLDER / "reduce.mjs",
            full=self.source,
            flux=self.drawn,
            middle=self.drawn_middle,
            range=self.x_range,
            plot=self.flux,
            breaks=self.axis.breaks,
            seen=self.lines["observed"],
        )
        self.source.js_on_change("data", reduce)
        self.x_range.js_on_change("start", reduce)
        self.x_range.js_on_change("end", reduce)
        self.flux.js_on_change("inner_width", reduce)
        self.lines["observed"].js_on_change("visible", reduce)

    def _figure(self, label: str, y_range: Range1d, last: bool = False) -> figure:
        plot = figure(
            x_range=self.x_range,
            y_range=y_range,
            y_axis_label=label,
            tools="xpan,xwheel_zoom,box_zoom,reset,save",
            active_drag="box_zoom",
            active_scroll="xwheel_zoom",
            sizing_mode="stretch_both",
            min_border_left=62,
            min_border_right=8,
            min_border_top=4,
            min_border_bottom=4,
            lod_threshold=None,
        )
        plot.yaxis.axis_label_standoff = 6
        plot.yaxis.ticker = BasicTicker(desired_num_ticks=5)
        plot.xaxis.visible = last
        if last:
            plot.xaxis.axis_label = self._axis_label()
            plot.xaxis.axis_label_standoff = 2
            plot.xaxis.formatter = BasicTickFormatter(use_scientific=False)
        return plot

    def _axis_label(self) -> str:
        unit = UNIT_SYMBOLS[self.state.unit]
        return f"wavelength in {self.state.medium}, rest frame ({unit})"

    def _tags(self) -> list[Any]:
        return [UNIT_SYMBOLS[self.state.unit], DIGITS[self.state.unit]]

    def _span(self) -> tuple[float, float]:
        chip = None if self.state.chip == ALL else self.state.chip
        return self.axis.span(chip, self.state.unit, self.state.medium)

    def _reset_span(self) -> None:
        low, high = self.axis.span(None, self.state.unit, self.state.medium)
        self.x_range.reset_start, self.x_range.reset_end = low, high
        self.x_range.bounds = (low, high)

    # Controls

    def _show_lines(self, *_: object) -> None:
        """Show the curves that there are and that nobody has hidden, and name them."""
        colours = surface(self.state.dark)
        curves = [["emulated", colours.emulated, False], ["adapted", ADAPTED, False]]
        if self.model.has_truth:
            curves.append(["truth", TRUTH, True])
        if self._observed is not None:
            curves.append(["observed", colours.observed, False])
        self.legend.curves = curves
        there = {name for name, _, _ in curves} - set(self.legend.hidden)
        for name, line in self.lines.items():
            line.visible = name in there

    def _build_controls(self) -> None:
        names = [chip.name for chip in self.model.grid.chips]
        chips = {str(i + 1): name for i, name in enumerate(names)} if len(names) > 1 else {}
        self.chip = pmui.RadioButtonGroup.from_param(
            self.state.param.chip, options=chips | {"all": ALL}, **_GROUP
        )
        self.unit = pmui.RadioButtonGroup.from_param(
            self.state.param.unit,
            options={symbol: unit for unit, symbol in UNIT_SYMBOLS.items()},
            **_GROUP,
        )
        self.medium = pmui.RadioButtonGroup.from_param(
            self.state.param.medium, options=["vacuum", "air"], **_GROUP
        )
        elements = [e for e in ELEMENT_COLOURS if e in self.model.labels.elements]
        elements += [e for e in self.model.labels.elements if e not in elements]
        colours: dict[str, Any] = {}
        for i, e in enumerate(elements):
            button = f".MuiToggleButton-root:not(.Mui-selected):nth-of-type({i + 2})"
            colour = element_colour(e)
            colours[f"& {button}"] = {"color": colour, "fontWeight": 700}
            lighter = f"color-mix(in srgb, {colour} 70%, white)"
            colours[f".mui-dark & {button}"] = {"color": lighter}
        self.element = pmui.RadioButtonGroup.from_param(
            self.state.param.element,
            options=[ALL, *elements],
            **(_GROUP | {"sx": _GROUP["sx"] | colours}),
        )
        self.legend = CurveLegend(margin=(0, 0, 0, 56), sizing_mode="stretch_width")
        self.legend.param.watch(self._show_lines, "hidden")

    def __panel__(self) -> pn.viewable.Viewable:
        label = {"margin": 0, "styles": _SMALL}
        return pn.Column(
            pn.Row(
                self.legend,
                pn.pane.HTML("chip", **label),
                self.chip,
                self.unit,
                self.medium,
                sizing_mode="stretch_width",
                height=26,
                margin=(7, 10, 3, 0),
                styles={"gap": "10px"},
            ),
            pn.pane.Bokeh(self.grid, sizing_mode="stretch_both", margin=0),
            pn.Row(
                pn.pane.HTML("element", **(label | {"margin": (0, 0, 0, 8), "width": 46})),
                self.element,
                sizing_mode="stretch_width",
                height=26,
                margin=(0, 10, 4, 0),
                styles={"gap": "8px"},
            ),
            self.status,
            sizing_mode="stretch_both",
            margin=0,
        )

    # Moves

    def start(self) -> None:
        """Compute from now on in the background, for the current document.

        Without it, and outside a server, every move is computed at once.
        """
        document = pn.state.curdoc
        if document is None or document.session_context is None or self._scheduler:
            return
        execute = under_lock(document)
        self._scheduler = LatestWins(
            lambda values: compute_frame(self.model, values),
            lambda values, frame: self._publish(frame),
            execute,
            self._on_error,
            "spectra",
        )
        self._slow = LatestWins(
            self.derivatives.get,
            lambda values, found: self._publish_derivatives(found),
            execute,
            self._on_error,
            "derivatives",
        )
        # The first derivatives load parts of torch, which takes seconds: not before the
        # page is up.
        pn.state.onload(self._settled)

    def close(self) -> None:
        """Stop the background work and the watching; the figures stay as they are."""
        for scheduler in (self._scheduler, self._slow):
            if scheduler:
                scheduler.close()
        for watcher in self._watchers:
            self.state.param.unwatch(watcher)
        self._watchers = []

    def _moved(self, *_: object) -> None:
        if self._scheduler:
            self._scheduler.submit(self.state.values)
        else:
            self._publish(compute_frame(self.model, self.state.values))

    def _settled(self, *_: object) -> None:
        if self._slow:
            self._slow.submit(self.state.values)
        else:
            self._publish_derivatives(self.derivatives.get(self.state.values))
        if self._scheduler is None or self._scheduler.idle:
            self._fit_flux()
        else:
            self._fit_next = True

    _fit_next = False

    def _publish(self, frame: Frame) -> None:
        self.frame = frame
        self.source.data.update(self._flux_columns())
        self._show_range()
        if self._fit_next:
            self._fit_next = False
            self._fit_flux()

    def _show_range(self) -> None:
        outside = self.state.outside
        self.status.param.update(
            note=f"\u25b2 extrapolation: {outside}" if outside else "inside the trained range",
            extrapolates=bool(outside),
        )

    def _fit_flux(self, exactly: bool = False) -> None:
        """Make room for the curves; a range that is only a little too wide stays."""
        curves = [self.frame.emulated, self.frame.adapted]
        if self.frame.truth is not None:
            curves.append(self.frame.truth)
        lowest = min(float(np.nanmin(c)) for c in curves)
        start = max(0.0, np.floor((lowest - 0.01) * 20) / 20) - 0.02
        room = (_TOP - start) / (_TOP - float(self.flux_range.start))  # type: ignore[arg-type]
        if exactly or not 0.6 < room <= 1:
            self.flux_range.update(start=start, end=_TOP, reset_start=start, reset_end=_TOP)
        if self._observed is None:
            reach = _nice(float(np.nanmax(np.abs(self.frame.difference))))
            self._set_reach(self.middle_range, max(reach, 0.01), exactly)

    @staticmethod
    def _set_reach(y_range: Range1d, reach: float, exactly: bool = True) -> None:
        """Set a range symmetric about 0; one that is only a little too wide stays."""
        end = 1.08 * reach  # so that the labels of the ticks at both ends have room
        if exactly or not 0.4 < end / float(y_range.end) <= 1:  # type: ignore[arg-type]
            y_range.update(start=-end, end=end, reset_start=-end, reset_end=end)

    # Wavelengths

    def _show_wavelengths(self, *_: object) -> None:
        old = self.source.data["x"]
        x = self._positions()
        # The zoom stays on the same pixels.
        ends = np.interp([self.x_range.start, self.x_range.end], old, np.arange(x.size))
        kept = np.interp(ends, np.arange(x.size), x)
        whole = self.x_range.start <= old[0] and self.x_range.end >= old[-1]
        self.source.data.update({"x": x})
        self.curve.data.update({"x": x})
        self._reset_span()
        low, high = self._span() if whole else kept
        self.x_range.update(start=float(low), end=float(high))
        self.lower.xaxis.axis_label = self._axis_label()
        self._format.tags = self._tags()
        self._show_derivatives()

    def _show_chip(self, *_: object) -> None:
        low, high = self._span()
        self.x_range.update(start=low, end=high)

    # Derivatives

    def _publish_derivatives(self, found: Derivatives) -> None:
        self._found = found
        self._show_derivatives()

    def _show_derivatives(self, *_: object) -> None:
        if self._found is None:
            return
        element = self.state.element
        difference = self._found.difference
        one = element != ALL and element in self.model.labels.elements
        empty = np.full(len(self.curve.data["x"]), np.nan, np.float32)
        value, truth = empty, empty
        peaks = _no_peaks()
        columns = self.model.labels.element_columns()
        if one:
            column = self.model.labels.index(element)
            value = self.axis.spread(difference[:, column])
            true = self._found.true_difference
            if true is not None:
                truth = self.axis.spread(true[:, column])
            reach = float(np.nanmax(np.abs(value)))
            if true is not None:
                reach = max(reach, float(np.nanmax(np.abs(truth))))
            self.element_curve.glyph.line_color = element_colour(element)
            label = f"\u0394 \u2202flux/\u2202[{element}/H]"
        else:
            reach = float(np.nanmax(np.abs(difference[:, columns]))) if columns else 0.0
            peaks = self._all_peaks(difference, FEATURE_THRESHOLD * reach)
            label = "\u0394 \u2202flux/\u2202[X/H]"
        self.curve.data.update({"value": value, "truth": truth})
        if len(peaks["x"]) or len(self.peaks.data["x"]):
            self.peaks.data.update(peaks)
        self.element_curve.visible = one
        self.true_curve.visible = one and self._found.truth is not None
        self.element_peaks.visible = not one
        self._set_reach(self.lower_range, max(_nice(reach), 1e-4))
        self.lower.yaxis.axis_label = label

    def _all_peaks(
        self, difference: NDArray[np.float32], threshold: float
    ) -> dict[str, NDArray[Any]]:
        """Return the features of all elements, one after the other, as flat columns."""
        grid = self.model.grid
        x = convert(grid.wavelength, self.state.unit, self.state.medium)
        pixels: list[NDArray[Any]] = []
        runs: list[NDArray[Any]] = []
        elements: list[NDArray[Any]] = []
        for k, column in enumerate(self.model.labels.element_columns()):
            for chip in grid.chips:
                for found in features(difference[chip.pixels, column], threshold):
                    here = np.arange(chip.start + found.start, chip.start + found.stop)
                    pixels.append(here)
                    runs.append(np.full(here.size, len(runs), np.int32))
                    elements.append(np.full(here.size, k, np.int32))
        if not pixels:
            return _no_peaks()
        at, element = np.concatenate(pixels), np.concatenate(elements)
        columns = np.array(self.model.labels.element_columns())
        return {
            "x": x[at],
            "y": difference[at, columns[element]],
            "run": np.concatenate(runs),
            "element": element,
        }

    # Observed star

    def overlay(self, spectra: Spectra | None, name: str = "") -> None:
        """Lay an observed spectrum over the model, or take it away.

        Parameters
        ----------
        spectra : Spectra or None
            One spectrum on the grid of the model, continuum-normalised; its inverse
            variance gives sigma. Pixels with inverse variance 0 are gaps.
        name : str
            What to call it.

        Raises
        ------
        GridError
            If it is on another grid.
        """
        if spectra is None:
            self._observed = None
        else:
            self.model.grid.require_same(spectra.grid, "the observed spectrum")
            self._observed = (spectra.flux[0], spectra.ivar[0])
        seen = self._observed is not None
        if self._observed is not None:
            flux, ivar = self._observed
            self.source.data.update(
                observed=self.axis.spread(np.where(ivar > 0, flux, np.nan)),
                root_ivar=self.axis.spread(np.sqrt(ivar)),
            )
        self._show_lines()
        self.difference.visible = not seen
        for line in self.residuals.values():
            line.visible = seen
        self.middle.yaxis.axis_label = (
            "(obs \u2212 model) / \u03c3" if seen else "adapted \u2212 emulated"
        )
        if self._observed is not None:
            flux, ivar = self._observed
            both = np.abs(
                [residual(flux, ivar, m) for m in (self.frame.emulated, self.frame.adapted)]
            )
            reach = float(np.nanpercentile(both, 99)) if np.isfinite(both).any() else 5.0
            self._set_reach(self.middle_range, max(5.0, _nice(reach)))
        else:
            self._fit_flux(exactly=True)

    # Theme

    def _paint_theme(self, *_: object) -> None:
        colours = surface(self.state.dark)
        for plot in (self.flux, self.middle, self.lower):
            paint(plot, self.state.dark)
        for span in self.zero:
            span.line_color = colours.line
        self.lines["emulated"].glyph.line_color = colours.emulated
        self.residuals["emulated"].glyph.line_color = colours.emulated
        self.lines["observed"].glyph.line_color = colours.observed
        self._show_lines()


_SMALL = {"font-size": "12px", "line-height": "24px", "white-space": "nowrap"}

_GROUP: dict[str, Any] = {
    "label": "",
    "description": "",
    "margin": 0,
    "size": "small",
    "sx": {
        "& .MuiToggleButton-root": {
            "padding": "1px 7px",
            "textTransform": "none",
            "fontSize": "12px",
            "lineHeight": 1.6,
        }
    },
}

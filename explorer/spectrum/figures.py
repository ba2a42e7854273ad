"""The three linked figures of the Spectrum page: flux, difference or residuals, derivatives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import panel as pn
from bokeh.events import MouseLeave, MouseMove
from bokeh.layouts import gridplot
from bokeh.models import ColumnDataSource, CustomJS
from bokeh.models.annotations import Span
from bokeh.models.ranges import Range1d
from bokeh.models.widgets import Div

from ...core.bundle import Model
from ...core.spectra.wavelength import convert
from ..computed.derivatives import LabelDerivatives
from ..computed.frame import Array, Frame, residual
from ..figures.axis_limits import round_up, set_symmetric
from ..figures.theme import ADAPTED, TRUTH, paint, surface
from ..figures.wavelength_axis import DIGITS, UNIT_SYMBOLS, Wavelengths, wavelength_figure
from ..state.view_state import ViewState
from ..workarounds.fast_repaint import drop_spare_glyphs
from .derivative_panel import LINE_WIDTH_PIXELS, DerivativePanel

PINNED = ("pinned_adapted", "pinned_emulated")
"""Columns of the spectra that are kept to compare with."""

BORDERS_PIXELS = (62, 8, 4)
"""Space beside the frames: left, right, above and below, in pixels."""

_TOP = 1.06  # of the flux

_FOLDER = Path(__file__).parent


CURVES = (*PINNED, "observed", "adapted", "truth", "emulated")
"""Curves in the figure of the flux, the last one on top."""


class SpectrumFigures(pn.viewable.Viewer):
    """Figures of a frame, an observed spectrum and derivatives, on one wavelength axis.

    Parameters
    ----------
    model : Model
        Model of a bundle; gives labels and whether there is a truth.
    state : ViewState
        Gives unit, medium, chip, element and theme; read, not watched.
    frame : Frame
        What is shown first.
    on_zoom : callable, optional
        Called when the range of wavelengths has changed.
    """

    def __init__(
        self,
        model: Model,
        state: ViewState,
        frame: Frame,
        on_zoom: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.state = state
        self.frame = frame
        self.pinned: Frame | None = None
        """Spectra kept to compare with."""
        self.wavelengths = Wavelengths(model.grid, state, on_zoom)
        self.axis = self.wavelengths.axis
        self.x_range = self.wavelengths.range
        self.observed: tuple[Array, Array] | None = None
        """Flux and inverse variance of the observed spectrum."""
        self.channel = f"spectrabridge-{uuid4().hex}"
        """Prefix of the events by which the figures speak to the status line."""
        self._build_sources()
        self._build_figures()
        self.fit_flux(exactly=True)

    # Building

    def _build_sources(self) -> None:
        x = self.wavelengths.positions
        empty = self.axis.nothing
        self.source = ColumnDataSource(
            {"x": x, "truth": empty, "observed": empty, "root_ivar": empty}
            | dict.fromkeys(PINNED, empty)
            | self._flux_columns()
        )
        """Every pixel; what is drawn is reduced from it in the browser, see reduce.mjs."""
        below = ("difference", "residual_emulated", "residual_adapted")
        nothing: list[float] = []
        self.drawn = ColumnDataSource(dict.fromkeys(("x", *CURVES), nothing))
        self.drawn_middle = ColumnDataSource(dict.fromkeys(("x", *below), nothing))

    def _flux_columns(self) -> dict[str, Array]:
        frame = self.frame
        columns = {"emulated": frame.emulated, "adapted": frame.adapted}
        if frame.truth is not None:
            columns["truth"] = frame.truth
        return {name: self.axis.spread(values) for name, values in columns.items()}

    def _build_figures(self) -> None:
        self.flux_range = Range1d(start=0.3, end=_TOP)
        self.middle_range = Range1d(start=-0.3, end=0.3)
        self.flux = self._figure("flux", self.flux_range)
        self.middle = self._figure("adapted \u2212 emulated", self.middle_range)
        self.derivatives = DerivativePanel(self.model.labels, self.wavelengths, BORDERS_PIXELS)

        # Lines that models lack are deeper in the adapted spectrum and in the truth, so
        # the emulated one on top of them hides nothing of interest.
        dashes = {"truth": [4, 4]}
        self.lines = {
            name: self.flux.line(
                "x",
                name,
                source=self.drawn,
                line_width=LINE_WIDTH_PIXELS,
                line_dash=dashes.get(name, "solid"),
            )
            for name in CURVES
        }
        for name in PINNED:
            self.lines[name].visible = False
            self.lines[name].glyph.line_alpha = 0.45
        self.lines["adapted"].glyph.line_color = ADAPTED
        self.lines["truth"].glyph.line_color = TRUTH
        self.difference = self.middle.line(
            "x",
            "difference",
            source=self.drawn_middle,
            line_color=ADAPTED,
            line_width=LINE_WIDTH_PIXELS,
        )
        self.residuals = {
            name: self.middle.line(
                "x",
                f"residual_{name}",
                source=self.drawn_middle,
                line_width=LINE_WIDTH_PIXELS,
                visible=False,
            )
            for name in ("emulated", "adapted")
        }
        self.residuals["adapted"].glyph.line_color = ADAPTED
        self.zero = [Span(location=0, dimension="width", line_width=1) for _ in range(2)]
        self.marks = [
            Span(dimension="height", line_width=1, line_dash=[2, 3], visible=False)
            for _ in range(3)
        ]
        for plot, mark in zip(self.plots, self.marks, strict=True):
            plot.add_layout(mark)
        self.middle.add_layout(self.zero[0])
        self.derivatives.plot.add_layout(self.zero[1])

        self._connect_status()
        self._reduce_in_browser()

        drop_spare_glyphs(*self.plots)
        self.grid = gridplot(
            [[plot] for plot in self.plots],
            merge_tools=True,
            toolbar_location="right",
            sizing_mode="stretch_both",
            toolbar_options={"logo": None, "autohide": False},
        )
        self.grid.rows = ["2.3fr", "1fr", "1.15fr"]  # type: ignore[assignment]

    @property
    def plots(self) -> tuple[Any, Any, Any]:
        """The three figures, from the top."""
        return self.flux, self.middle, self.derivatives.plot

    def _figure(self, label: str, y_range: Range1d) -> Any:
        return wavelength_figure(label, self.x_range, y_range, borders=BORDERS_PIXELS, ticks=5)

    def _connect_status(self) -> None:
        # A model that carries the unit to the browser; it is never drawn.
        self._format = Div(tags=self._tags())
        cursor = CustomJS.from_file(
            _FOLDER / "cursor.mjs",
            full=self.source,
            lines=self.lines,
            channel=self.channel,
            format=self._format,
        )
        for plot in self.plots:
            plot.js_on_event(MouseMove, cursor)
            plot.js_on_event(MouseLeave, cursor)
        self.drawn.js_on_change(
            "data",
            CustomJS.from_file(_FOLDER.parent / "figures" / "painted.mjs", channel=self.channel),
        )

    def _tags(self) -> list[Any]:
        return [UNIT_SYMBOLS[self.state.unit], DIGITS[self.state.unit]]

    def _reduce_in_browser(self) -> None:
        reduce = CustomJS.from_file(
            _FOLDER / "reduce.mjs",
            full=self.source,
            flux=self.drawn,
            middle=self.drawn_middle,
            range=self.x_range,
            plot=self.flux,
            breaks=self.axis.breaks,
            lines=self.lines,
        )
        self.source.js_on_change("data", reduce)
        self.x_range.js_on_change("start", reduce)
        self.x_range.js_on_change("end", reduce)
        self.flux.js_on_change("inner_width", reduce)
        for name in ("observed", *PINNED):
            self.lines[name].js_on_change("visible", reduce)

    # Spectra

    def show_frame(self, frame: Frame) -> None:
        """Show another frame; the wavelengths are not sent again."""
        self.frame = frame
        self.source.data.update(self._flux_columns())

    def show_lines(self, names: set[str]) -> None:
        """Show the curves of these names in the figure of the flux, and no others."""
        for name, line in self.lines.items():
            line.visible = name in names

    def pin(self, frame: Frame | None) -> None:
        """Keep spectra on show to compare with, or give them up; sliders do not move them."""
        self.pinned = frame
        if frame is not None:
            columns = zip(PINNED, (frame.adapted, frame.emulated), strict=True)
            self.source.data.update({name: self.axis.spread(values) for name, values in columns})

    def mark(self, wavelength: float | None) -> None:
        """Mark a vacuum wavelength in angstrom in all figures; None for no mark."""
        self.marked = wavelength
        for span in self.marks:
            span.visible = wavelength is not None
            if wavelength is not None:
                span.location = self.shown(wavelength)

    marked: float | None = None

    def shown(self, wavelength: float) -> float:
        """Return a vacuum wavelength in angstrom as it is drawn."""
        return float(convert([wavelength], self.state.unit, self.state.medium)[0])

    def lay_over(self, flux: Array | None, ivar: Array | None = None) -> None:
        """Lay an observed spectrum ``(n_pixels,)`` over the model, or take it away."""
        seen = flux is not None and ivar is not None
        self.observed = None
        if flux is not None and ivar is not None:
            self.observed = (flux, ivar)
            self.source.data.update(
                observed=self.axis.spread(np.where(ivar > 0, flux, np.nan)),
                root_ivar=self.axis.spread(np.sqrt(ivar)),
            )
        self.difference.visible = not seen
        for line in self.residuals.values():
            line.visible = seen
        self.middle.yaxis.axis_label = (
            "(obs \u2212 model) / \u03c3" if seen else "adapted \u2212 emulated"
        )

    def fit_residuals(self) -> None:
        """Make room for the residuals of the observed spectrum."""
        if self.observed is None:
            self.fit_flux(exactly=True)
            return
        flux, ivar = self.observed
        both = np.abs([residual(flux, ivar, m) for m in (self.frame.emulated, self.frame.adapted)])
        reach = float(np.nanpercentile(both, 99)) if np.isfinite(both).any() else 5.0
        set_symmetric(self.middle_range, max(5.0, round_up(reach)))

    def fit_flux(self, exactly: bool = False) -> None:
        """Make room for the curves; a range that is only a little too wide stays."""
        curves = [self.frame.emulated, self.frame.adapted]
        if self.frame.truth is not None:
            curves.append(self.frame.truth)
        lowest = min(float(np.nanmin(c)) for c in curves)
        start = max(0.0, np.floor((lowest - 0.01) * 20) / 20) - 0.02
        room = (_TOP - start) / (_TOP - float(self.flux_range.start))  # type: ignore[arg-type]
        if exactly or not 0.6 < room <= 1:
            self.flux_range.update(start=start, end=_TOP, reset_start=start, reset_end=_TOP)
        if self.observed is None:
            reach = round_up(float(np.nanmax(np.abs(self.frame.difference))))
            set_symmetric(self.middle_range, max(reach, 0.01), exactly)

    # Wavelengths

    def show_unit(self, found: LabelDerivatives | None) -> None:
        """Go over to the unit and medium of the state."""
        x = self.wavelengths.show_unit()
        self.source.data.update({"x": x})
        self.derivatives.show_wavelengths(x, self.wavelengths.label)
        self._format.tags = self._tags()
        self.mark(self.marked)
        self.show_derivatives(found)

    # Derivatives

    def show_derivatives(self, found: LabelDerivatives | None) -> None:
        """Show the derivatives by the element of the state, or by all elements."""
        if found is not None:
            self.derivatives.show(found, self.state.element)

    # Theme

    def paint(self) -> None:
        """Give everything the colours of the theme."""
        colours = surface(self.state.dark)
        for plot in self.plots:
            paint(plot, self.state.dark)
        for span in self.zero:
            span.line_color = colours.line
        for span in self.marks:
            span.line_color = colours.text
        self.lines["pinned_adapted"].glyph.line_color = ADAPTED
        self.lines["pinned_emulated"].glyph.line_color = colours.emulated
        self.lines["emulated"].glyph.line_color = colours.emulated
        self.residuals["emulated"].glyph.line_color = colours.emulated
        self.lines["observed"].glyph.line_color = colours.observed

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.pane.Bokeh(self.grid, sizing_mode="stretch_both", margin=0)

"""The lowest figure of the Spectrum page: how the difference changes with each element."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, CustomJS, HoverTool
from bokeh.models.ranges import Range1d
from numpy.typing import NDArray

from ...core.labels import LabelSet
from ..computed.derivatives import LabelDerivatives
from ..computed.frame import Array
from ..figures.axis_limits import round_up, set_symmetric
from ..figures.theme import TRUTH, element_colour
from ..figures.wavelength_axis import Wavelengths, wavelength_figure
from ..state.view_state import ALL
from .element_features import element_runs, no_runs

LINE_WIDTH_PIXELS = 1
"""Width of curves. Chromium without a GPU takes twice the time for 1.2."""

FEATURE_THRESHOLD = 0.05
"""Share of the highest peak from which on an element's features are drawn among all."""


def counted(values: Array) -> tuple[NDArray[np.int16], float]:
    """Return values in two bytes, as counts of a step, and the step; a screen shows no less."""
    largest = float(np.abs(values).max(initial=0.0))
    step = largest / np.iinfo(np.int16).max or 1.0
    return np.round(values / step).astype(np.int16), step


class DerivativePanel:
    """A figure of the derivatives by one element, or of the features of all elements.

    Parameters
    ----------
    labels : LabelSet
        Labels of the model.
    wavelengths : Wavelengths
        The axis that the figures of the page share.
    borders : tuple of int
        Least space on the left, on the right, and above and below, in pixels.
    """

    def __init__(
        self, labels: LabelSet, wavelengths: Wavelengths, borders: tuple[int, int, int]
    ) -> None:
        self.labels = labels
        self.axis = wavelengths.axis
        x, empty = wavelengths.positions, self.axis.nothing
        self.curve = ColumnDataSource({"x": x, "value": empty, "truth": empty})
        self.peaks = ColumnDataSource()
        """All elements, as whole multiples of the number in its tags."""
        self._show_peaks(no_runs())
        self.drawn_peaks = ColumnDataSource({"x": [], "y": [], "colour": [], "element": []})
        self.y_range = Range1d(start=-0.1, end=0.1)
        self.plot = wavelength_figure(
            "", wavelengths.range, self.y_range, last=True, borders=borders, ticks=5
        )
        self.plot.xaxis.axis_label = wavelengths.label
        self.true_curve = self.plot.line(
            "x",
            "truth",
            source=self.curve,
            line_color=TRUTH,
            line_dash=[4, 4],
            line_width=LINE_WIDTH_PIXELS,
        )
        self.element_curve = self.plot.line(
            "x", "value", source=self.curve, line_width=LINE_WIDTH_PIXELS
        )
        self.element_peaks = self.plot.multi_line(
            "x", "y", source=self.drawn_peaks, line_color="colour", line_width=LINE_WIDTH_PIXELS
        )
        self.plot.add_tools(
            HoverTool(
                renderers=[self.element_peaks],
                tooltips="<b>@element</b>",
                line_policy="interp",
            )
        )
        self._cut_peaks_in_browser()

    def _cut_peaks_in_browser(self) -> None:
        elements = list(self.labels.elements)
        cut = CustomJS.from_file(
            Path(__file__).with_name("peaks.mjs"),
            flat=self.peaks,
            curve=self.curve,
            drawn=self.drawn_peaks,
            elements=elements,
            colours=[element_colour(e) for e in elements],
        )
        self.peaks.js_on_change("data", cut)
        # The flat source is drawn by nobody; this ties it to the document.
        self.element_peaks.js_on_change("visible", cut)

    def show_wavelengths(self, x: NDArray[np.float64], label: str) -> None:
        """Go over to other positions of the pixels, and another label of their axis."""
        self.curve.data.update({"x": x})
        self.plot.xaxis.axis_label = label

    def show(self, found: LabelDerivatives, element: str) -> None:
        """Show the derivatives by an element, or by all elements."""
        if element != ALL and element in self.labels.elements:
            self._show_element(found, element)
        else:
            self._show_all(found)

    def _show_element(self, found: LabelDerivatives, element: str) -> None:
        column = self.labels.index(element)
        value, truth = self.axis.spread(found.difference[:, column]), self.axis.nothing
        largest = float(np.nanmax(np.abs(value)))
        true = found.true_difference
        if true is not None:
            truth = self.axis.spread(true[:, column])
            largest = max(largest, float(np.nanmax(np.abs(truth))))
        self.element_curve.glyph.line_color = element_colour(element)
        label = f"\u0394 \u2202flux/\u2202[{element}/H]"
        self._draw(value, truth, no_runs(), largest, label)
        self.element_curve.visible = True
        self.true_curve.visible = found.truth is not None
        self.element_peaks.visible = False

    def _show_all(self, found: LabelDerivatives) -> None:
        difference, columns = found.difference, self.labels.element_columns()
        largest = float(np.nanmax(np.abs(difference[:, columns]))) if columns else 0.0
        runs = element_runs(difference, columns, self.axis.grid, FEATURE_THRESHOLD * largest)
        nothing = self.axis.nothing
        self._draw(nothing, nothing, runs, largest, "\u0394 \u2202flux/\u2202[X/H]")
        self.element_curve.visible = self.true_curve.visible = False
        self.element_peaks.visible = True

    def _draw(
        self, value: Array, truth: Array, runs: dict[str, NDArray[Any]], largest: float, label: str
    ) -> None:
        self.curve.data.update({"value": value, "truth": truth})
        if len(runs["pixel"]) or len(self.peaks.data["at"]):
            self._show_peaks(runs)
        set_symmetric(self.y_range, max(round_up(largest), 1e-4))
        self.plot.yaxis.axis_label = label

    def _show_peaks(self, runs: dict[str, NDArray[Any]]) -> None:
        """Set the columns that peaks.mjs cuts into lines."""
        counts, step = counted(runs["value"])
        self.peaks.tags = [step]  # before the data, which are drawn at once
        self.peaks.data.update(
            {
                "at": self.axis.places(runs["pixel"]).astype(runs["pixel"].dtype),
                "y": counts,
                "element": runs["element"],
            }
        )

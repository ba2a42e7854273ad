"""The wavelength axis that the figures of a page share: unit, medium, chip and range."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import BasicTicker, BasicTickFormatter
from bokeh.models.ranges import Range1d
from bokeh.plotting import figure
from numpy.typing import NDArray

from ..core.wavelength import WavelengthGrid
from .frame import Axis
from .state import ALL, ViewState

UNIT_SYMBOLS = {"angstrom": "\u00c5", "nm": "nm", "um": "\u00b5m"}
"""How units are written on buttons and axes."""

DIGITS = {"angstrom": 2, "nm": 3, "um": 6}
"""Decimals of the cursor readout, by unit."""

TOOLS = "xpan,xwheel_zoom,box_zoom,reset,save"


def wavelength_figure(
    label: str,
    x_range: Range1d,
    y_range: Any,
    last: bool = False,
    borders: tuple[int, int, int] = (58, 4, 3),
    ticks: int = 4,
) -> Any:
    """Return a figure against wavelength, without curves.

    Parameters
    ----------
    label : str
        What stands beside the vertical axis.
    x_range, y_range : Range1d
        Its ranges.
    last : bool
        Whether the wavelength axis is shown.
    borders : tuple of int
        Least space on the left, on the right, and above and below, in pixels.
    ticks : int
        About how many ticks the vertical axis has.
    """
    left, right, beside = borders
    plot: Any = figure(
        x_range=x_range,
        y_range=y_range,
        y_axis_label=label,
        tools=TOOLS,
        active_drag="box_zoom",
        active_scroll="xwheel_zoom",
        sizing_mode="stretch_both",
        min_border_left=left,
        min_border_right=right,
        min_border_top=beside,
        min_border_bottom=beside,
        lod_threshold=None,
    )
    plot.yaxis.axis_label_standoff = 6
    plot.yaxis.ticker = BasicTicker(desired_num_ticks=ticks)
    plot.xaxis.visible = last
    plot.xaxis.formatter = BasicTickFormatter(use_scientific=False)
    plot.xaxis.axis_label_standoff = 2
    return plot


class Wavelengths:
    """The wavelength axis that the figures of a page share.

    Parameters
    ----------
    grid : WavelengthGrid
        Grid of the spectra.
    state : ViewState
        Gives unit, medium and chip.
    """

    def __init__(self, grid: WavelengthGrid, state: ViewState) -> None:
        self.axis = Axis(grid)
        self.state = state
        self.range = Range1d()
        self._drawn = self.positions
        self.show_all()
        self.show_chip()

    @property
    def positions(self) -> NDArray[np.float64]:
        """Where values stand that :meth:`.Axis.spread` returns."""
        return self.axis.positions(self.state.unit, self.state.medium)

    @property
    def label(self) -> str:
        """What stands below the axis."""
        unit = UNIT_SYMBOLS[self.state.unit]
        return f"wavelength in {self.state.medium}, rest frame ({unit})"

    def show_chip(self) -> None:
        """Show the chip that is chosen, or all."""
        low, high = self._chip()
        self.range.update(start=low, end=high)

    def _chip(self) -> tuple[float, float]:
        chip = None if self.state.chip == ALL else self.state.chip
        return self.axis.span(chip, self.state.unit, self.state.medium)

    def show_all(self) -> None:
        """Let the range go as far as there are wavelengths."""
        low, high = self.axis.span(None, self.state.unit, self.state.medium)
        self.range.update(reset_start=low, reset_end=high, bounds=(low, high))

    def show_unit(self) -> NDArray[np.float64]:
        """Go over to another unit or medium, the same pixels in view; return the positions."""
        old, new = self._drawn, self.positions
        start, end = float(self.range.start), float(self.range.end)  # type: ignore[arg-type]
        whole = start <= old[0] and end >= old[-1]
        kept = np.interp([start, end], old, np.arange(new.size))
        self._drawn = new
        self.show_all()
        low, high = self._chip() if whole else np.interp(kept, np.arange(new.size), new)
        self.range.update(start=float(low), end=float(high))
        return new

"""The wavelength axis that the figures of a page share: unit, medium, chip and range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.models import BasicTicker, BasicTickFormatter
from bokeh.models.ranges import Range1d
from bokeh.plotting import figure
from numpy.typing import NDArray

from ...core.spectra import WavelengthGrid, air_to_vacuum
from ...core.spectra.wavelength import UNITS, convert
from ..session.document_lock import after, executor
from ..state.view_state import ALL, ViewState
from ..workarounds.fast_repaint import lighten
from .chip_axis import ChipAxis

UNIT_SYMBOLS = {"angstrom": "\u00c5", "nm": "nm", "um": "\u00b5m"}
"""How units are written on buttons and axes."""

DIGITS = {"angstrom": 2, "nm": 3, "um": 6}
"""Decimals of the cursor readout, by unit."""

REST_MS = 250
"""A zoom has come to rest when nothing has changed for so long, in milliseconds."""

MIN_WINDOW_ANGSTROM = 0.2
"""Width of the narrowest window, in angstrom; what is narrower is no window."""

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
    lighten(plot)
    return plot


class Wavelengths:
    """The wavelength axis that the figures of a page share.

    It shows the window of the state, or its chip where there is none. A zoom made with
    the mouse becomes the window of the state when it has come to rest.

    Parameters
    ----------
    grid : WavelengthGrid
        Grid of the spectra.
    state : ViewState
        Gives unit, medium, chip and window.
    on_zoom : callable, optional
        Called when the range has changed, at most once per turn of the event loop.
    """

    def __init__(
        self,
        grid: WavelengthGrid,
        state: ViewState,
        on_zoom: Callable[[], None] | None = None,
    ) -> None:
        self.axis = ChipAxis(grid)
        self.state = state
        self.range = Range1d()
        self.on_zoom = on_zoom
        self._drawn = self.positions
        self._told = True
        self._rest: Any = None
        self.show_all()
        self.show_view()
        self.range.on_change("start", self._zoomed)
        self.range.on_change("end", self._zoomed)

    @property
    def positions(self) -> NDArray[np.float64]:
        """Positions of the values that :meth:`.ChipAxis.spread` returns."""
        return self.axis.positions(self.state.unit, self.state.medium)

    @property
    def label(self) -> str:
        """The label of the axis."""
        unit = UNIT_SYMBOLS[self.state.unit]
        return f"wavelength in {self.state.medium}, rest frame ({unit})"

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends of the range as drawn, the lower one first."""
        start, end = float(self.range.start), float(self.range.end)  # type: ignore[arg-type]
        return min(start, end), max(start, end)

    @property
    def view(self) -> tuple[float, float]:
        """Both ends of the range in vacuum angstrom."""
        values = np.array(self.ends) / UNITS[self.state.unit]
        low, high = air_to_vacuum(values) if self.state.medium == "air" else values
        return float(low), float(high)

    # What is shown

    def follow(self, *events: Any) -> None:
        """Follow a change of the chip or the window of the state; to be called by watchers."""
        if "window" not in {event.name for event in events} and self.state.window is not None:
            self.state.window = None  # a chip is chosen to see all of it
        else:
            self.show_view()

    def show_view(self) -> None:
        """Show the window of the state; where it is not set or empty, the chip."""
        window = _sane(self.state.window, self._span(ALL))
        ends = self._span(self.state.chip) if window is None else window
        if _near(ends, self.view):
            return
        low, high = convert(ends, self.state.unit, self.state.medium)
        self.range.update(start=float(low), end=float(high))

    def _span(self, chip: str) -> tuple[float, float]:
        return self.axis.span(None if chip == ALL else chip)

    def show_all(self) -> None:
        """Let the range go as far as there are wavelengths."""
        low, high = self.axis.span(None, self.state.unit, self.state.medium)
        self.range.update(reset_start=low, reset_end=high, bounds=(low, high))

    def show_unit(self) -> NDArray[np.float64]:
        """Go over to another unit or medium, the same pixels in view; return the positions."""
        old, new = self._drawn, self.positions
        start, end = self.ends
        whole = start <= old[0] and end >= old[-1]
        kept = np.interp([start, end], old, np.arange(new.size))
        self._drawn = new
        self.show_all()
        chip = None if self.state.chip == ALL else self.state.chip
        ends = np.interp(kept, np.arange(new.size), new).tolist()
        low, high = self.axis.span(chip, self.state.unit, self.state.medium) if whole else ends
        self.range.update(start=low, end=high)
        return new

    # What is zoomed by hand

    def _zoomed(self, attr: str, old: object, new: object) -> None:
        execute = executor(self.range.document)
        if execute is None:
            self._tell()
        elif self._told:
            # Both ends change one after the other.
            self._told = False
            execute(self._tell)

    def _tell(self) -> None:
        self._told = True
        if self.on_zoom is not None:
            self.on_zoom()
        if self._rest is not None:
            self._rest()
        self._rest = after(self.range.document, REST_MS, self.settle)

    def settle(self) -> None:
        """Make what is in view the window of the state, none if that is all of the chip."""
        view = self.view
        chip = self._span(self.state.chip)
        if _near(view, chip):
            window = None
        elif (shown := _sane(self.state.window, self._span(ALL))) and _near(view, shown):
            return
        else:
            window = (round(view[0], 2), round(view[1], 2))
        self.state.window = window


def _near(a: tuple[float, float], b: tuple[float, float]) -> bool:
    """Tell whether two windows are the same but for rounding."""
    slack = max(0.02, 1e-4 * (a[1] - a[0]))
    return abs(a[0] - b[0]) <= slack and abs(a[1] - b[1]) <= slack


def _sane(
    window: tuple[float, float] | None, whole: tuple[float, float]
) -> tuple[float, float] | None:
    """Return the part of a window in which there are wavelengths; None if there is none."""
    if window is None or not np.isfinite(window).all():
        return None
    low, high = max(min(window), whole[0]), min(max(window), whole[1])
    return (low, high) if high - low >= MIN_WINDOW_ANGSTROM else None

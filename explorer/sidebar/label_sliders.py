"""Stellar labels one below the other: each a slider over the trained range and a box."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import param
from param.parameterized import discard_events

from ...core.labels import Label
from ..state.label_text import decimals, short_unit
from ..widgets.browser_component import BrowserComponent

ROW_HEIGHT_PIXELS = 25
"""Pixels of a row."""


@dataclass(frozen=True)
class LabelSlider:
    """Limits, step and texts of one slider, whatever its value.

    Parameters
    ----------
    name : str
        What the label is called in the code.
    title : str
        Name as shown; what follows an underscore is a subscript.
    description : str
        A few words, shown as a tooltip.
    unit : str
        Unit behind the box.
    low, high : float
        Trained range.
    hard_low, hard_high : float
        Smallest and largest value that can be typed.
    step : float
        Step of the arrow keys.
    decimals : int
        Decimals shown.
    reference : float
        Value that a double click on the name restores.
    """

    name: str
    title: str
    description: str
    unit: str
    low: float
    high: float
    hard_low: float
    hard_high: float
    step: float
    decimals: int
    reference: float

    @classmethod
    def of(cls, label: Label, reference: float, limits: tuple[float, float]) -> LabelSlider:
        """Return the row of a label.

        Parameters
        ----------
        label : Label
            Gives name, unit, trained range and step.
        reference : float
            Value to return to.
        limits : tuple of float
            Smallest and largest value that can be typed.
        """
        return cls(
            label.name,
            label.title,
            label.description,
            short_unit(label),
            label.low,
            label.high,
            *limits,
            label.step,
            decimals(label),
            reference,
        )


class LabelSliders(BrowserComponent):
    """Name, slider, box and unit of labels, one below the other.

    A slider spans the trained range. The box takes values up to the hard limits; outside the
    trained range a row turns amber and says on which side, and its tooltip names the range.
    Arrow keys move by a step, with Shift or Page up and down by ten. A double click on the name
    returns to the reference.

    Every row counts its moves. The browser sends values with these counts, and what Python
    tells of a row counts there only if Python has seen the row's last move: so a slider never
    jumps back under the hand, and no move is lost, however they are bundled on their way.

    Parameters
    ----------
    rows : sequence of LabelSlider
        From top to bottom.
    values : sequence of float
        Where they stand.
    on_move : callable
        ``on_move(name, value)`` for every move in the browser.
    """

    rows = param.List(default=[], doc="What rows are like.")
    moved = param.List(default=[], doc="The browser's [count of moves, value] by row.")
    told = param.List(default=[], doc="Python's [count of moves seen, value] by row.")
    inside = param.List(default=[], doc="Ends of what was trained by row; None for the slider's.")
    beyond = param.List(
        default=[], doc="What else of a label is untrained, such as [Mg/Fe]; empty for nothing."
    )
    settled = param.Integer(default=0, doc="Counts moves that have ended.")
    refused = param.String(default="", doc="Why the last typed text was not taken.")

    # Panel would wait 50 ms for more changes; the browser sends one per frame as it is.
    _debounce: ClassVar[int] = 0
    # Nothing on the page shows that the server is busy; counting costs a quarter of a move.
    _busy__ignore: ClassVar[list[str]] = ["moved", "settled"]

    from_browser = ("moved", "settled", "refused")

    _esm = Path(__file__).with_name("label_sliders.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("label_sliders.css")]

    def __init__(
        self,
        rows: Sequence[LabelSlider],
        values: Sequence[float],
        on_move: Callable[[str, float], None],
        **params: Any,
    ) -> None:
        self._rows = {row.name: i for i, row in enumerate(rows)}
        self._specs = tuple(rows)
        self._on_move = on_move
        super().__init__(
            rows=[asdict(row) for row in rows],
            told=[[0, float(v)] for v in values],
            inside=[None] * len(rows),
            beyond=[""] * len(rows),
            sizing_mode="stretch_width",
            height=ROW_HEIGHT_PIXELS * len(rows),
            **({"margin": 0} | params),
        )
        self.param.watch(self._take, "moved")

    def _take(self, event: param.parameterized.Event) -> None:
        told = [list(pair) for pair in self.told]
        new = [
            (row.name, float(value))
            for row, pair, (count, value) in zip(self._specs, told, event.new, strict=False)
            if count > pair[0]
        ]
        for pair, (count, value) in zip(told, event.new, strict=False):
            if count > pair[0]:
                pair[:] = [count, float(value)]
        # The browser knows; a view that is built later has to hear it.
        with discard_events(self):
            self.told = told
        for name, value in new:
            self._on_move(name, value)

    def value(self, name: str) -> float:
        """Return the value of a row."""
        return float(self.told[self._rows[name]][1])

    def tell(self, values: Mapping[str, float], beyond: Mapping[str, str] | None = None) -> None:
        """Show values, and what is untrained; rows that are not named stay as they are.

        Parameters
        ----------
        values : mapping
            By name.
        beyond : mapping, optional
            Words by name; none for those that are left out.
        """
        told = [
            [count, float(values.get(row.name, value))]
            for row, (count, value) in zip(self._specs, self.told, strict=True)
        ]
        new: dict[str, Any] = {}
        if told != self.told:
            new["told"] = told
        if beyond is not None:
            words = [beyond.get(row.name, "") for row in self._specs]
            if words != self.beyond:
                new["beyond"] = words
        if new:
            self.param.update(**new)

    def show_ranges(self, ranges: Mapping[str, tuple[float, float]]) -> None:
        """Show what was trained, the other labels as they are, below the sliders."""
        inside = [[round(float(end), 4) for end in ranges[row.name]] for row in self._specs]
        if inside != self.inside:
            self.inside = inside

    def trained(self, name: str) -> tuple[float, float]:
        """Return the trained range of a row as it is shown."""
        i = self._rows[name]
        low, high = self.inside[i] or (self._specs[i].low, self._specs[i].high)
        return low, high

    @property
    def any_outside(self) -> bool:
        """True if any label is outside the trained range."""
        return any(self.beyond) or any(
            not row.low <= value <= row.high
            for row, (_, value) in zip(self._specs, self.told, strict=True)
        )

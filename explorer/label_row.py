"""One stellar label: a slider over the trained range and a box for any sane value."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent

from ..core.labels import Label
from .state import decimals

_UNITS = {"log10(cm s-2)": "", "km s-1": "km/s"}


def short_unit(label: Label) -> str:
    """Return a unit short enough to stand behind a box; none for logarithms of g."""
    return _UNITS.get(label.unit, label.unit)


class LabelRow(JSComponent):
    """Name, slider, box and unit of one label.

    The slider spans the trained range. The box takes values up to the hard limits;
    outside the trained range the row turns amber and says on which side, and its
    tooltip names the range. Arrow keys move by `step`, with Shift or Page up and down
    by ten. A double click on the name returns to `reference`.
    """

    title = param.String(doc="Name as shown; what follows an underscore is a subscript.")
    description = param.String(doc="A few words, shown as a tooltip.")
    unit = param.String(doc="Unit behind the box.")
    value = param.Number(default=0.0, doc="The value, in physical units.")
    low = param.Number(default=0.0, doc="Lower end of the trained range.")
    high = param.Number(default=1.0, doc="Upper end of the trained range.")
    hard_low = param.Number(default=0.0, doc="Smallest value that can be typed.")
    hard_high = param.Number(default=1.0, doc="Largest value that can be typed.")
    inside = param.Tuple(
        default=None,
        length=2,
        allow_None=True,
        doc="Ends of what was trained, the other labels as they are; None for low and high.",
    )
    beyond = param.String(
        default="", doc="What else of the label is untrained, such as [Mg/Fe]; empty for nothing."
    )
    step = param.Number(default=0.1, bounds=(0, None), doc="Step of the arrow keys.")
    decimals = param.Integer(default=2, bounds=(0, 6), doc="Decimals shown.")
    reference = param.Number(default=0.0, doc="Value that a double click on the name restores.")
    settled = param.Integer(default=0, doc="Counts moves that have ended.")
    refused = param.String(default="", doc="Why the last typed text was not taken.")

    # Panel would wait 50 ms for more changes; the browser sends one per frame as it is.
    _debounce: ClassVar[int] = 0
    # Nothing on the page shows that the server is busy; counting costs a quarter of a move.
    _busy__ignore: ClassVar[list[str]] = ["value", "settled"]

    _esm = Path(__file__).with_name("label_row.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("label_row.css")]

    @classmethod
    def of(
        cls, label: Label, value: float, reference: float, limits: tuple[float, float]
    ) -> LabelRow:
        """Return the row of a label.

        Parameters
        ----------
        label : Label
            The label; gives name, unit, trained range and step.
        value, reference : float
            Value now, and the one to return to.
        limits : tuple of float
            Smallest and largest value that can be typed.
        """
        return cls(
            title=label.title,
            description=label.description,
            unit=short_unit(label),
            value=value,
            low=label.low,
            high=label.high,
            hard_low=limits[0],
            hard_high=limits[1],
            step=label.step,
            decimals=decimals(label),
            reference=reference,
            sizing_mode="stretch_width",
            margin=0,
            height=25,
        )

    @property
    def outside(self) -> bool:
        """Whether the label is outside what was trained."""
        return bool(self.beyond) or not self.low <= self.value <= self.high

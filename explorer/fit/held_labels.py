"""Labels that a fit holds, typed as ``vmacro=4``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import param

from ...core.errors import FitError
from ...core.fitting.held_labels import held_labels, split_words
from ...core.labels import LabelSet
from ..widgets.browser_component import BrowserComponent


class HeldLabels(BrowserComponent):
    """A line such as ``vmacro=4, [Fe/H]=-0.5``; what makes no sense is refused in a sentence.

    Parameters
    ----------
    labels : LabelSet
        Labels that can be held.
    """

    label = param.String(default="held labels", doc="What it is called.")
    example = param.String(default="none; as vmacro=4", doc="Shown while nothing is typed.")
    about = param.String(
        default="Labels that are not fitted, with their values: vmacro=4, [Fe/H]=-0.5",
        doc="Shown while the pointer is over it.",
    )
    text = param.String(default="", doc="What is typed.")
    problem = param.String(default="", doc="Why it was refused; empty if it was not.")

    from_browser = ("text",)

    _esm = Path(__file__).with_name("held_labels.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("held_labels.css")]

    def __init__(self, labels: LabelSet, **params: Any) -> None:
        super().__init__(**params)
        self._labels = labels
        self.values: dict[str, float] = {}
        """Values by short name, as last understood."""
        self.param.watch(self._read, "text")

    def _read(self, *_: object) -> None:
        try:
            self.values = held_labels(split_words(self.text), self._labels)
            self.problem = ""
        except FitError as problem:
            still = ", ".join(f"{name}={value:g}" for name, value in self.values.items())
            after = f"Still held: {still}." if still else "No label is held."
            self.problem = f"{problem} {after}"

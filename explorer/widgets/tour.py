"""A tour for the first visit, and the keys: the question mark in the header."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import param

from .browser_component import BrowserComponent

STEPS: list[list[str]] = [
    [
        "Move the labels",
        "Drag a slider, step it with the arrow keys, or type a value: the spectra follow at "
        "once. What lies outside the trained range is shown and named as extrapolation.",
        "labels",
    ],
    [
        "Compare the models",
        "Blue is the emulated spectrum, as the simulator makes it. Orange is the adapted one, as "
        "observed spectra show the same star. Their difference stands below. Drag or turn "
        "the wheel to zoom.",
        "flux",
    ],
    [
        "Find what is missing, by element",
        "The lowest figure tells how the difference changes with each element. Choose one here; "
        "the Derivatives page has all of them.",
        "element",
    ],
    [
        "Lay an observed star over the models",
        "Drop a file of spectra anywhere on the page, or press Example star. The figure below the "
        "spectra then shows residuals in sigma.",
        "star",
    ],
    [
        "Go on, and share",
        "Map, Fit and Lines work with many stars and with candidate lines. Share copies a link "
        "to exactly this view and saves pictures, tables and Python. The question mark shows "
        "the keys and this tour again.",
        "pages",
    ],
]
"""Title, text, and what it points at, for each step."""

KEYS: list[list[str]] = [
    ["arrow keys", "step a slider or a box; ten steps with Shift or Page up and down"],
    ["Enter, Escape", "take what was typed, or take it back"],
    ["double click", "on the name of a label: back to its start value"],
    ["[ and ]", "previous and next zoom"],
    ["Tab", "on to the next control"],
    ["?", "these keys; on the Lines page those for vetting"],
]
"""Keys, and what they do."""


class Tour(BrowserComponent):
    """A button that shows keys and tour; the tour comes by itself on the first visit.

    The browser remembers that it has been shown.
    """

    offered = param.Boolean(default=True, doc="Whether the tour may come by itself.")
    steps = param.List(default=STEPS, doc="Title, text and target of every step.")
    keys = param.List(default=KEYS, doc="Keys, and what they do.")

    _esm = Path(__file__).with_name("tour.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("tour.css")]

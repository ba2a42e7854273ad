"""The strip above the spectra: names of known lines where there is room, ticks for the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import param

from ...core.spectra.wavelength import convert
from ..figures.label_placement import place, text_width
from ..figures.theme import element_colour, surface
from ..figures.wavelength_axis import Wavelengths
from ..state.view_state import ViewState
from ..widgets.browser_component import BrowserComponent
from .known_lines import RankedLines, known_lines

NAME_ROWS = 2
NAME_SIZE_PIXELS = 11.0
"""Size of the names in pixels."""


class StripNames(BrowserComponent):
    """Names and ticks at places given in pixels; a click on a name is told."""

    names = param.List(default=[], doc="A list [centre, row, text, colour, line] for each name.")
    ticks = param.List(default=[], doc="A list [place, named, colour] for each tick.")

    _esm = Path(__file__).with_name("line_strip.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("line_strip.css")]

    def __init__(self, on_click: Callable[[int], None] | None = None, **params: Any) -> None:
        super().__init__(**params)
        self._on_click = on_click

    def receive(self, message: dict[str, Any]) -> None:
        """Tell which name was clicked."""
        line = message.get("line")
        if isinstance(line, int) and self._on_click is not None:
            self._on_click(line)


class LineStrip:
    """Names of known lines above figures, none covering another.

    Parameters
    ----------
    wavelengths : Wavelengths
        The axis of the figures below.
    state : ViewState
        Gives element, temperature, unit, medium and theme; read, not watched.
    left : int
        Space on the left of the frame of the figures below, in pixels.
    on_click : callable
        Called with the vacuum wavelength of a line whose name is clicked, in angstrom.
    """

    def __init__(
        self,
        wavelengths: Wavelengths,
        state: ViewState,
        left: int,
        on_click: Callable[[float], None],
    ) -> None:
        self.wavelengths = wavelengths
        self.state = state
        self.width = 880
        """Width of the frame on the screen in pixels, when the browser has told it."""
        self._on_click = on_click
        self._near: RankedLines | None = None
        self.view = StripNames(
            self._clicked,
            sizing_mode="stretch_width",
            height=36,
            margin=(0, 0, 0, left),
            visible=False,
        )

    @property
    def known(self) -> RankedLines:
        """The lines of the element of the state, ranked for its temperature."""
        teff = self.state.labels.get("teff", 4750.0)
        return known_lines(self.state.element, float(np.clip(round(teff, -2), 2500, 15000)))

    def show(self, shown: bool) -> None:
        """Show the strip, or hide it."""
        self.view.visible = shown
        self.draw()

    def draw(self) -> None:
        """Choose names for what is in view; nothing is done while the strip is hidden."""
        if not self.view.visible:
            return
        self._near = near = self.known.between(*self.wavelengths.view)
        drawn = convert(near.lines.wl_vac, self.state.unit, self.state.medium)
        low, high = self.wavelengths.ends
        at = (drawn - low) * self.width / (high - low)
        names = near.names()
        widths = [text_width(n, NAME_SIZE_PIXELS) for n in names]
        placed = place(at, widths, near.strength, low=0, high=self.width, rows=NAME_ROWS)
        text = surface(self.state.dark).text
        colours = [element_colour(s) if s else text for s in near.symbols()]
        self.view.param.update(
            names=[
                [
                    round(float(placed.centre[i]), 1),
                    int(placed.row[i]),
                    names[i],
                    colours[i],
                    int(i),
                ]
                for i in placed.shown
            ],
            ticks=[
                [round(float(x), 1), bool(row >= 0), colour]
                for x, row, colour in zip(at, placed.row, colours, strict=True)
            ],
        )

    def _clicked(self, line: int) -> None:
        if self._near is not None and 0 <= line < len(self._near.lines):
            self._on_click(float(self._near.lines.wl_vac[line]))

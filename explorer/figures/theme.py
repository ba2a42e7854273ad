"""Colours: one per curve and one per element, the same on every page.

The curves use the Okabe-Ito palette. The element colours were chosen by a greedy
search in CIELAB that keeps the twenty apart for normal vision (distance above 30)
and for protanopes and deuteranopes (above 13, simulated after Machado et al. 2009,
IEEE TVCG 15, 1291, severity 1), within lightness 38 to 74 so that each is legible
on white and on black.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bokeh.themes import Theme

EMULATED = "#0072b2"
"""Emulated spectra (blue)."""
ADAPTED = "#e07b00"
"""Adapted spectra (orange)."""
TRUTH = "#009e73"
"""The truth, where a bundle knows it (green, drawn dashed)."""

ELEMENT_COLOURS: dict[str, str] = {
    "C": "#9c4401",
    "N": "#18b6fe",
    "O": "#ea3f3b",
    "Na": "#aba81c",
    "Mg": "#25d063",
    "Al": "#9b83ac",
    "Si": "#127ef8",
    "P": "#a7147c",
    "S": "#9eaf82",
    "K": "#f663e4",
    "Ca": "#3b8432",
    "Ti": "#515cff",
    "V": "#c76686",
    "Cr": "#03668a",
    "Mn": "#d90063",
    "Fe": "#650cfe",
    "Co": "#12caaf",
    "Ni": "#166652",
    "Cu": "#9306c3",
    "Ge": "#7441a5",
}
"""One colour per element, by symbol."""

OTHER_ELEMENT = "#808080"
"""Colour of an element outside the list."""


def element_colour(symbol: str) -> str:
    """Return the colour of an element, grey if it is not in the list."""
    return ELEMENT_COLOURS.get(symbol, OTHER_ELEMENT)


@dataclass(frozen=True)
class Surface:
    """Colours of what surrounds the curves in one theme.

    Parameters
    ----------
    observed : str
        Observed spectra: black on light, white on dark.
    emulated : str
        Emulated spectra; a lighter blue on dark.
    background : str
        Behind the curves.
    text : str
        Axis labels and tick labels.
    line : str
        Axes and frames.
    grid : str
        Grid lines.
    """

    observed: str
    emulated: str
    background: str
    text: str
    line: str
    grid: str


LIGHT = Surface("#000000", EMULATED, "#ffffff", "#3b4148", "#9aa1a9", "#eceef1")
DARK = Surface("#ffffff", "#3ea0e0", "#121212", "#c3c8ce", "#5b636c", "#2a2d31")


def surface(dark: bool) -> Surface:
    """Return the surroundings of the dark or the light theme."""
    return DARK if dark else LIGHT


def paint(plot: Any, dark: bool) -> None:
    """Give a Bokeh figure the surroundings of a theme."""
    colours = surface(dark)
    # What is not filled shows the page, in any theme.
    plot.background_fill_color = None
    plot.border_fill_color = None
    plot.outline_line_color = colours.line
    plot.grid.grid_line_color = colours.grid
    plot.axis.axis_line_color = colours.line
    plot.axis.major_tick_line_color = colours.line
    plot.axis.major_label_text_color = colours.text
    plot.axis.axis_label_text_color = colours.text


PALETTE = {
    "light": {"palette": {"primary": {"main": LIGHT.emulated}}},
    "dark": {"palette": {"primary": {"main": DARK.emulated}}},
}
"""Colours of buttons and sliders on a page."""

FIGURES = Theme(
    json={
        "attrs": {
            "Axis": {
                "axis_label_text_font": "Roboto, sans-serif",
                "axis_label_text_font_size": "12px",
                "axis_label_text_font_style": "normal",
                "major_label_text_font": "Roboto, sans-serif",
                "major_label_text_font_size": "11px",
                "minor_tick_line_color": None,
                "major_tick_in": 0,
                "major_tick_out": 4,
            },
            "Grid": {"grid_line_width": 1},
            "Legend": {
                "label_text_font": "Roboto, sans-serif",
                "label_text_font_size": "12px",
                "border_line_color": None,
            },
            "Figure": {"output_backend": "canvas"},
        }
    }
)
"""Fonts of all figures. A page leaves alone what its document's theme names here."""

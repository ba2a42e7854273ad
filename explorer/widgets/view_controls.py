"""Groups of small buttons that pages have in common: chip, unit, medium, element."""

from __future__ import annotations

import html
from typing import Any

import panel as pn
import panel_material_ui as pmui

from ...core.labels import LabelSet
from ...core.spectra import WavelengthGrid
from ..figures.theme import ELEMENT_COLOURS, element_colour
from ..figures.wavelength_axis import UNIT_SYMBOLS
from ..state.view_state import ALL, ViewState

SMALL = {"font-size": "12px", "line-height": "24px", "white-space": "nowrap"}
"""Words beside such buttons."""

GROUP: dict[str, Any] = {
    "label": "",
    "description": "",
    "margin": 0,
    "size": "small",
    "sx": {
        "& .MuiToggleButton-root": {
            "padding": "1px 7px",
            "textTransform": "none",
            "fontSize": "12px",
            "lineHeight": 1.6,
            "whiteSpace": "nowrap",
        }
    },
}
"""How such buttons look."""

FOLDING = {"min-height": "26px", "flex-wrap": "wrap", "justify-content": "flex-end"}
"""Style of a row of controls that needs a second line on narrow screens and in notebooks."""

_BUTTON = "& .MuiToggleButton-root"
_WRAPPED: dict[str, Any] = {"flexWrap": "wrap", _BUTTON: GROUP["sx"][_BUTTON] | {"width": "auto"}}


def word(text: str, **style: Any) -> pn.pane.HTML:
    """Return a word that stands beside buttons."""
    return pn.pane.HTML(html.escape(text), **({"margin": 0, "styles": SMALL} | style))


def chip_choice(state: ViewState, grid: WavelengthGrid) -> pmui.RadioButtonGroup:
    """Return buttons for the chips of a grid, by number, and for all of them."""
    names = [chip.name for chip in grid.chips]
    chips = {str(i + 1): name for i, name in enumerate(names)} if len(names) > 1 else {}
    return pmui.RadioButtonGroup.from_param(state.param.chip, options=chips | {"all": ALL}, **GROUP)


def unit_choice(state: ViewState) -> pmui.RadioButtonGroup:
    """Return buttons for the unit of wavelengths."""
    options = {symbol: unit for unit, symbol in UNIT_SYMBOLS.items()}
    return pmui.RadioButtonGroup.from_param(state.param.unit, options=options, **GROUP)


def medium_choice(state: ViewState) -> pmui.RadioButtonGroup:
    """Return buttons for wavelengths in vacuum or in air."""
    return pmui.RadioButtonGroup.from_param(state.param.medium, options=["vacuum", "air"], **GROUP)


def element_choice(state: ViewState, labels: LabelSet) -> pmui.RadioButtonGroup:
    """Return buttons for the elements of a label set in their colours, and for all of them."""
    elements = [e for e in ELEMENT_COLOURS if e in labels.elements]
    elements += [e for e in labels.elements if e not in elements]
    colours: dict[str, Any] = {}
    for i, e in enumerate(elements):
        button = f".MuiToggleButton-root:not(.Mui-selected):nth-of-type({i + 2})"
        colour = element_colour(e)
        colours[f"& {button}"] = {"color": colour, "fontWeight": 700}
        lighter = f"color-mix(in srgb, {colour} 70%, white)"
        colours[f".mui-dark & {button}"] = {"color": lighter}
    return pmui.RadioButtonGroup.from_param(
        state.param.element,
        options=[ALL, *elements],
        **(GROUP | {"sx": _WRAPPED | colours}),
    )

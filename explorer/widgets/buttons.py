"""A small outlined button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel_material_ui as pmui

STYLE: dict[str, Any] = {
    "textTransform": "none",
    "padding": "0 7px",
    "fontSize": "12.5px",
    "lineHeight": 1.8,
    "minWidth": 0,
    "minHeight": 0,
    "height": "25px",
    "whiteSpace": "nowrap",
    "& .MuiButton-startIcon": {"display": "none"},
}
"""How such buttons look."""


def plain_button(label: str, action: Callable[[], None], about: str = "") -> pmui.Button:
    """Return a button.

    Parameters
    ----------
    label : str
        What stands on it.
    action : callable
        Called when it is pressed.
    about : str, optional
        Shown, after the label, while the pointer is over it; readers speak both.
    """
    return pmui.Button(
        label=label,
        description=f"{label}: {about}" if about else "",
        on_click=lambda event: action(),
        variant="outlined",
        size="small",
        margin=0,
        height=25,
        sx=STYLE,
    )

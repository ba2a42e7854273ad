"""Small outlined buttons: one that acts, and one that saves a file."""

from __future__ import annotations

import io
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


def download_button(
    label: str, filename: str, content: Callable[[], io.BytesIO], about: str = ""
) -> pmui.FileDownload:
    """Return a button that saves a file.

    Parameters
    ----------
    label : str
        What stands on it.
    filename : str
        Name of the file.
    content : callable
        Returns the file when the button is pressed.
    about : str, optional
        Shown, after the label, while the pointer is over it; readers speak both.
    """
    return pmui.FileDownload(
        label=label,
        callback=content,
        filename=filename,
        variant="outlined",
        size="small",
        margin=0,
        height=25,
        sx=STYLE,
        **({"description": f"{label}: {about}"} if about else {}),
    )

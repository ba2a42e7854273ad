"""What the share menu offers on a page, and what stands above a picture of it."""

from __future__ import annotations

from typing import Any

from ...core.io.table_formats import FORMATS
from ..session.page import PageEntry
from ..state.label_text import decimals
from ..state.view_state import ViewState

MAX_NAMED_ABUNDANCES = 6
"""Abundances that a caption names; of the others only the number is told."""


def actions_of(entry: PageEntry) -> list[Any]:
    """Return what the menu offers on a page: titles, and buttons of each."""
    actions: list[Any] = [["Link to this view", [["Copy link", "link", "", "Copy the address"]]]]
    if not entry.has_figures:
        return actions
    actions.append(["Picture", [["PNG", "png", "", "Save the figures as they are on the screen"]]])
    if entry.table:
        buttons = [[name, "data", name, f"Save {entry.table} as {name}"] for name in FORMATS]
        actions.append(["Data", buttons])
    actions.append(
        [
            "Python for a notebook",
            [
                ["Copy", "python", "copy", "Copy lines that show the same in a notebook"],
                ["Save", "python", "save", "Save these lines as a file"],
            ],
        ]
    )
    actions.append(
        ["Page that opens offline", [["HTML", "html", "", "Save the figures as one file"]]]
    )
    return actions


def caption_of(state: ViewState, entry: PageEntry, title: str, star: str = "") -> str:
    """Return what stands above a picture: bundle and labels, the star that is laid over.

    Parameters
    ----------
    state : ViewState
        Gives the labels.
    entry : PageEntry
        The page.
    title : str
        What to call the bundle.
    star : str
        Name of the star, empty for none.
    """
    if not entry.at_labels:
        return f"{title}: {entry.title}"
    parameters, moved = [], []
    for label, start in zip(state.label_set, state.reference, strict=True):
        value = state.labels[label.name]
        text = f"{label.title} {value:.{decimals(label)}f}"
        if label.name in ("teff", "logg", "Fe"):
            parameters.append(f"{text} K" if label.unit == "K" else text)
        elif abs(value - start) > 1e-6:
            moved.append(text)
    n_more = len(moved) - MAX_NAMED_ABUNDANCES
    more = f" and {n_more} more" if n_more > 0 else ""
    named = [*parameters, *moved[:MAX_NAMED_ABUNDANCES]]
    words = f"{title}: {', '.join(named)}{more}"
    return f"{words}; observed: {star}" if star else words

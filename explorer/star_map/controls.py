"""The column of controls of the Map page."""

from __future__ import annotations

import html
import io
from collections.abc import Callable
from functools import partial
from typing import Any

import panel as pn
import panel_material_ui as pmui

from ...core.io.table_formats import FORMATS
from ..widgets.buttons import download_button, plain_button
from ..widgets.choice import Choice
from ..widgets.file_drop import FileDrop
from .colours import DOMAIN


class MapControls(pn.viewable.Viewer):
    """Controls of colour, search, dropped files, the chosen star, the selection and the mixing.

    Parameters
    ----------
    on_download : callable
        ``on_download(format)`` returns the selection as a file.
    on_clear, on_send : callable
        Called when the selection is to be forgotten, or sent to other programs.
    on_file : callable
        ``on_file(name, content)`` for each file that is dropped.
    on_problem : callable
        ``on_problem(sentence)`` for each file that does not arrive.
    """

    def __init__(
        self,
        on_download: Callable[[str], io.BytesIO],
        on_clear: Callable[[], None],
        on_send: Callable[[], None],
        on_file: Callable[[str, bytes], None],
        on_problem: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.colour = Choice(
            label="colour by",
            options=[[DOMAIN, "domain"]],
            value=DOMAIN,
            margin=0,
            height=27,
            **_STRETCH,
        )
        self.legend = _html()
        self.search = pmui.TextInput(
            label="Find a star by its id", size="small", margin=(8, 0, 0, 0), **_STRETCH
        )
        self.found = _html()
        self.drop = FileDrop(
            label="Open spectra, or drop them here",
            margin=(4, 0, 0, 0),
            height=34,
            **_STRETCH,
        )
        self.drop.on_file, self.drop.on_problem = on_file, on_problem
        self.problem = _html(visible=False)
        self.problem.styles = _SMALL | {"color": "#d32f2f", "overflow-wrap": "anywhere"}
        self.star = _html(min_height=86)
        self.placed = _html(visible=False)
        self.chosen_words = _html()
        self.clear = plain_button("Clear", on_clear)
        self.downloads = [
            download_button(name, f"spectrabridge-stars{one.suffix}", partial(on_download, name))
            for name, one in FORMATS.items()
        ]
        self.send = plain_button("Send by SAMP", on_send, "to TOPCAT or another program")
        self.mixing = _html()
        nothing = _html()
        nothing.object = "<b>Map</b><br>No map yet."
        self.column = pn.Column(nothing, margin=0, **_STRETCH)

    def lay_out(self) -> None:
        """Show all controls: there is a map."""
        row: dict[str, Any] = {"styles": {"gap": "4px", "flex-wrap": "wrap"}, **_STRETCH}
        self.column[:] = [
            self.colour,
            self.legend,
            self.search,
            self.found,
            _title("Star"),
            self.star,
            self.drop,
            self.placed,
            self.problem,
            _title("Selection"),
            self.chosen_words,
            pn.Row(*self.downloads, self.send, self.clear, margin=(4, 0, 0, 0), **row),
            _title("How well the domains mix"),
            self.mixing,
        ]

    def allow(self, some: bool, any_asked: bool) -> None:
        """Enable what can be done with a selection of some stars, or of none."""
        for button in (*self.downloads, self.send):
            button.disabled = not some
        self.clear.disabled = not any_asked

    def __panel__(self) -> pn.viewable.Viewable:
        return self.column


def _html(**more: Any) -> pn.pane.HTML:
    return pn.pane.HTML("", margin=(3, 0, 0, 0), styles=_SMALL, **(_STRETCH | more))


def _title(text: str) -> pn.pane.HTML:
    return pn.pane.HTML(f"<b>{html.escape(text)}</b>", margin=(9, 0, 0, 0))


_STRETCH: dict[str, Any] = {"sizing_mode": "stretch_width"}

_SMALL = {"font-size": "12px", "line-height": "16px"}
"""Text of the column."""

"""Observed stars on the Spectrum page: open files, choose a star and one of its spectra."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui

from ...core.errors import SpectrabridgeError
from ...core.spectra import Spectra, WavelengthGrid
from ..session.component import Component
from ..session.open_stars import OnProblem, OpenStars
from ..state.view_state import ViewState
from ..widgets.choice import Choice
from ..widgets.file_drop import FileDrop


class ObservedPanel(Component, pn.viewable.Viewer):
    """Open files, choose a star and one of its spectra.

    Parameters
    ----------
    state : ViewState
        Holds the choice: `star` and `row`.
    stars : OpenStars
        What is open.
    grid : WavelengthGrid
        Grid of the model.
    on_choice : callable
        ``on_choice(spectra)`` with one normalised spectrum, or None for no star.
    on_problem : callable
        Told about files that cannot be used, and stars that do not fit the model.
    """

    def __init__(
        self,
        state: ViewState,
        stars: OpenStars,
        grid: WavelengthGrid,
        on_choice: Callable[[Spectra | None], None],
        on_problem: OnProblem,
    ) -> None:
        super().__init__()
        self.state = state
        self.stars = stars
        self.grid = grid
        self._on_choice = on_choice
        self._on_problem = on_problem
        self.drop = FileDrop(
            label="Open spectra, or drop them here",
            margin=0,
            height=34,
            sizing_mode="stretch_width",
        )
        self.drop.on_file = stars.receive
        self.drop.on_problem = on_problem
        self.example = pmui.Button(
            label="Example star",
            description="Example star: 2M19485057+5005279, APOGEE data release 17",
            on_click=lambda event: stars.open_example(),
            variant="outlined",
            size="small",
            margin=0,
            height=25,
            sx={"textTransform": "none", "padding": "0 8px", "fontSize": "12.5px"},
        )
        self.star = Choice(label="star", options=[_NONE], **_CHOICE)
        self.row = Choice(label="spectrum", **_CHOICE)
        self.notes = pn.pane.HTML("", margin=0, styles=_NOTES)
        self.chosen = pn.Column(
            self.star,
            self.row,
            self.notes,
            visible=False,
            margin=(9, 0, 0, 0),
            sizing_mode="stretch_width",
        )
        self.star.param.watch(self._star_chosen, "value")
        self.row.param.watch(self._row_chosen, "value")
        self.watch(state, self._show, ["star", "row"])
        self.watch(stars, self._list, "opened")
        self._list()

    def _list(self, *_: object) -> None:
        """List the files that are open, and show the one that is chosen."""
        files = self.stars.files
        titles = [file.title for file in files.values()]
        self.star.options = [_NONE] + [
            [key, file.title if titles.count(file.title) == 1 else f"{file.title} ({key})"]
            for key, file in files.items()
        ]
        self.chosen.visible = bool(files)
        self._show()

    def _star_chosen(self, event: Any) -> None:
        if event.new != self.state.star and (event.new in self.stars.files or event.new == ""):
            self.state.param.update(star=event.new, row=0)

    def _row_chosen(self, event: Any) -> None:
        if event.new.isdigit():
            self.state.row = int(event.new)

    def _show(self, *_: object) -> None:
        file = self.stars.files.get(self.state.star)
        self.star.value = self.state.star if file else ""
        self.row.visible = file is not None
        if file is None:
            self.notes.object = ""
            self._on_choice(None)
            return
        row = min(self.state.row, len(file.titles) - 1)
        self.row.param.update(
            options=[[str(i), title] for i, title in enumerate(file.titles)], value=str(row)
        )
        self.notes.object = escape(" ".join(file.notes))
        try:
            spectra = self.stars.laid_over(self.grid)
        except SpectrabridgeError as problem:
            self._on_choice(None)
            self._on_problem(problem)
        else:
            self._on_choice(spectra)

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            pn.Row(
                pn.pane.HTML("<b>Observed star</b>", margin=(3, 0, 0, 0)),
                pn.HSpacer(),
                self.example,
                margin=(4, 0, 5, 0),
                sizing_mode="stretch_width",
            ),
            self.drop,
            self.chosen,
            sizing_mode="stretch_width",
            margin=0,
        )


_NONE = ["", "none"]

_CHOICE: dict[str, Any] = {"margin": 0, "height": 27, "sizing_mode": "stretch_width"}

_NOTES = {"font-size": "11.5px", "line-height": "14px", "overflow-wrap": "anywhere"}

"""Observed stars: open apStar files, choose a row, lay it over the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import panel as pn
import panel_material_ui as pmui

from ...core.spectra import Spectra, WavelengthGrid
from ..computed.observed_star import ObservedStar, open_star
from ..session.background import Job
from ..session.component import Component
from ..state.view_state import ViewState
from ..widgets.choice import Choice
from ..widgets.file_drop import FileDrop

Reading = tuple[Callable[[], ObservedStar], int]
"""What makes a star, and the row to choose of it."""


class ObservedPanel(Component, pn.viewable.Viewer):
    """Open files, choose a star and one of its spectra.

    Parameters
    ----------
    state : ViewState
        Holds the choice: `star` and `row`.
    grid : WavelengthGrid
        Grid of the model.
    on_choice : callable
        ``on_choice(spectra, title)`` with one spectrum, or None and "" for no star.
    on_error : callable
        ``on_error(sentence_or_exception)`` for files that cannot be used.
    """

    def __init__(
        self,
        state: ViewState,
        grid: WavelengthGrid,
        on_choice: Callable[[Spectra | None, str], None],
        on_error: Callable[[str | BaseException], None],
    ) -> None:
        super().__init__()
        self.state = state
        self.grid = grid
        self._on_choice = on_choice
        self._reading: Job[Reading, ObservedStar] = self.job(
            lambda asked: asked[0](),
            lambda asked, star: self.add(star, asked[1]),
            "files",
            on_error,
            every=True,
        )
        self.stars: dict[str, ObservedStar] = {}
        """Opened stars by key, in the order of opening."""
        self.drop = FileDrop(
            label="Open apStar files, or drop them here",
            margin=0,
            height=34,
            sizing_mode="stretch_width",
        )
        self.drop.on_file = self.receive
        self.drop.on_problem = on_error
        self.example = pmui.Button(
            label="Example star",
            description="Example star: 2M19485057+5005279, APOGEE data release 17",
            on_click=lambda event: self.open_example(),
            variant="outlined",
            size="small",
            margin=0,
            height=25,
            sx={"textTransform": "none", "padding": "0 8px", "fontSize": "12.5px"},
        )
        self.star = Choice(label="star", options=[_NONE], **_CHOICE)
        self.row = Choice(label="spectrum", **_CHOICE)
        self.notes = pn.pane.HTML(
            "", margin=0, styles={"font-size": "11.5px", "line-height": "14px"}
        )
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

    def open_example(self, row: int = 0) -> None:
        """Open the star that comes with the package, and choose one of its spectra."""
        from ...core.io.apstar import example_apstar

        path = example_apstar()
        self.bring(lambda: open_star(path, self.grid, path.name), row)

    def receive(self, name: str, source: bytes | Path) -> None:
        """Open one file; what is wrong with it is told, and other files are not touched."""
        self.bring(lambda: open_star(source, self.grid, name))

    def bring(self, make: Callable[[], ObservedStar], row: int = 0) -> None:
        """Make a star in the background, keep it, and choose it and one of its spectra."""
        self._reading.submit((make, row))

    def add(self, star: ObservedStar, row: int = 0) -> None:
        """Keep a star and choose it and a row; a file of the same name is replaced."""
        self.stars[star.file] = star
        names = [s.name for s in self.stars.values()]
        self.star.options = [_NONE] + [
            [key, known.name if names.count(known.name) == 1 else f"{known.name} ({key})"]
            for key, known in self.stars.items()
        ]
        self.chosen.visible = True
        if self.state.star == star.file:
            self._show()
        else:
            self.state.param.update(star=star.file, row=row)

    def _star_chosen(self, event: Any) -> None:
        if event.new != self.state.star and (event.new in self.stars or event.new == ""):
            self.state.param.update(star=event.new, row=0)

    def _row_chosen(self, event: Any) -> None:
        if event.new.isdigit():
            self.state.row = int(event.new)

    def _show(self, *_: object) -> None:
        star = self.stars.get(self.state.star)
        self.star.value = self.state.star if star else ""
        self.row.visible = star is not None
        if star is None:
            self.notes.object = ""
            self._on_choice(None, "")
            return
        row = min(self.state.row, len(star.titles) - 1)
        self.row.param.update(
            options=[[str(i), title] for i, title in enumerate(star.titles)], value=str(row)
        )
        self.notes.object = " ".join(star.notes)
        self._on_choice(star.spectra[row], f"{star.name}, {star.titles[row]}")

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

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
from ..session.open_stars import OnProblem, OpenFile, OpenStars
from ..session.star_fitting import StarFitting
from ..state.view_state import ViewState
from ..widgets.choice import Choice
from .star_list import StarList, star_drop


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
    fitting : StarFitting, optional
        Fits of these stars: a fitted star is shown as it was fitted.
    on_words : callable, optional
        Called with a line on the chosen star and its fit; an empty one without.
    """

    def __init__(
        self,
        state: ViewState,
        stars: OpenStars,
        grid: WavelengthGrid,
        on_choice: Callable[[Spectra | None], None],
        on_problem: OnProblem,
        fitting: StarFitting | None = None,
        on_words: Callable[[str], None] = lambda words: None,
    ) -> None:
        super().__init__()
        self.state = state
        self.stars = stars
        self.grid = grid
        self.fitting = fitting
        self._on_choice = on_choice
        self._on_problem = on_problem
        self._on_words = on_words
        self._shown: Spectra | None = None
        self._refused: object = None
        self.drop = star_drop(stars, on_problem)
        self.example = _button(
            "Example star",
            "Example star: 2M19485057+5005279, APOGEE data release 17",
            stars.open_example,
        )
        self.hide = _button("Hide", "Hide: show no observed star", self._hide)
        self.list = self.own(StarList(state, stars, fitting))
        self.row = Choice(label="spectrum", **_CHOICE)
        self.notes = pn.pane.HTML(
            "", margin=(3, 0, 0, 0), sizing_mode="stretch_width", styles=_NOTES
        )
        self.row.param.watch(self._row_chosen, "value")
        self.watch(state, self._show, ["star", "row"])
        self.watch(stars, self._show, "opened")
        if fitting is not None:
            self.watch(fitting, self._show, "changed")
        self._show()

    def _hide(self) -> None:
        self.state.param.update(star="", row=0)

    def _row_chosen(self, event: Any) -> None:
        if event.new.isdecimal():
            self.state.row = int(event.new)

    def _show(self, *_: object) -> None:
        file = self.stars.files.get(self.state.star)
        self.hide.visible = file is not None
        self.row.visible = file is not None and len(file.titles) > 1
        if file is None:
            self.notes.object = ""
            self._on_words("")
            self._lay(None)
            return
        row = min(self.state.row, len(file.titles) - 1)
        options = [[str(i), title] for i, title in enumerate(file.titles)]
        if options != self.row.options or self.row.value != str(row):
            self.row.param.update(options=options, value=str(row))
        self._say(file)
        source = self.fitting or self.stars
        try:
            spectra = source.laid_over(self.grid)
        except SpectrabridgeError as problem:
            self._lay(None)
            # Said once, however often the list changes.
            if self._refused is not file:
                self._refused = file
                self._on_problem(problem)
        else:
            self._lay(spectra)

    def _lay(self, spectra: Spectra | None) -> None:
        if spectra is not self._shown or spectra is None:
            self._shown = spectra
            self._on_choice(spectra)

    def _say(self, file: OpenFile) -> None:
        """Say what was read, and what the fit says of it."""
        star = None if self.fitting is None else self.fitting.star
        if star is None:
            self._on_words("")
            self.notes.object = escape(" ".join(file.notes))
            return
        from ..session.fit_words import star_line

        line = star_line(star)
        self._on_words(line)
        parts = list(file.notes) if star.fitted else [line, *file.notes]
        self.notes.object = escape(" ".join(parts))

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            pn.Row(
                pn.pane.HTML("<b>Observed star</b>", margin=(3, 0, 0, 0)),
                pn.HSpacer(),
                self.hide,
                self.example,
                margin=(4, 0, 5, 0),
                sizing_mode="stretch_width",
                styles={"gap": "4px"},
            ),
            self.drop,
            self.list,
            self.row,
            self.notes,
            sizing_mode="stretch_width",
            margin=0,
        )


def _button(label: str, about: str, action: Callable[[], None]) -> pmui.Button:
    return pmui.Button(
        label=label,
        description=about,
        on_click=lambda event: action(),
        variant="outlined",
        size="small",
        margin=0,
        height=25,
        sx={"textTransform": "none", "padding": "0 8px", "fontSize": "12.5px"},
    )


_CHOICE: dict[str, Any] = {"margin": (4, 0, 0, 0), "height": 27, "sizing_mode": "stretch_width"}

_NOTES = {"font-size": "11.5px", "line-height": "14px", "overflow-wrap": "anywhere"}

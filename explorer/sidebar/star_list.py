"""The open stars as a list: how well each is fitted, and which one is on show."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import panel as pn

from ..session.component import Component
from ..session.open_stars import OnProblem, OpenFile, OpenStars
from ..session.star_fitting import StarFitting
from ..state.view_state import ViewState
from ..widgets.data_table import Column, DataTable, Row
from ..widgets.file_drop import FileDrop, spectra_drop

if TYPE_CHECKING:
    from ...core.fitting.stars import Star

SEEN_ROWS = 4
"""Rows that are seen at a time; there may be more."""

_NARROW = "td:first-child { max-width: 118px; } td:last-child { max-width: 66px; }"
"""So that a row is as wide as the column of controls; more is cut, and told by its tooltip."""

_HEAD_PIXELS, _ROW_PIXELS = 22, 18


class StarList(Component, pn.viewable.Viewer):
    """A row per open star; the one that is chosen is on show on all pages.

    Parameters
    ----------
    state : ViewState
        Holds the choice: `star` and `row`.
    stars : OpenStars
        What is open.
    fitting : StarFitting, optional
        Fits of these stars; without it the list says nothing of fits.
    seen : int
        Rows that are seen at a time.
    """

    def __init__(
        self,
        state: ViewState,
        stars: OpenStars,
        fitting: StarFitting | None = None,
        seen: int = SEEN_ROWS,
    ) -> None:
        super().__init__()
        self.state, self.stars, self.fitting, self._seen = state, stars, fitting, seen
        self.table = DataTable(
            label="Open stars",
            columns=_COLUMNS if fitting is not None else _COLUMNS[:1],
            row_height=_ROW_PIXELS,
            stylesheets=[_NARROW],
            visible=False,
            margin=(6, 0, 0, 0),
            height=_HEAD_PIXELS + _ROW_PIXELS,
            sizing_mode="stretch_width",
        )
        self.table.param.watch(self._row_chosen, "chosen")
        self.watch(state, self._mark, ["star", "row"])
        self.watch(stars, self._list, "opened")
        if fitting is not None:
            self.watch(fitting, self._list, "changed")
        self._list()

    def _list(self, *_: object) -> None:
        files = self.stars.files
        ids = Counter(star.id for file in files.values() for star in file.stars)
        rows = [
            self._row(file, star, ids[star.id] > 1)
            for file in files.values()
            for star in file.stars
        ]
        self.table.show_rows(rows)
        height = _HEAD_PIXELS + _ROW_PIXELS * max(1, min(self._seen, len(rows)))
        if (bool(rows), height) != (self.table.visible, self.table.height):
            self.table.param.update(visible=bool(rows), height=height)
        self._mark()

    def _row(self, file: OpenFile, star: Star, by_file: bool) -> Row:
        """Return the row of a star; stars of one name are told apart by their files."""
        name = f"{star.id} ({file.name})" if by_file else star.id
        cells: list[list[Any]] = [[name, name, f"{star.id}, {file.name}"]]
        if self.fitting is not None:
            cells += _fit_cells(self.fitting, f"{file.name}#{star.row}")
        return Row(key=f"{file.name}#{star.row}", cells=cells, mark="")

    def _mark(self, *_: object) -> None:
        """Mark the star of which a spectrum is on show."""
        file, key = self.stars.files.get(self.state.star), ""
        if file is not None:
            star, _at = file.spectra[min(self.state.row, len(file.spectra) - 1)]
            key = f"{file.name}#{star.row}"
        self.table.chosen = key

    def _row_chosen(self, event: Any) -> None:
        name, _sep, row = event.new.rpartition("#")
        file = self.stars.files.get(name)
        if file is None or not row.isdecimal():
            return
        now, _at = file.spectra[min(self.state.row, len(file.spectra) - 1)]
        if name != self.state.star or now.row != int(row):
            place = next((i for i, (s, _at) in enumerate(file.spectra) if s.row == int(row)), 0)
            self.state.param.update(star=name, row=place)

    def __panel__(self) -> pn.viewable.Viewable:
        return self.table


def star_drop(stars: OpenStars, on_problem: OnProblem) -> FileDrop:
    """Return a place to drop files onto that become open stars.

    Parameters
    ----------
    stars : OpenStars
        What is open.
    on_problem : callable
        Told about files that cannot be used.
    """
    drop = spectra_drop()
    drop.on_file = lambda name, content: stars.receive(name, content, batch=drop.batch)
    drop.on_problem = on_problem
    return drop


def _fit_cells(fitting: StarFitting, key: str) -> list[list[Any]]:
    """Return how well a star is fitted, and what is doubtful about that."""
    fitted = fitting.fits.get(key)
    if fitted is None:
        return [["", None, ""], ["", None, ""]]
    from ..session.fit_words import chi2_words, flag_sentences, flags_of, short_flags

    best = fitted.best
    value = None if best is None else float(best.reduced_chi2[0])
    about = "reduced chi2, emulated and adapted"
    return [
        [chi2_words(fitted), value if value is not None and value == value else None, about],
        [
            short_flags(fitted),
            len(flags_of(fitted)),
            "\n".join(flag_sentences(fitted)) or "nothing is doubtful",
        ],
    ]


def _column(title: str, about: str, number: bool = False) -> Column:
    return Column(title=title, group="", number=number, about=about, colour="")


_COLUMNS = [
    _column("star", "Name of the star"),
    _column("\u03c7\u00b2", "Reduced chi2, emulated \u2192 adapted", True),
    _column("flags", "What is doubtful; hover over it for the meaning"),
]

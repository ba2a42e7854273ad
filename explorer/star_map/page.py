"""The Map page: stars of both domains by their spectra and by their shared latents."""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import panel as pn
from numpy.typing import NDArray

from ...core.bundle import Bundle
from ...core.embedding import Embedding
from ...core.errors import SpectrabridgeError
from ..session.background import Job
from ..session.component import Component
from ..session.document_lock import after
from ..session.messages import sentence_of
from ..session.open_stars import OpenStars
from ..session.page import LegendCurve, NamedSpectrum, ShowStar, TableMaker
from ..state.view_state import ViewState
from ..widgets.data_table import DataTable
from .colours import DOMAIN, choices, colouring, legend_html
from .controls import MapControls
from .missing_map_view import MissingMapView
from .open_maps import shared_map
from .panels import MapPanels
from .placement import StarPlacing
from .spectrum import MapSpectrum
from .stars import (
    MAX_TABLE_ROWS,
    Curves,
    find,
    known_labels,
    observed_star,
    selection_bytes,
    selection_columns,
    selection_curves,
    selection_rows,
    sent_words,
    star_curves,
)
from .text import mixing_html, selection_words, star_html

READY_AFTER_MS = 2500
"""The page gets ready to place stars after so long, in milliseconds."""

Rows = NDArray[np.int64]


class MapPage(Component, pn.viewable.Viewer):
    """Three linked panels; tap a star, circle stars, search, place stars of one's own.

    Parameters
    ----------
    bundle : Bundle
        Whose map is shown.
    state : ViewState, optional
        Theme, wavelengths and the chosen star; own if not given.
    show_star : callable, optional
        ``show_star(labels, star)`` when a star is chosen: its labels, None unless all are
        known, and its observed spectrum, None for a synthetic star.
    stars : OpenStars, optional
        Observed stars that are open, which are placed on the map; own if not given.
    fitted_star : callable, optional
        Returns name and spectrum of the star that is chosen on the Fit page, or None.
    """

    def __init__(
        self,
        bundle: Bundle,
        state: ViewState | None = None,
        show_star: ShowStar | None = None,
        stars: OpenStars | None = None,
        fitted_star: Callable[[], NamedSpectrum | None] = lambda: None,
    ) -> None:
        super().__init__()
        self.bundle = bundle
        model = self.model = bundle.model
        self.state = state or ViewState(model.labels, model.reference, bundle=bundle.name)
        self._show_star = show_star
        self.embedding: Embedding | None = None
        self.row: int | None = None
        self.selected: Rows | None = None
        self.board: MapPanels | None = None
        self._curves = self.job(self._compute, self._publish, "map spectra", self._on_error)
        self._choosing: Job[Callable[[], Rows], Rows] = self.job(
            lambda inside: inside(),
            lambda inside, rows: self.select(rows),
            "map selection",
            self._on_error,
        )
        self._sending = self.job(
            self._sent, lambda rows, words: self._say_sent(words), "map samp", self._on_error
        )
        self.making: MissingMapView | None = None
        self.stars = stars or self.own(OpenStars(self.state, self._on_error))
        self.placing = self.own(
            StarPlacing(
                bundle, self.state, self.stars, fitted_star, self._show_placed, self._on_error
            )
        )
        side = self.side = MapControls(
            self._download,
            self.locked(lambda: self.select(None)),
            self._send,
            self.receive,
            self._on_error,
        )
        side.drop.visible = stars is None  # else files are taken beside the page's controls
        side.colour.param.watch(self.locked(self._recolour), "value")
        side.search.param.watch(self.locked(self._search), "enter_pressed")
        self.spectrum = self.own(MapSpectrum(model.grid, self.state))
        self.view = pn.Column(sizing_mode="stretch_both", margin=0)
        self.watch(self.state, self.locked(self._paint), "dark")
        self.watch(self.state, self.locked(self._mapped), "mapped")
        problem = ""
        try:
            found = shared_map(bundle)
        except SpectrabridgeError as bad:
            found, problem = None, sentence_of(bad)
        if found is None:
            self._show_empty(problem)
        else:
            self.open_map(found)

    def _show_empty(self, problem: str) -> None:
        self.making = self.own(MissingMapView(self.bundle, problem, self.open_map))
        self.view[:] = [self.making]

    # ------------------------------------------------------------------------ a map

    def open_map(self, embedding: Embedding) -> None:
        """Show a map."""
        self.embedding = embedding
        self.row, self.selected = None, None
        self.side.colour.options = choices(embedding)
        self.side.mixing.object = mixing_html(embedding)
        self.side.star.object = star_html(embedding, None)
        self.table = DataTable(
            label="Selected stars",
            columns=selection_columns(embedding),
            empty="Circle stars with the lasso or the box: they will stand here.",
            margin=(4, 8, 4, 0),
            sizing_mode="stretch_height",
            styles={"flex": "1 1 360px", "min-width": "0"},
        )
        self.table.param.watch(self.locked(self._row_chosen), "chosen")
        self.disown(self.board)
        self.board = MapPanels(embedding, self.choose, self.circled, self._on_error)
        self.view[:] = [self.board.bar, self.board, self.board.words, self._lower()]
        self.side.lay_out()
        self._show_selection()
        self._paint()
        self.own(self.board)
        self.placing.embedding = embedding
        self.placing.look()
        # A star that was chosen before there was a map moves no sliders: they stay.
        self._mapped(quietly=True)

    def _lower(self) -> pn.Row:
        return pn.Row(
            self.spectrum,
            self.table,
            sizing_mode="stretch_both",
            margin=0,
            # On narrow screens one above the other.
            styles={"flex": "1 1 0px", "min-height": "150px", "flex-wrap": "wrap"},
        )

    def _recolour(self) -> None:
        if self.embedding is None or self.board is None:
            return
        what = colouring(self.embedding, self.side.colour.value)
        # The panels name the domains themselves.
        self.side.legend.visible = what.key != DOMAIN
        self.side.legend.object = legend_html(what, self.state.dark)
        self.board.colour(what, self.state.dark, self.selected)

    def _paint(self) -> None:
        self._recolour()
        self.spectrum.paint(self.state.dark)

    # ----------------------------------------------------------------------- a star

    _untold: int | None = None

    def choose(self, row: int, quietly: bool = False) -> None:
        """Choose a star: show its spectrum, and its labels and spectrum on all pages.

        Parameters
        ----------
        row : int
            Row of the star on the map.
        quietly : bool
            Leave the other pages as they are.
        """
        if self.embedding is None or self.board is None:
            return
        self.row, self._untold = row, row if quietly else None
        self.board.choose(row)
        self._draw(("star", row))
        self.side.star.object = star_html(self.embedding, row)
        self.table.chosen = str(row)
        self.state.mapped = self.embedding.stars.ids[row]

    def _mapped(self, quietly: bool = False) -> None:
        """Follow the star that is chosen in the state."""
        if self.embedding is None or not self.state.mapped:
            return
        row = self.embedding.row(self.state.mapped)
        if row is not None and row != self.row:
            self.choose(row, quietly)

    def _draw(self, what: tuple[str, Any]) -> None:
        self._curves.submit(what)

    def _compute(self, what: tuple[str, Any]) -> Curves:
        kind, which = what
        assert self.embedding is not None
        make = star_curves if kind == "star" else selection_curves
        return make(self.model, self.embedding, which)

    def _publish(self, what: tuple[str, Any], curves: Curves) -> None:
        self.spectrum.draw(curves)
        kind, row = what
        if kind == "selection":
            self.locked(self._show_selection)()
        elif self._show_star is not None and row != self._untold:
            # Not before this is sent: other pages have time.
            self.locked(lambda: self._tell(row))()

    def _tell(self, row: int) -> None:
        """Let other pages show a star, unless another one has been chosen meanwhile."""
        if row == self.row and self._show_star is not None and self.embedding is not None:
            labels = known_labels(self.embedding, row)
            self._show_star(labels, observed_star(self.model, self.embedding, row))

    def _search(self) -> None:
        if self.embedding is None or self.board is None:
            return
        text = str(self.side.search.value_input or self.side.search.value)
        rows = find(self.embedding, text)
        if not text.strip():
            self.side.found.object = ""
        elif not rows:
            self.side.found.object = (
                f"No star of the map is called {_quoted(text)}. Its stars are called like "
                f"{_quoted(self.embedding.stars.ids[0])} or "
                f"{_quoted(self.embedding.stars.ids[-1])}."
            )
        elif len(rows) == 1:
            self.side.found.object = ""
            self.board.reveal(rows[0])
            self.choose(rows[0])
        else:
            self.side.found.object = f"{len(rows):,} stars hold {_quoted(text)}: selected."
            self.select(np.array(rows, np.int64))

    def _row_chosen(self) -> None:
        chosen = self.table.chosen
        if chosen.isdecimal() and int(chosen) != self.row:
            self.choose(int(chosen))

    # -------------------------------------------------------------------- selection

    def circled(self, inside: Callable[[], Rows]) -> None:
        """Select the stars that `inside` returns, found in the background."""
        self._choosing.submit(inside)

    def select(self, rows: Rows | None) -> None:
        """Select stars; None for none at all. The table follows when the stars are shown."""
        if self.embedding is None or self.board is None:
            return
        self.selected = rows
        some = rows is not None and len(rows) > 0
        if some:
            self.board.select(rows, lambda: self._draw(("selection", rows)))
            return
        self.board.select(None)
        self._show_selection()
        if self.row is not None:
            self._draw(("star", self.row))

    def _show_selection(self) -> None:
        if self.embedding is None:
            return
        rows = self.selected
        # Observed stars first: they stand behind the synthetic ones on the list.
        shown = rows[::-1][:MAX_TABLE_ROWS] if rows is not None else np.zeros(0, np.int64)
        if rows is None:
            self.side.chosen_words.object = (
                '<span style="opacity:0.75">Circle stars with the lasso or the box.</span>'
            )
        else:
            self.side.chosen_words.object = selection_words(len(rows), len(shown))
        self.table.rows = selection_rows(self.embedding, shown.tolist())
        self.side.allow(len(shown) > 0, rows is not None)

    def _download(self, name: str) -> io.BytesIO:
        return io.BytesIO(self.table_file(name))

    @property
    def curves(self) -> list[LegendCurve]:
        """No curves: the figures name theirs themselves."""
        return []

    def table_maker(self, format_: str, link: str) -> TableMaker:
        """Return :meth:`table_file` for a format."""
        return lambda: self.table_file(format_)

    def table_file(self, name: str) -> bytes:
        """Return the selected stars as a file; `name` is one of :data:`.FORMATS`.

        Raises
        ------
        SpectrabridgeError
            If no star is selected.
        """
        if self.embedding is None or self.selected is None or not len(self.selected):
            raise SpectrabridgeError(
                "No stars are selected. Circle some with the lasso or the box: the table holds "
                "those."
            )
        return selection_bytes(self.embedding, self.selected, name)

    def _send(self) -> None:
        if self.selected is None:
            return
        self.side.chosen_words.object = "Sending\u2026"
        self._sending.submit(self.selected)

    def _say_sent(self, words: str) -> None:
        self.side.chosen_words.object = html.escape(words)

    def _sent(self, rows: Rows) -> str:
        """Send stars to the programs on this machine; return what became of it."""
        assert self.embedding is not None
        return sent_words(self.embedding, rows)

    # --------------------------------------------------------------- stars of one's own

    def _show_placed(self, words: str, places: Mapping[str, Any]) -> None:
        self.side.placed.object, self.side.placed.visible = words, bool(words)
        if self.board is not None:
            self.board.place(places)

    # ------------------------------------------------------------------------- work

    def receive(self, name: str, source: bytes | Path) -> None:
        """Read a file of spectra and place its star; an earlier file of its name is replaced."""
        self.side.problem.visible = False
        self.stars.receive(name, source, self._on_error)

    def _on_error(self, problem: str | BaseException) -> None:
        sentence = problem if isinstance(problem, str) else sentence_of(problem)
        self.side.problem.object, self.side.problem.visible = html.escape(sentence), True

    def on_start(self) -> None:
        """Get ready for a star to be placed, after the first pictures."""
        # They should not have to share the processor.
        after(pn.state.curdoc, READY_AFTER_MS, self.placing.prepare)

    @property
    def parts(self) -> tuple[pn.Column, pn.Column]:
        """The column of controls and the view, for a page that places them itself."""
        return self.side.column, self.view

    def __panel__(self) -> pn.viewable.Viewable:
        controls = pn.Column(self.side.column, width=280, margin=(0, 8))
        return pn.Row(controls, self.view, sizing_mode="stretch_width", height=660, margin=0)


def _quoted(text: str) -> str:
    return f"\u201c{html.escape(text.strip())}\u201d"

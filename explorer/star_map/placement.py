"""Stars of one's own on a map: those open on other pages, placed as they are opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ...core.bundle import Bundle
from ...core.embedding import Embedding, Placement
from ...core.spectra import Spectra
from ..session.background import LatestWins
from ..session.document_lock import Execute
from ..state.view_state import MAPPED, ViewState
from .open_maps import placer_of
from .text import placed_html

Opened = tuple[str, Spectra]
"""A star's name and its one spectrum, normalised, on the grid of the model."""


class Placing:
    """Watches which star is open and places it on the map.

    Parameters
    ----------
    bundle : Bundle
        Gives the model.
    state : ViewState
        Tells when another star is opened, and which page is open.
    opened : callable or None
        ``opened(page)`` gives the star open on a page, or None.
    on_placed : callable
        ``on_placed(words, places)``: what to say, and the place in every panel; an empty
        text and no places if there is no star.
    """

    def __init__(
        self,
        bundle: Bundle,
        state: ViewState,
        opened: Callable[[str], Opened | None] | None,
        on_placed: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self.bundle, self.state = bundle, state
        self._opened, self._on_placed = opened, on_placed
        self.embedding: Embedding | None = None
        self._worker: LatestWins[Opened | None, Placement | None] | None = None
        self._page = "spectrum"
        self._shown: Opened | None = None
        self._watchers = [
            state.param.watch(self._changed, ["star", "row", "fitted"]),
            state.param.watch(self.look, "page"),
        ]

    def start(self, execute: Execute, on_error: Callable[[Exception], None]) -> None:
        """Place stars in a thread from now on."""
        self._worker = LatestWins(self._place, self._publish, execute, on_error, "placing")

    def prepare(self) -> None:
        """Get ready for the first star, in the thread, if none has been asked for yet."""
        if self._worker and self._shown is None:
            self._worker.submit(None)

    def close(self) -> None:
        """Stop work and watching."""
        if self._worker:
            self._worker.close()
        for watcher in self._watchers:
            self.state.param.unwatch(watcher)
        self._watchers = []

    def _changed(self, *events: Any) -> None:
        if self.state.star != MAPPED or events[0].name == "fitted":
            self._page = "fit" if events[0].name == "fitted" else "spectrum"
        self.look()

    def look(self, *_: object) -> None:
        """Place the star that was opened last, if the map is open and it is not there yet."""
        if self.embedding is None or self._opened is None or not self.state.shows("map"):
            return
        star = self._opened(self._page)
        other = "fit" if self._page == "spectrum" else "spectrum"
        star = star if star is not None else self._opened(other)
        if star is None or (self._shown is not None and star[1] is self._shown[1]):
            return
        self._shown = star
        if self._worker:
            self._worker.submit(star)
        else:
            self._publish(star, self._place(star))

    def _place(self, star: Opened | None) -> Placement | None:
        if self.embedding is None:
            return None
        placer = placer_of(self.bundle, self.embedding)
        if star is None:
            placer.prepare()
            return None
        spectra = star[1]
        return placer(torch.tensor(spectra.flux[:1]), torch.tensor(spectra.ivar[:1]))

    def _publish(self, star: Opened | None, placement: Placement | None) -> None:
        if star is None or placement is None or self.embedding is None:
            return
        places = {key: xy[0] for key, xy in placement.panels.items()}
        self._on_placed(placed_html(self.embedding, star[0], placement), places)

"""Stars of one's own on a map: those open on other pages, placed as they are opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ...core.bundle import Bundle
from ...core.embedding import Embedding, PlacedStars
from ...core.spectra import Spectra
from ..session.component import Component
from ..state.view_state import MAPPED, ViewState
from .open_maps import placer_of
from .text import placed_html

Opened = tuple[str, Spectra]
"""A star's name and its one spectrum, normalised, on the grid of the model."""


class Placing(Component):
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
    on_error : callable, optional
        ``on_error(exception)`` for what goes wrong in the background.
    """

    def __init__(
        self,
        bundle: Bundle,
        state: ViewState,
        opened: Callable[[str], Opened | None] | None,
        on_placed: Callable[[str, Mapping[str, Any]], None],
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        super().__init__()
        self.bundle, self.state = bundle, state
        self._opened, self._on_placed = opened, on_placed
        self.embedding: Embedding | None = None
        self._placements = self.job(self._place, self._publish, "map placing", on_error)
        self._page = "spectrum"
        self._shown: Opened | None = None
        self.watch(state, self._changed, ["star", "row", "fitted"])
        self.watch(state, self.look, "page")

    def prepare(self) -> None:
        """Get ready for the first star, in the thread, if none has been asked for yet."""
        if self._shown is None:
            self._placements.submit(None)

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
        self._placements.submit(star)

    def _place(self, star: Opened | None) -> PlacedStars | None:
        if self.embedding is None:
            return None
        placer = placer_of(self.bundle, self.embedding)
        if star is None:
            placer.prepare()
            return None
        spectra = star[1]
        return placer(torch.tensor(spectra.flux[:1]), torch.tensor(spectra.ivar[:1]))

    def _publish(self, star: Opened | None, placement: PlacedStars | None) -> None:
        if star is None or placement is None or self.embedding is None:
            return
        places = {key: xy[0] for key, xy in placement.panels.items()}
        self._on_placed(placed_html(self.embedding, star[0], placement), places)

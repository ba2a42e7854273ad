"""Observed stars that are not of the map: the one that is open is placed as it is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ...core.bundle import Bundle
from ...core.embedding import Embedding, PlacedStars
from ...core.errors import SpectrabridgeError
from ..session.component import Component
from ..session.open_stars import OnProblem, OpenStars
from ..session.page import NamedSpectrum
from ..state.view_state import MAPPED, ViewState
from .open_maps import placer_of
from .text import placed_html


class StarPlacing(Component):
    """Watches which star is open and places it on the map.

    Parameters
    ----------
    bundle : Bundle
        Gives the model.
    state : ViewState
        Tells when another star is opened, and which page is open.
    stars : OpenStars
        Observed stars that are open.
    fitted_star : callable
        Returns the star that is chosen on the Fit page, or None.
    on_placed : callable
        ``on_placed(words, places)``: what to say, and the place in every panel; an empty
        text and no places if there is no star.
    on_problem : callable
        Told about stars that cannot be placed.
    """

    def __init__(
        self,
        bundle: Bundle,
        state: ViewState,
        stars: OpenStars,
        fitted_star: Callable[[], NamedSpectrum | None],
        on_placed: Callable[[str, Mapping[str, Any]], None],
        on_problem: OnProblem,
    ) -> None:
        super().__init__()
        self.bundle, self.state = bundle, state
        self._stars, self._fitted_star = stars, fitted_star
        self._on_placed, self._on_problem = on_placed, on_problem
        self.embedding: Embedding | None = None
        self._placements = self.job(self._place, self._publish, "map placing", on_problem)
        self._page = "spectrum"
        self._shown: NamedSpectrum | None = None
        self.watch(state, self._changed, ["star", "row", "fitted"])
        self.watch(state, self.look, "page")
        self.watch(stars, self.look, "opened")

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
        if self.embedding is None or not self.state.shows("map"):
            return
        try:
            open_star = self._open_star()
        except SpectrabridgeError as problem:
            self._on_problem(problem)
            return
        fitted = self._fitted_star()
        star = (fitted or open_star) if self._page == "fit" else (open_star or fitted)
        if star is None or (self._shown is not None and star[1] is self._shown[1]):
            return
        self._shown = star
        self._placements.submit(star)

    def _open_star(self) -> NamedSpectrum | None:
        """Return the star that is open on the Spectrum page, unless it is one of the map."""
        spectra = self._stars.laid_over(self.bundle.model.grid)
        if spectra is None or self.state.star == MAPPED:
            return None
        return self._stars.title, spectra

    def _place(self, star: NamedSpectrum | None) -> PlacedStars | None:
        if self.embedding is None:
            return None
        placer = placer_of(self.bundle, self.embedding)
        if star is None:
            placer.prepare()
            return None
        spectra = star[1]
        return placer(torch.tensor(spectra.flux[:1]), torch.tensor(spectra.ivar[:1]))

    def _publish(self, star: NamedSpectrum | None, placement: PlacedStars | None) -> None:
        if star is None or placement is None or self.embedding is None:
            return
        places = {key: xy[0] for key, xy in placement.panels.items()}
        self._on_placed(placed_html(self.embedding, star[0], placement), places)

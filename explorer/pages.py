"""The pages of the explorer: their titles, their order, and how each is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import panel as pn

if TYPE_CHECKING:
    from .app import Explorer

TITLES: dict[str, str] = {
    "spectrum": "Spectrum",
    "derivatives": "Derivatives",
    "map": "Map",
    "fit": "Fit",
    "lines": "Lines",
    "about": "About",
}
"""Title of every page by its key, in their order; keys are those of ``ViewState.page``."""


class Page(Protocol):
    """What the explorer asks of a page."""

    @property
    def parts(self) -> tuple[pn.viewable.Viewable | None, pn.viewable.Viewable]:
        """What stands on the left, None for the sliders of labels, and on the right."""
        ...

    def start(self) -> None:
        """Work in the background from now on, for the current document."""
        ...

    def close(self) -> None:
        """Stop all work and watching."""
        ...


# A page is imported when it is first opened: the first screen need not wait for it.


def _derivatives(explorer: Explorer) -> Page:
    from .derivatives_page import DerivativesPage

    return DerivativesPage(
        explorer.bundle.model, explorer.state, explorer.view.derivatives, explorer.messages.tell
    )


def _map(explorer: Explorer) -> Page:
    from .map_page import MapPage

    return MapPage(explorer.bundle, explorer.state, explorer.show_mapped, explorer.opened_star)


def _fit(explorer: Explorer) -> Page:
    from .fit_page import FitPage

    return FitPage(explorer.bundle, explorer.state, explorer.show_fitted)


def _about(explorer: Explorer) -> Page:
    from .about_page import AboutPage

    return AboutPage(explorer.bundle, explorer.state)


def _lines(explorer: Explorer) -> Page:
    from .lines_page import LinesPage

    return LinesPage(
        explorer.bundle,
        explorer.state,
        explorer.view.derivatives,
        explorer.vetting,
        on_error=explorer.messages.tell,
    )


BUILDERS: dict[str, Callable[[Explorer], Page]] = {
    "derivatives": _derivatives,
    "map": _map,
    "fit": _fit,
    "lines": _lines,
    "about": _about,
}
"""What builds each page but the first, by key."""

"""The pages of the explorer, and how each is built; their order is that of their titles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import panel as pn

from ..core.bundle import Bundle
from ..core.spectra import Spectra
from .computed.derivatives import DerivativeCache
from .computed.observed_star import ObservedStar
from .state.view_state import ViewState


@dataclass(frozen=True)
class Shared:
    """What pages have in common.

    Parameters
    ----------
    bundle : Bundle
        What is explored.
    state : ViewState
        What is shown.
    derivatives : DerivativeCache
        Of the bundle's model.
    tell : callable
        Shows a sentence, or that of an exception.
    show_fitted, show_mapped : callable
        Show a star of the Fit page, or of the map, on the Spectrum page.
    opened_star : callable
        Returns name and spectrum of the star that is open on a page.
    vetting : path or None
        File of decisions about candidates.
    """

    bundle: Bundle
    state: ViewState
    derivatives: DerivativeCache
    tell: Callable[[str | BaseException], None]
    show_fitted: Callable[[Mapping[str, float], ObservedStar], None]
    show_mapped: Callable[[Mapping[str, float] | None, ObservedStar | None], None]
    opened_star: Callable[[str], tuple[str, Spectra] | None]
    vetting: Path | None = None


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


def _derivatives(shared: Shared) -> Page:
    from .derivatives.page import DerivativesPage

    return DerivativesPage(shared.bundle.model, shared.state, shared.derivatives, shared.tell)


def _map(shared: Shared) -> Page:
    from .star_map.page import MapPage

    return MapPage(shared.bundle, shared.state, shared.show_mapped, shared.opened_star)


def _fit(shared: Shared) -> Page:
    from .fit.page import FitPage

    return FitPage(shared.bundle, shared.state, shared.show_fitted)


def _lines(shared: Shared) -> Page:
    from .lines.page import LinesPage

    return LinesPage(
        shared.bundle,
        shared.state,
        shared.derivatives,
        shared.vetting,
        on_error=shared.tell,
    )


def _about(shared: Shared) -> Page:
    from .about.page import AboutPage

    return AboutPage(shared.bundle, shared.state)


BUILDERS: dict[str, Callable[[Shared], Page]] = {
    "derivatives": _derivatives,
    "map": _map,
    "fit": _fit,
    "lines": _lines,
    "about": _about,
}
"""What builds each page but the first, by key."""

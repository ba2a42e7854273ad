"""What a page is, what it is built from, and how a page folder describes its page.

Pages are listed in :mod:`spectrabridge.explorer.pages`; nothing else enumerates them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import panel as pn

from ...core.bundle import Bundle
from ...core.spectra import Spectra
from ..computed.derivatives import DerivativeCache
from ..state.view_state import ViewState
from .messages import Messages
from .open_stars import OpenStars
from .star_fitting import StarFitting

if TYPE_CHECKING:
    # Readers of files are loaded when the first file comes.
    from ...core.fitting.stars import Star

TableMaker = Callable[[], bytes]
"""Makes a file with a table; it may run in a thread."""

NamedSpectrum = tuple[str, Spectra]
"""A star's name and its one spectrum, normalised, on the grid of the model."""

LegendCurve = tuple[str, str, bool]
"""Name, colour, and whether it is dashed."""


class ShowStar(Protocol):
    """Shows a star on all pages that can."""

    def __call__(
        self, labels: Mapping[str, float] | None, star: Star | None, page: str = ""
    ) -> None:
        """Show a star, and open a page if one is named.

        Labels None leave the sliders as they are; a star None takes an earlier star of the map
        away.
        """
        ...


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

    @property
    def curves(self) -> list[LegendCurve]:
        """The curves in its figures that a legend names; empty if the figures say it all."""
        ...

    def table_maker(self, format_: str, link: str) -> TableMaker:
        """Return what makes a table of what is shown now.

        Parameters
        ----------
        format_ : str
            Name of a format of :mod:`spectrabridge.core.io.table_writer`.
        link : str
            Query that shows the same view, for the table's metadata.

        Raises
        ------
        SpectrabridgeError
            If there is nothing to save.
        """
        ...


@dataclass(frozen=True)
class PageContext:
    """What pages have in common.

    Parameters
    ----------
    bundle : Bundle
        What is explored.
    state : ViewState
        What is shown.
    derivatives : DerivativeCache
        Of the bundle's model.
    messages : Messages
        Shows a sentence, or that of an exception.
    stars : OpenStars
        Observed stars that are open, the same on all pages.
    show_star : callable
        See :class:`ShowStar`.
    fitted_star : callable
        Returns name and spectrum, as it was fitted, of the star chosen on the Fit page, or None.
    pages : mapping
        All pages by key.
    fitting : StarFitting
        Fits of these stars.
    vetting : path or None
        File of decisions about candidates.
    """

    bundle: Bundle
    state: ViewState
    derivatives: DerivativeCache
    messages: Messages
    stars: OpenStars
    show_star: ShowStar
    fitted_star: Callable[[], NamedSpectrum | None]
    pages: Mapping[str, PageEntry]
    fitting: StarFitting
    vetting: Path | None = None


@dataclass(frozen=True)
class PageEntry:
    """A page, as its folder registers it.

    Parameters
    ----------
    key : str
        What links and the state call it.
    title : str
        What stands in the header.
    about : str
        What is on it, in a few words.
    shortcut : str
        Letter that opens it when it is pressed after ``g``.
    build : callable
        Builds the page; imports its modules, so that they are loaded when it is first opened.
    table : str
        What its table holds, for the menu of what can be saved; empty if it has no table there.
    at_labels : bool
        Whether it shows the model at the labels of the sliders.
    has_figures : bool
        Whether there are pictures to save.
    lists_stars : bool
        Whether its own controls take files and list the stars that are open.
    """

    key: str
    title: str
    about: str
    shortcut: str
    build: Callable[[PageContext], Page]
    table: str = ""
    at_labels: bool = False
    has_figures: bool = True
    lists_stars: bool = False

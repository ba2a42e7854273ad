"""Share what is shown: by link, picture, table, Python, or a page that opens offline."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import panel as pn
from bokeh.model import Model

from ...core.bundle import Bundle, list_bundles
from ...core.errors import SpectrabridgeError
from ...core.io.table_formats import FORMATS
from ..computed.split_directions import SplitLatents
from ..figures.theme import surface
from ..session.background import Job
from ..session.component import Component
from ..session.document_lock import after
from ..session.messages import sentence_of
from ..session.open_stars import OpenStars
from ..session.page import Page, PageEntry
from ..state.view_state import FIRST_PAGE, ViewState
from .captions import actions_of, caption_of
from .menu import ShareMenu
from .python_snippet import snippet
from .url import star_of, write

REST_MS = 400
"""The address follows a view that has not changed for so long, in milliseconds."""

WATCHED = [
    *("settled", "page", "unit", "medium", "chip", "window", "element", "feature"),
    *("mapped", "star", "row", "split", "dark", "with_fe"),
]
"""What of a state is in the link; labels count when a move has ended."""


Making = tuple[Callable[[], bytes], Callable[[bytes], None]]
"""What makes a file, and what gives it to the browser."""


class Shown(Protocol):
    """The view that is shared, as :class:`~spectrabridge.explorer.app.Explorer` has it."""

    bundle: Bundle
    state: ViewState
    pages: dict[str, Page]

    @property
    def stars(self) -> OpenStars:
        """Observed stars that are open."""
        ...

    @property
    def entry(self) -> PageEntry:
        """The registered entry of the page that is open."""
        ...


class Sharing(Component):
    """Keeps the address of the page, and answers what the menu asks for.

    Parameters
    ----------
    shown : Shown
        What is shared, as it is when something is asked.
    tour : bool
        False if the link that the page was opened with keeps the tour away.
    """

    def __init__(self, shown: Shown, tour: bool = True) -> None:
        super().__init__()
        self.shown = shown
        self.tour = tour
        self.given: frozenset[str] = frozenset()
        """Keys of observed stars that the server opens in every session."""
        self.menu = ShareMenu(width=66, height=28, margin=(0, 4))
        self.menu.on_ask = self._asked
        self._state: ViewState | None = None
        self._document: Any = None
        self._making: Job[Making, bytes] = self.job(
            lambda asked: asked[0](),
            lambda asked, made: asked[1](made),
            "sharing",
            lambda problem: self.menu.tell(sentence_of(problem)),
            every=True,
        )
        self._later: Callable[[], None] | None = None

    # ---------------------------------------------------------------------- following

    def follow(self, state: ViewState) -> None:
        """Follow a state from now on, and no longer an earlier one."""
        first = self._state is None
        if self._state is not None:
            self.unwatch(self._state)
        self._state = state
        self.watch(state, self._changed, WATCHED)
        if first:
            # Not the address: who opens a link sees it as it was typed.
            self._show_menu()
        else:
            self._changed()

    def on_start(self) -> None:
        """Set the address of the current document from now on."""
        self._document = pn.state.curdoc

    def close(self) -> None:
        """Stop watching and working, for good."""
        super().close()
        if self._later is not None:
            self._later()

    def _changed(self, *_: object) -> None:
        if self._later is not None:
            self._later()
        self._later = after(self._document, REST_MS, self._rested)

    def _rested(self) -> None:
        self._later = None
        self.menu.query = self.query
        self._show_menu()

    def _show_menu(self) -> None:
        colours = surface(self.shown.state.dark)
        self.menu.param.update(
            actions=actions_of(self.shown.entry),
            caption=self._caption(self.shown.bundle.title),
            file=self._file,
            paper=colours.background,
            ink=colours.text,
        )

    # ---------------------------------------------------------------------- what is shown

    @property
    def query(self) -> str:
        """The query of the link to what is shown."""
        state = self.shown.state
        star = star_of(state, _example() if state.star else "")
        if not state.star and self.given:
            star = "none"
        return write(state, self.shown.bundle.name, star, self.tour)

    def _caption(self, bundle: str) -> str:
        entry = self.shown.entry
        # The star is laid over the spectra, which are on the first page.
        star = self.shown.stars.title if entry.key == FIRST_PAGE else ""
        return caption_of(self.shown.state, entry, bundle, star)

    @property
    def _page(self) -> Page:
        return self.shown.pages[self.shown.state.page]

    @property
    def _file(self) -> str:
        name = re.sub(r"[^\w.\-]+", "-", self.shown.bundle.name, flags=re.ASCII)
        return f"spectrabridge-{name}-{self.shown.state.page}"

    @property
    def python(self) -> str:
        """Python that shows the same in a notebook."""
        shown = self.shown
        return snippet(
            shown.state,
            shown.bundle.name,
            any(bundle.name == shown.bundle.name for bundle in list_bundles()),
            SplitLatents(shown.bundle).n_directions,
            bool(shown.state.star) and shown.state.star == _example(),
        )

    def html(self) -> str:
        """Return the figures on show as a page of their own.

        Raises
        ------
        SpectrabridgeError
            If there are none.
        """
        from .offline_page import standalone_html

        shown, state = self.shown, self.shown.state
        figures = figures_of(self._page.parts[1])
        if not figures:
            raise SpectrabridgeError("There is no figure on this page.")
        return standalone_html(
            figures,
            f"{shown.bundle.title}: {shown.entry.title}",
            [self._caption(shown.bundle.name)],
            self._page.curves,
            state.dark,
        )

    # ---------------------------------------------------------------------- answers

    def _asked(self, want: str, format_: str) -> None:
        # Changes that came before the question are dealt with first.
        self.run_locked(lambda: self._answer(want, format_))

    def _answer(self, want: str, format_: str) -> None:
        try:
            if want == "link":
                if self._later is not None:
                    self._later()
                self._rested()
                self.menu.give_text("link", self.query)
            elif want == "python" and format_ == "copy":
                self.menu.give_text("python", self.python)
            elif want == "python":
                self.menu.give(f"{self._file}.py", self.python.encode(), "text/x-python")
            elif want == "html":
                self.menu.give(f"{self._file}.html", self.html().encode(), "text/html")
            elif want == "data" and format_ in FORMATS:
                kind = FORMATS[format_]
                give = partial(self.menu.give, f"{self._file}{kind.suffix}", kind=kind.media_type)
                self._making.submit((self._page.table_maker(format_, self.query), give))
        except Exception as problem:
            self.menu.tell(sentence_of(problem))


def _example() -> str:
    from ...core.io.apstar import example_apstar

    return example_apstar().name


def figures_of(view: Any) -> list[Model]:
    """Return the Bokeh figures of a view that are visible."""
    if not getattr(view, "visible", True):
        return []
    if isinstance(view, pn.pane.Bokeh):
        return [view.object]
    return [figure for part in getattr(view, "objects", []) for figure in figures_of(part)]

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
from ...core.io.table_writer import FORMATS, file_of
from ..computed.split_directions import Instrument
from ..figures.theme import surface
from ..pages import Page
from ..session.background import Job
from ..session.component import Component
from ..session.document_lock import after
from ..session.messages import sentence_of
from ..sidebar.observed_panel import ObservedPanel
from ..spectrum.view import SpectrumView
from ..state.label_text import decimals
from ..state.view_state import TITLES, ViewState
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

NAMED = 6
"""How many abundances a caption names."""

_KINDS = {"ECSV": "text/plain", "VOTable": "application/x-votable+xml", "FITS": "application/fits"}


Making = tuple[Callable[[], bytes], Callable[[bytes], None]]
"""What makes a file, and what gives it to the browser."""


class Shown(Protocol):
    """What is asked of the explorer."""

    bundle: Bundle
    state: ViewState
    view: SpectrumView
    observed: ObservedPanel
    instrument: Instrument
    pages: dict[str, Page]


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
        state, colours = self.shown.state, surface(self.shown.state.dark)
        self.menu.param.update(
            actions=actions_of(state.page),
            caption=caption_of(state, self.shown.bundle.title, self._star),
            file=self._file,
            paper=colours.background,
            ink=colours.text,
        )

    # ---------------------------------------------------------------------- what is shown

    @property
    def query(self) -> str:
        """The query of the link to what is shown."""
        state = self.shown.state
        star = star_of(state, _example() if state.star else "", self.given.__contains__)
        if not state.star and self.given:
            star = "none"
        return write(state, self.shown.bundle.name, star, self.tour)

    @property
    def _star(self) -> str:
        star = self.shown.observed.stars.get(self.shown.state.star)
        return star.name if star is not None else ""

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
            shown.instrument.n_directions,
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
        figures = [f for part in self._parts for f in figures_of(part)]
        if not figures:
            raise SpectrabridgeError("There is no figure on this page.")
        legend = shown.view.legend
        curves = [
            (str(name), str(colour), bool(dashed))
            for name, colour, dashed in legend.curves
            if name not in legend.hidden
        ]
        return standalone_html(
            figures,
            f"{shown.bundle.title}: {TITLES[state.page]}",
            [caption_of(state, shown.bundle.name, self._star)],
            curves if state.page == "spectrum" else (),
            state.dark,
        )

    @property
    def _parts(self) -> list[Any]:
        if self.shown.state.page == "spectrum":
            return [pn.panel(self.shown.view.figures)]
        return [self.shown.pages[self.shown.state.page].parts[1]]

    def table(self, format_: str) -> Callable[[], bytes]:
        """Return what makes a table of what is shown; it may run in a thread.

        Parameters
        ----------
        format_ : str
            One of :data:`.FORMATS`.

        Raises
        ------
        SpectrabridgeError
            If there is nothing to save.
        """
        state = self.shown.state
        if state.page in ("spectrum", "derivatives"):
            return self._spectra(format_)
        page = self.shown.pages[state.page]
        make: Callable[[str], bytes] = page.table_file  # type: ignore[attr-defined]
        return lambda: make(format_)

    def _spectra(self, format_: str) -> Callable[[], bytes]:
        from .view_table import derivative_table, metadata, spectrum_table

        shown, state = self.shown, self.shown.state
        model, view, bundle = shown.bundle.model, shown.view, shown.bundle
        labels, split, element, page = (
            dict(state.labels),
            list(state.split),
            state.element,
            state.page,
        )
        seen, star, query = view.figures.observed, self._star, self.query

        def make() -> bytes:
            values = model.labels.array(labels)
            if page == "derivatives":
                table = derivative_table(model, view.derivatives.get(values))
            else:
                found = view.derivatives.get(values) if element in model.labels.elements else None
                latents = shown.instrument.latents(split) if split else None
                table = spectrum_table(model, labels, latents, seen, element, found)
            table.meta = metadata(
                bundle.name, getattr(bundle, "fingerprint", ""), labels, split, star, query
            )
            return file_of(table, format_)

        return make

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
                name = f"{self._file}.{FORMATS[format_][1]}"
                give = partial(self.menu.give, name, kind=_KINDS[format_])
                self._making.submit((self.table(format_), give))
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


def actions_of(page: str) -> list[Any]:
    """Return what the menu offers on a page: titles, and buttons of each."""
    actions: list[Any] = [["Link to this view", [["Copy link", "link", "", "Copy the address"]]]]
    if page == "about":
        return actions
    actions.append(["Picture", [["PNG", "png", "", "Save the figures as they are on the screen"]]])
    if page != "lines":  # which has buttons of its own
        buttons = [[name, "data", name, f"Save {_TABLES[page]} as {name}"] for name in FORMATS]
        actions.append(["Data", buttons])
    actions.append(
        [
            "Python for a notebook",
            [
                ["Copy", "python", "copy", "Copy lines that show the same in a notebook"],
                ["Save", "python", "save", "Save these lines as a file"],
            ],
        ]
    )
    actions.append(
        ["Page that opens offline", [["HTML", "html", "", "Save the figures as one file"]]]
    )
    return actions


_TABLES = {
    "spectrum": "spectra, residuals and the derivatives of the chosen element",
    "derivatives": "the derivatives by all elements",
    "map": "the selected stars",
    "fit": "the fitted stars",
}


def caption_of(state: ViewState, title: str, star: str = "") -> str:
    """Return what stands above a picture: bundle and labels, the star that is laid over.

    Parameters
    ----------
    state : ViewState
        Gives labels and page.
    title : str
        What to call the bundle.
    star : str
        Name of the star, empty for none.
    """
    if state.page not in ("spectrum", "derivatives"):
        return f"{title}: {TITLES[state.page]}"
    said, moved = [], []
    for label, start in zip(state.label_set, state.reference, strict=True):
        value = state.labels[label.name]
        text = f"{label.title} {value:.{decimals(label)}f}"
        if label.name in ("teff", "logg", "Fe"):
            said.append(f"{text} K" if label.unit == "K" else text)
        elif abs(value - start) > 1e-6:
            moved.append(text)
    more = f" and {len(moved) - NAMED} more" if len(moved) > NAMED else ""
    words = f"{title}: {', '.join([*said, *moved[:NAMED]])}{more}"
    return f"{words}; observed: {star}" if star and state.page == "spectrum" else words

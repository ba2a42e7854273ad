"""The explorer: the header, the pages below it, and the way between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import panel as pn
import panel_material_ui as pmui

from ..core.errors import SpectrabridgeError
from .figures.theme import FIGURES, PALETTE
from .linked_view import LinkedView
from .pages import PAGES
from .session import open_bundles
from .session.document_lock import executor, under_lock
from .session.messages import Messages
from .session.open_stars import OpenStars
from .session.page import NamedSpectrum, Page, PageContext, PageEntry
from .session.star_fitting import StarFitting
from .share.share import Sharing
from .share.url import Arguments, seen
from .sidebar.stars_beside import StarsBeside
from .state.view_state import FIRST_PAGE, MAPPED, ViewState
from .widgets.choice import Choice
from .widgets.navigation import Navigation
from .widgets.tour import KEYS, Tour
from .workarounds.notification_views import forget_notifications
from .workarounds.page_busy import unfollow_busy

if TYPE_CHECKING:
    from ..core.fitting.stars import Star
    from .fit.page import FitPage
    from .spectrum.page import SpectrumPage
    from .star_map.page import MapPage

KEPT = ("unit", "medium", "dark", "with_fe", "page", "vetter", "star", "row")
"""What of a state another bundle keeps in any case."""

SIDEBAR_WIDTH = 292
"""Width of the column of labels, in pixels."""


class Explorer(pn.viewable.Viewer):
    """Pages with controls on the left and what they show on the right.

    The Spectrum page has sliders and spectra. The other pages, see :mod:`.pages`, are built when
    they are first opened; they share the state and, where they have no controls of their
    own on the left, the sliders.

    Parameters
    ----------
    bundle : str, optional
        A shipped name, or the path of a folder or zip file; the default bundle if not
        given.
    files : sequence of path
        Files with spectra to open at once, of any format that is read.
    vetting : path, optional
        File of decisions about candidate features; the default one of each bundle if not
        given.
    arguments : mapping, optional
        Arguments of the request, see :mod:`.share.url`. They may come from anybody: what is not
        understood is told and left out.
    **state
        Start values for the parameters of :class:`ViewState`.

    Raises
    ------
    BundleError
        If the bundle cannot be opened.
    SpectrabridgeError
        If the state names a page that there is not.
    """

    def __init__(
        self,
        bundle: str | None = None,
        files: Sequence[Path] = (),
        vetting: Path | None = None,
        arguments: Arguments | None = None,
        **state: Any,
    ) -> None:
        super().__init__()
        _entry(state.get("page", FIRST_PAGE))
        self.vetting = vetting
        self._link = LinkedView(arguments or {})
        name = self._link.bundle(bundle)
        self.messages = Messages()
        self.sharing = Sharing(self, self._link.wants_tour)
        self._build_header(name)
        self.sidebar = pn.Column(
            sizing_mode="stretch_width", margin=(8, 12, 0, 12), css_classes=["labels"]
        )
        self.main = pn.Column(sizing_mode="stretch_both", margin=0)
        self.pages: dict[str, Page] = {}
        """Pages that have been opened."""
        self._started = False
        self._stars: OpenStars | None = None
        self._fitting: StarFitting | None = None
        self._open(name, **(self._link.settings(name) | state))
        self.choice.param.watch(self._switch, "value")
        for path in files:
            self.stars.receive(path.name, path, batch="given")
        self.sharing.given = frozenset(self.stars.files)
        self.page = pmui.Page(
            title="spectrabridge",
            header=[self.choice, self.navigation, self.title, self.sharing.menu, self.tour],
            sidebar=[self.sidebar],
            sidebar_width=SIDEBAR_WIDTH,
            sidebar_variant="permanent",
            sidebar_resizable=False,
            main=[self.main],
            dark_theme=self.state.dark,
            busy_indicator=None,
            theme_config=PALETTE,
            sx=_PAGE,
        )
        unfollow_busy(self.page)
        self.page.param.watch(self._dark, "dark_theme")

    # Building

    def _build_header(self, name: str) -> None:
        self.choice = Choice(
            label="bundle",
            options=[[key, title] for title, key in open_bundles.titles().items()],
            value=name,
            width=170,
            height=28,
            margin=(0, 14, 0, 18),
            stylesheets=[Path(__file__).with_name("header_choice.css").read_text(encoding="utf-8")],
        )
        # Not a Typography: that reads Markdown, and the title may be anybody's.
        self.title = pn.pane.HTML(
            "",
            margin=(0, 10, 0, 0),
            sizing_mode="stretch_width",
            styles=_HEADER_TITLE,
            css_classes=["about-bundle"],
        )
        self.navigation = Navigation(
            pages=[[entry.key, entry.title, entry.shortcut] for entry in PAGES.values()],
            margin=(0, 14, 0, 4),
        )
        self.navigation.param.watch(self._page_chosen, "value")
        shortcuts = ", ".join(f"{e.shortcut} {e.title}" for e in PAGES.values())
        self.tour = Tour(
            keys=[*KEYS, ["g, then a letter", f"open a page: {shortcuts}"]],
            offered=self.sharing.tour,
            width=28,
            height=28,
            margin=(0, 2, 0, 4),
        )

    def _open(self, name: str, **state: Any) -> None:
        """Build the first page for a bundle, and the page that the state names."""
        name, self.bundle, self._derivatives = open_bundles.shared_bundle(name)
        model = self.bundle.model
        self.state = ViewState(
            model.labels, model.reference, model.extrapolations, bundle=name, **state
        )
        if self._stars is None:
            self._stars = OpenStars(self.state, self.messages.tell)
        self._stars.state = self.state
        if self._fitting is None:
            later = executor(pn.state.curdoc) is not None
            self._fitting = StarFitting(self.bundle, self.state, self._stars, later)
            self._fitting.param.watch(self._place_star, "changed")
        else:
            self._fitting.use(self.bundle, self.state)
        self.title.object = (
            f'<div title="{escape(self.bundle.title)}" style="overflow:hidden;'
            f'text-overflow:ellipsis">{escape(self.bundle.title)}</div>'
        )
        first = PAGES[FIRST_PAGE].build(self._context())
        self.pages = {FIRST_PAGE: first}
        self.beside = StarsBeside(self.state, self._stars, self._fitting, self.messages.tell)
        self.sidebar[:] = [first.parts[0], self.beside.view]
        self.main[:] = [first.parts[1]]
        if self._started:
            first.start()
            self.beside.start()
        self.state.param.watch(self._show_page, "page")
        self._show_page()
        self.sharing.follow(self.state)

    # Pages

    @property
    def stars(self) -> OpenStars:
        """Observed stars that are open."""
        assert self._stars is not None
        return self._stars

    @property
    def fitting(self) -> StarFitting:
        """Fits of these stars."""
        assert self._fitting is not None
        return self._fitting

    @property
    def spectrum(self) -> SpectrumPage:
        """The Spectrum page."""
        return cast("SpectrumPage", self.pages["spectrum"])

    @property
    def fit(self) -> FitPage | None:
        """The Fit page, if it has been opened."""
        return cast("FitPage | None", self.pages.get("fit"))

    @property
    def entry(self) -> PageEntry:
        """The registered entry of the page that is open."""
        return PAGES[self.state.page]

    def _page_chosen(self, event: Any) -> None:
        document = pn.state.curdoc
        if self._started and document is not None and not pn.state.loaded:
            # Until the browser says that it is ready, new parts of a page would be lost.
            def again() -> None:
                under_lock(document)(lambda: self._page_chosen(event))

            pn.state.onload(again)
            return
        if event.new in PAGES:
            self.state.page = event.new

    def _show_page(self, *events: Any) -> None:
        """Show the page that is asked for, and build it if that has not been done."""
        key = self.state.page
        if key not in PAGES:
            self.state.page = events[0].old
            _entry(key)
        controls, _ = self.open_page(key).parts
        # Pages that are not open stay where they are, invisible.
        for other, page in self.pages.items():
            own, view = page.parts
            view.visible = other == key
            if own is not None:
                own.visible = other == (key if controls is not None else FIRST_PAGE)
        # Pages without controls of their own have those of the first page.
        own_controls = controls is not None and key != FIRST_PAGE
        self.beside.view.visible = own_controls and not PAGES[key].lists_stars
        self.navigation.param.update(value=key, opened=self.navigation.opened + 1)

    def open_page(self, key: str) -> Page:
        """Return a page; it is built if it is not there yet.

        Parameters
        ----------
        key : str
            Key of the page in :data:`.PAGES`.
        """
        if key not in self.pages:
            page = self.pages[key] = _entry(key).build(self._context())
            controls, view = page.parts
            if controls is not None:
                controls.visible = False
                self.sidebar.insert(len(self.sidebar) - 1, controls)
            view.visible = False
            self.main.append(view)
            if self._started:
                page.start()
        return self.pages[key]

    def _context(self) -> PageContext:
        return PageContext(
            self.bundle,
            self.state,
            self._derivatives,
            self.messages,
            self.stars,
            self.show_star,
            self._fitted_star,
            PAGES,
            self.fitting,
            self.vetting,
        )

    def show_star(
        self, labels: Mapping[str, float] | None, star: Star | None, page: str = ""
    ) -> None:
        """Show a star on all pages that can, and open a page if one is named.

        Parameters
        ----------
        labels : mapping or None
            Where the sliders go; None leaves them.
        star : Star or None
            Laid over the model; None takes an earlier star of the map away.
        page : str
            Key of the page to open; empty to stay.
        """
        if page:
            self.state.page = page
        if labels is not None:
            self.state.jump(labels, star.id if star is not None else "a star of the map")
        if star is not None:
            self.stars.add(star)
        elif self.state.star == MAPPED:
            self.state.star = ""

    def _fitted_star(self) -> NamedSpectrum | None:
        star = self.fitting.star
        return None if star is None or star.shown is None else (star.star.id, star.shown)

    def _place_star(self, *_: object) -> None:
        """Let the map place the chosen star anew: a fit finds its velocity."""
        if self.state.page == "map" and "map" in self.pages:
            cast("MapPage", self.pages["map"]).placing.look()

    # Bundles

    def _switch(self, event: Any) -> None:
        """Show another bundle; labels that both have stay where they are."""
        if event.new == self.state.bundle or event.new not in dict(self.choice.options):
            return
        execute = executor(pn.state.curdoc) if self._started else None
        if execute is None:
            self._switch_to(event.new, event.old)
            return

        def switch() -> None:
            try:
                if event.new == self.choice.value:  # and nobody has chosen again
                    self._switch_to(event.new, self.state.bundle)
            finally:
                self.navigation.busy = False

        # The browser hears that it takes a while before the server is busy with it.
        self.navigation.busy = True

        def soon() -> None:
            execute(switch)

        execute(soon)

    def _switch_to(self, name: str, before: str) -> None:
        if name == self.state.bundle:
            return
        try:
            self._open_another(name)
        except Exception as problem:
            self.messages.tell(problem)
            self.choice.value = before

    def _open_another(self, name: str) -> None:
        """Open another bundle; what both can show stays as it is, and stars stay open."""
        old = self.state
        _, bundle, _ = open_bundles.shared_bundle(name)
        model = bundle.model
        values = model.labels.mapping(model.reference)
        values |= {k: v for k, v in old.labels.items() if k in values}
        kept = {key: getattr(old, key) for key in KEPT}
        if model.grid == self.bundle.model.grid:
            kept |= {"chip": old.chip, "window": old.window}
        if old.element in model.labels.elements:
            kept["element"] = old.element
        for page in self.pages.values():
            page.close()
        self.beside.close()
        self._open(name, labels=values, **kept)

    def _dark(self, *_: object) -> None:
        self.state.dark = self.page.dark_theme

    # Sessions

    def start(self) -> None:
        """Work in the background from now on, until the session ends."""
        self._started = True
        if pn.state.curdoc is not None:
            pn.state.curdoc.theme = FIGURES
        self.stars.start()
        self._link.hold(self.fitting)
        self.fitting.start()
        self.beside.start()
        for page in self.pages.values():
            page.start()
        self.sharing.start()
        problems = self._link.restore(self.bundle, self.state, self.stars)
        if problems:
            self.messages.tell(problems)
        pn.state.on_session_destroyed(lambda context: self.close())
        forget_notifications()

    def close(self) -> None:
        """Stop all background work."""
        self.sharing.close()
        self.stars.close()
        self.fitting.close()
        self.beside.close()
        for page in self.pages.values():
            page.close()

    def __panel__(self) -> pn.viewable.Viewable:
        return self.page


def _entry(key: str) -> PageEntry:
    """Return the entry of a page.

    Raises
    ------
    SpectrabridgeError
        If there is no such page.
    """
    if key not in PAGES:
        raise SpectrabridgeError(f"There is no page {seen(key)}; known are {', '.join(PAGES)}.")
    return PAGES[key]


_HEADER_TITLE = {
    "flex": "1 1 0px",
    "min-width": "0",
    "color": "#ffffff",
    "font-size": "14px",
    "line-height": "20px",
    "align-self": "center",
    "overflow": "hidden",
    "white-space": "nowrap",
}

_PAGE = {
    "& .MuiToolbar-root": {"minHeight": "42px !important", "height": "42px", "margin": 0},
    "& .title": {"fontSize": "18px !important"},
    # What the bundle is gives way, so that all else has room.
    "& .MuiToolbar-root > .MuiBox-root": {"minWidth": 0},
    "& .MuiToolbar-root > .MuiBox-root:has(.title)": {"flexShrink": 0},
    "@media (max-width: 1100px)": {"& .title": {"display": "none !important"}},
    "@media (max-width: 900px)": {"& .about-bundle": {"visibility": "hidden"}},
    "& .MuiAppBar-root": {"boxShadow": "none", "color": "#ffffff"},
    "&.mui-dark .MuiAppBar-root": {"backgroundColor": "#0e2c40", "backgroundImage": "none"},
}

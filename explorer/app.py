"""The explorer: pages that put the components together, and the way between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import panel as pn
import panel_material_ui as pmui

from ..core.bundle import Bundle
from ..core.errors import SpectrabridgeError
from .computed.observed_star import ObservedStar
from .computed.population_distance import Likeness
from .computed.split_directions import Instrument
from .computed.trained_ranges import trained_ranges
from .figures.theme import FIGURES, PALETTE
from .pages import BUILDERS, Page, Shared
from .session import open_bundles
from .session.document_lock import executor, under_lock
from .session.messages import Messages
from .share import url
from .share.share import Sharing
from .sidebar.instrument_panel import InstrumentPanel
from .sidebar.labels_panel import LabelsPanel
from .sidebar.observed_panel import ObservedPanel
from .spectrum.view import SpectrumView
from .state.view_state import MAPPED, TITLES, ViewState
from .widgets.choice import Choice
from .widgets.navigation import Navigation
from .widgets.tour import Tour
from .workarounds.panel_sessions import forget_views, unfollow_busy

if TYPE_CHECKING:
    from ..core.spectra import Spectra
    from .fit.page import FitPage, Handed

KEPT = ("unit", "medium", "dark", "with_fe", "page", "vetter")
"""What of a state another bundle keeps in any case."""

SIDEBAR_WIDTH = 292
"""Width of the column of labels, in pixels."""


class Explorer(pn.viewable.Viewer):
    """Pages with controls on the left and what they show on the right.

    *Spectrum* has sliders and spectra. The other pages, see :mod:`.pages`, are built when
    they are first opened; they share the state and, where they have no controls of their
    own on the left, the sliders.

    Parameters
    ----------
    bundle : str, optional
        A shipped name, or the path of a folder or zip file; the default bundle if not
        given.
    files : sequence of path
        apStar files to open at once.
    vetting : path, optional
        File of decisions about candidate features; the default one of each bundle if not
        given.
    arguments : mapping, optional
        Arguments of the request, see :mod:`.link`. They may come from anybody: what is not
        understood is told and left out.
    **state
        Start values for the parameters of :class:`ViewState`.

    Raises
    ------
    BundleError
        If the bundle cannot be opened.
    """

    def __init__(
        self,
        bundle: str | None = None,
        files: Sequence[Path] = (),
        vetting: Path | None = None,
        arguments: url.Arguments | None = None,
        **state: Any,
    ) -> None:
        super().__init__()
        self.vetting = vetting
        self._arguments = arguments or {}
        name, said = self._asked_bundle(bundle)
        self.messages = Messages()
        self.sharing = Sharing(self, self._arguments.get("tour") not in ([b"no"], ["no"]))
        self.sidebar = pn.Column(
            sizing_mode="stretch_width", margin=(8, 12, 0, 12), css_classes=["labels"]
        )
        self.main = pn.Column(sizing_mode="stretch_both", margin=0)
        self.choice = Choice(
            label="bundle",
            options=[[key, title] for title, key in open_bundles.titles().items()],
            value=name,
            width=170,
            height=28,
            margin=(0, 14, 0, 18),
            stylesheets=[Path(__file__).with_name("header_choice.css").read_text(encoding="utf-8")],
        )
        self.title = pmui.Typography(
            "",
            variant="body2",
            sx=_HEADER_TITLE,
            margin=(0, 10, 0, 0),
            sizing_mode="stretch_width",
            styles={"flex": "1 1 0px", "min-width": "0"},
            css_classes=["about-bundle"],
        )
        self.navigation = Navigation(
            pages=[[key, title] for key, title in TITLES.items()], margin=(0, 14, 0, 4)
        )
        self.navigation.param.watch(self._page_chosen, "value")
        self.tour = Tour(offered=self.sharing.tour, width=28, height=28, margin=(0, 2, 0, 4))
        self.pages: dict[str, Page] = {}
        """Pages that have been opened, but the first."""
        self._started = False
        asked, more = self._asked_view(name)
        self._open(name, **({k: v for k, v in asked.items() if k not in ("star", "row")} | state))
        self.choice.param.watch(self._switch, "value")
        for path in files:
            self.observed.receive(path.name, path)
        self.sharing.given = frozenset(self.observed.stars)
        self._asked, self._said = asked, [*said, *more]
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

    # Links

    def _asked_bundle(self, bundle: str | None) -> tuple[str, list[str]]:
        """Return the bundle that the link asks for if it can be opened, else the usual one."""
        asked, said = url.bundle_asked(
            self._arguments, open_bundles.titles() if self._arguments else {}
        )
        if asked is not None:
            try:
                return open_bundles.shared_bundle(asked)[0], said
            except SpectrabridgeError as problem:
                said.append(str(problem))
        return open_bundles.shared_bundle(bundle)[0], said

    def _asked_view(self, name: str) -> tuple[dict[str, Any], list[str]]:
        if not self._arguments:
            return {}, []
        _, bundle, _ = open_bundles.shared_bundle(name)
        model = bundle.model
        reference = model.labels.mapping(model.reference)
        directions = Instrument(bundle).n_directions
        return url.read(self._arguments, model.labels, reference, model.grid, directions)

    def _restore(self) -> None:
        """Lay over the star that the link asks for, and tell what was not understood."""
        star, row = str(self._asked.get("star", "")), int(self._asked.get("row", 0))
        mapped, feature = self._asked.get("mapped", ""), self._asked.get("feature", "")
        said = self._said
        if star == url.EXAMPLE:
            self.observed.open_example(row)
        elif star == url.ON_MAP:
            self.observed.bring(lambda: mapped_star(self.bundle, mapped), row)
        elif star in self.observed.stars or star == url.NO_STAR:
            self.state.param.update(star="" if star == url.NO_STAR else star, row=row)
        elif star:
            said.append(f"The star {url.seen(star)} is not here; drop its file on the page.")
        if feature and feature not in candidate_ids(self.bundle):
            said.append(f"There is no candidate feature {url.seen(feature)}.")
        if mapped and star != url.ON_MAP and not is_mapped(self.bundle, mapped):
            said.append(f"There is no star {url.seen(mapped)} on the map.")
        if said:
            self.messages.tell(url.told(said))

    # Building

    def _open(self, name: str, **state: Any) -> None:
        """Build the components for a bundle."""
        name, bundle, derivatives = open_bundles.shared_bundle(name)
        self.bundle = bundle
        model = bundle.model
        self.state = ViewState(
            model.labels, model.reference, model.extrapolations, bundle=name, **state
        )
        instrument = self.instrument = Instrument(bundle)
        self.view = SpectrumView(
            model, self.state, derivatives, self.messages.tell, instrument, Likeness(bundle)
        )
        split = InstrumentPanel(instrument, self.state) if instrument.n_directions else None
        self.labels = LabelsPanel(
            self.state, self.messages.tell, split, lambda values: trained_ranges(model, values)
        )
        self.observed = ObservedPanel(
            self.state,
            bundle.model.grid,
            lambda spectra, title: self.view.overlay(spectra),
            self.messages.tell,
        )
        self.title.object = bundle.title
        # Pages that are not open stay where they are, invisible.
        self._spectrum = (
            pn.Column(
                self.labels, self.observed, self.messages, sizing_mode="stretch_width", margin=0
            ),
            pn.Column(self.view, sizing_mode="stretch_both", margin=0),
        )
        self.sidebar[:], self.main[:] = self._spectrum[:1], self._spectrum[1:]
        self.pages = {}
        self.state.param.watch(self._show_page, "page")
        self._show_page()
        self.sharing.follow(self.state)

    # Pages

    def _page_chosen(self, event: Any) -> None:
        document = pn.state.curdoc
        if self._started and document is not None and not pn.state.loaded:
            # Until the browser says that it is ready, new parts of a page would be lost.
            def again() -> None:
                under_lock(document)(lambda: self._page_chosen(event))

            pn.state.onload(again)
            return
        self.state.page = event.new

    def _show_page(self, *_: object) -> None:
        """Show the page that is asked for, and build it if that has not been done."""
        shown = self.state.page
        if shown != "spectrum":
            self.open_page(shown)
        sliders, view = self._spectrum
        view.visible = shown == "spectrum"
        sliders.visible = shown == "spectrum" or self.pages[shown].parts[0] is None
        for key, page in self.pages.items():
            for part in page.parts:
                if part is not None:
                    part.visible = key == shown
        self.navigation.param.update(value=shown, opened=self.navigation.opened + 1)

    def open_page(self, key: str) -> Page:
        """Return a page other than the first; it is built if it is not there yet."""
        if key not in self.pages:
            page = self.pages[key] = BUILDERS[key](self._shared())
            controls, view = page.parts
            if controls is not None:
                controls.visible = False
                self.sidebar.append(controls)
            view.visible = False
            self.main.append(view)
            if self._started:
                page.start()
        return self.pages[key]

    def _shared(self) -> Shared:
        return Shared(
            self.bundle,
            self.state,
            self.view.derivatives,
            self.messages.tell,
            self.show_fitted,
            self.show_mapped,
            self.opened_star,
            self.vetting,
        )

    @property
    def fit(self) -> FitPage | None:
        """The Fit page, if it has been opened."""
        return cast("FitPage | None", self.pages.get("fit"))

    def show_fitted(self, labels: Mapping[str, float], star: ObservedStar) -> None:
        """Show a fitted star on the Spectrum page."""
        self.state.page = "spectrum"
        self.state.show(labels)
        self.observed.add(star)

    def show_mapped(self, labels: Mapping[str, float] | None, star: ObservedStar | None) -> None:
        """Show a star of the map on all pages, and stay on the map.

        Parameters
        ----------
        labels : mapping or None
            Where the sliders go; None leaves them.
        star : ObservedStar or None
            Laid over the model; None takes an earlier star of the map away.
        """
        if labels is not None:
            self.state.show(labels)
        if star is not None:
            self.observed.add(star)
        elif self.state.star == MAPPED:
            self.state.star = ""

    def opened_star(self, page: str) -> tuple[str, Spectra] | None:
        """Return name and spectrum of the star open on the Spectrum or the Fit page."""
        if page == "fit":
            star = self.fit.star if self.fit is not None else None
            return None if star is None or star.shown is None else (star.star.id, star.shown)
        seen = self.observed.stars.get(self.state.star)
        if seen is None or self.state.star == MAPPED:
            return None
        return seen.name, seen.spectra[min(self.state.row, len(seen.titles) - 1)]

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
        old = self.state
        if name == old.bundle:
            return
        stars = list(self.observed.stars.values())
        kept = {k: getattr(old, k) for k in KEPT}
        try:
            self._open_kept(name, old, kept)
        except Exception as problem:
            self.messages.tell(problem)
            self.choice.value = before
            return
        for star in stars:
            if star.spectra.grid == self.bundle.model.grid:
                self.observed.add(star)
        if old.star in self.observed.stars:
            self.state.param.update(star=old.star, row=old.row)

    def _open_kept(self, name: str, old: ViewState, kept: dict[str, Any]) -> None:
        view, labels, observed = self.view, self.labels, self.observed
        _, bundle, _ = open_bundles.shared_bundle(name)
        values = dict(
            zip(bundle.model.labels.names, map(float, bundle.model.reference), strict=True)
        )
        values |= {k: v for k, v in old.labels.items() if k in values}
        if bundle.model.grid == self.bundle.model.grid:
            kept |= {"chip": old.chip, "window": old.window}
        if old.element in bundle.model.labels.elements:
            kept["element"] = old.element
        handed: Handed | None = None
        if self.fit is not None:
            handed = self.fit.hand_over()
        for page in self.pages.values():
            page.close()
        self._open(name, labels=values, **kept)
        view.close()
        labels.close()
        observed.close()
        if self._started:
            self.view.start()
            self.observed.start()
        if handed is not None:
            cast("FitPage", self.open_page("fit")).take(handed)

    def _dark(self, *_: object) -> None:
        self.state.dark = self.page.dark_theme

    def start(self) -> None:
        """Work in the background from now on, until the session ends."""
        self._started = True
        if pn.state.curdoc is not None:
            pn.state.curdoc.theme = FIGURES
        self.view.start()
        self.observed.start()
        for page in self.pages.values():
            page.start()
        self.sharing.start()
        self._restore()
        pn.state.on_session_destroyed(lambda context: self.close())
        forget_views()

    def close(self) -> None:
        """Stop all background work."""
        self.sharing.close()
        self.view.close()
        self.labels.close()
        self.observed.close()
        for page in self.pages.values():
            page.close()

    def __panel__(self) -> pn.viewable.Viewable:
        return self.page


# What links name is looked up in modules that the first screen can do without.


def candidate_ids(bundle: Bundle) -> frozenset[str]:
    """Return the ids of the candidate features of a bundle."""
    from ..core.lines.attached import candidates_of

    return frozenset(candidate.id for candidate in candidates_of(bundle) or ())


def is_mapped(bundle: Bundle, name: str) -> bool:
    """Tell whether a star is on the map of a bundle."""
    from .star_map.open_maps import shared_map

    embedding = shared_map(bundle)
    return embedding is not None and embedding.row(name) is not None


def mapped_star(bundle: Bundle, name: str) -> ObservedStar:
    """Return a star of the map, to be laid over the model.

    Raises
    ------
    SpectrabridgeError
        If no observed star of the map has that name.
    """
    from .star_map.open_maps import shared_map
    from .star_map.stars import as_observed

    embedding = shared_map(bundle)
    row = embedding.row(name) if embedding is not None else None
    star = None if embedding is None or row is None else as_observed(bundle.model, embedding, row)
    if star is None:
        raise SpectrabridgeError(f"There is no observed star {url.seen(name)} on the map.")
    return star


_HEADER_TITLE = {
    "color": "#ffffff",
    "overflow": "hidden",
    "textOverflow": "ellipsis",
    "whiteSpace": "nowrap",
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

"""The components as they stand in the cell of a notebook.

Each is a class with a simple signature: give it a bundle, or its name, and leave it at the end
of a cell. They share what they show when they are given the same `state`, a Param object that
can be watched and set from code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import panel as pn

from ...core.bundle import Bundle, Model
from ..computed.derivatives import DerivativeCache
from ..computed.frame import Frame, compute_frame
from ..session import open_bundles
from ..session.messages import Messages
from ..session.open_stars import OpenStars
from ..session.page import Page
from ..sidebar.labels_panel import LabelsPanel
from ..spectrum.page import SpectrumPage
from ..state.view_state import ViewState
from .display import CellDisplay
from .kernel import in_kernel, prepare

if TYPE_CHECKING:
    from ...core.spectra import Spectra
    from ..app import Explorer as _Explorer
    from ..spectrum.view import SpectrumView as _SpectrumView

Source = Bundle | str | None
"""A bundle, its name or path; None for the default bundle."""

HEIGHT = 660
"""Height of a component in a cell, in pixels."""

MAP_HEIGHT = 800
"""Height of the map, below which are a spectrum and a table, in pixels."""

SLIDERS = 284
"""Width of a column of sliders or other controls, in pixels."""


def _opened(source: Source) -> tuple[Bundle, DerivativeCache]:
    """Return a bundle and the derivatives of its model found so far."""
    if isinstance(source, Bundle):
        return source, DerivativeCache(source.model)
    _, bundle, derivatives = open_bundles.shared_bundle(source)
    return bundle, derivatives


def _state(model: Model, name: str, state: ViewState | None) -> ViewState:
    if state is None:
        state = ViewState(model.labels, model.reference, model.extrapolations, bundle=name)
    state.all_on_show = True
    return state


class _Cell(pn.viewable.Viewer):
    """What stands in a cell: a row of parts, kept up to date in the browser."""

    def __init__(self, state: ViewState, height: int) -> None:
        prepare()
        super().__init__()
        self.state = state
        self.height = height
        self.messages = Messages()
        self._display: CellDisplay | None = None

    def _layout(self) -> pn.viewable.Viewable:
        raise AssertionError("every component says what it looks like")

    def close(self) -> None:
        """Stop all work in the background; the last picture stays."""

    def __panel__(self) -> pn.viewable.Viewable:
        if self._display is None:
            self._display = CellDisplay(self._layout())
        return self._display


class _PageCell(_Cell):
    """A page of the explorer in a cell."""

    def __init__(self, page: Page, state: ViewState, height: int) -> None:
        super().__init__(state, height)
        self.page = page
        page.start()

    def _layout(self) -> pn.viewable.Viewable:
        controls, view = self.page.parts
        return _side_by_side(controls, view, self.height)

    def close(self) -> None:
        """Stop all work in the background; the last picture stays."""
        self.page.close()


def _side_by_side(
    controls: pn.viewable.Viewable | None, view: pn.viewable.Viewable, height: int
) -> pn.viewable.Viewable:
    """Lay controls left of a view, both as high as the cell."""
    parts: list[Any] = []
    if controls is not None:
        # Pages make their controls as high as a window.
        own = controls.styles | {"height": "100%", "min-height": "0"}
        controls.styles = own
        parts.append(
            pn.Column(
                controls,
                width=SLIDERS,
                height=height,
                margin=(4, 8, 0, 8),
                styles={"overflow-y": "auto", "overflow-x": "hidden"},
            )
        )
    parts.append(pn.Column(view, sizing_mode="stretch_width", height=height, margin=0))
    return pn.Row(*parts, sizing_mode="stretch_width", height=height, margin=0)


class SpectrumView(_Cell):
    """Sliders of labels and the spectra that belong to them.

    Parameters
    ----------
    model : Model, Bundle or str, optional
        A model, a bundle, or the name or path of one; the default bundle if not given.
    state : ViewState, optional
        What to show; own if not given.
    height : int
        Height in the cell, in pixels.

    Raises
    ------
    BundleError
        If the bundle cannot be opened.
    """

    def __init__(
        self, model: Model | Source = None, state: ViewState | None = None, height: int = HEIGHT
    ) -> None:
        bundle: Bundle | None = None
        if model is None or isinstance(model, Bundle | str):
            bundle, derivatives = _opened(model)
            self.model, name = bundle.model, bundle.name
        else:
            self.model, name, derivatives = model, "", DerivativeCache(model)
        super().__init__(_state(self.model, name, state), height)
        self.stars = OpenStars(self.state, self.messages.tell)
        self.page = SpectrumPage(bundle, self.state, derivatives, self.messages, self.stars)
        self.stars.start()
        self.page.start()

    @property
    def view(self) -> _SpectrumView:
        """The spectra, without the sliders."""
        return self.page.view

    @property
    def frame(self) -> Frame:
        """The spectra at the labels of the state, computed now."""
        return compute_frame(self.model, self.state.values)

    def open(self, path: str | Path) -> None:
        """Lay a star over the model, from a file of any format that is read."""
        path = Path(path)
        self.stars.receive(path.name, path)

    def overlay(self, spectra: Spectra | None, name: str = "observed") -> None:
        """Lay a continuum-normalised spectrum over the model, or take it away.

        Parameters
        ----------
        spectra : Spectra or None
            Spectra on the grid of the model; the first is shown.
        name : str
            What to call the star.

        Raises
        ------
        GridError
            If they are on another grid.
        """
        if spectra is None:
            self.state.star = ""
            return
        self.model.grid.require_same(spectra.grid, "the observed spectrum")
        from ...core.fitting.stars import Star

        given = {**spectra.provenance, "continuum": {"routine": "normalised by the caller"}}
        self.stars.add(Star(name, name, replace(spectra, provenance=given)))

    def _layout(self) -> pn.viewable.Viewable:
        controls, view = self.page.parts
        return _side_by_side(controls, view, self.height)

    def close(self) -> None:
        """Stop all work in the background; the last picture stays."""
        self.stars.close()
        self.page.close()


class FitPage(_PageCell):
    """Fit spectra: drop files, or hand them over with :meth:`receive`.

    Parameters
    ----------
    bundle : Bundle or str, optional
        What is fitted; the default bundle if not given.
    state : ViewState, optional
        Unit, medium, chip and the chosen star; own if not given.
    height : int
        Height in the cell, in pixels.
    """

    def __init__(
        self, bundle: Source = None, state: ViewState | None = None, height: int = HEIGHT
    ) -> None:
        from ..fit.page import FitPage as Fitting

        opened, _ = _opened(bundle)
        state = _state(opened.model, opened.name, state)
        prepare()
        self._fitting = Fitting(opened, state)
        super().__init__(self._fitting, state, height)

    def receive(self, path: str | Path) -> None:
        """Read a file and fit its stars."""
        path = Path(path)
        self._fitting.receive(path.name, path)


class LatentMap(_PageCell):
    """The map of stars by their spectra and by their shared latents.

    Parameters
    ----------
    bundle : Bundle or str, optional
        Whose map; the default bundle if not given.
    state : ViewState, optional
        Theme, wavelengths and the chosen star; own if not given.
    height : int
        Height in the cell, in pixels.
    """

    def __init__(
        self, bundle: Source = None, state: ViewState | None = None, height: int = MAP_HEIGHT
    ) -> None:
        from ..star_map.page import MapPage

        opened, _ = _opened(bundle)
        state = _state(opened.model, opened.name, state)
        prepare()
        super().__init__(MapPage(opened, state), state, height)


class DerivativeMap(_Cell):
    """Derivatives of the flux by element against wavelength, at the labels of the sliders.

    Parameters
    ----------
    bundle : Bundle or str, optional
        The default bundle if not given.
    state : ViewState, optional
        Labels, element, window; own if not given.
    height : int
        Height in the cell, in pixels.
    """

    def __init__(
        self, bundle: Source = None, state: ViewState | None = None, height: int = HEIGHT
    ) -> None:
        from ..derivatives.page import DerivativesPage

        opened, derivatives = _opened(bundle)
        super().__init__(_state(opened.model, opened.name, state), height)
        self.page = DerivativesPage(opened.model, self.state, derivatives, self.messages.tell)
        self.labels = LabelsPanel(self.state, self.messages.tell)
        self.page.start()

    def _layout(self) -> pn.viewable.Viewable:
        sliders = pn.Column(self.labels, self.messages, sizing_mode="stretch_width", margin=0)
        return _side_by_side(sliders, self.page.parts[1], self.height)

    def close(self) -> None:
        """Stop all work in the background; the last picture stays."""
        self.page.close()
        self.labels.close()


class LinesPage(_PageCell):
    """Candidate features, and what you decide about them.

    Parameters
    ----------
    bundle : Bundle or str, optional
        The default bundle if not given.
    state : ViewState, optional
        Chosen feature, vetter, window; own if not given.
    vetting : path, optional
        File of decisions; the default one of the bundle if not given.
    height : int
        Height in the cell, in pixels.
    """

    def __init__(
        self,
        bundle: Source = None,
        state: ViewState | None = None,
        vetting: str | Path | None = None,
        height: int = HEIGHT,
    ) -> None:
        from ..lines.page import LinesPage as Vetting

        opened, derivatives = _opened(bundle)
        state = _state(opened.model, opened.name, state)
        prepare()
        page = Vetting(opened, state, derivatives, Path(vetting) if vetting else None)
        super().__init__(page, state, height)


class Explorer(_Cell):
    """All pages of the explorer in one cell; see :func:`explore`."""

    def __init__(
        self,
        bundle: str | None = None,
        files: Sequence[str | Path] = (),
        vetting: str | Path | None = None,
        height: int = 700,
        **state: Any,
    ) -> None:
        from ..app import Explorer as App

        prepare()
        self.app: _Explorer = App(
            bundle, [Path(f) for f in files], Path(vetting) if vetting else None, **state
        )
        super().__init__(self.app.state, height)
        if in_kernel():
            self.app.start()

    def _layout(self) -> pn.viewable.Viewable:
        app = self.app
        for part in (app.choice, app.navigation, app.title):
            part.align = "center"
        bar = pn.Row(
            app.choice,
            app.navigation,
            app.title,
            sizing_mode="stretch_width",
            height=42,
            margin=0,
            align="center",
            styles={"background": "#0072b2", "align-items": "center", "color": "#ffffff"},
        )
        height = self.height - 42
        app.sidebar.param.update(width=SLIDERS, sizing_mode="fixed", height=height)
        app.sidebar.styles = {"overflow-y": "auto", "overflow-x": "hidden"}
        app.main.param.update(sizing_mode="stretch_width", height=height)
        return pn.Column(
            bar,
            pn.Row(app.sidebar, app.main, sizing_mode="stretch_width", height=height, margin=0),
            sizing_mode="stretch_width",
            height=self.height,
            margin=0,
        )

    def close(self) -> None:
        """Stop all work in the background; the last picture stays."""
        self.app.close()


def explore(
    bundle: str | None = None,
    files: Sequence[str | Path] = (),
    vetting: str | Path | None = None,
    height: int = 700,
    **state: Any,
) -> Explorer:
    """Show the explorer in a cell.

    Parameters
    ----------
    bundle : str, optional
        A shipped name, or the path of a folder or zip file; the default bundle if not given.
    files : sequence of path
        Files with spectra to open at once, of any format that is read.
    vetting : path, optional
        File of decisions about candidate features; the default one of each bundle if not
        given.
    height : int
        Height in the cell, in pixels.
    **state
        Start values of the parameters of the state, for example ``page="fit"``.

    Returns
    -------
    Explorer
        What to leave at the end of the cell; ``explorer.state`` is what it shows.

    Raises
    ------
    BundleError
        If the bundle cannot be opened.
    """
    return Explorer(bundle, files, vetting, height, **state)

"""What is shown of fitted stars: one star with its fits, or the residuals of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from ...core.spectra import WavelengthGrid
from ..figures.theme import ADAPTED, surface
from ..figures.wavelength_axis import Wavelengths
from ..session.component import Component
from ..session.fitted_star import FittedStar
from ..state.view_state import ViewState
from ..widgets.curve_legend import CurveLegend
from ..widgets.view_controls import GROUP, chip_choice
from .density_figure import DensityFigure
from .residual_figure import SIDE_WIDTH_PIXELS
from .star_figure import StarFigure
from .text import notice_html, summary_html

ONE, EVERY = "one star", "all stars"


class StarView(Component, pn.viewable.Viewer):
    """Flux, fits and residuals of a star, or the density of the residuals of all stars.

    Parameters
    ----------
    grid : WavelengthGrid
        Grid of the model.
    state : ViewState
        Gives unit, medium, chip and theme.
    *extra : viewable
        Stand in the row above the figures.
    """

    mode: str = param.Selector(default=ONE, objects=[ONE, EVERY])  # type: ignore[assignment]

    def __init__(
        self, grid: WavelengthGrid, state: ViewState, *extra: pn.viewable.Viewable
    ) -> None:
        super().__init__()
        self.state = state
        self._extra = extra
        self._stars: tuple[FittedStar | None, Sequence[FittedStar]] = (None, ())
        self._drawn: FittedStar | None = None
        self._build(grid)
        self.watch(state, self._show_wavelengths, ["unit", "medium"])
        self.watch(state, self.wavelengths.follow, ["chip", "window"])
        self.watch(state, self._paint, "dark")
        self.param.watch(lambda event: self.draw(*self._stars), "mode")
        self._paint()
        self.draw(None, [])

    def _build(self, grid: WavelengthGrid) -> None:
        self.wavelengths = Wavelengths(grid, self.state)
        # Both are built when there is something to show.
        self.figure: StarFigure | None = None
        self.density: DensityFigure | None = None
        self.chip = chip_choice(self.state, grid)
        self.which = pmui.RadioButtonGroup.from_param(
            self.param.mode, options=[ONE, EVERY], **GROUP
        )
        self.legend = CurveLegend(margin=(0, 0, 0, 52), width=256)
        self.legend.param.watch(self._hide, "hidden")
        self.summary = pn.pane.HTML(
            "",
            margin=0,
            width=SIDE_WIDTH_PIXELS - 16,
            styles=_SMALL
            | {
                "position": "absolute",
                "top": "2px",
                "right": "34px",
                "max-height": "31%",
                "overflow": "auto",
                "overflow-wrap": "anywhere",
            },
        )
        self.notice = pn.pane.HTML("", sizing_mode="stretch_both", margin=(30, 60), styles=_NOTICE)
        stretch: dict[str, Any] = {"sizing_mode": "stretch_both", "margin": 0}
        self.one_box = pn.Column(
            self.summary, styles={"position": "relative"}, visible=False, **stretch
        )
        self.every_box = pn.Column(visible=False, **stretch)

    def draw(self, star: FittedStar | None, stars: Sequence[FittedStar]) -> None:
        """Show a star, or all stars if that is asked for; in words where nothing is fitted."""
        self._stars = (star, stars)
        some = any(s.fitted for s in stars)
        every = self.mode == EVERY and some
        one = not every and star is not None and star.fitted
        self.which.disabled = not some
        # A figure is drawn before it gets its place: what changes in it on the way to the
        # browser may overtake it, and the browser knows nothing of it yet.
        if star is not None and star.fitted and star is not self._drawn:
            new = self.figure is None
            figure = self._star_figure()
            figure.draw(star)
            self._drawn = star
            if new:
                self.one_box.insert(0, figure)
        if every:
            new = self.density is None
            density = self._density_figure()
            density.draw(stars)
            if new:
                self.every_box.append(density)
        if star is not None:
            self.summary.object = summary_html(star)
        self.notice.object = notice_html(star)
        self.legend.visible = one
        self.one_box.visible, self.every_box.visible = one, every
        self.notice.visible = not one and not every

    def _star_figure(self) -> StarFigure:
        if self.figure is None:
            self.figure = StarFigure(self.wavelengths)
            self.figure.paint(self.state.dark)
            self._hide()
        return self.figure

    def _density_figure(self) -> DensityFigure:
        if self.density is None:
            self.density = DensityFigure(self.wavelengths)
            self.density.paint(self.state.dark)
        return self.density

    def _hide(self, *_: object) -> None:
        names = {"observed": "observed", "raw": "emulated", "adapted": "adapted"}
        if self.figure is not None:
            self.figure.hide([names[n] for n in self.legend.hidden if n in names])

    def _show_wavelengths(self, *_: object) -> None:
        self.wavelengths.show_unit()
        for figure in (self.figure, self.density):
            if figure is not None:
                figure.show_axis()

    def _paint(self, *_: object) -> None:
        dark = self.state.dark
        for figure in (self.figure, self.density):
            if figure is not None:
                figure.paint(dark)
        colours = surface(dark)
        self.legend.curves = [
            ["observed", colours.observed, False],
            ["raw", colours.emulated, False],
            ["adapted", ADAPTED, False],
        ]

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            pn.Row(
                self.legend,
                pn.HSpacer(),
                *self._extra,
                self.which,
                pn.pane.HTML("chip", margin=0, styles=_BESIDE),
                self.chip,
                sizing_mode="stretch_width",
                height=26,
                margin=(6, 10, 2, 0),
                styles={"gap": "10px"},
            ),
            self.notice,
            self.one_box,
            self.every_box,
            sizing_mode="stretch_both",
            margin=0,
        )


_SMALL = {"font-size": "12px", "line-height": "16px"}

_BESIDE = {"font-size": "12px", "line-height": "24px", "white-space": "nowrap"}

_NOTICE = {"font-size": "13.5px", "line-height": "20px", "max-width": "640px"}

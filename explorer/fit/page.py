"""The Fit page: files in; labels, fits and residuals out."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import panel as pn

from ...core.bundle import Bundle
from ...core.errors import SpectrabridgeError
from ...core.io.table_formats import FORMATS
from ..session.component import Component
from ..session.fit_queue import FitQueue
from ..session.fitted_star import FittedStar, shown_labels
from ..session.open_stars import OpenStars
from ..session.page import LegendCurve, TableMaker
from ..session.star_fitting import StarFitting
from ..state.view_state import ViewState
from ..widgets.buttons import download_button, plain_button
from ..widgets.data_table import DataTable
from ..widgets.file_drop import spectra_drop
from .options import FitOptions
from .star_view import StarView
from .tables import fits_bytes, has_survey, label_columns, label_rows, star_columns, star_rows
from .text import progress_html


class FitPage(Component, pn.viewable.Viewer):
    """Drop files; their stars are fitted and shown.

    Parameters
    ----------
    bundle : Bundle
        What is fitted.
    state : ViewState, optional
        Unit, medium, chip, theme and the chosen star; own if not given.
    fitting : StarFitting, optional
        Fits the open stars of a session; own if not given.
    on_show : callable, optional
        Called when the chosen star is to be shown on the Spectrum page, at its labels.
    """

    def __init__(
        self,
        bundle: Bundle,
        state: ViewState | None = None,
        fitting: StarFitting | None = None,
        on_show: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self.bundle = bundle
        model = self.model = bundle.model
        self.state = state or ViewState(model.labels, model.reference, bundle=bundle.name)
        self._on_show = on_show
        if fitting is None:
            stars = self.own(OpenStars(self.state, _ignore))
            fitting = self.own(StarFitting(bundle, self.state, stars))
        self.fitting = fitting
        self.options = FitOptions(model.labels)
        fitting.plan = lambda: self.options.plan
        self._build_controls()
        self._build_tables()
        self.view = self.own(StarView(model.grid, self.state, self.to_spectrum))
        self.watch(self.state, self._show_chosen, "fitted")
        self.watch(fitting, self._changed, "changed")
        self._changed()

    @property
    def queue(self) -> FitQueue:
        """The fits."""
        return self.fitting.queue

    # --------------------------------------------------------------------- controls

    def _build_controls(self) -> None:
        self.drop = spectra_drop()
        self.drop.on_file = self._dropped
        self.drop.on_refused = lambda name, sentence: self.queue.refuse(name, sentence)
        self.example = plain_button(
            "Example",
            self.open_example,
            "2M19485057+5005279, APOGEE data release 17",
        )
        self.stop = plain_button("Stop", lambda: self.queue.stop())
        self.again = plain_button("Fit again", self.fit_again)
        self.clear = plain_button("Clear", self._clear)
        self.to_spectrum = plain_button("Show in Spectrum", self._show_on_spectrum)
        self.to_spectrum.visible = self._on_show is not None
        self.progress = pn.pane.HTML(
            "", margin=(6, 0, 0, 0), height=34, sizing_mode="stretch_width", styles=_SMALL
        )
        self.downloads = [
            download_button(name, f"spectrabridge-fits{one.suffix}", partial(self._download, name))
            for name, one in FORMATS.items()
        ]

    def _build_tables(self) -> None:
        labels = self.model.labels
        self.table = DataTable(
            label="Fitted stars",
            columns=star_columns(labels, survey=False),
            empty="No stars yet. Drop spectra onto the page, or fit the example star.",
            margin=(8, 10, 0, 10),
            height=186,
            sizing_mode="stretch_width",
        )
        self.table.param.watch(self._row_chosen, "chosen")
        self.label_table = DataTable(
            label="Labels of the star",
            columns=label_columns(survey=False),
            selectable=False,
            row_height=18,
            empty="The labels of the chosen star will stand here.",
            margin=0,
            sizing_mode="stretch_width",
            styles={"flex": "1 1 0px", "min-height": "0"},
        )

    # -------------------------------------------------------------------- the parts

    def _layout(self) -> tuple[pn.Column, pn.Column]:
        row: dict[str, Any] = {"sizing_mode": "stretch_width", "styles": {"gap": "4px"}}
        controls = pn.Column(
            self.drop,
            pn.Row(
                self.example, self.options.open, self.stop, self.again, margin=(6, 0, 0, 0), **row
            ),
            self.options,
            pn.Row(self.progress, self.clear, margin=(5, 0, 0, 0), **row),
            pn.pane.HTML("<b>Labels</b>", margin=(2, 0, 3, 0)),
            pn.Column(self.label_table, sizing_mode="stretch_width", margin=0, styles=_FILL),
            pn.Row(
                pn.pane.HTML("Save", margin=(4, 2, 0, 0), styles=_SMALL),
                *self.downloads,
                margin=(6, 0, 0, 0),
                **row,
            ),
            sizing_mode="stretch_width",
            margin=0,
            styles={"height": "calc(100vh - 62px)", "min-height": "420px"},
        )
        view = pn.Column(
            self.table,
            self.view,
            sizing_mode="stretch_both",
            margin=0,
        )
        return controls, view

    @property
    def parts(self) -> tuple[pn.Column, pn.Column]:
        """The column of controls and the view, for a page that places them itself."""
        if self._parts is None:
            self._parts = self._layout()
        return self._parts

    _parts: tuple[pn.Column, pn.Column] | None = None

    def __panel__(self) -> pn.viewable.Viewable:
        controls, view = self._layout()
        controls.param.update(sizing_mode="fixed", width=280, styles={}, height=640)
        return pn.Row(controls, view, sizing_mode="stretch_width", height=660, margin=0)

    # ------------------------------------------------------------------------- work

    def receive(self, name: str, content: bytes | Path) -> None:
        """Read one file and fit its stars; an earlier file of the same name is replaced."""
        # What cannot be read gets a row that says why.
        self.fitting.stars.receive(name, content, _ignore)

    def _dropped(self, name: str, content: bytes) -> None:
        self.fitting.stars.receive(name, content, _ignore, self.drop.batch)

    def open_example(self) -> None:
        """Fit the star that comes with the package."""
        self.fitting.stars.open_example()

    def fit_again(self) -> None:
        """Fit all stars with the options as they are now."""
        self.fitting.fit_again()

    def _clear(self) -> None:
        self.fitting.clear()

    def _download(self, name: str) -> io.BytesIO:
        return io.BytesIO(self.table_file(name))

    @property
    def curves(self) -> list[LegendCurve]:
        """No curves: the figures name theirs themselves."""
        return []

    def table_maker(self, format_: str, link: str) -> TableMaker:
        """Return :meth:`table_file` for a format."""
        return lambda: self.table_file(format_)

    def table_file(self, name: str) -> bytes:
        """Return the table of fits as a file; `name` is one of :data:`.FORMATS`.

        Raises
        ------
        SpectrabridgeError
            If there are no stars.
        """
        stars = list(self.queue.stars.values())
        if not stars:
            raise SpectrabridgeError("There are no stars yet. Drop spectra onto the page.")
        return fits_bytes(stars, self.model, name, self.bundle.name)

    def _show_on_spectrum(self) -> None:
        star = self.star
        if star is None or not star.fitted or self._on_show is None:
            return
        self.state.jump(shown_labels(star), f"the fit of {star.star.id}")
        self._on_show()

    # ------------------------------------------------------------------------ shown

    @property
    def star(self) -> FittedStar | None:
        """The chosen star."""
        return self.queue.stars.get(self.state.fitted)

    def _row_chosen(self, event: Any) -> None:
        if event.new in self.queue.stars:
            self.state.fitted = event.new

    def _changed(self, *_: object) -> None:
        """Bring the page in line with the queue."""
        stars = self.queue.stars
        labels, survey = self.model.labels, has_survey(stars.values(), self.model.labels)
        self.table.param.update(
            columns=star_columns(labels, survey), rows=star_rows(stars.values(), labels, survey)
        )
        self._show_progress()
        chosen = self.state.fitted
        if chosen not in stars:
            chosen = next((key for key, s in stars.items() if s.fitted), "")
            if not chosen and stars and not self.queue.progress.busy:
                chosen = next(iter(stars))
        if chosen != self.state.fitted:
            self.state.fitted = chosen
        else:
            self._show_chosen()

    def _show_progress(self) -> None:
        progress = self.queue.progress
        self.progress.object = progress_html(progress, self.queue.stars)
        self.stop.disabled = not progress.busy
        self.again.disabled = progress.busy or not any(
            s.stage != "unreadable" for s in self.queue.stars.values()
        )
        self.clear.disabled = not self.queue.stars
        for download in self.downloads:
            download.disabled = not self.queue.stars

    _labelled: FittedStar | None = None

    def _show_chosen(self, *_: object) -> None:
        star = self.star
        self.table.chosen = self.state.fitted
        self.to_spectrum.disabled = star is None or not star.fitted
        if star is not self._labelled:
            self._labelled = star
            survey = has_survey([star] if star is not None else [], self.model.labels)
            self.label_table.param.update(
                columns=label_columns(survey), rows=label_rows(star, self.model.labels, survey)
            )
        self.view.draw(star, list(self.queue.stars.values()))


def _ignore(problem: str | BaseException) -> None:
    """Say nothing: what cannot be read has a row."""


_SMALL = {"font-size": "12px", "line-height": "16px"}

_FILL = {"flex": "1 1 0px", "min-height": "90px", "max-height": "474px", "overflow": "hidden"}

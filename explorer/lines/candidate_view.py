"""The table of candidate features, and the chosen one at close range below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn

from ...core.bundle import Bundle
from ...core.lines import Candidate, Candidates
from ...core.lines.known_lines import lines_for
from ..computed.derivatives import DerivativeCache
from ..session.component import Component
from ..session.document_lock import Execute
from ..state.view_state import ViewState
from ..widgets.buttons import plain_button
from ..widgets.curve_legend import CurveLegend
from ..widgets.data_table import DataTable
from ..widgets.status_line import StatusLine
from ..widgets.view_controls import FOLDING, medium_choice, unit_choice
from .candidate_figure import CandidateFigure
from .candidate_table import candidate_columns
from .measured_star import MeasuredStar
from .reference_star import StarLines, reference_star, window_of

HINT = "Drag or turn the wheel to zoom, p goes back. j and k go on, a accepts, ? shows all keys."


class CandidateView(Component, pn.viewable.Viewer):
    """A table of candidates above a figure of the chosen one.

    Parameters
    ----------
    bundle : Bundle
        Gives the spectra.
    candidates : Candidates
        What is shown.
    derivatives : DerivativeCache
        Gives the derivatives of the reference star.
    state : ViewState
        Gives unit, medium and theme; gets the chosen row as `feature`.
    on_error : callable, optional
        ``on_error(exception)`` for what goes wrong in the background.
    """

    def __init__(
        self,
        bundle: Bundle,
        candidates: Candidates,
        derivatives: DerivativeCache,
        state: ViewState,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        super().__init__()
        self.state = state
        self.by_id = candidates.by_id()
        self.observed: MeasuredStar | None = None
        """The observed star that is drawn, if one is."""
        self._deriving = self.job(
            derivatives.get,
            lambda values, found: self.figure.take(found),
            "derivatives of lines",
            on_error,
        )
        model = bundle.model
        low, high = model.grid.wavelength[[0, -1]]
        star = reference_star(bundle, candidates)
        named = dict(zip(model.labels.names, map(float, star.values), strict=True))
        known = StarLines.of(lines_for(named), low, high, named.get("teff", 4750.0))
        self.figure = CandidateFigure(model.grid, model.labels, star, state, known)
        self._build()
        self.watch(state, self._show_wavelengths, ["unit", "medium"])
        self.watch(state, self._paint, "dark")
        self._paint()

    def _build(self) -> None:
        state = self.state
        self.table = DataTable(
            label="Candidate features",
            columns=candidate_columns(state.unit, state.medium),
            empty="No candidate passes the filters.",
            row_height=20,
            margin=(8, 10, 0, 10),
            height=178,
            sizing_mode="stretch_width",
        )
        self.table.param.watch(self._row_chosen, "chosen")
        self.legend = CurveLegend(margin=(0, 0, 0, 56), width=330)
        self.legend.param.watch(lambda event: self.figure.hide(event.new), "hidden")
        self.back = plain_button("Previous zoom", lambda: None)
        self.back.js_on_click(
            code=f'document.dispatchEvent(new CustomEvent("{self.figure.channel}-previous"))'
        )
        self.to_spectrum = plain_button("Show in Spectrum", self.show_in_spectrum)
        self.status = StatusLine(
            channel=self.figure.channel,
            hint=HINT,
            sizing_mode="stretch_width",
            height=22,
            margin=(0, 10, 2, 62),
        )

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            self.table,
            pn.Row(
                self.legend,
                pn.HSpacer(),
                self.back,
                self.to_spectrum,
                unit_choice(self.state),
                medium_choice(self.state),
                sizing_mode="stretch_width",
                margin=(7, 10, 3, 0),
                styles={"gap": "2px 10px", **FOLDING},
            ),
            self.figure,
            self.status,
            sizing_mode="stretch_both",
            margin=0,
        )

    # ------------------------------------------------------------------------- work

    def start(self, execute: Execute | None = None) -> None:
        """Get the derivatives: in the background, or at once where there is none."""
        super().start(execute)
        if self.execute is None:
            self._deriving.submit(self.figure.star.values)

    def on_start(self) -> None:
        """Get the derivatives when the figure has been drawn."""
        # Edits of a figure that the browser does not have yet would be lost.
        values = self.figure.star.values
        self.figure.on_drawn = self._once(lambda: self._deriving.submit(values))

    @staticmethod
    def _once(action: Callable[[], None]) -> Callable[[], None]:
        left = [action]
        return lambda: left.pop()() if left else None

    # ------------------------------------------------------------------------ shown

    def draw(self, candidate: Candidate | None) -> None:
        """Show a candidate, and mark its row."""
        if candidate is None or candidate is not self.figure.candidate:
            self.figure.draw(candidate)
        self.table.chosen = candidate.id if candidate is not None else ""
        self.to_spectrum.disabled = candidate is None

    def observe(self, star: MeasuredStar | None) -> None:
        """Draw an observed star with the model; None draws the mean of the bundle's own again."""
        self.observed = star
        self.figure.observe(None if star is None else star.flux)
        self.legend.curves = self.figure.legend

    def _row_chosen(self, event: Any) -> None:
        if event.new in self.by_id:
            self.state.feature = event.new

    def _show_wavelengths(self, *_: object) -> None:
        self.table.columns = candidate_columns(self.state.unit, self.state.medium)
        self.figure.show_axis()

    def _paint(self, *_: object) -> None:
        self.figure.paint()
        self.legend.curves = self.figure.legend

    def show_in_spectrum(self) -> None:
        """Show the surroundings of the chosen candidate on the Spectrum page."""
        candidate = self.figure.candidate
        if candidate is not None:
            self.state.param.update(window=window_of(candidate), page="spectrum")

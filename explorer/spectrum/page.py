"""The Spectrum page: sliders, an observed star, and the spectra that belong to them."""

from __future__ import annotations

import panel as pn

from ...core.bundle import Bundle
from ...core.errors import SpectrabridgeError
from ...core.io.table_writer import table_bytes
from ..computed.derivatives import DerivativeCache
from ..computed.population_distance import PopulationDistance
from ..computed.split_directions import SplitLatents
from ..session.component import Component
from ..session.messages import Messages
from ..session.open_stars import OpenStars
from ..session.page import LegendCurve, TableMaker
from ..session.star_fitting import StarFitting
from ..share.view_table import metadata, spectrum_table
from ..sidebar.instrument_panel import InstrumentPanel
from ..sidebar.labels_panel import LabelsPanel
from ..sidebar.observed_panel import ObservedPanel
from ..state.view_state import ViewState
from .view import SpectrumView


class SpectrumPage(Component, pn.viewable.Viewer):
    """Sliders of labels and observed stars on the left, spectra on the right.

    Parameters
    ----------
    bundle : Bundle or None
        What is shown. Without one, for a model alone, there are no sliders of the instrument
        and no words on how like the training stars a star is.
    state : ViewState
        What to show; watched.
    derivatives : DerivativeCache
        Of the model, which they name.
    messages : Messages
        Tells what goes wrong.
    stars : OpenStars
        Observed stars that are open.
    fitting : StarFitting, optional
        Fits of these stars; without it they are laid over as they are.
    """

    def __init__(
        self,
        bundle: Bundle | None,
        state: ViewState,
        derivatives: DerivativeCache,
        messages: Messages,
        stars: OpenStars,
        fitting: StarFitting | None = None,
    ) -> None:
        super().__init__()
        self.state = state
        self.stars = stars
        self.derivatives = derivatives
        model = self.model = derivatives.model
        self.bundle = bundle
        self.instrument = None if bundle is None else SplitLatents(bundle)
        self.view = self.own(
            SpectrumView(
                model,
                state,
                derivatives,
                messages.tell,
                self.instrument,
                None if bundle is None else PopulationDistance(bundle),
            )
        )
        split = None
        if self.instrument is not None and self.instrument.n_directions:
            split = InstrumentPanel(self.instrument, state)
        self.labels = self.own(LabelsPanel(state, messages.tell, split, model.trained_ranges))
        self.observed = self.own(
            ObservedPanel(
                state,
                stars,
                model.grid,
                self.view.overlay,
                messages.tell,
                fitting,
                self._say,
            )
        )
        self._controls = pn.Column(
            self.labels, self.observed, messages, sizing_mode="stretch_width", margin=0
        )
        self._view = pn.Column(self.view, sizing_mode="stretch_both", margin=0)

    def _say(self, words: str) -> None:
        self.view.status.star = words

    @property
    def parts(self) -> tuple[pn.viewable.Viewable, pn.viewable.Viewable]:
        """The sliders and the list of stars; the spectra."""
        return self._controls, self._view

    @property
    def curves(self) -> list[LegendCurve]:
        """The curves of the flux that are not hidden."""
        legend = self.view.legend
        return [
            (str(name), str(colour), bool(dashed))
            for name, colour, dashed in legend.curves
            if name not in legend.hidden
        ]

    def table_maker(self, format_: str, link: str) -> TableMaker:
        """Return what makes a table of the spectra, residuals and derivatives on show.

        Raises
        ------
        SpectrabridgeError
            If the spectra are those of a model without a bundle.
        """
        if self.bundle is None:
            raise SpectrabridgeError("Only the spectra of a bundle can be saved as a table.")
        model, bundle, state = self.model, self.bundle, self.state
        labels, split, element = dict(state.labels), list(state.split), state.element
        observed, star = self.view.figures.observed, self.stars.title

        def make() -> bytes:
            found = None
            if element in model.labels.elements:
                found = self.derivatives.get(model.labels.array(labels))
            latents = self.instrument.latents(split) if self.instrument and split else None
            table = spectrum_table(model, labels, latents, observed, element, found)
            table.meta = metadata(bundle.name, bundle.fingerprint, labels, split, star, link)
            return table_bytes(table, format_)

        return make

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Row(*self.parts, sizing_mode="stretch_width", height=660, margin=0)

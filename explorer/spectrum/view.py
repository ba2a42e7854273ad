"""The spectrum view: three linked figures, their controls and the status line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.events import Tap
from numpy.typing import NDArray

from ...core.bundle import Model
from ...core.spectra import Spectra
from ..computed.derivatives import DerivativeCache, LabelDerivatives
from ..computed.frame import Frame, compute_frame
from ..computed.population_distance import PopulationDistance
from ..computed.split_directions import SplitLatents
from ..figures.theme import ADAPTED, TRUTH, surface
from ..figures.wavelength_axis import DIGITS, UNIT_SYMBOLS
from ..session.component import Component
from ..session.document_lock import after
from ..state.view_state import ViewState
from ..widgets.buttons import STYLE
from ..widgets.curve_legend import CurveLegend
from ..widgets.status_line import StatusLine
from ..widgets.view_controls import (
    FOLDING,
    chip_choice,
    element_choice,
    medium_choice,
    unit_choice,
    word,
)
from ..widgets.zoom_buttons import ZoomButtons
from .figures import BORDERS_PIXELS, SpectrumFigures
from .known_lines import lines_near
from .line_identification import LineIdentification
from .line_strip import LineStrip

HINT = "Drag over the spectra or turn the wheel to zoom; click the name of a curve to hide it."
"""What the status line says while the cursor is elsewhere."""

BUSY_MS = 300
"""What takes longer than so many milliseconds is said to be at work."""


Asked = tuple[NDArray[np.float64], tuple[float, ...]]
"""Labels, and positions along the directions of the instrument."""


class SpectrumView(Component, pn.viewable.Viewer):
    """Emulated, adapted, true and observed spectra; their difference; derivatives.

    Parameters
    ----------
    model : Model
        Model of a bundle.
    state : ViewState
        What to show; watched.
    derivatives : DerivativeCache, optional
        Shared between views of one model; own if not given.
    on_error : callable, optional
        ``on_error(exception)`` for what goes wrong in the background.
    instrument : SplitLatents, optional
        Gives split latents for the sliders of what the instrument adds.
    likeness : PopulationDistance, optional
        Tells how like the training stars the labels are.

    Notes
    -----
    The first frame is computed at once. Later ones come from a worker thread through
    :class:`~spectrabridge.explorer.session.background.Job`; derivatives follow when a move
    has settled.
    """

    def __init__(
        self,
        model: Model,
        state: ViewState,
        derivatives: DerivativeCache | None = None,
        on_error: Callable[[Exception], None] | None = None,
        instrument: SplitLatents | None = None,
        likeness: PopulationDistance | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.state = state
        self.derivatives = derivatives or DerivativeCache(model)
        self._instrument = instrument
        self._likeness = likeness
        self._found: LabelDerivatives | None = None
        frame = self._compute(self._asked)
        self.figures = SpectrumFigures(model, state, frame, self._zoomed)
        self.strip = LineStrip(self.figures.wavelengths, state, BORDERS_PIXELS[0], self._identify)
        self.identification = LineIdentification()
        self._build_controls()
        self._paint_theme()
        self._spectra = self.job(
            self._compute, lambda asked, frame: self._publish(frame), "spectra", on_error
        )
        self._slow = self.job(
            self._know,
            lambda values, known: self._publish_derivatives(*known),
            "derivatives",
            on_error,
        )
        self._late: Callable[[], None] = lambda: None
        """Calls off that the derivatives are said to take a while."""
        self.watch(state, self._moved, ["labels", "split"])
        self.watch(state, self._settled, "settled")
        self.watch(state, self._opened, "page")
        self.watch(state, self._show_unit, ["unit", "medium"])
        self.watch(state, self.figures.wavelengths.follow, ["chip", "window"])
        self.watch(state, self._chosen, "element")
        self.watch(state, self._paint_theme, "dark")
        self._show_range()

    @property
    def frame(self) -> Frame:
        """The spectra on show."""
        return self.figures.frame

    # Controls

    def _build_controls(self) -> None:
        self.chip = chip_choice(self.state, self.model.grid)
        self.unit = unit_choice(self.state)
        self.medium = medium_choice(self.state)
        self.zooms = self.own(ZoomButtons(self.state, width=52, height=24, margin=0))
        self.element = element_choice(self.state, self.model.labels)
        self.line_toggle = _toggle("known lines", "click one")
        self.line_toggle.param.watch(self._show_strip, "value")
        self.pin_toggle = _toggle("pin", "keep on show")
        self.pin_toggle.param.watch(self._pin, "value")
        self.figures.flux.on_event(Tap, self._tapped)
        self.figures.flux.on_change("inner_width", self._sized)
        self.legend = CurveLegend(
            margin=(0, 0, 0, 56), sizing_mode="stretch_width", styles={"flex": "1 1 300px"}
        )
        self.legend.param.watch(self._show_lines, "hidden")
        self.status = StatusLine(
            channel=self.figures.channel,
            hint=HINT,
            sizing_mode="stretch_width",
            height=22,
            margin=(0, 10, 2, 62),
        )

    def _show_lines(self, *_: object) -> None:
        """Show the curves that there are and that nobody has hidden, and name them."""
        colours = surface(self.state.dark)
        curves: list[tuple[str, str, bool]] = [
            ("emulated", colours.emulated, False),
            ("adapted", ADAPTED, False),
        ]
        if self.model.has_truth:
            curves.append(("truth", TRUTH, True))
        if self.figures.observed is not None:
            curves.append(("observed", colours.observed, False))
        if self.figures.pinned is not None:
            curves.append(("pinned", colours.line, False))
        self.legend.curves = [list(curve) for curve in curves]
        shown = {name for name, _, _ in curves} - set(self.legend.hidden)
        if "pinned" in shown:
            shown |= {f"pinned_{name}" for name in ("adapted", "emulated") if name in shown}
        self.figures.show_lines(shown)

    def _paint_theme(self, *_: object) -> None:
        self.figures.paint()
        self._show_lines()
        self.strip.draw()

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            pn.Row(
                self.legend,
                self.zooms,
                word("chip"),
                self.chip,
                self.unit,
                self.medium,
                sizing_mode="stretch_width",
                min_height=26,
                margin=(7, 10, 3, 0),
                styles={"gap": "4px 10px"} | FOLDING,
            ),
            self.strip.view,
            pn.Column(
                self.figures,
                self.identification,
                sizing_mode="stretch_both",
                margin=0,
                styles={"position": "relative"},
            ),
            pn.Row(
                word("element", margin=(0, 0, 0, 8), width=46),
                self.element,
                pn.HSpacer(),
                self.line_toggle,
                self.pin_toggle,
                sizing_mode="stretch_width",
                min_height=26,
                margin=(0, 10, 4, 0),
                styles=FOLDING | {"gap": "4px 8px", "justify-content": "flex-start"},
            ),
            self.status,
            sizing_mode="stretch_both",
            margin=0,
        )

    # Known lines, and spectra that are kept

    def _show_strip(self, *_: object) -> None:
        self.strip.show(self.line_toggle.value)
        if not self.line_toggle.value:
            self._identify(None)

    def _zoomed(self) -> None:
        self.strip.draw()

    def _sized(self, attr: str, old: object, new: int) -> None:
        self.strip.width = max(int(new), 50)
        self.strip.draw()

    def _chosen(self, *_: object) -> None:
        self._show_derivatives()
        self.strip.draw()

    def _tapped(self, event: Any) -> None:
        if self.line_toggle.value:
            start, end = self.figures.wavelengths.ends
            low, high = self.figures.wavelengths.view
            self._identify(low + (event.x - start) / (end - start) * (high - low))

    def _identify(self, wavelength: float | None) -> None:
        """Name the lines at a vacuum wavelength and mark it; None takes both away."""
        if wavelength is None:
            self.identification.tell("", None)
            self.figures.mark(None)
            return
        low, high = self.figures.wavelengths.view
        within = max(0.35, 4 * (high - low) / self.strip.width)
        found = lines_near(self.strip.known, wavelength, within)
        if len(found.lines):
            wavelength = float(found.lines.wl_vac[int(np.nanargmax(found.strength))])
        unit = self.state.unit
        place = f"{self.figures.shown(wavelength):.{DIGITS[unit]}f} {UNIT_SYMBOLS[unit]}"
        self.identification.tell(place, found)
        self.figures.mark(wavelength)

    def _pin(self, *_: object) -> None:
        self.figures.pin(self.frame if self.pin_toggle.value else None)
        self._show_lines()

    # Moves

    def on_start(self) -> None:
        """Get the first derivatives."""
        self._document = pn.state.curdoc
        # The first derivatives load parts of torch, which takes seconds: not before the
        # page is up.
        pn.state.onload(self._settled)

    _missed = False

    @property
    def _unseen(self) -> bool:
        """True while another page is open: nothing is computed or sent then."""
        return self.execute is not None and not self.state.shows("spectrum")

    def _opened(self, *_: object) -> None:
        """Catch up with moves that were made on other pages."""
        if self._missed and not self._unseen:
            self._missed = False
            self._moved()
            self._settled()

    def _moved(self, *_: object) -> None:
        if self._unseen:
            self._missed = True
        else:
            self._spectra.submit(self._asked)

    @property
    def _asked(self) -> Asked:
        return self.state.values, tuple(self.state.split)

    def _compute(self, asked: Asked) -> Frame:
        values, split = asked
        latents = self._instrument.latents(split) if self._instrument and split else None
        return compute_frame(self.model, values, latents)

    def _settled(self, *_: object) -> None:
        if self._unseen:
            self._missed = True
        elif self._spectra.idle:
            self._follow()
        else:
            # The spectra first: they are what is looked at.
            self._follow_next = True

    _follow_next = False

    def _follow(self) -> None:
        """Do what waits for the end of a move: the ranges, and the derivatives."""
        self._follow_next = False
        self.figures.fit_flux()
        self.strip.draw()  # other lines are strong at other temperatures
        self._late()
        self._late = after(self._document, BUSY_MS, self._say_busy)
        self._slow.submit(self.state.values)

    _document: Any = None

    def _say_busy(self) -> None:
        self.status.working = "computing the derivatives"

    def _publish(self, frame: Frame) -> None:
        self.figures.show_frame(frame)
        self._show_range()
        if self._follow_next and not self._spectra.waiting:
            self._follow()

    _like = ""

    def _know(self, values: NDArray[np.float64]) -> tuple[LabelDerivatives, str]:
        """Return derivatives, and how like the training stars a star is."""
        like = "" if self._likeness is None else self._likeness.words(values)
        return self.derivatives.get(values), like

    def _show_range(self) -> None:
        outside = self.state.outside
        range_ = f"\u25b2 extrapolation: {outside}" if outside else "inside the trained range"
        note = f"{range_}; {self._like}" if self._like else range_
        if note != self.status.note:
            self.status.param.update(note=note, extrapolates=bool(outside))

    def _show_unit(self, *_: object) -> None:
        self.figures.show_unit(self._found)
        self.strip.draw()

    def _publish_derivatives(self, found: LabelDerivatives, like: str = "") -> None:
        self._late()
        if self.status.working:
            self.status.working = ""
        self._found = found
        self._like = like
        self._show_range()
        self._show_derivatives()

    def _show_derivatives(self, *_: object) -> None:
        self.figures.show_derivatives(self._found)

    # Observed star

    def overlay(self, spectra: Spectra | None, name: str = "") -> None:
        """Lay an observed spectrum over the model, or take it away.

        Parameters
        ----------
        spectra : Spectra or None
            One spectrum on the grid of the model, continuum-normalised; its inverse
            variance gives sigma. Pixels with inverse variance 0 are gaps.
        name : str
            What to call it.

        Raises
        ------
        GridError
            If it is on another grid.
        """
        if spectra is None:
            self.figures.lay_over(None)
        else:
            self.model.grid.require_same(spectra.grid, "the observed spectrum")
            self.figures.lay_over(spectra.flux[0], spectra.ivar[0])
        self._show_lines()
        self.figures.fit_residuals()


def _toggle(label: str, about: str) -> pmui.Toggle:
    return pmui.Toggle(
        label=label,
        description=f"{label}: {about}",
        variant="outlined",
        size="small",
        margin=0,
        height=24,
        sx=STYLE | {"height": "24px"},
    )

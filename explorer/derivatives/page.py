"""The Derivatives page: how the flux of each domain answers to each element."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param
from numpy.typing import NDArray

from ...core.bundle import Bundle, Model
from ...core.errors import SpectrabridgeError
from ...core.io.table_writer import table_bytes
from ..computed.derivatives import DerivativeCache, LabelDerivatives
from ..figures.theme import ADAPTED, TRUTH, element_colour, surface
from ..session.component import Component
from ..session.page import LegendCurve, TableMaker
from ..share.view_table import derivative_table, metadata
from ..state.view_state import ViewState
from ..widgets.status_line import StatusLine
from ..widgets.view_controls import (
    FOLDING,
    GROUP,
    chip_choice,
    element_choice,
    medium_choice,
    unit_choice,
    word,
)
from ..widgets.zoom_buttons import ZoomButtons
from .figures import Curve, DerivativeFigures
from .heatmap import (
    POWERS,
    QUANTITIES,
    ElementRows,
    HeatMapPicture,
    HeatMapRequest,
    Quantity,
    edges_of,
    element_rows,
    peak_near,
    picture,
    pool,
    values_of,
)

HINT = "Click a feature to go there on all pages; click a row to choose its element."
"""What the status line says while the cursor is elsewhere."""

CLICK_WINDOW_ANGSTROM = 12.0
"""How far the view reaches on both sides of a feature that is clicked, in angstrom."""

SCALES = {"same scale": False, "each row": True}
"""Whether every element has its own scale of colours."""

MAX_KEPT_PICTURES = 4
"""How many pictures are kept, to be shown again at once."""

MIN_POOLED_PIXELS = 2.0
"""Curves are drawn pixel by pixel below so many pixels of the spectrum per column."""


class DerivativesPage(Component, pn.viewable.Viewer):
    """A map of the derivatives by all elements, and curves of the chosen one.

    Parameters
    ----------
    model : Model
        Model of a bundle.
    state : ViewState
        Labels, element, wavelengths and theme; watched.
    derivatives : DerivativeCache, optional
        Shared between views of one model; own if not given.
    on_error : callable, optional
        ``on_error(exception)`` for what goes wrong in the background.
    bundle : Bundle, optional
        What the model belongs to, for the metadata of tables.
    """

    quantity: Quantity = param.Selector(default="difference", objects=list(QUANTITIES))  # type: ignore[assignment]
    scale: str = param.Selector(default="linear", objects=list(POWERS))  # type: ignore[assignment]
    each_row = param.Boolean(default=False, doc="Scale every element by its own largest value.")

    def __init__(
        self,
        model: Model,
        state: ViewState,
        derivatives: DerivativeCache | None = None,
        on_error: Callable[[Exception], None] | None = None,
        bundle: Bundle | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.state = state
        self.derivatives = derivatives or DerivativeCache(model)
        self.bundle = bundle
        self.elements = list(model.labels.elements)
        self._columns = tuple(model.labels.element_columns())
        self.found: LabelDerivatives | None = None
        self._rows: ElementRows | None = None
        self._picture: HeatMapPicture | None = None
        self._kept: dict[HeatMapRequest, HeatMapPicture] = {}
        # What is known is shown at once; what was asked for before and comes later is not.
        self._turns = count(1)
        self._found_turn = self._shown_turn = 0
        self._slow = self.job(
            self._derive,
            lambda asked, found: self._publish(found, asked[0]),
            "derivatives",
            on_error,
        )
        self._pooling = self.job(
            self._pool_values, lambda asked, made: self._show(made, asked[0]), "pooling", on_error
        )
        self.figures = DerivativeFigures(model.grid, self.elements, state, self._pool, self.tapped)
        self._build_controls()
        self._paint()
        self.figures.choose(state.element)
        self.watch(state, self._settled, ["settled", "page"])
        self.watch(state, self._show_unit, ["unit", "medium"])
        self.watch(state, self.figures.wavelengths.follow, ["chip", "window"])
        self.watch(state, self._choose, "element")
        self.watch(state, self._paint, "dark")
        self.param.watch(self._scaled, ["quantity", "scale", "each_row"])

    # Controls

    def _build_controls(self) -> None:
        known = {q: t for q, t in QUANTITIES.items() if q != "missing" or self.model.has_truth}
        self.quantity_choice = pmui.RadioButtonGroup.from_param(
            self.param.quantity, options={title: q for q, title in known.items()}, **GROUP
        )
        self.scale_choice = pmui.RadioButtonGroup.from_param(
            self.param.scale, options=list(POWERS), **GROUP
        )
        self.row_choice = pmui.RadioButtonGroup.from_param(
            self.param.each_row, options=SCALES, **GROUP
        )
        self.zooms = self.own(ZoomButtons(self.state, width=52, height=24, margin=0))
        self.chip = chip_choice(self.state, self.model.grid)
        self.unit = unit_choice(self.state)
        self.medium = medium_choice(self.state)
        self.element = element_choice(self.state, self.model.labels)
        self.status = StatusLine(
            channel=self.figures.channel,
            hint=HINT,
            note="computing the derivatives",
            sizing_mode="stretch_width",
            height=22,
            margin=(0, 10, 2, 62),
        )

        self._layout = pn.Column(
            pn.Row(
                self.quantity_choice,
                pn.HSpacer(),
                self.zooms,
                word("chip"),
                self.chip,
                self.unit,
                self.medium,
                sizing_mode="stretch_width",
                margin=(7, 10, 3, 58),
                styles={"gap": "2px 10px", **FOLDING},
            ),
            self.figures,
            pn.Row(
                word("element", margin=(0, 0, 0, 8), width=46),
                self.element,
                pn.HSpacer(),
                word("colours"),
                self.scale_choice,
                self.row_choice,
                sizing_mode="stretch_width",
                margin=(0, 10, 4, 0),
                styles={"gap": "2px 8px", **FOLDING},
            ),
            self.status,
            sizing_mode="stretch_both",
            margin=0,
        )

    @property
    def parts(self) -> tuple[None, pn.viewable.Viewable]:
        """Nothing on the left but the sliders, and the figures on the right."""
        return None, self._layout

    @property
    def curves(self) -> list[LegendCurve]:
        """No curves: the figures name theirs themselves."""
        return []

    def table_maker(self, format_: str, link: str) -> TableMaker:
        """Return what makes a table of the derivatives by all elements at the present labels.

        Raises
        ------
        SpectrabridgeError
            If they are those of a model without a bundle.
        """
        if self.bundle is None:
            raise SpectrabridgeError("Only the derivatives of a bundle can be saved as a table.")
        bundle, labels, split = self.bundle, dict(self.state.labels), list(self.state.split)

        def make() -> bytes:
            found = self.derivatives.get(self.model.labels.array(labels))
            table = derivative_table(self.model, found)
            table.meta = metadata(bundle.name, bundle.fingerprint, labels, split, link=link)
            return table_bytes(table, format_)

        return make

    def __panel__(self) -> pn.viewable.Viewable:
        return self._layout

    # Moves

    def on_start(self) -> None:
        """Take up the labels of the state."""
        self._settled()

    def _derive(self, asked: tuple[int, NDArray]) -> LabelDerivatives:
        return self.derivatives.get(asked[1])

    def _pool_values(self, asked: tuple[int, HeatMapRequest]) -> HeatMapPicture:
        return picture(asked[1], self.model.grid)

    def _settled(self, *_: object) -> None:
        """Take up the labels of the state, if anybody looks."""
        if self.execute is not None and not self.state.shows("derivatives"):
            return
        values, turn = self.state.values, next(self._turns)
        found = self.derivatives.known(values)
        if found is not None:
            self._publish(found, turn)
        else:
            self._slow.submit((turn, values))

    def _publish(self, found: LabelDerivatives, turn: int) -> None:
        if turn < self._found_turn:
            return
        self._found_turn = turn
        if found is not self.found:
            self.found = found
            self._scaled()

    def _scaled(self, *_: object) -> None:
        """Take up the quantity and the scale."""
        if self.found is None:
            return
        self._rows = element_rows(self.found, self.quantity, self.model.grid, self._columns)
        self._pool()

    def _pool(self) -> None:
        """Ask for a picture of what is in view."""
        if self._rows is None:
            return
        low, high = self.figures.wavelengths.ends
        request = HeatMapRequest(
            self._rows,
            low,
            high,
            self.figures.columns,
            self.state.unit,
            self.state.medium,
            POWERS[self.scale],
            self.each_row,
        )
        kept, turn = self._kept.get(request), next(self._turns)
        if kept is not None:
            self._show(kept, turn)
        else:
            self._pooling.submit((turn, request))

    def _show(self, made: HeatMapPicture, turn: int) -> None:
        if turn < self._shown_turn:
            return
        self._shown_turn = turn
        self._kept.pop(made.request, None)
        self._kept[made.request] = self._picture = made
        while len(self._kept) > MAX_KEPT_PICTURES:
            del self._kept[next(iter(self._kept))]
        with pn.io.hold():  # one message instead of five
            self.figures.show_picture(made, "per dex")
            self._show_curves()
        outside = self.state.outside
        note = f"\u25b2 extrapolation: {outside}" if outside else "inside the trained range"
        if note != self.status.note:
            self.status.param.update(note=note, extrapolates=bool(outside))

    # Curves

    def _show_curves(self) -> None:
        if self.found is None or self._picture is None or self._rows is None:
            return
        element = self.state.element
        if element in self.elements:
            curves = self._curves_of(element)
            label = f"\u2202flux/\u2202[{element}/H]"
            reach = float(max(abs(c[3]).max() for c in curves))
        else:
            curves = [
                (name, element_colour(name), False, row)
                for name, row in zip(self.elements, self._picture.pooled, strict=True)
            ]
            label = "\u2202flux/\u2202[X/H]"
            reach = self._rows.reach.max(initial=0.0)
        if self.quantity in ("difference", "missing"):
            label = f"\u0394 {label}"
        low, high = self.figures.wavelengths.view
        wavelength = self.model.grid.wavelength
        within = int(((wavelength >= low) & (wavelength <= high)).sum())
        if element in self.elements and within > MIN_POOLED_PIXELS * self.figures.columns:
            curves = [(n, c, d, self._pooled(values)) for n, c, d, values in curves]
        self.figures.show_curves(curves, label, float(reach))

    def _curves_of(self, element: str) -> list[Curve]:
        """Return the curves of one element: the difference, or the domains side by side."""
        assert self.found is not None
        column = self.model.labels.index(element)

        def of(quantity: Quantity) -> Any:
            return values_of(self.found, quantity)[:, column]  # type: ignore[arg-type]

        if self.quantity in ("difference", "missing"):
            own = ("adapted \u2212 emulated", element_colour(element), False, of("difference"))
            if not self.model.has_truth:
                return [own]
            return [("truth \u2212 emulated", TRUTH, True, of("missing")), own]
        curves = [
            ("adapted", ADAPTED, False, of("adapted")),
            ("emulated", surface(self.state.dark).emulated, False, of("emulated")),
        ]
        if self.found.truth is not None:
            curves.insert(1, ("truth", TRUTH, True, self.found.truth[:, column]))
        return curves

    def _pooled(self, values: Any) -> Any:
        """Return one curve as the picture has it."""
        assert self._picture is not None
        return pool(values[None], self.model.grid, edges_of(self._picture.request))[0]

    # Following the state

    def _show_unit(self, *_: object) -> None:
        self.figures.show_unit()
        self._pool()

    def _choose(self, *_: object) -> None:
        self.figures.choose(self.state.element)
        self._show_curves()

    def _paint(self, *_: object) -> None:
        self.figures.paint()
        self._show_curves()

    # Clicks

    def tapped(self, element: str, wavelength: float, step: float) -> None:
        """Choose an element, and go to its feature if one is there.

        Parameters
        ----------
        element : str
            The row that was clicked.
        wavelength : float
            Vacuum angstrom.
        step : float
            How far off a click may be, in angstrom.
        """
        self.state.element = element
        if self._rows is None:
            return
        grid = self.model.grid
        row = self._rows.rows[self.elements.index(element)]
        pixel = peak_near(row, grid, wavelength, max(step, 0.5))
        if pixel is None:
            return
        at = float(grid.wavelength[pixel])
        low, high = self.figures.wavelengths.view
        half = min(CLICK_WINDOW_ANGSTROM, (high - low) / 2)
        self.state.param.update(feature="", window=(round(at - half, 2), round(at + half, 2)))

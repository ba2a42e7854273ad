"""The panels of a map side by side, linked, with the buttons above and the words below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param
from bokeh.models import ColumnDataSource, CustomJS
from bokeh.models.widgets import Div
from numpy.typing import NDArray

from ...core.embedding import PANELS, Embedding
from ..session.component import Component
from ..widgets.buttons import plain_button
from ..widgets.view_controls import GROUP, word
from .colours import Colouring, colours_of, panel_title_html, unknown_colour
from .panel import MapPanel
from .stars import star_words

ALL_PANELS = "all"
"""All panels."""

ZOOM_FACTOR = 1.6
"""Factor of a step of the zoom buttons."""

HINT = (
    "Hover over a star, tap it, or drag and turn the wheel to move; choose lasso or box to select."
)

_FOLDER = Path(__file__).parent


class MapPanels(Component, pn.viewable.Viewer):
    """Panels of a map.

    Parameters
    ----------
    embedding : Embedding
        The map.
    on_tap : callable
        ``on_tap(row)``.
    on_select : callable
        ``on_select(find)``, where ``find()`` returns rows.
    soon : callable, optional
        Turns a function into a callback for widgets, which runs it where figures may be
        changed.
    """

    panel: str = param.Selector(default=ALL_PANELS, objects=[ALL_PANELS, *PANELS])  # type: ignore[assignment]
    drag: str = param.Selector(default="move", objects=["move", "lasso", "box"])  # type: ignore[assignment]

    def __init__(
        self,
        embedding: Embedding,
        on_tap: Callable[[int], None],
        on_select: Callable[[Callable[[], NDArray[np.int64]]], None],
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self._on_select = on_select
        self.pointer = ColumnDataSource({"panel": [""], "x": [np.nan], "y": [np.nan]})
        self.maps = {
            key: self.own(
                MapPanel(key, embedding.panels[key], self.pointer, on_tap, on_select, on_error)
            )
            for key in PANELS
        }
        for key, panel in self.maps.items():
            panel.on_picture = partial(self._pictured, key)
        self._awaited: set[str] = set()
        self._then: Callable[[], None] = lambda: None
        self.pointer.on_change("data", self._pointed)
        self._near: int | None = None
        self._build()
        self.watch(self, self.locked(self._show_panel), "panel")
        self.watch(self, self.locked(self._show_drag), "drag")

    def _build(self) -> None:
        self.titles = {
            key: pn.pane.HTML("", margin=(0, 4), styles=_TITLE, sizing_mode="stretch_width")
            for key in PANELS
        }
        self.boxes = {
            key: pn.Column(
                self.titles[key],
                pn.pane.Bokeh(self.maps[key].plot, sizing_mode="stretch_both", margin=0),
                sizing_mode="stretch_both",
                margin=0,
                styles={"flex": "1 1 0px", "min-width": "0"},
            )
            for key in PANELS
        }
        self.row = pn.Row(
            *self.boxes.values(),
            sizing_mode="stretch_both",
            margin=(0, 8, 0, 12),
            styles={"flex": "1.35 1 0px", "min-height": "200px", "min-width": "0", "gap": "8px"},
        )
        names = {
            "all three": ALL_PANELS,
            "input": "spectra",
            "adapted": "adapted",
            "latents": "latents",
        }
        self.which = pmui.RadioButtonGroup.from_param(self.param.panel, options=names, **GROUP)
        self.dragging = pmui.RadioButtonGroup.from_param(
            self.param.drag, options=["move", "lasso", "box"], **GROUP
        )
        # A model that carries the choice to the browser; it is never drawn.
        self._tool = Div(tags=["move"])
        tools: dict[str, list[Any]] = {name: [] for name in ("move", "lasso", "box")}
        for panel in self.maps.values():
            for name, tool in panel.tools.items():
                tools[name].append(tool)
        switch = CustomJS.from_file(_FOLDER / "tool.mjs", tools=tools)
        self._tool.js_on_change("tags", switch)
        # Ties it to the document.
        self.pointer.js_on_change("name", CustomJS(args={"tool": self._tool}, code=""))
        self.closer = plain_button("+", self.locked(lambda: self._zoom(1 / ZOOM_FACTOR)), "zoom in")
        self.wider = plain_button(
            "\u2212", self.locked(lambda: self._zoom(ZOOM_FACTOR)), "zoom out"
        )
        self.whole = plain_button("Whole map", self.locked(self.fit))
        self.in_view = plain_button(
            "Select shown", self._select_shown, "stars in view in all panels shown"
        )
        self.bar = pn.Row(
            word("panel"),
            self.which,
            word("drag"),
            self.dragging,
            self.closer,
            self.wider,
            self.whole,
            self.in_view,
            sizing_mode="stretch_width",
            min_height=26,
            margin=(7, 8, 3, 12),
            # On narrow screens in two lines.
            styles={"gap": "4px 8px", "flex-wrap": "wrap"},
        )
        self.words = pn.pane.HTML(
            HINT, margin=(2, 8, 0, 12), height=18, sizing_mode="stretch_width", styles=_WORDS
        )

    def __panel__(self) -> pn.viewable.Viewable:
        return self.row

    # ------------------------------------------------------------------------ panels

    def _shown(self) -> list[MapPanel]:
        return [m for m in self.maps.values() if m.shown]

    def _show_panel(self) -> None:
        for key, panel in self.maps.items():
            panel.shown = self.panel in (ALL_PANELS, key)
            self.boxes[key].visible = panel.shown
            if panel.shown:
                panel.refresh()
            else:
                self._pictured(key, self._selected)  # nobody waits for a hidden one

    def _show_drag(self) -> None:
        self._tool.tags = [self.drag]

    def _zoom(self, factor: float) -> None:
        for panel in self._shown():
            panel.zoom(factor)

    def fit(self) -> None:
        """Show all stars in all panels."""
        for panel in self.maps.values():
            panel.fit()

    def _select_shown(self) -> None:
        def inside() -> NDArray[np.int64]:
            rows = [m.in_view() for m in self._shown()]
            return reduce(np.intersect1d, rows[1:], rows[0])

        self._on_select(inside)

    # ------------------------------------------------------------------------- stars

    def colour(self, what: Colouring, dark: bool, selected: NDArray[np.int64] | None) -> None:
        """Colour stars."""
        self._values = what.values
        for key, panel in self.maps.items():
            panel.paint(dark, colours_of(what, key, dark), unknown_colour())
            self.titles[key].object = panel_title_html(key, PANELS[key], what, dark)
            panel.show(what.values, selected)

    def select(
        self, rows: NDArray[np.int64] | None, then: Callable[[], None] = lambda: None
    ) -> None:
        """Bring some stars to the fore.

        Parameters
        ----------
        rows : ndarray or None
            Which; None for all alike.
        then : callable
            What to do when all panels in view show them: it would hold up their pictures.
        """
        if self._values is None:
            return
        self._selected, self._then = rows, then
        self._awaited = {panel.key for panel in self._shown()}
        for panel in self.maps.values():
            panel.show(self._values, rows)

    def _pictured(self, key: str, selected: NDArray[np.int64] | None) -> None:
        if key not in self._awaited or selected is not self._selected:
            return
        self._awaited.remove(key)
        if not self._awaited:
            self._then()

    _selected: NDArray[np.int64] | None = None

    _values: NDArray[np.float32] | None = None

    def choose(self, row: int) -> None:
        """Mark the chosen star in every panel."""
        for panel in self.maps.values():
            panel.mark(panel.chosen, [panel.points[row]])

    def reveal(self, row: int) -> None:
        """Move views so that a star is in them."""
        for panel in self.maps.values():
            panel.reveal(row)

    def place(self, places: Mapping[str, Any]) -> None:
        """Mark a star that is not of the map; nothing if there are no places."""
        for key, panel in self.maps.items():
            panel.mark(panel.placed, [places[key]] if key in places else [])

    def _pointed(self, attr: str, old: Any, new: Any) -> None:
        panel = self.maps.get(new["panel"][0])
        row = panel.hit(float(new["x"][0]), float(new["y"][0])) if panel else None
        if row == self._near:
            return
        self._near = row
        for other in self.maps.values():
            other.mark(other.near, [] if row is None else [other.points[row]])
        self.words.object = HINT if row is None else star_words(self.embedding, row)


_TITLE = {"font-size": "12px", "line-height": "18px", "white-space": "nowrap"}

_WORDS = {
    "font-size": "12.5px",
    "line-height": "18px",
    "white-space": "nowrap",
    "overflow": "hidden",
    "text-overflow": "ellipsis",
}

"""One panel of a map: stars as a picture that is made anew for every view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.events import MouseLeave, MouseMove, RangesUpdate, SelectionGeometry, Tap
from bokeh.models import (
    BoxSelectTool,
    ColumnDataSource,
    CustomJS,
    LassoSelectTool,
    LinearColorMapper,
    PanTool,
    WheelZoomTool,
)
from bokeh.models.ranges import Range1d
from bokeh.plotting import figure
from numpy.typing import NDArray

from ..figures.theme import paint, surface
from ..session.component import Component
from ..workarounds.fast_repaint import drop_spare_glyphs
from .rasteriser import PanelView, inside_box, inside_polygon, palette, rasterise

HIT_RADIUS_PIXELS = 14
"""A star is hit within so many pixels."""

MARGIN_SHARE = 0.04
"""Empty space around all stars, as a part of their extent."""

LOD_TIMEOUT_MS = 40
"""Milliseconds without a turn of the wheel after which a new picture is asked for."""

ACCENT = "#cc79a7"
"""Colour of marks on a map, in both themes (Okabe & Ito's reddish purple)."""

UNSELECTED_OPACITY = 0.22
"""Opacity of stars that are not selected, where some are."""

_SIZE = (320, 300)
_FOLDER = Path(__file__).parent


def _figure(x_range: Range1d, y_range: Range1d, tools: list[Any]) -> Any:
    """Return an empty figure without axes, whose drag and wheel are the first two tools."""
    plot: Any = figure(
        x_range=x_range,
        y_range=y_range,
        tools=tools,
        active_drag=tools[0],
        active_scroll=tools[1],
        toolbar_location=None,
        sizing_mode="stretch_both",
        min_border=1,
        lod_timeout=LOD_TIMEOUT_MS,
        lod_threshold=None,
    )
    plot.axis.visible = False
    plot.grid.visible = False
    return plot


@dataclass(frozen=True)
class PictureRequest:
    """A request for pictures: values, selection and view.

    Parameters
    ----------
    values : ndarray, shape ``(n,)``
        See :func:`.rasterise`.
    selected : ndarray of int or None
        Rows of the selected stars; None if none are.
    view : PanelView
        What is in view.
    """

    values: NDArray[np.float32]
    selected: NDArray[np.int64] | None
    view: PanelView


@dataclass(frozen=True)
class PaintedPictures:
    """Pictures of all stars and of the selected ones."""

    all: NDArray[np.uint8]
    selected: NDArray[np.uint8]


class MapPanel(Component):
    """A figure of one panel.

    Parameters
    ----------
    key : str
        Of the panel.
    points : ndarray, shape ``(n, 2)``
        Places of the stars.
    pointer : ColumnDataSource
        Told where the pointer is: ``panel``, ``x`` and ``y``.
    on_tap : callable
        ``on_tap(row)`` when a star is tapped.
    on_select : callable
        ``on_select(find)`` when stars are circled; ``find()`` returns their rows.
    on_error : callable, optional
        ``on_error(exception)`` for what goes wrong in the background.
    """

    def __init__(
        self,
        key: str,
        points: NDArray[np.float32],
        pointer: ColumnDataSource,
        on_tap: Callable[[int], None],
        on_select: Callable[[Callable[[], NDArray[np.int64]]], None],
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        super().__init__()
        self.key, self.points = key, points
        self._on_tap, self._on_select = on_tap, on_select
        self._last: tuple[PictureRequest, NDArray[np.uint8]] | None = None
        self._pictures = self.job(self._paint, self._publish, f"map {key}", on_error)
        self._values: NDArray[np.float32] = np.zeros(len(points), np.float32)
        self._selected: NDArray[np.int64] | None = None
        self.on_picture: Callable[[NDArray[np.int64] | None], None] = lambda selected: None
        """Called when a picture is on its way to the browser, with the stars selected on it."""
        self.shown = True
        self._stale = True
        self._build(pointer)
        self._size = _SIZE
        self._told = {"inner_width": 0, "inner_height": 0}
        self._moved = False
        self.fit()

    # ---------------------------------------------------------------------- figure

    def _build(self, pointer: ColumnDataSource) -> None:
        self.x_range, self.y_range = Range1d(), Range1d()
        self.lasso = LassoSelectTool(continuous=False, renderers=[])
        self.box = BoxSelectTool(continuous=False, renderers=[])
        self.pan = PanTool()
        wheel = WheelZoomTool()
        self.plot = _figure(self.x_range, self.y_range, [self.pan, wheel, self.lasso, self.box])
        blank = np.zeros((1, 1), np.uint8)
        place = {"x": [0.0], "y": [0.0], "dw": [1.0], "dh": [1.0]}
        self.mapper = LinearColorMapper(palette=["#00000000"] * 256, low=0, high=256)
        self.sources = [ColumnDataSource({"image": [blank], **place}) for _ in range(2)]
        self.images = [
            self.plot.image("image", "x", "y", "dw", "dh", source=s, color_mapper=self.mapper)
            for s in self.sources
        ]
        none: dict[str, list[float]] = {"x": [], "y": []}
        self.near = ColumnDataSource(dict(none))
        self.chosen = ColumnDataSource(dict(none))
        self.placed = ColumnDataSource(dict(none))
        mark: dict[str, Any] = {"fill_color": None, "line_color": ACCENT}
        self.plot.scatter("x", "y", source=self.near, size=12, line_width=1.5, **mark)
        self.plot.scatter("x", "y", source=self.chosen, size=17, line_width=3, **mark)
        self.star = self.plot.scatter(
            "x",
            "y",
            source=self.placed,
            marker="star",
            size=20,
            fill_color=ACCENT,
            line_width=1.2,
        )
        drop_spare_glyphs(self.plot)
        tell = CustomJS.from_file(_FOLDER / "pointer.mjs", pointer=pointer, panel=self.key)
        self.plot.js_on_event(MouseMove, tell)
        self.plot.js_on_event(MouseLeave, tell)
        self.plot.on_event(RangesUpdate, self._ranged)
        self.plot.on_event(Tap, self._tapped)
        self.plot.on_event(SelectionGeometry, self._circled)
        for side in ("inner_width", "inner_height"):
            self.plot.on_change(side, self._resized)

    @property
    def tools(self) -> dict[str, Any]:
        """Tools for the drag of the mouse, by what they are called."""
        return {"move": self.pan, "lasso": self.lasso, "box": self.box}

    def paint(self, dark: bool, colours: list[str], unknown: str) -> None:
        """Give everything the colours of a theme, and stars theirs."""
        paint(self.plot, dark)
        self.plot.outline_line_color = surface(dark).line
        self.mapper.palette = palette(colours, unknown)
        self.star.glyph.line_color = surface(dark).observed

    # ------------------------------------------------------------------------ view

    @property
    def window(self) -> tuple[float, float, float, float]:
        """Both ends of what is in view, horizontally and vertically."""
        x, y = self.x_range, self.y_range
        return float(x.start), float(x.end), float(y.start), float(y.end)  # type: ignore[arg-type]

    @property
    def view(self) -> PanelView:
        """The part of the map that is in view, and its size in pixels."""
        x0, x1, y0, y1 = self.window
        return PanelView((x0, x1), (y0, y1), *self._size)

    def _set(self, x: float, y: float, scale: float) -> None:
        """Show what is around a place, so many units per pixel in both directions."""
        w, h = (0.5 * scale * side for side in self._size)
        self.x_range.update(start=x - w, end=x + w)
        self.y_range.update(start=y - h, end=y + h)
        self.draw()

    def fit(self) -> None:
        """Show all stars."""
        self._moved = False
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        extent = np.maximum((high - low) * (1 + 2 * MARGIN_SHARE), 1e-6)
        middle = (low + high) / 2
        scale = float((extent / np.array(self._size)).max())
        self._set(float(middle[0]), float(middle[1]), scale)

    def zoom(self, factor: float, about: tuple[float, float] | None = None) -> None:
        """Show a part `factor` times as wide, about the middle or a place."""
        x0, x1, y0, y1 = self.window
        x, y = about or ((x0 + x1) / 2, (y0 + y1) / 2)
        self._moved = True
        self._set(x, y, factor * (y1 - y0) / self._size[1])

    def reveal(self, row: int) -> None:
        """Move the view so that a star is in it, if it is not."""
        x, y = (float(v) for v in self.points[row])
        x0, x1, y0, y1 = self.window
        if not (x0 < x < x1 and y0 < y < y1):
            self.zoom(1.0, (x, y))

    def _resized(self, attr: str, old: Any, new: Any) -> None:
        # Sides are told one by one, and are nothing while the page is not open.
        self._told[attr] = int(new or 0)
        size = (self._told["inner_width"], self._told["inner_height"])
        if min(size) < 20 or size == self._size:
            return
        x0, x1, y0, y1 = self.window
        scale = (y1 - y0) / self._size[1]
        self._size = size
        if self._moved:
            self._set((x0 + x1) / 2, (y0 + y1) / 2, scale)
        else:
            self.fit()

    def _ranged(self, event: RangesUpdate) -> None:
        self._moved = True
        self.x_range.update(start=event.x0, end=event.x1)
        self.y_range.update(start=event.y0, end=event.y1)
        self.draw()

    # --------------------------------------------------------------------- pictures

    def show(self, values: NDArray[np.float32], selected: NDArray[np.int64] | None) -> None:
        """Show stars with these values, and some of them as selected."""
        self._values, self._selected = values, selected
        self.draw()

    def draw(self) -> None:
        """Ask for a picture of what is in view; a hidden panel waits until it is shown."""
        if not self.shown:
            self._stale = True
            return
        self._stale = False
        asked = PictureRequest(self._values, self._selected, self.view)
        self._pictures.submit(asked)

    def refresh(self) -> None:
        """Draw if something has changed while the panel was hidden."""
        if self._stale:
            self.draw()

    def _paint(self, asked: PictureRequest) -> PaintedPictures:
        # A selection leaves the picture of all stars as it is.
        last = self._last
        if last and last[0].view == asked.view and last[0].values is asked.values:
            every = last[1]
        else:
            every = rasterise(self.points, asked.values, asked.view)
        self._last = (asked, every)
        some = asked.selected
        if some is None:
            return PaintedPictures(every, np.zeros((1, 1), np.uint8))
        return PaintedPictures(every, rasterise(self.points[some], asked.values[some], asked.view))

    def _publish(self, asked: PictureRequest, painted: PaintedPictures) -> None:
        (x0, x1), (y0, y1) = asked.view.x, asked.view.y
        place = {"x": [x0], "y": [y0], "dw": [x1 - x0], "dh": [y1 - y0]}
        for source, image in zip(self.sources, (painted.all, painted.selected), strict=True):
            shown = source.data["image"][0]
            # Neither what is shown already nor one empty picture after the other is sent.
            if image is not shown and (image.size > 1 or shown.size > 1):
                source.data = {"image": [image], **place}
        opacity = 1.0 if asked.selected is None else UNSELECTED_OPACITY
        glyph = self.images[0].glyph
        if glyph.global_alpha != opacity:
            glyph.global_alpha = opacity
        self.on_picture(asked.selected)

    # ------------------------------------------------------------------------ stars

    def hit(self, x: float, y: float) -> int | None:
        """Return the star nearest to a place, None if none is within :data:`HIT_RADIUS_PIXELS`.

        All stars are looked through: a millisecond for 250,000, and nothing to prepare.
        """
        if not (np.isfinite(x) and np.isfinite(y)):
            return None
        x0, x1, _, _ = self.window
        reach = HIT_RADIUS_PIXELS * (x1 - x0) / self._size[0]
        rows = inside_box(self.points, (x - reach, x + reach), (y - reach, y + reach))
        if len(rows) == 0:
            return None
        off = np.hypot(self.points[rows, 0] - x, self.points[rows, 1] - y)
        nearest = int(off.argmin())
        return int(rows[nearest]) if off[nearest] <= reach else None

    def in_view(self) -> NDArray[np.int64]:
        """Return the rows of the stars in view."""
        x0, x1, y0, y1 = self.window
        return inside_box(self.points, (x0, x1), (y0, y1))

    def mark(self, source: ColumnDataSource, places: Sequence[Sequence[float]]) -> None:
        """Put marks at places; none take them away."""
        source.data = {"x": [float(p[0]) for p in places], "y": [float(p[1]) for p in places]}

    def _tapped(self, event: Tap) -> None:
        if event.x is None or event.y is None:
            return
        row = self.hit(float(event.x), float(event.y))
        if row is not None:
            self._on_tap(row)

    def _circled(self, event: SelectionGeometry) -> None:
        geometry: Any = event.geometry
        if not event.final or geometry is None:
            return
        if geometry["type"] == "rect":
            x, y = (geometry["x0"], geometry["x1"]), (geometry["y0"], geometry["y1"])
            self._on_select(lambda: inside_box(self.points, x, y))
        elif geometry["type"] == "poly":
            corners = [np.asarray(geometry[side], np.float64) for side in ("x", "y")]
            self._on_select(lambda: inside_polygon(self.points, *corners))

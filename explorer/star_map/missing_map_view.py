"""What stands in place of a map that is not there: why, and a button that makes a small one."""

from __future__ import annotations

import html
from collections.abc import Callable

import panel as pn

from ...core.bundle import Bundle
from ...core.embedding import PANELS, Embedding
from ..session.component import Component
from ..session.messages import sentence_of
from ..widgets.buttons import plain_button
from .map_maker import MapMaker
from .text import empty_html, progress_html


class MissingMapView(Component, pn.viewable.Viewer):
    """Makes a small map of a bundle when asked to.

    Parameters
    ----------
    bundle : Bundle
        The bundle.
    problem : str
        Why its own map cannot be used; empty if it keeps none.
    on_made : callable
        ``on_made(embedding)``.
    """

    def __init__(self, bundle: Bundle, problem: str, on_made: Callable[[Embedding], None]) -> None:
        super().__init__()
        self.bundle = bundle
        self._on_made = on_made
        self._maker = self.own(
            MapMaker(bundle, lambda *part: self._part(*part), self._made, self._failed)
        )
        self.notice = pn.pane.HTML(empty_html(bundle.name, problem), margin=0, styles=_NOTICE)
        self.make = plain_button("Make a small map", self.begin)
        self.stop = plain_button("Stop", self.end)
        self.stop.visible = False
        self.progress = pn.pane.HTML("", margin=(3, 0, 0, 0), styles=_SMALL, width=420)

    def begin(self) -> None:
        """Make a small map, in the background where there is one."""
        self.make.disabled, self.stop.visible = True, True
        self.progress.object = progress_html("spectra", 0)
        self._maker.make()

    def end(self) -> None:
        """Stop as soon as possible."""
        self._maker.stop()

    def _part(self, what: str, part: float) -> None:
        steps = ["spectra", *PANELS.values()]
        whole = (steps.index(what) + part) / len(steps) if what in steps else part
        self.progress.object = progress_html(what, whole)

    def _made(self, embedding: Embedding | None) -> None:
        self.make.disabled, self.stop.visible = False, False
        if embedding is None:
            self.progress.object = "Stopped."
        else:
            self._on_made(embedding)

    def _failed(self, problem: Exception) -> None:
        self._made(None)
        self.progress.object = html.escape(sentence_of(problem))

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            self.notice,
            pn.Row(self.make, self.stop, margin=(4, 0), styles={"gap": "6px"}),
            self.progress,
            margin=(40, 60),
        )


_SMALL = {"font-size": "12px", "line-height": "16px"}

_NOTICE = {"font-size": "13.5px", "line-height": "20px", "max-width": "640px"}

"""What is known of the place that was clicked: lines nearby, in words."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import panel as pn

from .known_lines import RankedLines


class LineIdentification(pn.viewable.Viewer):
    """A small box over the figures that names the lines near a click."""

    def __init__(self) -> None:
        super().__init__()
        self.box = pn.pane.HTML(
            "",
            visible=False,
            margin=0,
            styles={
                "position": "absolute",
                "right": "46px",
                "bottom": "46px",
                "z-index": "5",
                "padding": "4px 10px",
                "border-radius": "4px",
                "font-size": "12px",
                "line-height": "17px",
                "pointer-events": "none",
                "color": "var(--panel-on-surface-color)",
                "background": "color-mix(in srgb, var(--panel-surface-color) 92%, transparent)",
                "border": "1px solid color-mix(in srgb, currentColor 25%, transparent)",
            },
        )

    def tell(self, place: str, found: RankedLines | None) -> None:
        """Name lines, or say that none is known; None hides the box.

        Parameters
        ----------
        place : str
            The wavelength that was clicked, as it is shown.
        found : RankedLines or None
            Lines near it.
        """
        self.box.visible = found is not None
        if found is None:
            return
        words = found.words() or ["no known line strong enough"]
        self.box.object = f"{escape(place)}<br>{list_html(words)}"

    def __panel__(self) -> pn.viewable.Viewable:
        return self.box


def list_html(words: Sequence[str]) -> str:
    """Return texts as lines, the first of them bold."""
    first, *rest = map(escape, words)
    return "<br>".join([f"<b>{first}</b>", *rest])

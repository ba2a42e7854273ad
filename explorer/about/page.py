"""The About page: what a bundle is, how it was made, how good it is and where it ends."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import panel as pn

from ...core.bundle import Bundle
from ...core.bundle.bundle import SHIPPED
from ...core.errors import SpectrabridgeError
from ..session.page import LegendCurve, PageEntry, TableMaker
from ..state.view_state import ViewState
from ..widgets.buttons import plain_button
from ..widgets.chapters import Chapters
from .text import about_parts


class AboutPage(pn.viewable.Viewer):
    """All that is known of a bundle, in words and tables.

    Parameters
    ----------
    bundle : Bundle
        The bundle.
    state : ViewState
        Its page is set when a button leads to another page.
    pages : mapping, optional
        All pages by key; buttons lead to them.
    """

    def __init__(
        self, bundle: Bundle, state: ViewState, pages: Mapping[str, PageEntry] | None = None
    ) -> None:
        super().__init__()
        self.bundle = bundle
        self.state = state
        shipped = bundle.path.parent == SHIPPED
        self.text = Chapters(
            heading=bundle.title,
            chapters=[list(part) for part in about_parts(bundle, shipped)],
            sizing_mode="stretch_both",
            margin=0,
        )
        others = {key: entry for key, entry in (pages or {}).items() if key != "about"}
        self.links = {
            key: plain_button(entry.title, lambda key=key: self._go(key))  # type: ignore[misc]
            for key, entry in others.items()
        }
        rows = [
            pn.Row(
                button,
                pn.pane.HTML(
                    escape(others[key].about),
                    margin=(4, 0, 0, 0),
                    sizing_mode="stretch_width",
                    styles=_SMALL,
                ),
                sizing_mode="stretch_width",
                margin=(4, 0, 0, 0),
                styles={"gap": "8px"},
            )
            for key, button in self.links.items()
        ]
        source = "comes with spectrabridge" if shipped else f"opened from {bundle.path}"
        self._controls = pn.Column(
            pn.pane.HTML(
                f"<b>{escape(bundle.name)}</b><br>{escape(source)}",
                margin=(4, 0, 8, 0),
                sizing_mode="stretch_width",
                styles=_SMALL,
            ),
            *rows,
            sizing_mode="stretch_width",
            margin=0,
        )
        self._view = pn.Column(self.text, sizing_mode="stretch_both", margin=0)

    def _go(self, key: str) -> None:
        self.state.page = key

    @property
    def parts(self) -> tuple[pn.viewable.Viewable, pn.viewable.Viewable]:
        """The name of the bundle and ways to other pages; the text."""
        return self._controls, self._view

    def start(self) -> None:
        """Do nothing: the text stands."""

    def close(self) -> None:
        """Do nothing: there is nothing to stop."""

    @property
    def curves(self) -> list[LegendCurve]:
        """No curves: there are no figures whose curves can be told from each other."""
        return []

    def table_maker(self, format_: str, link: str) -> TableMaker:
        """Raise a SpectrabridgeError: there is no table to save."""
        raise SpectrabridgeError("There is no table to save on this page.")

    def __panel__(self) -> pn.viewable.Viewable:
        return self._view


_SMALL = {"font-size": "12.5px", "line-height": "16px", "overflow-wrap": "anywhere"}

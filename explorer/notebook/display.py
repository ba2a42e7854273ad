"""What a component shows in a cell, and what tells that the browser has built it.

Outside a server nobody tells the browser of edits of Bokeh models. Here every display gets a
:class:`.DocumentComm` that does: for edits that come from worker threads, from code in other
cells and from callbacks of figures. With ``pn.extension(comms="ipywidgets")`` jupyter_bokeh
carries the changes instead.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import panel as pn
import panel_material_ui as pmui
import param
from bokeh.document import Document
from bokeh.model import Model
from pyviz_comms import Comm

from ..figures.theme import FIGURES
from ..widgets.browser_component import BrowserComponent
from ..workarounds.notebook_code import drop_repeated_code
from ..workarounds.notebook_definitions import tell_new_definitions
from ..workarounds.notebook_style_sheets import inline_style_sheets
from .document_comm import DocumentComm, comm_of, open_comm
from .kernel import in_kernel


class DisplayReady(BrowserComponent):
    """Says when the browser has built a display."""

    displays = param.Integer(default=0, doc="How many displays have been built.")

    from_browser = ("displays",)

    _esm = Path(__file__).with_name("display_ready.js")


class CellDisplay(pn.Column):
    """What a component shows in a cell, kept up to date in the browser.

    Parameters
    ----------
    view : Viewable
        What is shown.
    """

    def __init__(self, view: pn.viewable.Viewable) -> None:
        # The browser meets it first, and it has the code of all the others.
        self._first = pmui.Typography("", visible=False, margin=0)
        self._ready = DisplayReady(width=0, height=0, margin=0)
        self._ready.param.watch(self._displayed, "displays")
        super().__init__(
            self._first,
            self._ready,
            view,
            sizing_mode="stretch_width",
            margin=0,
        )

    def _displayed(self, *_: object) -> None:
        for model, _parent in self._models.values():
            comm = comm_of(model.document)
            if comm is not None:
                comm.open()

    def get_root(
        self, doc: Document | None = None, comm: Comm | None = None, preprocess: bool = True
    ) -> Model:
        """Return the root model, the changes of which are carried to the browser from now on."""
        root = super().get_root(doc, comm, preprocess)
        carrier = comm_of(doc)
        if carrier is not None:
            carrier.watch(root)
            carrier.on_growth()
        return root

    def _get_model(
        self,
        doc: Document,
        root: Model | None = None,
        parent: Model | None = None,
        comm: Comm | None = None,
    ) -> Model:
        model = super()._get_model(doc, root, parent, comm)
        if doc.session_context is None and in_kernel():
            doc.theme = FIGURES
            loop = asyncio.get_event_loop()
            carrier = open_comm(doc, comm, loop)
            carrier.on_growth = lambda: self._prepare(model)
            # If this is only a part of what is displayed, when that has been built.
            loop.call_soon_threadsafe(carrier.watch, root or model)
            self._prepare(model)
        return model

    def _prepare(self, root: Model) -> None:
        """Make models fit for a page without a server."""
        if not in_kernel():
            return
        inline_style_sheets(root)
        carrier = comm_of(root.document)
        if carrier is not None:
            tell_new_definitions(root, carrier.document, carrier.known, carrier.is_open)
        comm: Comm | None = carrier.comm if isinstance(carrier, DocumentComm) else None
        drop_repeated_code(root, self._first, comm.id if comm is not None else None)

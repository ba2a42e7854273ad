"""Displays in notebooks, and what carries their changes to the browser.

Outside a server nobody tells the browser of edits of Bokeh models. Here every display gets a
:class:`Courier` that does: for edits that come from worker threads, from code in other cells
and from callbacks of figures. With ``pn.extension(comms="ipywidgets")`` jupyter_bokeh does the
same, and no courier is needed.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import panel as pn
import panel_material_ui as pmui
import param
from bokeh.document import Document
from bokeh.model import Model
from bokeh.models.css import ImportedStyleSheet
from bokeh.models.ui import UIElement
from panel.io.model import apply_changes_without_dispatch
from panel.io.notebook import replace_inline_css
from panel.models.esm import ReactiveESM
from pyviz_comms import Comm

from ..figures.theme import FIGURES
from ..widgets.browser_component import BrowserComponent
from .document_comm import Courier, _couriers
from .kernel import in_kernel


class Arrival(BrowserComponent):
    """Says when the browser has built a display."""

    arrivals = param.Integer(default=0, doc="How many displays have been built.")

    _esm = Path(__file__).with_name("display_ready.js")


class Frame(pn.Column):
    """What a component shows in a cell, kept up to date in the browser.

    Parameters
    ----------
    view : Viewable
        What is shown.
    """

    def __init__(self, view: pn.viewable.Viewable) -> None:
        # The browser meets it first, and it has the code of all the others.
        self._seed = pmui.Typography("", visible=False, margin=0)
        self._arrival = Arrival(width=0, height=0, margin=0)
        self._arrival.param.watch(self._arrived, "arrivals")
        super().__init__(
            self._seed,
            self._arrival,
            view,
            sizing_mode="stretch_width",
            margin=0,
        )

    def _arrived(self, *_: object) -> None:
        for model, _parent in self._models.values():
            courier = _couriers.get(model.document) if model.document is not None else None
            if courier is not None:
                courier.open()

    def get_root(
        self, doc: Document | None = None, comm: Comm | None = None, preprocess: bool = True
    ) -> Model:
        """Return the root model, the changes of which are carried to the browser from now on."""
        root = super().get_root(doc, comm, preprocess)
        for document, courier in list(_couriers.items()):
            if document is doc:
                courier.watch(root)
                courier.on_growth()
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
            if doc not in _couriers:
                _couriers[doc] = Courier(doc, comm, loop)
            courier = _couriers[doc]
            courier.on_growth = lambda: self._slim(model)
            # If this is only a part of what is displayed, when that has been built.
            loop.call_soon_threadsafe(courier.watch, root or model)
            self._slim(model)
        return model

    def _slim(self, root: Model) -> None:
        """Make models fit for a page without a server.

        Style sheets come with them, none is fetched. And code is taken off all widgets that
        share it with the first: in a notebook Panel gives every widget of panel-material-ui
        the whole bundle, 1.4 MB; the browser keeps the first that it meets and never reads
        the others.
        """
        if not in_kernel():
            return
        seeds = [model for model, _ in self._seed._models.values()]
        bundles = {seed.bundle for seed in seeds}
        for model in root.select({"type": UIElement}):
            assert isinstance(model, UIElement)
            sheets = [
                replace_inline_css(sheet) if isinstance(sheet, ImportedStyleSheet) else sheet
                for sheet in model.stylesheets
            ]
            if sheets == model.stylesheets:
                continue
            if model.document is None:
                model.stylesheets = sheets
            else:
                changed = {"stylesheets": sheets}
                apply_changes_without_dispatch(model.document, model, changed)
        for model in root.select({"type": ReactiveESM}):
            assert isinstance(model, ReactiveESM)
            document = model.document
            courier = _couriers.get(document) if document is not None else None
            kind = type(model.data)
            if courier is not None and document is not None and kind not in courier.known:
                # What comes with the first display is told with it; Panel may forget it later.
                if courier.is_open:
                    apply_changes_without_dispatch(document, model, {"_defs": [kind]})
                courier.known.add(kind)
            if model.bundle in bundles and model not in seeds and model.esm:
                # As if the browser had done it, which need not hear of it.
                comm = courier.comm if courier is not None else None
                model.set_from_json("esm", "", setter=comm.id if comm is not None else None)

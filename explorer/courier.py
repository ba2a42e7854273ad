"""Displays in notebooks, and what carries their changes to the browser.

Outside a server nobody tells the browser of edits of Bokeh models. Here every display gets a
:class:`Courier` that does: for edits that come from worker threads, from code in other cells
and from callbacks of figures. With ``pn.extension(comms="ipywidgets")`` jupyter_bokeh does the
same, and no courier is needed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param
from bokeh.document import Document
from bokeh.document.events import (
    DocumentChangedEvent,
    DocumentPatchedEvent,
    RootAddedEvent,
    RootRemovedEvent,
    SessionCallbackAdded,
)
from bokeh.model import Model
from bokeh.models.ui import UIElement
from bokeh.server.callbacks import NextTickCallback
from panel.custom import JSComponent
from panel.io.model import diff
from panel.io.notebook import patch_inline_stylesheets, send
from panel.models.esm import ReactiveESM
from pyviz_comms import Comm

from .messages import handle_exception
from .scheduler import use_kernel
from .theme import FIGURES


class Courier:
    """Carries what changes in one displayed document to the browser.

    Nothing is sent before the browser has built what it shows: it would get lost, and with it
    the thread of the messages that follow. Changes made together go together, as soon as the
    kernel is free.

    Parameters
    ----------
    document : Document
        What is about to be displayed.
    comm : Comm or None
        The way to the browser; None if an ipywidget carries the changes, which then only
        waits for the browser.
    loop : asyncio.AbstractEventLoop
        The loop of the kernel.
    """

    def __init__(
        self, document: Document, comm: Comm | None, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.document = document
        self.comm = comm
        self._loop = loop
        self._events: list[DocumentChangedEvent] = []
        self._open = False
        document.on_change_dispatch_to(self)

    def open(self) -> None:
        """Send from now on, as soon as the message at hand has been dealt with."""
        # After it Panel holds the document again.
        self._loop.call_soon(self._open_now)

    def _open_now(self) -> None:
        self._open = True
        # Panel throws away what it has held for documents that are not connected.
        pn.state._connected[self.document] = True
        self.document.unhold()
        self.flush()

    def _document_patched(self, event: DocumentPatchedEvent) -> None:
        """Take a change, unless the browser made it; Bokeh calls this by its name."""
        if self.comm is None or event.setter == self.comm.id:
            return
        if isinstance(event, RootAddedEvent | RootRemovedEvent):
            return  # what is displayed is in the page already
        self._events.append(event)
        if self._open and len(self._events) == 1:
            self._loop.call_soon_threadsafe(self.flush)

    def _session_callback_added(self, event: SessionCallbackAdded) -> None:
        """Run what is to run next, as a server would; Panel lets go so of what it has held."""
        if isinstance(event.callback, NextTickCallback):
            self._loop.call_soon_threadsafe(event.callback.callback)

    def flush(self) -> None:
        """Send what has changed."""
        events, self._events = self._events, []
        message = diff(self.document, events=events)
        if message is not None and self.comm is not None:
            send(self.comm, message)


class Arrival(JSComponent):
    """Says when the browser has built a display."""

    arrivals = param.Integer(default=0, doc="How many displays have been built.")

    _esm = Path(__file__).with_name("arrival.js")


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
        self._couriers: dict[Document, Courier] = {}
        super().__init__(
            self._seed,
            self._arrival,
            view,
            sizing_mode="stretch_width",
            margin=0,
            hooks=[self._finish],
        )

    def _arrived(self, *_: object) -> None:
        document = pn.state.curdoc
        courier = self._couriers.get(document) if document is not None else None
        if courier is not None:
            courier.open()

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
            self._courier = Courier(doc, comm, asyncio.get_event_loop())
            self._couriers[doc] = self._courier
            self._slim(model)
        return model

    def _finish(self, view: pn.viewable.Viewable, root: Model) -> None:
        """Make what has been built, or added later, fit for a page without a server."""
        if self._courier is None:
            return
        self._slim(root)
        for model in root.select({"type": UIElement}):
            patch_inline_stylesheets(model)
        if self._courier.comm is None and root.document is None:
            # Otherwise jupyter_bokeh makes a document of its own.
            self._courier.document.add_root(root)
            self._courier.document.hold("combine")

    def _slim(self, root: Model) -> None:
        """Take the code off all widgets that share it with the first.

        In a notebook Panel gives every widget of panel-material-ui the whole bundle, 1.4 MB;
        the browser keeps the first that it meets and never reads the others.
        """
        assert self._courier is not None
        setter = self._courier.comm.id if self._courier.comm is not None else None
        seeds = [model for model, _ in self._seed._models.values()]
        bundles = {seed.bundle for seed in seeds}
        for model in root.select({"type": ReactiveESM}):
            assert isinstance(model, ReactiveESM)
            if model.bundle in bundles and model not in seeds and model.esm:
                # As if the browser had done it, which need not hear of it.
                model.set_from_json("esm", "", setter=setter)

    _courier: Courier | None = None


def _kernel() -> Any:
    """Return IPython's shell if it runs in a kernel, else None."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    shell = get_ipython()
    return shell if getattr(shell, "kernel", None) is not None else None


def in_kernel() -> bool:
    """Tell whether this is the kernel of a notebook."""
    return _kernel() is not None


_prepared = False


def prepare() -> None:
    """Make the notebook ready: load what the browser needs from this machine alone.

    Outside a notebook nothing happens. ``pn.extension`` may have been called before, with the
    comm of one's choice.
    """
    global _prepared
    shell = _kernel()
    if shell is None or _prepared:
        return
    _prepared = True
    if not (pn.extension._loaded and pn.config.inline):
        # Panel asks the environment first.
        os.environ["PANEL_INLINE"] = "true"
        pn.extension()
    pn.config.exception_handler = handle_exception
    use_kernel(asyncio.get_event_loop())

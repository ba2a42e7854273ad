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
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import panel as pn
import panel_material_ui as pmui
import param
from bokeh.document import Document
from bokeh.document.events import (
    DocumentChangedEvent,
    DocumentPatchedEvent,
    ModelChangedEvent,
    RootAddedEvent,
    RootRemovedEvent,
)
from bokeh.model import Model
from bokeh.models.css import ImportedStyleSheet
from bokeh.models.ui import UIElement
from panel.custom import JSComponent
from panel.io.model import apply_changes_without_dispatch, diff
from panel.io.notebook import replace_inline_css, send
from panel.models.esm import ReactiveESM
from pyviz_comms import Comm

from ..figures.theme import FIGURES
from ..session.background import use_kernel
from ..session.messages import handle_exception

GROWTH = ("children", "objects", "stylesheets")
"""Properties that bring new models, or style sheets that Panel would have fetched elsewhere."""


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
        self.on_growth: Callable[[], None] = lambda: None
        """Called before models are sent that were not there."""
        self._loop = loop
        self._events: list[DocumentChangedEvent] = []
        self.known: set[type] = set()
        """Kinds of data that the browser has heard of, of components that are not Bokeh's."""
        self._watching = self._open = self._grown = False
        self._waiting: list[Callable[[], None]] = []
        if comm is None:
            send_whole_messages()

    def watch(self, root: Model) -> None:
        """Collect what changes from now on: `root` is built and about to be sent."""
        if self._watching:
            return
        self._watching = True
        self.document.on_change_dispatch_to(self)
        self._never_hold()
        if self.comm is None and root.document is None:
            self.document.add_root(root)  # otherwise jupyter_bokeh makes its own document

    @property
    def is_open(self) -> bool:
        """Whether the browser is there, and changes are sent."""
        return self._open

    def open(self) -> None:
        """Send from now on, as soon as the kernel is free."""
        # The browser may speak in another thread than the loop runs in.
        self._loop.call_soon_threadsafe(self._open_now)

    def _open_now(self) -> None:
        with _LOCK:
            self._open = True
            waiting, self._waiting = self._waiting, []
            for send_now in waiting:
                send_now()
        self.flush()

    def put_off(self, send_later: Callable[[], None]) -> bool:
        """Keep what a widget would send until the browser is there; tell whether it is kept."""
        if not self._open:
            self._waiting.append(send_later)
        return not self._open

    def _never_hold(self) -> None:
        """Have all changes told at once: they are collected here.

        What Panel holds outside a server it throws away in the end, and with it the calls of
        Python that should follow. And a hold that one thread lifts, another sets again that had
        begun before.
        """
        setattr(self.document, "hold", lambda policy="combine": None)  # noqa: B010

    def _document_patched(self, event: DocumentPatchedEvent) -> None:
        """Take a change, unless the browser made it; Bokeh calls this by its name."""
        grown = isinstance(event, ModelChangedEvent) and event.attr in GROWTH
        if self.comm is None:
            # The ipywidget comes next, and sends it.
            if grown:
                self.on_growth()
                _refresh([event])
            return
        if event.setter == self.comm.id:
            return
        if isinstance(event, RootAddedEvent | RootRemovedEvent):
            return  # what is displayed is in the page already
        self._grown |= grown
        self._events.append(event)
        if self._open and len(self._events) == 1:
            self._loop.call_soon_threadsafe(self.flush)

    def flush(self) -> None:
        """Send what has changed."""
        if self._grown:
            self._grown = False
            self.on_growth()
        events, self._events = self._events, []
        _refresh(events)
        message = diff(self.document, events=events)
        if message is not None and self.comm is not None:
            send(self.comm, message)


_LOCK = threading.RLock()
"""Held by the thread that sends."""

_whole = False


def send_whole_messages() -> None:
    """Have jupyter_bokeh send the parts of a message one after the other, and none too early.

    JupyterLab lets widgets talk to the kernel in a thread of their own. Two threads that change
    figures at the same time would mix the parts of their messages, and the browser would lose both.
    """
    global _whole
    if _whole:
        return
    try:
        from jupyter_bokeh.widgets import BokehModel
    except ImportError:
        return
    _whole = True
    plain = BokehModel._document_patched

    def whole(self: Any, event: DocumentPatchedEvent) -> None:
        courier = _couriers.get(self._document) if self._document is not None else None
        with _LOCK:
            if courier is None or not courier.put_off(lambda: plain(self, event)):
                plain(self, event)

    BokehModel._document_patched = whole


def _refresh(events: Sequence[DocumentChangedEvent]) -> None:
    """Have events name the style sheets that models have now."""
    for event in events:
        if isinstance(event, ModelChangedEvent) and event.attr == "stylesheets":
            event.new = event.model.stylesheets  # type: ignore[attr-defined]


class Arrival(JSComponent):
    """Says when the browser has built a display."""

    arrivals = param.Integer(default=0, doc="How many displays have been built.")

    _esm = Path(__file__).with_name("display_ready.js")


_couriers: WeakKeyDictionary[Document, Courier] = WeakKeyDictionary()


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

"""Changes of a document, sent to the cells that show it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

from bokeh.document import Document
from bokeh.document.events import (
    DocumentChangedEvent,
    DocumentPatchedEvent,
    ModelChangedEvent,
    RootAddedEvent,
    RootRemovedEvent,
)
from bokeh.model import Model
from panel.io.model import diff
from panel.io.notebook import send
from pyviz_comms import Comm

from ..workarounds.held_changes import never_hold
from ..workarounds.interleaved_messages import SENDING, send_whole_messages

GROWTH = ("children", "objects", "stylesheets")
"""Properties that bring new models, or style sheets that Panel would have fetched elsewhere."""


class DocumentComm:
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
            send_whole_messages(_put_off)

    def watch(self, root: Model) -> None:
        """Collect what changes from now on: `root` is built and about to be sent."""
        if self._watching:
            return
        self._watching = True
        self.document.on_change_dispatch_to(self)
        never_hold(self.document)  # what changes is collected here
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
        with SENDING:
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


def _refresh(events: Sequence[DocumentChangedEvent]) -> None:
    """Have events name the style sheets that models have now."""
    for event in events:
        if isinstance(event, ModelChangedEvent) and event.attr == "stylesheets":
            event.new = event.model.stylesheets  # type: ignore[attr-defined]


_comms: WeakKeyDictionary[Document, DocumentComm] = WeakKeyDictionary()


def comm_of(document: Document | None) -> DocumentComm | None:
    """Return what carries the changes of a document, None for one that is not displayed."""
    return None if document is None else _comms.get(document)


def open_comm(
    document: Document, comm: Comm | None, loop: asyncio.AbstractEventLoop
) -> DocumentComm:
    """Return what carries the changes of a document from now on; the one there is, if any."""
    if document not in _comms:
        _comms[document] = DocumentComm(document, comm, loop)
    return _comms[document]


def _put_off(document: Document | None, send_later: Callable[[], None]) -> bool:
    carrier = comm_of(document)
    return carrier is not None and carrier.put_off(send_later)

"""jupyter_bokeh mixes the parts of messages that two threads send, and sends before anybody hears.

Without this: with ``pn.extension(comms="ipywidgets")`` two threads that change figures at the
same time lose both changes, because JupyterLab lets widgets talk to the kernel in a thread of
their own; and what is sent before the browser has built a display gets lost, and with it the
thread of the messages that follow.

Versions: jupyter_bokeh 4.1.0 and before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent

SENDING = threading.RLock()
"""Held by the thread that sends."""

PutOff = Callable[[Document | None, Callable[[], None]], bool]
"""Keeps what is to be sent of a document until its browser is there; tells whether it is kept."""

_mended = False


def send_whole_messages(put_off: PutOff) -> None:
    """Have jupyter_bokeh send the parts of a message one after the other, and none too early.

    Nothing is done where jupyter_bokeh is not installed.
    """
    global _mended
    if _mended:
        return
    try:
        from jupyter_bokeh.widgets import BokehModel
    except ImportError:
        return
    _mended = True
    plain = BokehModel._document_patched

    def whole(self: Any, event: DocumentPatchedEvent) -> None:
        with SENDING:
            if not put_off(self._document, lambda: plain(self, event)):
                plain(self, event)

    BokehModel._document_patched = whole

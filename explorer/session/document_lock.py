"""Work on a document under its lock, now or after a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from bokeh.document import Document
from panel.io.state import set_curdoc

from ..workarounds.late_events import lock_late_events

lock_late_events()

_kernel: asyncio.AbstractEventLoop | None = None

Execute = Callable[[Callable[[], None]], object]
"""Runs a function, soon, where the document may be changed."""


def under_lock(document: Document) -> Execute:
    """Return an executor that runs functions under the lock of `document`.

    It may be called from any thread; the function runs in the event loop of the
    server, with `document` as Panel's current one. When the session has ended it
    does not run: nobody would see what it does.
    """

    def execute(function: Callable[[], None]) -> None:
        def locked() -> None:
            with set_curdoc(document):
                function()

        try:
            document.add_next_tick_callback(locked)
        except Exception:
            # A document that has been destroyed, perhaps while this ran, is in pieces.
            if document.session_context is not None:
                raise

    return execute


def use_kernel(loop: asyncio.AbstractEventLoop | None) -> None:
    """Publish in the loop of a notebook's kernel from now on, where there is no session."""
    global _kernel
    _kernel = loop


def executor(document: Document | None) -> Execute | None:
    """Return what runs functions where a document may be changed.

    Parameters
    ----------
    document : Document or None
        The document of a session, or what a notebook displays, or None.

    Returns
    -------
    callable or None
        For the session of a server :func:`under_lock`; in a notebook what hands functions
        to the kernel, which runs them between cells; None where there is nothing to run
        them, so that all work must be done at once.
    """
    if document is not None and document.session_context is not None:
        return under_lock(document)
    return _kernel.call_soon_threadsafe if _kernel is not None else None


def after(
    document: Document | None, milliseconds: int, function: Callable[[], None]
) -> Callable[[], None]:
    """Run a function later, where a document may be changed.

    Returns
    -------
    callable
        What calls it off; harmless when it has run. Where nothing can run it later it never
        runs.
    """
    if document is not None and document.session_context is not None:

        def locked() -> None:
            with set_curdoc(document):
                function()

        callback = document.add_timeout_callback(locked, milliseconds)

        def cancel() -> None:
            # A session that has ended has no callbacks any more, nor what would remove them.
            if document.session_context is not None:
                with suppress(ValueError):
                    document.remove_timeout_callback(callback)

        return cancel
    if _kernel is not None:
        return _kernel.call_later(milliseconds / 1000, function).cancel
    return lambda: None

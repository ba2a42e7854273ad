"""What Panel keeps of a session, and how it lets go when the session ends.

Without this every session that ever was stays in memory: Panel 1.9 holds on to its page and to its
notifications from global state.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress

import panel as pn
import panel_material_ui as pmui
from bokeh.application.application import SessionContext
from panel.util import edit_readonly


def unfollow_busy(page: pmui.Page) -> None:
    """Stop a page of panel-material-ui from following Panel's busy state.

    It costs two messages for every event, and Panel's global state never forgets who follows.
    """
    with edit_readonly(page):
        page.busy = False
    for watcher in list(pn.state.param.watchers.get("busy", {}).get("value", [])):
        followers = getattr(watcher.fn, "__self__", None)
        if getattr(followers, "self", None) is page:
            pn.state.param.unwatch(watcher)


def forget_views() -> None:
    """Have what the current session shows forgotten when it ends.

    Panel does so for its page, but no longer finds the notifications by then.
    """
    if pn.state.curdoc is not None:
        pn.state.on_session_destroyed(_forget)


def _forget(context: SessionContext) -> None:
    document = context._document  # type: ignore[attr-defined]
    for ref, (view, root, shown_in, _) in list(pn.state._views.items()):
        if shown_in is document:
            view._cleanup(root)
            pn.state._views.pop(ref, None)


def give_memory_back() -> None:
    """Collect what sessions have left behind, and return its memory to the system.

    glibc keeps freed memory of many small objects to itself until it is told otherwise; with
    other C libraries only the collection takes place.
    """
    gc.collect()
    with suppress(OSError, AttributeError):
        _libc().malloc_trim(0)


def share_arenas() -> None:
    """Have all threads of this process take memory from the same two arenas of glibc.

    Otherwise every thread gets one of its own, and what its largest computation took stays
    there; sessions have two threads each. Without effect where there is no glibc.
    """
    arena_max = -8  # M_ARENA_MAX of malloc.h
    with suppress(OSError, AttributeError):
        _libc().mallopt(arena_max, 2)


def _libc() -> ctypes.CDLL:
    if sys.platform != "linux":
        raise OSError("another C library")
    return ctypes.CDLL(None)

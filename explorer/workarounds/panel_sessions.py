"""What Panel keeps of a session, and how it lets go when the session ends.

Without this every session that ever was stays in memory: Panel 1.9 holds on to its page and to its
notifications from global state.
"""

from __future__ import annotations

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

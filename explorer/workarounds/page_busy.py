"""A page of panel-material-ui follows Panel's busy state for ever.

Without this: each page is kept by a watcher of Panel's global state, with all that is on it,
after its session has ended; and each event costs two messages more, although nothing on the page
shows that the server is busy.

Versions: panel-material-ui 0.16.6 and before (the indicator came with
https://github.com/panel-extensions/panel-material-ui/pull/235). ``busy_indicator=None`` only
hides it.
"""

from __future__ import annotations

import panel as pn
import panel_material_ui as pmui
from panel.util import edit_readonly


def unfollow_busy(page: pmui.Page) -> None:
    """Stop a page from following Panel's busy state."""
    with edit_readonly(page):
        page.busy = False
    for watcher in list(pn.state.param.watchers.get("busy", {}).get("value", [])):
        followers = getattr(watcher.fn, "__self__", None)
        if getattr(followers, "self", None) is page:
            pn.state.param.unwatch(watcher)

"""Panel keeps the notifications of every session that ever was.

Without this: a session that shows notifications leaves them, with the document that they are
in, in ``state._views`` when it ends. A server's memory grows with every visitor.

Versions: Panel 1.9.4 and before. Its clean-up looks for views by the document of the session,
after the notifications have been taken off it. Of the same family:
https://github.com/holoviz/panel/issues/8605 (mended in 1.9 for the views of pages, by pull
request 8607).
"""

from __future__ import annotations

import panel as pn
from bokeh.application.application import SessionContext


def forget_notifications() -> None:
    """Have what the current session shows forgotten when it ends."""
    if pn.state.curdoc is not None:
        pn.state.on_session_destroyed(_forget)


def _forget(context: SessionContext) -> None:
    document = context._document  # type: ignore[attr-defined]
    for ref, (view, root, shown_in, _) in list(pn.state._views.items()):
        if shown_in is document:
            view._cleanup(root)
            pn.state._views.pop(ref, None)

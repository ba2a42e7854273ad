"""Bokeh fails where a browser is found gone twice: by its ping, and by its socket.

Without this: the log fills with tracebacks (AssertionError), and the session is not let go
before its lifetime is over, so that its place stays taken. Bokeh's keep-alive detaches the
session of a browser that does not answer; when the socket closes later, it asks the same
connection for that session.

Versions: Bokeh 3.9.2 and before. Related: https://github.com/bokeh/bokeh/issues/13654.
"""

from __future__ import annotations

from bokeh.server.session import ServerSession
from bokeh.server.views.ws import WSHandler


def session_of(socket: WSHandler) -> ServerSession | None:
    """Return the session that a socket serves; None if it has none yet, or none any more."""
    connection = socket.connection
    return None if connection is None else connection._session


def is_detached(socket: WSHandler) -> bool:
    """Tell whether the keep-alive has taken the session of a socket away."""
    return socket.connection is not None and socket.connection._session is None

"""What a server answers: the page, its websocket, its code and styles, health and metrics.

Whatever else Panel and Bokeh would answer, such as ``/autoload.js``, ``/metadata`` or any module
below ``/components/``, is not there.
"""

from __future__ import annotations

import html
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bokeh.document import Document
from bokeh.server.urls import per_app_patterns, toplevel_patterns
from bokeh.util.token import get_session_id
from panel.io.server import ComponentResourceHandler, DocHandler, WSHandler
from tornado.web import HTTPError, RequestHandler

from .headers import SecureAnswer
from .messages import MAX_FRAGMENT_BYTES, MessageGate, RefusedError
from .metrics import Metrics
from .sessions import Sessions
from .workarounds.lost_connection import is_detached, session_of

log = logging.getLogger("spectrabridge.server")

MAX_BODY_BYTES = 64 * 2**10
"""Largest body of a request: a form with user and password."""

HTTP_LIMITS: dict[str, Any] = {
    "max_body_size": MAX_BODY_BYTES,
    "max_header_size": 64 * 2**10,
    # Messages of websockets are read through the same buffer.
    "max_buffer_size": MAX_FRAGMENT_BYTES + 2**16,
    "body_timeout": 20,
    "idle_connection_timeout": 75,
}
"""Limits of tornado's HTTP server: bytes, and seconds that a connection may idle."""

COMPONENT_PACKAGES = ("panel.", "panel_material_ui.", "spectrabridge.explorer.")
"""Packages whose components may be fetched, if they are loaded."""

SESSION_ARGUMENTS = ("bokeh-session-id", "bokeh-token")
"""Arguments by which whoever makes a link would choose the session of who opens it."""


class Health(RequestHandler):
    """``/health``: how the server fares, as JSON; open to all, and it opens no session."""

    def get(self) -> None:
        """Answer."""
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.write(json.dumps(self.settings["sessions"].state()))

    def data_received(self, chunk: bytes) -> None:
        """Nothing is sent here."""


class MetricsText(RequestHandler):
    """``/metrics``: figures for Prometheus; open to all, as ``/health`` is."""

    def get(self) -> None:
        """Answer."""
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.write(self.settings["metrics"].text())

    def data_received(self, chunk: bytes) -> None:
        """Nothing is sent here."""


class ComponentCode(ComponentResourceHandler):
    """Code and styles of components that are loaded; no module is imported for anybody."""

    def parse_url_path(self, path: str) -> str:
        """Return the file that an address means."""
        module = path.split("/")[0]
        if not module.startswith(COMPONENT_PACKAGES) or module not in sys.modules:
            raise HTTPError(404)
        return str(super().parse_url_path(path))


class ExplorerPage(DocHandler):
    """The page of a new session, unless all places are taken."""

    _counted = False

    async def prepare(self) -> None:
        """Turn away who comes too late, before anything is built."""
        sessions: Sessions = self.settings["sessions"]
        chosen = any(self.get_arguments(name) for name in SESSION_ARGUMENTS)
        if chosen or "Bokeh-Session-Id" in self.request.headers:
            raise HTTPError(403, reason="Sessions cannot be chosen")
        if self.request.path and self.request.path == self.application.prefix:
            # Only with the slash do relative addresses, of the sign-in too, lead below it.
            query = f"?{self.request.query}" if self.request.query else ""
            self.redirect(f"{self.request.path}/{query}")
            return
        if sessions.full:
            self.set_status(503)
            self.set_header("Retry-After", "60")
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.finish(
                plain_page(
                    "All places are taken",
                    f"This explorer serves {sessions.limit} pages at a time, and as many are "
                    "open. Try again in a minute, or ask who runs it for more (--max-sessions).",
                )
            )
            return
        sessions.arriving += 1
        self._counted = True
        await super().prepare()

    def on_finish(self) -> None:
        """Count the session where there is one, no longer the page that is being built."""
        if self._counted:
            self._counted = False
            self.settings["sessions"].arriving -= 1
        super().on_finish()


class SessionSocket(WSHandler):
    """The websocket of a session, whose messages are looked at before they are unpacked."""

    def __init__(self, application: Any, request: Any, **kwargs: Any) -> None:
        self._gate = MessageGate()
        super().__init__(application, request, **kwargs)

    async def prepare(self) -> None:
        """Turn away who comes with a session that is gone when all places are taken."""
        await super().prepare()
        sessions: Sessions = self.settings["sessions"]
        if (
            self.current_user is not None
            and sessions.full
            and not sessions.knows(self._session_id())
        ):
            self.set_status(503)
            self.finish()

    def _session_id(self) -> str:
        protocols = self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        try:
            return str(get_session_id(protocols[-1].strip()))
        except Exception:  # whatever a token that is none leads to
            return ""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """Note that a browser has connected."""
        self.settings["sessions"].connected(self)
        return super().open(*args, **kwargs)

    async def on_message(self, fragment: str | bytes) -> None:
        """Take a part of a message of the browser."""
        self.settings["sessions"].heard(self)
        try:
            parts = self._gate.take(fragment, self._document)
        except RefusedError as problem:
            self.settings["metrics"].refused.inc()
            log.warning("%s Its connection is closed.", problem)
            self.close(1008, "refused")
            return
        except Exception:
            self.settings["metrics"].refused.inc()
            log.exception("A message could not be looked at; its connection is closed.")
            self.close(1011, "refused")
            return
        if parts:
            self.settings["metrics"].messages.inc()
        for part in parts:
            await super().on_message(part)

    @property
    def _document(self) -> Document | None:
        session = session_of(self)
        return None if session is None else session.document

    def on_close(self) -> None:
        """Let go of the session, unless the keep-alive has found the browser gone before."""
        if is_detached(self):
            return
        session = session_of(self)
        super().on_close()
        if session is not None and session.connection_count == 0:
            session.request_expiration()  # pages do not come back: they are loaded anew


def plain_page(title: str, sentence: str) -> str:
    """Return a small page that needs nothing else."""
    title, sentence = html.escape(title), html.escape(sentence)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<style>body{font-family:sans-serif;max-width:34em;margin:18vh auto;padding:0 1em;"
        "line-height:1.5;color-scheme:light dark}</style></head>"
        f'<body><h1>{title}</h1><p>{sentence}</p><p><a href="">Try again</a></p></body></html>'
    )


def server_options(sessions: Sessions) -> dict[str, Any]:
    """Return options for ``panel.serve`` by which a server has our routes, limits and headers."""
    return {
        "extra_patterns": [
            (r"/health/?", Health),
            (r"/metrics/?", MetricsText),
            (r"/components/(.*)", ComponentCode, {}),
        ],
        "transforms": [SecureAnswer],
        "http_server_kwargs": dict(HTTP_LIMITS),
        "websocket_max_message_size": MAX_FRAGMENT_BYTES,
        "sessions": sessions,
        "metrics": Metrics(sessions),
    }


@contextmanager
def our_routes() -> Iterator[None]:
    """Have servers that are made meanwhile answer for the page and its websocket only.

    Bokeh and Panel keep the routes of their servers in two lists.
    """
    pages, others = list(per_app_patterns), list(toplevel_patterns)
    per_app_patterns[:] = [(r"/ws", SessionSocket), (r"/?", ExplorerPage)]
    toplevel_patterns[:] = [route for route in others if route[0].startswith("/static/")]
    try:
        yield
    finally:
        per_app_patterns[:], toplevel_patterns[:] = pages, others

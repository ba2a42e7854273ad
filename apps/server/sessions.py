"""Sessions of a server: how many there may be, how long they may idle, and how it fares."""

from __future__ import annotations

import html
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from bokeh.server.contexts import ApplicationContext
from panel.io.server import DocHandler, WSHandler
from tornado import process
from tornado.ioloop import PeriodicCallback
from tornado.web import RequestHandler

from ...core.version import __version__

if TYPE_CHECKING:
    from bokeh.server.session import ServerSession
    from panel.io.server import Server


class Visits:
    """The sessions of all processes of a server.

    Parameters
    ----------
    bundle : str
        What the server shows.
    processes : int
        How many processes share the count.
    limit : int or None
        How many sessions there may be.
    idle : float or None
        Minutes after which a session that nobody has touched ends.

    Notes
    -----
    To be made before the processes are forked: they count in memory that they share.
    """

    def __init__(
        self,
        bundle: str,
        processes: int = 1,
        limit: int | None = None,
        idle: float | None = None,
    ) -> None:
        self.bundle = bundle
        self.limit = limit
        self.idle = idle
        self.started = time.monotonic()
        self._counts: Any = multiprocessing.RawArray("i", processes)
        self._contexts: list[ApplicationContext] = []
        self._touched: WeakKeyDictionary[Socket, float] = WeakKeyDictionary()
        self._look: PeriodicCallback | None = None

    def watch(self, contexts: list[ApplicationContext]) -> None:
        """Count the sessions of this process from now on, and end those that idle."""
        self._contexts = contexts
        every = 1.0 if self.idle is None else max(0.1, min(1.0, 60 * self.idle / 10))
        self._look = PeriodicCallback(self.look, 1000 * every)
        self._look.start()

    def sessions(self) -> Iterator[ServerSession]:
        """Yield the sessions of this process."""
        for context in self._contexts:
            yield from context.sessions

    @property
    def count(self) -> int:
        """Sessions of all processes together."""
        mine = sum(1 for _ in self.sessions())
        mine += sum(len(context._pending_sessions) for context in self._contexts)
        self._counts[process.task_id() or 0] = mine
        return sum(self._counts)

    @property
    def processes(self) -> int:
        """How many processes answer."""
        return len(self._counts)

    @property
    def full(self) -> bool:
        """Whether nobody else can be let in."""
        return self.limit is not None and self.count >= self.limit

    def touch(self, socket: Socket) -> None:
        """Note that the browser of a session has said something."""
        self._touched[socket] = time.monotonic()

    def look(self) -> None:
        """Count, and close connections of sessions that idle."""
        _ = self.count
        if self.idle is None:
            return
        now = time.monotonic()
        for socket, touched in list(self._touched.items()):
            if now - touched > 60 * self.idle:
                del self._touched[socket]
                socket.close(code=1000, reason="idle")

    def state(self) -> dict[str, Any]:
        """Return what the health endpoint tells."""
        return {
            "status": "full" if self.full else "ok",
            "version": __version__,
            "bundle": self.bundle,
            "sessions": self.count,
            "max_sessions": self.limit,
            "processes": self.processes,
            "process": process.task_id() or 0,
            "uptime_s": round(time.monotonic() - self.started, 1),
            "memory_mb": memory_mb(),
        }


def memory_mb() -> float | None:
    """Return the memory in use by this process in MB, None where the system does not tell."""
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            pages = int(file.read().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
    return None


class Health(RequestHandler):
    """``/health``: how the server fares, as JSON; open to all, and it opens no session."""

    def initialize(self, visits: Visits) -> None:
        """Take what the route gives."""
        self.visits = visits

    def get(self) -> None:
        """Answer."""
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.write(json.dumps(self.visits.state()))

    def data_received(self, chunk: bytes) -> None:
        """Nothing is sent here."""


class Entrance(DocHandler):
    """The page of a new session, unless all places are taken."""

    visits: Visits

    def initialize(self, visits: Visits, **kwargs: Any) -> None:
        """Take what the route gives."""
        self.visits = visits
        super().initialize(**kwargs)

    async def prepare(self) -> None:
        """Turn away who comes too late, before anything is built."""
        if self.request.path and self.request.path == self.application.prefix:
            # Only with the slash do relative addresses, of the sign-in too, lead below it.
            query = f"?{self.request.query}" if self.request.query else ""
            self.redirect(f"{self.request.path}/{query}")
            return
        if self.visits.full:
            self.set_status(503)
            self.set_header("Retry-After", "60")
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.finish(
                plain_page(
                    "All places are taken",
                    f"This explorer serves {self.visits.limit} pages at a time, and as many are "
                    "open. Try again in a minute, or ask who runs it for more (--max-sessions).",
                )
            )
            return
        await super().prepare()


class Socket(WSHandler):
    """The websocket of a session, which notes when the browser says something."""

    def __init__(self, application: Any, request: Any, visits: Visits, **kwargs: Any) -> None:
        self.visits = visits
        super().__init__(application, request, **kwargs)

    async def on_message(self, fragment: str | bytes) -> None:
        """Take a message of the browser."""
        self.visits.touch(self)
        await super().on_message(fragment)

    def on_close(self) -> None:
        """Let go of the session, unless the keep-alive has found the browser gone before."""
        if self.connection is None or self.connection._session is not None:
            session = None if self.connection is None else self.connection.session
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


def admit(server: Server, visits: Visits) -> None:
    """Have a server count and limit its sessions, and tell how it fares.

    To be called before it is started.
    """
    application = server._tornado
    contexts = list(application._applications.values())
    path = application.prefix
    # These come before the handlers of Bokeh, which would answer for the same addresses.
    application.add_handlers(
        ".*",
        [
            (rf"{path}/health/?", Health, {"visits": visits}),
            *(
                (rf"{path}{tail}", handler, known | {"visits": visits})
                for tail, handler in ((r"/?", Entrance), (r"/ws", Socket))
                for known in [
                    {"application_context": contexts[0], "bokeh_websocket_path": f"{path}/ws"}
                ]
            ),
        ],
    )
    visits.watch(contexts)

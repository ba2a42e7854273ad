"""Sessions of a server: how many there may be, how long they may idle, and how it fares."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from tornado import process
from tornado.ioloop import PeriodicCallback

from ...core.version import __version__

GREETING_SECONDS = 60
"""Time that a connection has to say something, in seconds."""


class Closeable(Protocol):
    """The connection of a browser."""

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """End the connection."""
        ...


class Sessions:
    """The sessions of all processes of a server.

    Parameters
    ----------
    bundle : str
        What the server shows.
    processes : int
        How many processes share the count.
    limit : int or None
        How many sessions there may be.
    idle_minutes : float or None
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
        idle_minutes: float | None = None,
    ) -> None:
        self.bundle = bundle
        self.limit = limit
        self.idle_minutes = idle_minutes
        self.started = time.monotonic()
        self.arriving = 0
        """Pages of this process that are being built."""
        self._counts: Any = multiprocessing.RawArray("i", processes)
        self._ids: Callable[[], Iterable[str]] = lambda: ()
        self._heard: WeakKeyDictionary[Closeable, tuple[float, bool]] = WeakKeyDictionary()
        self._look: PeriodicCallback | None = None

    def watch(self, ids: Callable[[], Iterable[str]]) -> None:
        """Count the sessions of this process from now on, and end those that idle.

        Parameters
        ----------
        ids : callable
            Returns the ids of the sessions that there are.
        """
        self._ids = ids
        idle = self.idle_minutes
        seconds = 1.0 if idle is None else max(0.1, min(1.0, 60 * idle / 10))
        self._look = PeriodicCallback(self.look, 1000 * seconds)
        self._look.start()

    @property
    def count(self) -> int:
        """Sessions of all processes together."""
        self._counts[process.task_id() or 0] = len(list(self._ids())) + self.arriving
        return sum(self._counts)

    @property
    def processes(self) -> int:
        """How many processes answer."""
        return len(self._counts)

    @property
    def full(self) -> bool:
        """Whether nobody else can be let in."""
        return self.limit is not None and self.count >= self.limit

    def knows(self, id_: str) -> bool:
        """Tell whether a session is there, in this process."""
        return id_ in self._ids()

    def connected(self, connection: Closeable) -> None:
        """Note that a browser has connected; it has yet to say something."""
        self._heard[connection] = (time.monotonic(), False)

    def heard(self, connection: Closeable) -> None:
        """Note that the browser of a session has said something."""
        self._heard[connection] = (time.monotonic(), True)

    def look(self) -> None:
        """Count, and close connections that idle or have never said anything."""
        _ = self.count
        now = time.monotonic()
        for connection, (when, greeted) in list(self._heard.items()):
            silent = now - when
            idle = self.idle_minutes is not None and silent > 60 * self.idle_minutes
            if idle or (not greeted and silent > GREETING_SECONDS):
                del self._heard[connection]
                connection.close(code=1000, reason="idle")

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
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
    return None

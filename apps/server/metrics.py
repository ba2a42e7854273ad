"""Figures of a server in the format of Prometheus; none names a person or a file."""

from __future__ import annotations

import re

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ...core.version import __version__
from ...explorer.session import timings
from .sessions import Sessions, memory_mb

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Upper ends of the bins of times, in seconds."""


class Metrics:
    """Counts what happens in one process of a server.

    Parameters
    ----------
    sessions : Sessions
        Gives the number of sessions.
    """

    def __init__(self, sessions: Sessions) -> None:
        registry = self.registry = CollectorRegistry()
        info = Gauge("spectrabridge_info", "Version.", ["version"], registry=registry)
        info.labels(__version__).set(1)
        count = Gauge("spectrabridge_sessions", "Open, of all processes.", registry=registry)
        count.set_function(lambda: sessions.count)
        memory = Gauge("spectrabridge_memory_bytes", "In use by this process.", registry=registry)
        memory.set_function(lambda: 1e6 * (memory_mb() or 0))
        self.messages = Counter("spectrabridge_messages", "Taken from browsers.", registry=registry)
        self.refused = Counter(
            "spectrabridge_refused_messages", "Refused, with their connections.", registry=registry
        )
        self.sign_ins = Counter(
            "spectrabridge_sign_ins", "Attempts to sign in.", ["result"], registry=registry
        )
        self.work = Histogram(
            "spectrabridge_work_seconds",
            "Time of work in the background.",
            ["kind"],
            registry=registry,
            buckets=SECONDS,
        )
        timings.listen(self.time)

    def time(self, kind: str, seconds: float) -> None:
        """Count a piece of work."""
        self.work.labels(re.sub(r"\W+", "_", kind)).observe(seconds)

    def text(self) -> bytes:
        """Return all figures as Prometheus reads them."""
        return generate_latest(self.registry)

    def close(self) -> None:
        """Count no more."""
        timings.stop_listening(self.time)

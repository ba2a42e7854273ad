"""Maps that are made in the background when a bundle has none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ...core.bundle import Bundle
from ...core.embedding import Embedding, make_embedding, stars_of_bundle
from ..session.component import Component
from .open_maps import keep_map

SMALL_MAP_STARS = 800
"""Stars of a map that is made while somebody waits."""

PROGRESS_SECONDS = 0.25
"""Time between two reports of the progress, in seconds."""


class _StoppedError(Exception):
    """Somebody has asked to stop."""


class MapMaker(Component):
    """Makes a small map of a bundle.

    Parameters
    ----------
    bundle : Bundle
        The bundle.
    on_progress : callable
        ``on_progress(what, part)`` with the part done, from 0 to 1.
    on_done : callable
        ``on_done(embedding)``; None if it was stopped.
    on_error : callable
        ``on_error(exception)``.
    """

    def __init__(
        self,
        bundle: Bundle,
        on_progress: Callable[[str, float], None],
        on_done: Callable[[Embedding | None], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        super().__init__()
        self._bundle = bundle
        self._on_progress = on_progress
        self._making = self.job(
            self._make, lambda stop, embedding: on_done(embedding), "map", on_error, every=True
        )
        self._stop = threading.Event()
        self._told = 0.0

    def make(self) -> None:
        """Make a map; before the start the work is done when this returns."""
        self._stop = threading.Event()
        self._making.submit(self._stop)

    def stop(self) -> None:
        """Stop as soon as possible."""
        self._stop.set()

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        super().close()

    def _make(self, stop: threading.Event) -> Embedding | None:
        def report(what: str, done: int, total: int) -> None:
            if stop.is_set():
                raise _StoppedError
            now = time.monotonic()
            if now - self._told > PROGRESS_SECONDS:
                self._told = now
                self.run_locked(lambda: self._on_progress(what, done / total))

        try:
            made = make_embedding(
                self._bundle, stars_of_bundle(self._bundle, SMALL_MAP_STARS), report=report
            )
        except _StoppedError:
            return None
        keep_map(self._bundle, made)
        return made

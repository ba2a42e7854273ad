"""Maps that are made in the background when a bundle has none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import torch

from ...core.bundle import Bundle
from ...core.embedding import Embedding, make_embedding, stars_of_bundle
from ..session.document_lock import Execute
from .open_maps import keep_map

SMALL = 800
"""Stars of a map that is made while somebody waits."""


class _StoppedError(Exception):
    """Somebody has asked to stop."""


class MapMaker:
    """Makes a small map of a bundle in a thread.

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
        self._bundle = bundle
        self._on_progress, self._on_done, self._on_error = on_progress, on_done, on_error
        self._stop = threading.Event()
        self._told = 0.0

    def stop(self) -> None:
        """Stop as soon as possible."""
        self._stop.set()

    def start(self, execute: Execute | None) -> None:
        """Begin; without `execute` the work is done when this returns."""
        if execute is None:
            self._work(lambda function: function())
            return
        threading.Thread(target=self._work, args=(execute,), name="map", daemon=True).start()

    def _work(self, execute: Execute) -> None:
        torch.set_num_threads(1)

        def report(what: str, done: int, total: int) -> None:
            if self._stop.is_set():
                raise _StoppedError
            now = time.monotonic()
            if now - self._told > 0.25:
                self._told = now
                execute(lambda: self._on_progress(what, done / total))

        try:
            made = make_embedding(self._bundle, stars_of_bundle(self._bundle, SMALL), report=report)
        except _StoppedError:
            execute(lambda: self._on_done(None))
        except Exception as problem:
            failure = problem
            execute(lambda: self._on_error(failure))
        else:
            keep_map(self._bundle, made)
            execute(lambda: self._on_done(made))

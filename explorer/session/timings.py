"""How long work took, by its kind: told to whoever measures, and kept by nobody here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, float], None]
"""Called with the kind of work and its seconds, in the thread that did it."""

_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Tell a function of all work from now on."""
    _listeners.append(listener)


def stop_listening(listener: Listener) -> None:
    """Tell it no more."""
    _listeners.remove(listener)


@contextmanager
def timed(kind: str) -> Iterator[None]:
    """Tell how long the block took, whether it ended well or not."""
    start = time.perf_counter()
    try:
        yield
    finally:
        seconds = time.perf_counter() - start
        for listener in list(_listeners):
            listener(kind, seconds)

"""Latest-wins scheduling: never compute what nobody will see.

A slider sends values faster than a model answers. :class:`LatestWins` keeps one
computation in flight in a worker thread. When it is done, its result is published
under the document lock, and the newest value that came in meanwhile is next; the
values between are dropped. The last value is always published.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from panel.reactive import Syncable

from .document_lock import Execute

Value = TypeVar("Value")
Result = TypeVar("Result")

# An event that comes while a change of anything on the page waits its 50 ms is put off by Panel
# 1.9 and dealt with later, together with that change, but without the lock of the document. A
# click and a key within 50 ms then fail where they change a figure. Panel asks this attribute.
Syncable._event_coroutine.lock = True  # type: ignore[attr-defined]


class LatestWins(Generic[Value, Result]):
    """Compute in one worker thread, newest value first, and publish what comes out.

    Parameters
    ----------
    compute : callable
        ``compute(value) -> result``; runs in the worker thread, where torch uses
        one thread so that sessions do not fight for cores.
    publish : callable
        ``publish(value, result)``; runs through `execute`. The next computation
        starts when it has returned, so at most one result waits to be published.
    execute : callable
        Runs a function under the document lock, see :func:`under_lock`. The
        function may run at once or later, in any thread.
    on_error : callable, optional
        ``on_error(exception)`` for what `compute` or `publish` raised; runs through
        `execute`. The scheduler lives on. Without it the exception is raised in
        the thread that publishes.
    name : str
        Name of the worker thread.

    Notes
    -----
    The thread starts with the first value and is a daemon: it never keeps a
    process alive.
    """

    def __init__(
        self,
        compute: Callable[[Value], Result],
        publish: Callable[[Value, Result], None],
        execute: Execute,
        on_error: Callable[[Exception], None] | None = None,
        name: str = "latest-wins",
    ) -> None:
        self._compute = compute
        self._publish = publish
        self._execute = execute
        self._on_error = on_error
        self._name = name
        self._changed = threading.Condition()
        self._pending: list[Value] = []  # empty, or the one newest value
        self._working = False
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def idle(self) -> bool:
        """True when nothing is pending, computed or waiting to be published."""
        with self._changed:
            return not self._pending and not self._working

    @property
    def waiting(self) -> bool:
        """True when a newer value than the one at work has come in."""
        with self._changed:
            return bool(self._pending)

    @property
    def closed(self) -> bool:
        """True after :meth:`close`."""
        return self._closed

    def submit(self, value: Value) -> None:
        """Ask for `value`; a value still waiting is dropped. Returns at once.

        After :meth:`close` nothing happens.
        """
        with self._changed:
            if self._closed:
                return
            self._pending = [value]
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until idle or closed; return whether that happened within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._closed or (not self._pending and not self._working), timeout
            )

    def close(self) -> None:
        """Stop: what is pending is dropped, what is in flight is not published.

        The worker ends after the computation in flight. Safe to call from any
        thread, also from `publish`, and more than once.
        """
        with self._changed:
            self._closed = True
            self._pending = []
            self._changed.notify_all()

    def _work(self) -> None:
        torch.set_num_threads(1)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._pending)
                if self._closed:
                    return
                value = self._pending.pop()
                self._working = True
            try:
                result = self._compute(value)
            except Exception as problem:
                self._deliver(lambda problem=problem: self._report(problem))  # type: ignore[misc]
            else:
                self._deliver(lambda v=value, r=result: self._publish(v, r))  # type: ignore[misc]
            with self._changed:
                self._working = False
                self._changed.notify_all()

    def _deliver(self, function: Callable[[], None]) -> None:
        """Run `function` through the executor and wait until it has run, or until closed."""
        done = False

        def run() -> None:
            nonlocal done
            try:
                if not self._closed:
                    try:
                        function()
                    except Exception as problem:
                        self._report(problem)
            finally:
                with self._changed:
                    done = True
                    self._changed.notify_all()

        try:
            self._execute(run)
        except Exception as problem:  # the document is gone, or cannot take callbacks
            self._report(problem)
            return
        with self._changed:
            self._changed.wait_for(lambda: done or self._closed)

    def _report(self, problem: Exception) -> None:
        if self._on_error is None:
            raise problem
        self._on_error(problem)

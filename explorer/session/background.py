"""Jobs: compute in a thread, publish under the lock of the document."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import torch

from .document_lock import Execute
from .timings import timed

Value = TypeVar("Value")
Result = TypeVar("Result")


class Job(Generic[Value, Result]):
    """Compute what is asked for and publish it, in the background once it has been started.

    A slider sends values faster than a model answers. A job keeps one computation in flight.
    When it is done, its result is published under the document lock, and the newest value
    that came in meanwhile is next; the values between are dropped. The last value is always
    published.

    Parameters
    ----------
    compute : callable
        ``compute(value) -> result``; runs in the worker thread, where torch uses
        one thread so that sessions do not fight for cores.
    publish : callable
        ``publish(value, result)``; runs where the document may be changed. The next
        computation starts when it has returned, so at most one result waits to be published.
    name : str
        Name of the worker thread.
    on_error : callable, optional
        ``on_error(exception)`` for what `compute` or `publish` raised; runs where the document
        may be changed. The job lives on. Without it the exception is raised where results are
        published.
    every : bool
        Whether each value is computed, in the order in which they came, and none is dropped.

    Notes
    -----
    Until :meth:`start` a value is computed and published before :meth:`submit` returns. The
    thread starts with the first value and is a daemon: it never keeps a process alive.

    Examples
    --------
    >>> squares = Job(lambda x: x * x, lambda x, square: print(x, square), "squares")
    >>> squares.submit(3)
    3 9
    """

    def __init__(
        self,
        compute: Callable[[Value], Result],
        publish: Callable[[Value, Result], None],
        name: str = "job",
        on_error: Callable[[Exception], None] | None = None,
        every: bool = False,
    ) -> None:
        self.name = name
        self._compute = compute
        self._publish = publish
        self._on_error = on_error
        self._every = every
        self._execute: Execute | None = None
        self._changed = threading.Condition()
        self._pending: list[Value] = []
        self._working = False
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def started(self) -> bool:
        """True when values are computed in the background."""
        return self._execute is not None

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

    @property
    def running(self) -> bool:
        """True while the worker thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, execute: Execute) -> None:
        """Compute in a thread from now on.

        Parameters
        ----------
        execute : callable
            Runs a function under the document lock, see
            :func:`~spectrabridge.explorer.session.document_lock.under_lock`. The function may
            run at once or later, in any thread.
        """
        self._execute = execute

    def submit(self, value: Value) -> None:
        """Ask for `value`; a value still waiting is dropped. Return at once after a start.

        After :meth:`close` nothing happens.
        """
        with self._changed:
            if self._closed:
                return
            self._pending = [*self._pending, value] if self._every else [value]
            if self._execute is None:
                nested, self._working = self._working, True
            elif self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
                self._thread.start()
            self._changed.notify_all()
        # What is submitted while a result is published comes after it.
        if self._execute is None and not nested:
            self._work_at_once()

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

    def _timed(self, value: Value) -> Result:
        with timed(self.name):
            return self._compute(value)

    def _work_at_once(self) -> None:
        try:
            while self._pending:
                value = self._pending.pop(0)
                try:
                    self._publish(value, self._timed(value))
                except Exception as problem:
                    self._report(problem)
        finally:
            self._working = False

    def _work(self) -> None:
        torch.set_num_threads(1)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._pending)
                if self._closed:
                    return
                value = self._pending.pop(0)
                self._working = True
            try:
                result = self._timed(value)
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

        assert self._execute is not None
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

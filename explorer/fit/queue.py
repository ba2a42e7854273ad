"""The queue of the Fit page: files come in, fitted stars come out, in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import torch

from ..session.document_lock import Execute
from ..session.messages import sentence_of
from .fitted_star import FitPlan, FittedStar, read_file, unreadable

BATCH = 4
"""Stars fitted at a time: a fit can be stopped after each batch."""

MOST_STARS = 500
"""Stars kept in a session; each takes about 0.2 MB."""

Fit = Callable[[FitPlan, list[FittedStar]], list[FittedStar]]
"""Fits a few stars; runs in the worker thread."""


@dataclass(frozen=True)
class Progress:
    """How far the queue has come since it was last empty.

    Parameters
    ----------
    done, total : int
        Stars.
    reading : int
        Files that are not read yet.
    left : float or None
        Seconds that are left, if that is known.
    """

    done: int = 0
    total: int = 0
    reading: int = 0
    left: float | None = None

    @property
    def busy(self) -> bool:
        """Whether anything is left to do."""
        return self.reading > 0 or self.done < self.total


class FitQueue:
    """Reads files and fits the stars in them, a batch at a time.

    Parameters
    ----------
    fit : callable
        See :data:`Fit`.
    on_change : callable
        Called after stars or the progress have changed, where `execute` runs functions.

    Notes
    -----
    Without :meth:`start` everything is done at once, by whoever calls. After it a worker
    thread reads and fits, and hands over through `execute`. Stars are only changed there,
    so components may read :attr:`stars` without a lock.
    """

    def __init__(self, fit: Fit, on_change: Callable[[], None]) -> None:
        self.stars: dict[str, FittedStar] = {}
        """By key, in the order in which they came."""
        self._fit = fit
        self._on_change = on_change
        self._changed = threading.Condition()
        self._files: list[tuple[int, str, bytes | Path, FitPlan]] = []
        self._waiting: list[tuple[FittedStar, FitPlan]] = []
        self._in_flight: set[int] = set()
        self._keep = True
        self._closed = False
        self._serial = count(1)
        self._execute: Execute | None = None
        self._thread: threading.Thread | None = None
        self._done = self._total = 0
        self._pace: float | None = None
        self._reading = 0
        self._forgotten = 0
        self._at: tuple[str, bytes | Path] | None = None  # the file that is being read

    # ------------------------------------------------------------- from the page

    def start(self, execute: Execute) -> None:
        """Work in a thread from now on."""
        self._execute = execute

    def close(self) -> None:
        """End the thread after what it is at; nothing more is published."""
        with self._changed:
            self._closed = True
            self._files.clear()
            self._waiting.clear()
            self._changed.notify_all()

    def receive(self, name: str, content: bytes | Path, plan: FitPlan) -> None:
        """Read a file and fit its stars."""
        with self._changed:
            self._begin()
            self._files.append((next(self._serial), name, content, plan))
            self._reading += 1
        self._go()

    def refuse(self, name: str, sentence: str) -> None:
        """Keep a row for a file that did not arrive."""
        self._add([unreadable(name, sentence)], next(self._serial), None)
        self._on_change()

    def hand_over(self) -> tuple[list[FittedStar], list[tuple[str, bytes | Path]]]:
        """End, and return the stars and the files that are not read yet."""
        with self._changed:
            files = [(name, content) for _, name, content, _ in self._files]
            if self._at is not None:
                files.insert(0, self._at)
        self.close()
        return list(self.stars.values()), files

    def fit_again(
        self, plan: FitPlan, stars: Iterable[FittedStar] | None = None, anew: bool = False
    ) -> None:
        """Fit stars again from their spectra.

        Parameters
        ----------
        plan : FitPlan
            How.
        stars : iterable of FittedStar, optional
            All that are kept if not given.
        anew : bool
            Forget the fits that they have, as those of another model.
        """
        chosen = list(self.stars.values()) if stars is None else list(stars)
        serial = next(self._serial)
        with self._changed:
            self._begin()
            # Those on the way already would come twice.
            self._total -= len(self._waiting)
            self._waiting.clear()
            for star in chosen:
                if star.stage == "unreadable":
                    self.stars[star.key] = star
                    continue
                new = replace(star, stage="waiting", problem="", serial=serial)
                if anew:
                    new = replace(new, fits={}, shown=None)
                self.stars[star.key] = new
                self._waiting.append((new, plan))
                self._total += 1
        self._go()

    def stop(self) -> None:
        """Stop after the present batch; what is done stays, the rest is marked."""
        with self._changed:
            stopped = [star for star, _ in self._waiting]
            self._total -= len(stopped)
            self._waiting.clear()
            self._keep = False
        for star in stopped:
            self._replace(_stopped(star))
        self._on_change()

    def clear(self) -> None:
        """Forget all stars."""
        with self._changed:
            self._files.clear()
            self._waiting.clear()
            self._done = self._total = self._reading = 0
            self._forgotten = next(self._serial)
        self.stars.clear()
        self._on_change()

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        with self._changed:
            left = None
            if self._pace is not None and self._done < self._total:
                left = self._pace * (self._total - self._done)
            return Progress(self._done, self._total, self._reading, left)

    # ------------------------------------------------------------------ the work

    def _begin(self) -> None:
        """Count anew when everything before is done; called with the lock held."""
        self._keep = True
        if not self._files and not self._waiting and not self._in_flight and not self._reading:
            self._done = self._total = 0

    def _go(self) -> None:
        if self._execute is None:
            while self._step():
                pass
            self._on_change()
            return
        self._on_change()
        with self._changed:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._work, name="fits", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _work(self) -> None:
        torch.set_num_threads(1)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._files or self._waiting)
                if self._closed:
                    return
            self._step()

    def _publish(self, function: Callable[[], None]) -> None:
        """Run a function where stars may be changed, and wait for it."""
        if self._execute is None:
            function()
            return
        done = threading.Event()

        def run() -> None:
            try:
                if not self._closed:
                    function()
                    self._on_change()
            finally:
                done.set()

        try:
            self._execute(run)
        except Exception:  # the document is gone
            self.close()
            return
        while not done.wait(0.2):
            if self._closed:
                return

    def _step(self) -> bool:
        """Read a file, or else fit a batch; return False if there is neither."""
        with self._changed:
            file = self._files.pop(0) if self._files else None
            batch = [] if file else self._next_batch()
            self._in_flight = {star.serial for star, _ in batch}
            self._at = file[1:3] if file else None
        if file:
            serial, name, content, plan = file
            try:
                found = read_file(name, content)
            except Exception as problem:  # a row must come of every file
                found = [unreadable(name, sentence_of(problem))]
            self._publish(lambda: self._read(found, serial, plan))
            return True
        if not batch:
            return False
        started = time.monotonic()
        stars = [star for star, _ in batch]
        try:
            fitted = self._fit(batch[0][1], stars)
        except Exception as problem:
            sentence = sentence_of(problem)
            fitted = [replace(s, stage="failed", fits={}, problem=sentence) for s in stars]
        took = (time.monotonic() - started) / len(batch)
        self._publish(lambda: self._fitted(fitted, took))
        return True

    def _next_batch(self) -> list[tuple[FittedStar, FitPlan]]:
        """Return stars with one plan, and take them off the queue; called with the lock held."""
        n = 0
        while n < min(BATCH, len(self._waiting)) and self._waiting[n][1] == self._waiting[0][1]:
            n += 1
        batch, self._waiting[:n] = self._waiting[:n], []
        return batch

    # ------------------------------------------------- where stars may be changed

    def _read(self, found: list[FittedStar], serial: int, plan: FitPlan) -> None:
        with self._changed:
            self._at = None
            self._reading = max(0, self._reading - 1)
            if serial < self._forgotten:
                return
        self._add(found, serial, plan)

    def _add(self, found: list[FittedStar], serial: int, plan: FitPlan | None) -> None:
        """Take in the stars of a file; those of an earlier file of its name go."""
        name = found[0].star.file
        old = [key for key, star in self.stars.items() if star.star.file == name]
        room = MOST_STARS - len(self.stars) + len(old)
        if len(found) > room:
            sentence = (
                f"{len(found) - max(0, room)} of the {len(found)} spectra in {name} were left out: "
                f"a page keeps {MOST_STARS} stars. Fit large sets with `spectrabridge fit`."
            )
            found = [*found[: max(0, room - 1)], unreadable(name, sentence, len(found))]
        found = [replace(star, serial=serial) for star in found]
        # A replaced file keeps its place in the list.
        after = {star.key: star for star in found}
        kept: dict[str, FittedStar] = {}
        for key, star in self.stars.items():
            if key not in old:
                kept[key] = star
            elif key == old[0]:
                kept |= after
        self.stars = kept | after
        with self._changed:
            self._total -= sum(s.key in old for s, _ in self._waiting)
            self._waiting = [(s, p) for s, p in self._waiting if s.key not in old]
            wanted = [s for s in found if s.stage == "waiting" and plan is not None]
            if self._keep and plan is not None:
                self._waiting += [(s, plan) for s in wanted]
                self._total += len(wanted)
                wanted = []
        for star in wanted:
            self._replace(_stopped(star))

    def _fitted(self, stars: list[FittedStar], took: float) -> None:
        with self._changed:
            self._in_flight = set()
            self._done = min(self._done + len(stars), self._total)
            self._pace = took if self._pace is None else 0.5 * (self._pace + took)
        for star in stars:
            self._replace(star)

    def _replace(self, star: FittedStar) -> None:
        """Show a star unless a later file, or a later fit, has taken its place."""
        old = self.stars.get(star.key)
        if old is not None and old.serial == star.serial:
            self.stars[star.key] = star


def _stopped(star: FittedStar) -> FittedStar:
    if star.fits:
        # An earlier fit is still good.
        return replace(star, stage="fitted")
    return replace(star, stage="stopped", problem="Stopped before this star was fitted.")

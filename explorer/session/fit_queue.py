"""The queue of fits: stars that were read come in, fitted stars come out, in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from .background import Job
from .component import Component
from .fitted_star import FitPlan, FittedStar, unreadable
from .messages import sentence_of

BATCH_STARS = 4
"""Stars fitted at a time: a fit can be stopped after each batch."""

MAX_STARS = 500
"""Stars kept in a session; each takes about 0.2 MB."""

Fit = Callable[[FitPlan, list[FittedStar]], list[FittedStar]]
"""Fits a few stars; runs in the worker thread."""


@dataclass(frozen=True)
class Progress:
    """Counts of what is done and what is left since the queue was last empty.

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
        """True if anything is left to do."""
        return self.reading > 0 or self.done < self.total


class FitQueue(Component):
    """Fits stars, a batch at a time.

    Parameters
    ----------
    fit : callable
        See :data:`Fit`.
    on_change : callable
        Called after stars or the progress have changed, where the document may be changed.

    Notes
    -----
    Before the start everything is done at once, by whoever calls. After it a job fits, and
    publishes under the document lock. Stars are only changed there, so components may read
    :attr:`stars` without a lock.
    """

    def __init__(self, fit: Fit, on_change: Callable[[], None]) -> None:
        super().__init__()
        self.stars: dict[str, FittedStar] = {}
        """By key, in the order in which they came."""
        self._fit = fit
        self._on_change = on_change
        self._lock = threading.Lock()
        # A step fits one batch, and returns what publishes it.
        self._steps: Job[None, Callable[[], None] | None] = self.job(
            lambda _: self._step(), lambda _, show: self._show(show), "fits"
        )
        self._waiting: list[tuple[FittedStar, FitPlan]] = []
        self._in_flight: set[int] = set()
        self._keep = True
        self._serial = count(1)
        self._done = self._total = 0
        self._pace: float | None = None
        self._reading = 0

    # ------------------------------------------------------------- from the page

    def close(self) -> None:
        """End after what is being done; nothing more is published."""
        super().close()
        with self._lock:
            self._waiting.clear()

    def expect(self) -> None:
        """Count a file that is being read."""
        with self._lock:
            self._begin()
            self._reading += 1
        self._on_change()

    def arrive(self, found: Sequence[FittedStar], plan: FitPlan) -> None:
        """Take in the stars of a file that was read, and fit them; none is a file left out.

        Those of an earlier file of its name go. After :meth:`stop` they are kept without fits
        until another file is expected.
        """
        with self._lock:
            self._reading = max(0, self._reading - 1)
        if found:
            self._add(list(found), next(self._serial), plan)
        self._go()

    def add(self, star: FittedStar, plan: FitPlan) -> None:
        """Fit one more spectrum of a file whose stars have arrived."""
        with self._lock:
            self._begin()
            star = replace(star, stage="waiting", serial=next(self._serial))
            self.stars[star.key] = star
            # It has been asked for just now: it is first.
            self._waiting.insert(0, (star, plan))
            self._total += 1
        self._go()

    def first(self, key: str) -> None:
        """Fit a star before all others that wait."""
        with self._lock:
            self._waiting.sort(key=lambda waiting: waiting[0].key != key)

    def refuse(self, name: str, sentence: str) -> None:
        """Keep a row for a file that did not arrive."""
        self._add([unreadable(name, sentence)], next(self._serial), None)
        self._on_change()

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
        with self._lock:
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
        with self._lock:
            stopped = [star for star, _ in self._waiting]
            self._total -= len(stopped)
            self._waiting.clear()
            self._keep = False
        for star in stopped:
            self._replace(_stopped(star))
        self._on_change()

    def clear(self) -> None:
        """Forget all stars."""
        with self._lock:
            self._waiting.clear()
            self._done = self._total = self._reading = 0
        self.stars.clear()
        self._on_change()

    @property
    def progress(self) -> Progress:
        """The progress since the queue was last empty."""
        with self._lock:
            left = None
            if self._pace is not None and self._done < self._total:
                left = self._pace * (self._total - self._done)
            return Progress(self._done, self._total, self._reading, left)

    # ------------------------------------------------------------------ the work

    def _begin(self) -> None:
        """Count anew when everything before is done; called with the lock held."""
        self._keep = True
        if not self._waiting and not self._in_flight and not self._reading:
            self._done = self._total = 0

    def _go(self) -> None:
        self._on_change()
        self._steps.submit(None)

    def _show(self, publish: Callable[[], None] | None) -> None:
        """Publish a step, and go on with the next unless there was nothing to do."""
        if publish is not None:
            publish()
            self._on_change()
            self._steps.submit(None)

    def _step(self) -> Callable[[], None] | None:
        """Fit a batch; return what publishes it, None without one."""
        with self._lock:
            batch = self._next_batch()
            self._in_flight = {star.serial for star, _ in batch}
        if not batch:
            return None
        started = time.monotonic()
        stars = [star for star, _ in batch]
        try:
            fitted = self._fit(batch[0][1], stars)
        except Exception as problem:
            sentence = sentence_of(problem)
            fitted = [replace(s, stage="failed", fits={}, problem=sentence) for s in stars]
        took = (time.monotonic() - started) / len(batch)
        return partial(self._fitted, fitted, took)

    def _next_batch(self) -> list[tuple[FittedStar, FitPlan]]:
        """Return stars with one plan, and take them off the queue; called with the lock held."""
        n = 0
        while (
            n < min(BATCH_STARS, len(self._waiting)) and self._waiting[n][1] == self._waiting[0][1]
        ):
            n += 1
        batch, self._waiting[:n] = self._waiting[:n], []
        return batch

    # ------------------------------------------------- where stars may be changed

    def _add(self, found: list[FittedStar], serial: int, plan: FitPlan | None) -> None:
        """Take in the stars of a file; those of an earlier file of its name go."""
        name = found[0].star.file
        old = [key for key, star in self.stars.items() if star.star.file == name]
        room = MAX_STARS - len(self.stars) + len(old)
        if len(found) > room:
            sentence = (
                f"{len(found) - max(0, room)} of the {len(found)} spectra in {name} were left out: "
                f"a page keeps {MAX_STARS} stars. Fit large sets with `spectrabridge fit`."
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
        with self._lock:
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
        with self._lock:
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

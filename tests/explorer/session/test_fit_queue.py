"""The queue of fits: stars come in, fits come out, and whoever waits can stop it."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.fitting import FitSettings
from spectrabridge.core.io.apstar import example_apstar
from spectrabridge.explorer.session import fit_queue
from spectrabridge.explorer.session.fit_queue import FitQueue
from spectrabridge.explorer.session.fitted_star import FitPlan, fit_batch, fitters_of, read_file

PLAN = FitPlan(settings=FitSettings(iterations=3, chunk=4))


@pytest.fixture(scope="module")
def content():
    return example_apstar().read_bytes()


@pytest.fixture(scope="module")
def fitted(content):
    """The example star, fitted once for all tests."""
    bundle = open_bundle("apogee-giants")
    return fit_batch(fitters_of(bundle, PLAN), read_file("star.fits", content))[0]


def receive(queue, name, content, expected=True):
    """Read a file and hand over its stars, as a session does."""
    if expected:
        queue.expect()
    queue.arrive(read_file(name, content), PLAN)


class Later:
    """Runs what is published when the test says so, as a server's event loop would."""

    def __init__(self):
        self.functions = []

    def __call__(self, function):
        self.functions.append(function)

    def run_until(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "the queue did not come so far"
            if self.functions:
                self.functions.pop(0)()
            else:
                time.sleep(0.005)


def quick(fitted):
    return lambda plan, stars: [
        replace(s, stage="fitted", fits=fitted.fits, shown=fitted.shown) for s in stars
    ]


def stages(queue):
    return [s.stage for s in queue.stars.values()]


def test_stop_keeps_what_is_done_and_marks_the_rest(fitted, content, monkeypatch):
    monkeypatch.setattr(fit_queue, "BATCH_STARS", 2)
    later, fit = Later(), quick(fitted)
    queue = FitQueue(fit, lambda: None)
    queue.start(later)
    for i in range(5):
        receive(queue, f"{i}.fits", content)
    later.run_until(lambda: stages(queue).count("fitted") == 1)
    # The next batch may be under way; it is kept too.
    queue.stop()
    later.run_until(lambda: not queue.progress.busy)
    done = stages(queue).count("fitted")
    assert done in (1, 3)
    assert stages(queue).count("stopped") == 5 - done
    assert all(s.problem for s in queue.stars.values() if s.stage == "stopped")
    queue.fit_again(PLAN)
    later.run_until(lambda: stages(queue).count("fitted") == 5)
    queue.close()


def test_a_file_dropped_again_while_it_is_fitted_wins(fitted, content):
    later = Later()
    queue = FitQueue(quick(fitted), lambda: None)
    queue.start(later)
    receive(queue, "a.fits", content)
    later.run_until(lambda: stages(queue) == ["waiting"])
    receive(queue, "a.fits", b"damaged")
    later.run_until(lambda: stages(queue) == ["unreadable"])
    later.run_until(lambda: not queue.progress.busy)
    assert stages(queue) == ["unreadable"]
    queue.close()


def test_a_star_that_cannot_be_fitted_leaves_the_others_alone(content):
    def fit(plan, stars):
        raise ValueError("no")

    queue = FitQueue(fit, lambda: None)
    receive(queue, "a.fits", content)
    assert stages(queue) == ["failed"]
    assert "Something went wrong" in queue.stars["a.fits#0"].problem
    assert not queue.progress.busy


def test_too_many_stars_are_told(fitted, content, monkeypatch):
    monkeypatch.setattr(fit_queue, "MAX_STARS", 1)
    queue = FitQueue(quick(fitted), lambda: None)
    receive(queue, "a.fits", content)
    receive(queue, "b.fits", content)
    assert stages(queue) == ["fitted", "unreadable"]
    assert "a page keeps 1 stars" in queue.stars["b.fits#1"].problem


def test_another_bundle_fits_the_stars_again(fitted, content):
    old = FitQueue(quick(fitted), lambda: None)
    receive(old, "a.fits", content)
    receive(old, "notes.txt", b"no star")
    new = FitQueue(quick(fitted), lambda: None)
    new.fit_again(PLAN, old.stars.values(), anew=True)
    assert stages(new) == ["fitted", "unreadable"]


def test_the_star_that_is_looked_at_is_fitted_first(fitted, content):
    later, order = Later(), []

    def fit(plan, stars):
        order.extend(s.key for s in stars)
        return quick(fitted)(plan, stars)

    queue = FitQueue(fit, lambda: None)
    queue.start(later)
    queue.stop()  # they wait until they are asked for
    for i in range(9):
        receive(queue, f"{i}.fits", content, expected=False)
    queue.fit_again(PLAN)
    queue.first("8.fits#0")
    later.run_until(lambda: stages(queue).count("fitted") == 9)
    assert order.index("8.fits#0") < 8
    queue.close()

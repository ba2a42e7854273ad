import queue
import threading
import time

import pytest
import torch
from bokeh.document import Document

from spectrabridge.explorer.session.background import LatestWins
from spectrabridge.explorer.session.document_lock import under_lock


def at_once(function):
    function()


@pytest.fixture
def gate():
    """A computation that waits until told to go on, and notes what it was given."""

    class Gate:
        def __init__(self):
            self.started = queue.Queue()
            self.release = threading.Semaphore(0)

        def compute(self, value):
            self.started.put(value)
            assert self.release.acquire(timeout=5)
            return value * 10

    return Gate()


def test_values_between_are_dropped_and_the_last_is_published(gate):
    published = []
    work = LatestWins(gate.compute, lambda v, r: published.append((v, r)), at_once)
    work.submit(0)
    assert gate.started.get(timeout=5) == 0
    for value in range(1, 50):
        work.submit(value)
    gate.release.release(2)
    assert work.wait(5)
    assert published == [(0, 0), (49, 490)]
    assert gate.started.qsize() == 1
    work.close()


def test_results_come_in_the_order_of_the_values():
    published = []
    work = LatestWins(lambda v: v, lambda v, r: published.append(v), at_once)
    for value in range(300):
        work.submit(value)
        if value % 7 == 0:
            time.sleep(0.001)
    assert work.wait(5)
    assert published == sorted(published)
    assert published[-1] == 299
    work.close()


def test_one_computation_at_a_time_in_one_other_thread():
    running, most, threads = [], [], set()

    def compute(value):
        running.append(value)
        most.append(len(running))
        threads.add(threading.get_ident())
        time.sleep(0.005)
        running.remove(value)
        return value

    work = LatestWins(compute, lambda v, r: None, at_once)
    for value in range(40):
        work.submit(value)
        time.sleep(0.002)
    assert work.wait(5)
    assert max(most) == 1
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    work.close()


def test_torch_uses_one_thread_in_the_worker(monkeypatch):
    asked = []
    monkeypatch.setattr(
        torch, "set_num_threads", lambda n: asked.append((n, threading.get_ident()))
    )
    work = LatestWins(lambda v: threading.get_ident(), lambda v, r: asked.append(r), at_once)
    work.submit(1)
    assert work.wait(5)
    assert asked[0] == (1, asked[1])
    work.close()


def test_an_exception_is_told_and_work_goes_on():
    published, told = [], []

    def compute(value):
        if value < 0:
            raise ValueError(f"no {value}")
        return value

    work = LatestWins(compute, lambda v, r: published.append(r), at_once, told.append)
    work.submit(-1)
    assert work.wait(5)
    work.submit(2)
    assert work.wait(5)
    assert [str(e) for e in told] == ["no -1"]
    assert published == [2]
    work.close()


def test_an_exception_while_publishing_is_told_and_work_goes_on():
    told, published = [], []

    def publish(value, result):
        if value == 1:
            raise RuntimeError("cannot draw")
        published.append(value)

    work = LatestWins(lambda v: v, publish, at_once, told.append)
    work.submit(1)
    assert work.wait(5)
    work.submit(2)
    assert work.wait(5)
    assert [str(e) for e in told] == ["cannot draw"]
    assert published == [2]
    work.close()


def test_closing_during_work_publishes_nothing_more(gate):
    published = []
    work = LatestWins(gate.compute, lambda v, r: published.append(r), at_once)
    work.submit(1)
    gate.started.get(timeout=5)
    work.submit(2)
    thread = work._thread
    work.close()
    gate.release.release(2)
    thread.join(5)
    assert not thread.is_alive()
    assert published == []
    assert gate.started.empty()
    work.submit(3)
    assert work.closed
    assert gate.started.empty()


def test_closing_frees_a_worker_whose_document_is_gone():
    work = LatestWins(lambda v: v, lambda v, r: None, lambda function: None)
    work.submit(1)
    time.sleep(0.05)
    assert not work.idle
    work.close()
    work._thread.join(5)
    assert not work._thread.is_alive()


def test_an_executor_that_fails_is_told():
    told = []

    def broken(function):
        raise RuntimeError("the document is gone")

    work = LatestWins(lambda v: v, lambda v, r: None, broken, told.append)
    work.submit(1)
    assert work.wait(5)
    assert [str(e) for e in told] == ["the document is gone"]
    work.close()


def test_the_next_computation_waits_for_the_publication():
    waiting, computed = [], []
    work = LatestWins(lambda v: computed.append(v), lambda v, r: None, waiting.append)
    work.submit(1)
    for value in range(2, 10):
        time.sleep(0.01)
        work.submit(value)
    assert computed == [1]
    assert len(waiting) == 1
    waiting.pop()()
    deadline = time.monotonic() + 5
    while not waiting and time.monotonic() < deadline:
        time.sleep(0.005)
    assert computed == [1, 9]
    work.close()


def test_slow_work_builds_no_backlog():
    """60 values a second with 50 ms of work each: the last is out two computations later."""
    published = []
    work = LatestWins(
        lambda v: time.sleep(0.05) or v,
        lambda v, r: published.append((v, time.monotonic())),
        at_once,
    )
    for value in range(60):
        work.submit(value)
        time.sleep(1 / 60)
    end = time.monotonic()
    assert work.wait(5)
    assert published[-1][0] == 59
    assert published[-1][1] - end < 0.4
    assert len(published) < 40
    work.close()


def test_a_document_runs_functions_in_its_own_time():
    document, ran = Document(), []
    under_lock(document)(lambda: ran.append(True))
    assert ran == []
    assert len(document.session_callbacks) == 1
    document.session_callbacks[0].callback()
    assert ran == [True]

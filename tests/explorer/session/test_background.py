import queue
import threading
import time

import pytest
import torch
from bokeh.document import Document

from spectrabridge.explorer.session.background import Job
from spectrabridge.explorer.session.document_lock import under_lock


def at_once(function):
    function()


def started(compute, publish, execute, on_error=None, every=False):
    job = Job(compute, publish, "job", on_error, every)
    job.start(execute)
    return job


def ended(job):
    """Wait for the end of the worker thread."""
    deadline = time.monotonic() + 60
    while job.running and time.monotonic() < deadline:
        time.sleep(0.005)
    return not job.running


@pytest.fixture
def gate():
    """A computation that waits until told to go on, and notes what it was given."""

    class Gate:
        def __init__(self):
            self.started = queue.Queue()
            self.release = threading.Semaphore(0)

        def compute(self, value):
            self.started.put(value)
            assert self.release.acquire(timeout=60)
            return value * 10

    return Gate()


def test_values_between_are_dropped_and_the_last_is_published(gate):
    published = []
    work = started(gate.compute, lambda v, r: published.append((v, r)), at_once)
    work.submit(0)
    assert gate.started.get(timeout=60) == 0
    for value in range(1, 50):
        work.submit(value)
    gate.release.release(2)
    assert work.wait(5)
    assert published == [(0, 0), (49, 490)]
    assert gate.started.qsize() == 1
    work.close()


def test_results_come_in_the_order_of_the_values():
    published = []
    work = started(lambda v: v, lambda v, r: published.append(v), at_once)
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

    work = started(compute, lambda v, r: None, at_once)
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
    work = started(lambda v: threading.get_ident(), lambda v, r: asked.append(r), at_once)
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

    work = started(compute, lambda v, r: published.append(r), at_once, told.append)
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

    work = started(lambda v: v, publish, at_once, told.append)
    work.submit(1)
    assert work.wait(5)
    work.submit(2)
    assert work.wait(5)
    assert [str(e) for e in told] == ["cannot draw"]
    assert published == [2]
    work.close()


def test_closing_during_work_publishes_nothing_more(gate):
    published = []
    work = started(gate.compute, lambda v, r: published.append(r), at_once)
    work.submit(1)
    gate.started.get(timeout=60)
    work.submit(2)
    work.close()
    gate.release.release(2)
    assert ended(work)
    assert published == []
    assert gate.started.empty()
    work.submit(3)
    assert work.closed
    assert gate.started.empty()


def test_closing_frees_a_worker_whose_document_is_gone():
    work = started(lambda v: v, lambda v, r: None, lambda function: None)
    work.submit(1)
    time.sleep(0.05)
    assert not work.idle
    work.close()
    assert ended(work)


def test_an_executor_that_fails_is_told():
    told = []

    def broken(function):
        raise RuntimeError("the document is gone")

    work = started(lambda v: v, lambda v, r: None, broken, told.append)
    work.submit(1)
    assert work.wait(5)
    assert [str(e) for e in told] == ["the document is gone"]
    work.close()


def test_the_next_computation_waits_for_the_publication():
    waiting, computed = [], []
    work = started(lambda v: computed.append(v), lambda v, r: None, waiting.append)
    work.submit(1)
    for value in range(2, 10):
        time.sleep(0.01)
        work.submit(value)
    assert computed == [1]
    assert len(waiting) == 1
    waiting.pop()()
    deadline = time.monotonic() + 60
    while not waiting and time.monotonic() < deadline:
        time.sleep(0.005)
    assert computed == [1, 9]
    work.close()


def test_slow_work_builds_no_backlog():
    """60 values a second with 50 ms of work each: the last is out two computations later."""
    published, submitted = [], []
    work = started(
        lambda v: time.sleep(0.05) or (v, len(submitted)),
        lambda v, r: published.append(r),
        at_once,
    )
    for value in range(60):
        submitted.append(value)
        work.submit(value)
        time.sleep(1 / 60)
    assert work.wait(60)
    assert published[-1][0] == 59
    # After the last value has come in, one computation may be left and then that of the last.
    assert sum(known == 60 for _, known in published) <= 2
    assert len(published) < 60
    work.close()


def test_a_document_runs_functions_in_its_own_time():
    document, ran = Document(), []
    under_lock(document)(lambda: ran.append(True))
    assert ran == []
    assert len(document.session_callbacks) == 1
    document.session_callbacks[0].callback()
    assert ran == [True]


class TestAtOnce:
    """Before its start a job does its work when it is asked."""

    def test_it_is_published_before_submit_returns(self):
        published = []
        job = Job(lambda v: v * 10, lambda v, r: published.append((v, r)))
        job.submit(1)
        job.submit(2)
        assert published == [(1, 10), (2, 20)]
        assert job.idle
        assert not job.started

    def test_what_is_asked_for_while_publishing_comes_after(self):
        order = []

        def publish(value, result):
            order.append(f"begin {value}")
            if value < 3:
                job.submit(value + 1)
            order.append(f"end {value}")

        job = Job(lambda v: v, publish)
        job.submit(2)
        assert order == ["begin 2", "end 2", "begin 3", "end 3"]

    def test_an_error_is_told_or_raised_and_work_goes_on(self):
        def compute(value):
            if value < 0:
                raise ValueError(f"no {value}")
            return value

        told, published = [], []
        job = Job(compute, lambda v, r: published.append(r), on_error=told.append)
        job.submit(-1)
        job.submit(1)
        assert [str(e) for e in told] == ["no -1"]
        assert published == [1]
        strict = Job(compute, lambda v, r: published.append(r))
        with pytest.raises(ValueError, match="no -1"):
            strict.submit(-1)
        strict.submit(2)
        assert published == [1, 2]

    def test_nothing_is_done_after_closing(self):
        published = []
        job = Job(lambda v: v, lambda v, r: published.append(r))
        job.close()
        job.submit(1)
        assert published == []


def test_a_job_can_take_every_value_in_order(gate):
    published = []
    work = started(gate.compute, lambda v, r: published.append(r), at_once, every=True)
    for value in range(5):
        work.submit(value)
    gate.release.release(5)
    assert work.wait(5)
    assert published == [0, 10, 20, 30, 40]
    work.close()

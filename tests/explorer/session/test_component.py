"""Parts of a session watch, work, and end together."""

import gc
import threading
import weakref

import panel as pn
import param
import pytest

from spectrabridge.explorer.session.component import Component


class State(param.Parameterized):
    value = param.Integer(0)
    other = param.Integer(0)


class Counter(Component, pn.viewable.Viewer):
    """Counts and computes what a state tells."""

    begun = 0

    def __init__(self, state, **params):
        super().__init__(**params)
        self.seen, self.doubled, self.threads = [], [], set()
        self.doubling = self.job(self._double, lambda v, r: self.doubled.append(r), "doubling")
        self.watch(state, self._changed, ["value", "other"])

    def _changed(self, *events):
        self.seen.append({event.name: event.new for event in events})
        self.doubling.submit(events[0].new)

    def _double(self, value):
        self.threads.add(threading.get_ident())
        return 2 * value

    def on_start(self):
        self.begun += 1

    def __panel__(self):
        return pn.pane.HTML("")


def at_once(function):
    function()


def test_it_hears_changes_made_together_once_until_it_is_closed():
    state = State()
    counter = Counter(state)
    state.param.update(value=1, other=2)
    state.value = 3
    counter.close()
    state.value = 4
    assert counter.seen == [{"value": 1, "other": 2}, {"value": 3}]
    assert counter.doubled == [2, 6]
    counter.close()


def test_work_is_done_at_once_until_the_start_and_then_elsewhere():
    state = State()
    counter = Counter(state)
    state.value = 1
    assert counter.threads == {threading.get_ident()}
    counter.start(at_once)
    state.value = 2
    assert counter.doubling.wait(5)
    assert len(counter.threads) == 2
    assert counter.doubled == [2, 4]
    counter.close()


def test_without_a_document_nothing_starts():
    counter = Counter(State())
    counter.start()
    assert counter.execute is None
    assert counter.begun == 0


def test_it_starts_once():
    counter = Counter(State())
    counter.start(at_once)
    counter.start(at_once)
    assert counter.begun == 1
    counter.close()


def test_parts_start_and_end_with_the_whole():
    state = State()
    whole = Component()
    part = whole.own(Counter(state))
    whole.start(at_once)
    late = whole.own(Counter(state))
    assert part.begun == late.begun == 1
    whole.disown(late)
    whole.disown(None)
    state.value = 1
    assert part.doubling.wait(5)
    assert (len(part.seen), len(late.seen)) == (1, 0)
    whole.close()
    state.value = 2
    assert len(part.seen) == 1
    assert part.doubling.closed


def test_one_of_several_states_can_be_left():
    first, second = State(), State()
    counter = Counter(first)
    counter.unwatch(first)
    counter.watch(second, counter._changed, "value")
    first.value = 1
    second.value = 2
    assert counter.seen == [{"value": 2}]


@pytest.mark.parametrize("start", [False, True])
def test_a_callback_for_widgets_runs_where_the_document_may_be_changed(start):
    waiting, ran = [], []
    part = Component()
    if start:
        part.start(waiting.append)
    part.locked(lambda: ran.append(True))("an event", "another")
    assert (len(waiting), len(ran)) == ((1, 0) if start else (0, 1))


def test_nothing_holds_what_has_been_closed():
    state = State()
    counter = Counter(state)
    counter.start(at_once)
    state.value = 1
    assert counter.doubling.wait(5)
    counter.close()
    gone = weakref.ref(counter)
    del counter
    for _ in range(200):
        gc.collect()
        if gone() is None:
            break
        threading.Event().wait(0.01)
    assert gone() is None

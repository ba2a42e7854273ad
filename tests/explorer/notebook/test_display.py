"""What carries changes to the browser of a notebook, without a notebook."""

from __future__ import annotations

import json

import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Range1d
from pyviz_comms import Comm

from spectrabridge.explorer.notebook.document_comm import DocumentComm


class Heard(Comm):
    """A comm that keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def send(self, data=None, metadata=None, buffers=()) -> None:
        if isinstance(data, str):
            self.sent.append(data)

    @property
    def events(self) -> list[dict]:
        contents = [json.loads(text) for text in self.sent]
        return [e for content in contents for e in content.get("events", ())]


class Kernel:
    """A loop that runs what it was given when it is told to."""

    def __init__(self) -> None:
        self.queue: list = []

    def call_soon(self, function, *args) -> None:
        self.queue.append((function, args))

    call_soon_threadsafe = call_soon

    def run(self) -> None:
        while self.queue:
            function, args = self.queue.pop(0)
            function(*args)


@pytest.fixture
def loop():
    return Kernel()


@pytest.fixture
def display(loop):
    """A document as a notebook shows it: the model in it, and its carrier."""
    document, comm, model = Document(), Heard(), Range1d(start=0, end=1)
    document.add_root(model)
    carrier = DocumentComm(document, comm, loop)
    carrier.watch(model)
    return document, comm, model, carrier


class TestDocumentComm:
    def test_sends_nothing_before_the_browser_is_there_and_all_of_it_then(self, display, loop):
        _, comm, model, carrier = display
        model.end = 2
        loop.run()
        assert comm.events == []
        carrier.open()
        loop.run()
        assert [(e["attr"], e["new"]) for e in comm.events] == [("end", 2)]

    def test_changes_made_together_go_together(self, display, loop):
        _, comm, model, carrier = display
        carrier.open()
        loop.run()
        before = len(comm.sent)
        model.update(start=3, end=5)
        assert len(comm.sent) == before
        loop.run()
        assert len(comm.events) == 2
        assert sum("msgtype" in text for text in comm.sent) == 1

    def test_what_the_browser_did_is_not_sent_back(self, display, loop):
        _, comm, model, carrier = display
        carrier.open()
        loop.run()
        model.set_from_json("end", 7.0, setter=comm.id)
        loop.run()
        assert model.end == 7
        assert comm.events == []

    def test_calls_that_a_hold_would_swallow_are_made(self, display, loop):
        # Panel holds documents around its own changes; what another callback waits for
        # must not be lost in them.
        document, _, model, _ = display
        seen = []
        model.on_change("start", lambda attr, old, new: document.hold("combine"))
        model.on_change("end", lambda attr, old, new: seen.append(new))
        model.start = 0.5
        model.end = 9
        assert seen == [9]

    def test_an_ipywidget_sends_what_was_put_off_until_it_is_there(self, loop):
        document, model = Document(), ColumnDataSource({"x": [1]})
        carrier = DocumentComm(document, None, loop)
        carrier.watch(model)
        assert model.document is document
        sent = []
        assert carrier.put_off(lambda: sent.append(1))
        assert carrier.put_off(lambda: sent.append(2))
        assert sent == []
        carrier.open()
        loop.run()
        assert sent == [1, 2]
        assert not carrier.put_off(lambda: sent.append(3))  # who asks sends it now
        assert sent == [1, 2]

    def test_an_ipywidget_holds_nothing_back_in_bokeh(self, loop):
        document, model = Document(), ColumnDataSource({"x": [1]})
        DocumentComm(document, None, loop).watch(model)
        heard = []
        document.on_change(heard.append)
        document.hold()
        model.data = {"x": [2]}
        assert len(heard) == 1

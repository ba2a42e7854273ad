"""jupyter_bokeh sends a message in parts; two threads at a time mix them."""

import threading
import time

import pytest
from bokeh.document import Document

from spectrabridge.explorer.workarounds import interleaved_messages


@pytest.fixture
def model(monkeypatch):
    """A class in place of jupyter_bokeh's, which notes the parts that it sends."""
    widgets = pytest.importorskip("jupyter_bokeh.widgets")

    class Model:
        def __init__(self) -> None:
            self._document = Document()

        def _document_patched(self, event) -> None:
            for part in range(3):
                sent.append((event, part))
                time.sleep(0.002)

    sent: list[tuple[str, int]] = []
    Model.sent = sent
    monkeypatch.setattr(widgets, "BokehModel", Model)
    monkeypatch.setattr(interleaved_messages, "_mended", False)
    return Model


def send_two_at_a_time(model) -> list[str]:
    one = model()
    threads = [
        threading.Thread(target=lambda n=n: one._document_patched(n)) for n in ("first", "second")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [name for name, _ in model.sent]


def test_jupyter_bokeh_alone_has_no_lock():
    """Its method holds none, and takes none of the threads that call it."""
    widgets = pytest.importorskip("jupyter_bokeh.widgets")
    plain = getattr(widgets.BokehModel._document_patched, "__wrapped__", None)
    names = (plain or widgets.BokehModel._document_patched).__code__.co_names
    assert not {"Lock", "RLock", "lock", "_lock", "acquire"} & set(names)


def test_parts_of_two_threads_alone_are_mixed(model):
    assert send_two_at_a_time(model) != ["first"] * 3 + ["second"] * 3


def test_messages_are_sent_one_after_the_other(model):
    interleaved_messages.send_whole_messages(lambda document, send: False)
    names = send_two_at_a_time(model)
    assert names in (["first"] * 3 + ["second"] * 3, ["second"] * 3 + ["first"] * 3)


def test_what_is_put_off_is_sent_later(model):
    waiting = []
    interleaved_messages.send_whole_messages(lambda document, send: not waiting.append(send))
    model()._document_patched("early")
    assert model.sent == []
    waiting.pop()()
    assert [name for name, _ in model.sent] == ["early"] * 3

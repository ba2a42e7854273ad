"""Panel's callback that forgets unanswered events keeps whoever it was started for."""

import subprocess
import sys

import pytest

CODE = """
import asyncio, gc, sys, weakref
import panel as pn
from bokeh.application.handlers.document_lifecycle import DocumentLifecycleHandler
from bokeh.server.contexts import ApplicationContext
from panel.io.application import build_applications
from panel.io.state import set_curdoc
from tornado.ioloop import IOLoop

class Request:
    path = uri = "/"
    protocol, host = "http", "localhost"
    arguments, headers, cookies = {}, {}, {}

documents = []
application = build_applications({"/": pn.Column}, title="t")["/"]
application.add(DocumentLifecycleHandler())

async def visit():
    %s
    context = ApplicationContext(application, io_loop=IOLoop.current(), url="/")
    for number in range(2):
        session = await context.create_session_if_needed(f"s{number}", Request())
        documents.append(weakref.ref(session.document))
        with set_curdoc(session.document):
            pn.state._on_load(None)
            pn.state._add_busy_event("event")
            pn.state._remove_busy_event("event")
        session.request_expiration()
        del session
        while list(context.sessions):
            await context._cleanup_sessions(0)
            await asyncio.sleep(0.01)
    gc.collect()
    gc.collect()
    print("the first is", "gone" if documents[0]() is None else "kept")

asyncio.run(visit())
"""


@pytest.fixture
def answer():
    def run(first: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", CODE % first], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


def test_panel_alone_keeps_the_first_session(answer):
    assert answer("pass") == "the first is kept"


def test_it_is_let_go(answer):
    first = (
        "from spectrabridge.apps.server.workarounds.busy_cleanup import start_busy_cleanup; "
        "start_busy_cleanup()"
    )
    assert answer(first) == "the first is gone"

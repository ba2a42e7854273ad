"""Sessions that have ended are gone: nothing of them stays in memory, no thread, no watcher."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import panel as pn
import pytest
from bokeh.application.handlers.document_lifecycle import DocumentLifecycleHandler
from bokeh.server.contexts import ApplicationContext
from panel.io.application import build_applications
from panel.io.state import set_curdoc
from tornado.ioloop import IOLoop

from spectrabridge.apps.server.server import build
from spectrabridge.explorer.app import Explorer


class Request:
    """What a session wants to know of the request for its page."""

    path = uri = "/"
    protocol, host = "http", "localhost"

    def __init__(self) -> None:
        self.arguments: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.cookies: dict[str, str] = {}


async def _visit(context: ApplicationContext, number: int, explorers: list[Any]) -> None:
    """Open a session, move a slider in it, and end it while that is computed."""
    session = await context.create_session_if_needed(f"session-{number}", Request())  # type: ignore[arg-type]
    explorer: Explorer = explorers[-1]()
    with set_curdoc(session.document):
        pn.state._on_load(None)
        explorer.state.move("teff", 4300.0 + number)
    del explorer
    session.request_expiration()
    while list(context.sessions):
        await context._cleanup_sessions(0)
        await asyncio.sleep(0.05)


def _threads() -> list[str]:
    ours = ("spectra", "derivatives", "files", "fits", "map", "lines")
    return [t.name for t in threading.enumerate() if t.name.startswith(ours)]


@pytest.mark.slow
def test_nothing_of_a_session_stays(caplog: pytest.LogCaptureFixture) -> None:
    explorers: list[weakref.ref[Explorer]] = []

    def page() -> Explorer:
        explorer = build()
        explorers.append(weakref.ref(explorer))
        return explorer

    application = build_applications({"/": page}, title="sessions")["/"]
    application.add(DocumentLifecycleHandler())
    before = _threads()
    views = set(pn.state._views)
    followers = len(pn.state.param.watchers.get("busy", {}).get("value", []))

    async def visits() -> None:
        context = ApplicationContext(application, io_loop=IOLoop.current(), url="/")
        # As the server does, before the first session could be kept in its name.
        pn.state._schedule_busy_cleanup()
        for number in range(3):
            await _visit(context, number, explorers)
        for _ in range(600):  # what is being computed is computed to its end
            if len(_threads()) <= len(before):
                break
            await asyncio.sleep(0.1)

    asyncio.run(visits())
    gc.collect()
    gc.collect()
    assert len(explorers) == 3
    # Bokeh remembers one document, the current one, until there is another.
    assert sum(ref() is not None for ref in explorers) <= 1
    assert _threads() == before
    assert set(pn.state._views) == views
    assert len(pn.state.param.watchers.get("busy", {}).get("value", [])) == followers
    # Work that was interrupted is nobody's error.
    assert [r.message for r in caplog.records if r.levelname in ("WARNING", "ERROR")] == []


def test_a_session_without_a_page_of_its_own_asks_no_other_machine() -> None:
    """As with several processes: the page was written by another than the session lives in."""
    application = build_applications({"/": build}, title="sessions")["/"]
    application.add(DocumentLifecycleHandler())

    async def visit() -> str:
        context = ApplicationContext(application, io_loop=IOLoop.current(), url="/")
        session = await context.create_session_if_needed("session", Request())  # type: ignore[arg-type]
        text = str(session.document.to_json())
        session.request_expiration()
        await context._cleanup_sessions(0)
        return text

    text = asyncio.run(visit())
    assert "static/extensions/panel/" in text
    assert "https://cdn." not in text

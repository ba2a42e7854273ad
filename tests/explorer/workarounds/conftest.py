"""Sessions without a server, and libraries as they are where nothing of ours has been imported."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import panel as pn
import pytest
from bokeh.application.handlers.document_lifecycle import DocumentLifecycleHandler
from bokeh.server.contexts import ApplicationContext
from panel.io.application import build_applications
from panel.io.state import set_curdoc
from tornado.ioloop import IOLoop


class Request:
    """What a session wants to know of the request for its page."""

    path = uri = "/"
    protocol, host = "http", "localhost"

    def __init__(self) -> None:
        self.arguments: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.cookies: dict[str, str] = {}


@pytest.fixture
def visit() -> Callable[..., None]:
    """Open sessions of a page one after the other, and end each; ``during`` runs in each."""

    def run(
        page: Callable[[], Any], sessions: int = 2, during: Callable[[Any], None] | None = None
    ) -> None:
        application = build_applications({"/": page}, title="sessions")["/"]
        application.add(DocumentLifecycleHandler())

        async def visits() -> None:
            context = ApplicationContext(application, io_loop=IOLoop.current(), url="/")
            for number in range(sessions):
                session = await context.create_session_if_needed(f"s{number}", Request())  # type: ignore[arg-type]
                with set_curdoc(session.document):
                    pn.state._on_load(None)
                    if during is not None:
                        during(session.document)
                session.request_expiration()
                while list(context.sessions):
                    await context._cleanup_sessions(0)
                    await asyncio.sleep(0.01)

        asyncio.run(visits())
        gc.collect()
        gc.collect()

    return run


@pytest.fixture
def plain() -> Callable[[str], str]:
    """Run Python in a process that has imported nothing of ours; return what it prints."""

    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run

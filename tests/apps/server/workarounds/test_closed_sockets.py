"""What a loop logs of errors that nobody waits for."""

import asyncio
import gc
import logging

import pytest
from tornado.websocket import WebSocketClosedError

from spectrabridge.apps.server.workarounds.closed_sockets import pass_over_closed_sockets


def logged(caplog: pytest.LogCaptureFixture, problem: Exception, mended: bool) -> list[str]:
    """Return what is logged of a task that fails with nobody waiting."""

    async def fail() -> None:
        raise problem

    async def run() -> None:
        if mended:
            pass_over_closed_sockets(asyncio.get_running_loop())
        task = asyncio.ensure_future(fail())
        await asyncio.sleep(0.01)
        del task
        gc.collect()

    caplog.clear()
    with caplog.at_level(logging.ERROR, "asyncio"):
        asyncio.run(run())
    return [record.getMessage() for record in caplog.records]


def test_a_loop_alone_logs_that_a_page_was_closed(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, WebSocketClosedError(), mended=False)


def test_it_is_passed_over_and_all_else_is_not(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, WebSocketClosedError(), mended=True) == []
    assert logged(caplog, ValueError("wrong"), mended=True)

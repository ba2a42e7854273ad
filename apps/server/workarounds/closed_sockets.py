"""Tornado's loop logs a traceback for what is sent to a page that was closed meanwhile.

Without this: each page that is closed while something is on its way to it leaves a
WebSocketClosedError in the log, as if something were wrong with the server. Panel sends from
tasks that nobody waits for.

Versions: Panel 1.9.4 with tornado 6.6 and before. Related:
https://github.com/holoviz/panel/issues/3113.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tornado.websocket import WebSocketClosedError


def pass_over_closed_sockets(loop: asyncio.AbstractEventLoop) -> None:
    """Log what goes wrong in tasks of a loop, but not that a page was closed meanwhile."""

    def told(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), WebSocketClosedError):
            loop.default_exception_handler(context)

    loop.set_exception_handler(told)

"""An open page without a browser: what a browser says to the server, over the same websocket.

Many of them fit into one process, where as many browsers would need all of a machine.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

from bokeh.document.json import PatchJson
from bokeh.protocol import Protocol
from bokeh.protocol.message import Message
from bokeh.protocol.messages.patch_doc import patch_doc
from bokeh.protocol.receiver import Receiver
from tornado import locks
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

PATIENCE = 120.0
"""Seconds after which an answer no longer counts as one."""


class GoneError(ConnectionError):
    """The server has closed the connection."""


class Visitor:
    """One session of the explorer, from its page to the end of its websocket.

    Parameters
    ----------
    url : str
        Address of the page.
    headers : dict, optional
        Sent with every request, such as a cookie.
    """

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        self.url = url.rstrip("/")
        self.headers = headers or {}
        self.write_lock = locks.Lock()  # Bokeh's messages ask for it
        self._protocol = Protocol()
        self._receiver = Receiver(self._protocol)
        self._socket: WebSocketClientConnection | None = None
        self.rows: dict[str, tuple[str, int]] = {}
        """Ids of the models that hold the sliders' values, and the rows in them, by title."""
        self._moved: dict[str, list[list[float]]] = {}

    async def open(self) -> Visitor:
        """Fetch the page, connect, and say that the page is ready."""
        http = AsyncHTTPClient()
        answer = await http.fetch(
            self.url + "/", headers=self.headers, request_timeout=PATIENCE, connect_timeout=PATIENCE
        )
        found = re.search(rb'"token":"([^"]+)"', answer.body)
        if found is None:
            raise ValueError("Expected a page of the explorer; found one without a token.")
        request = HTTPRequest(
            self.url.replace("http", "ws", 1) + "/ws",
            headers=self.headers,
            connect_timeout=PATIENCE,
            request_timeout=PATIENCE,
        )
        self._socket = await websocket_connect(
            request, subprotocols=["bokeh", found[1].decode()], max_message_size=2**30
        )
        await self.expect("ACK")
        await self.send("PULL-DOC-REQ")
        reply = await self.expect("PULL-DOC-REPLY")
        for ref in _objects(reply.content["doc"]["roots"]):
            if str(ref.get("name", "")).startswith("LabelSliders"):
                self._moved[ref["id"]] = [list(pair) for pair in ref["attributes"]["told"]]
                for row, spec in enumerate(ref["attributes"]["rows"]):
                    self.rows[dict(spec["entries"])["title"]] = (ref["id"], row)
        await self.patch(
            {
                "kind": "MessageSent",
                "msg_type": "bokeh_event",
                "msg_data": {"type": "event", "name": "document_ready", "values": {"type": "map"}},
            }
        )
        return self

    async def drag(self, title: str, value: float) -> float:
        """Move a slider, not let go; return the seconds until new spectra have arrived."""
        start = time.monotonic()
        await self.patch(self.move(title, value))
        while True:
            message = await self.next()
            if message.msgtype == "PATCH-DOC" and _brings_spectra(message):
                return time.monotonic() - start

    def move(self, title: str, value: float) -> dict[str, Any]:
        """Return the change that moves a slider."""
        model, row = self.rows[title]
        pairs = self._moved[model]
        pairs[row] = [pairs[row][0] + 1, value]
        new = [list(pair) for pair in pairs]
        return {"kind": "ModelChanged", "model": {"id": model}, "attr": "moved", "new": new}

    async def let_go(self, title: str, times: int) -> None:
        """Say that a slider has been released, for the so-manieth time."""
        await self.patch(
            {
                "kind": "ModelChanged",
                "model": {"id": self.rows[title][0]},
                "attr": "settled",
                "new": times,
            }
        )

    async def patch(self, *events: dict[str, Any]) -> None:
        """Send changes of the document."""
        message = patch_doc(patch_doc.create_header(), {}, PatchJson(events=list(events)))  # type: ignore[typeddict-item]
        await message.send(self)

    async def send(self, kind: str) -> None:
        """Send a message without content."""
        await self._protocol.create(kind).send(self)

    async def next(self) -> Message[Any]:
        """Return the next message of the server."""
        while True:
            assert self._socket is not None
            fragment = await self._socket.read_message()
            if fragment is None:
                raise GoneError(
                    f"The server has closed the connection: {self._socket.close_reason}."
                )
            message = await self._receiver.consume(fragment)
            if message is not None:
                return message

    async def expect(self, kind: str) -> Message[Any]:
        """Return the next message of a kind; others before it are passed over."""
        while True:
            message = await self.next()
            if message.msgtype == kind:
                return message

    async def write_message(self, message: Any, binary: bool = False, locked: bool = True) -> None:
        """Send a fragment; Bokeh's messages call this."""
        assert self._socket is not None
        await self._socket.write_message(message, binary)

    def close(self) -> None:
        """Go away, as a browser does whose tab is closed."""
        if self._socket is not None:
            self._socket.close()


def _brings_spectra(message: Message[Any]) -> bool:
    """Tell whether a message brings new spectra to the browser."""
    for event in message.content["events"]:
        data = event.get("data") or event.get("new")
        entries = data.get("entries", []) if isinstance(data, dict) else []
        if any(key == "emulated" for key, _ in entries):
            return True
    return False


def _objects(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a serialized document."""
    if isinstance(tree, dict):
        if tree.get("type") == "object":
            yield tree
        for part in tree.values():
            yield from _objects(part)
    elif isinstance(tree, list):
        for part in tree:
            yield from _objects(part)

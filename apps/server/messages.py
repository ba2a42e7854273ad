"""What browsers may say over a websocket: how much at a time, and about what.

Messages are looked at before Bokeh unpacks them. A message that is too large, or of a kind that
no page sends, ends its connection. A change of something that a browser may not set is left
out, and the rest of the message is dealt with.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, cast

from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.model import Model

from ...core.errors import SpectrabridgeError
from ...explorer.widgets.browser_component import component_named

log = logging.getLogger("spectrabridge.server")

MAX_FRAGMENT_BYTES = 8 * 2**20
"""Largest part of a message; files come in pieces of 4 MiB."""

MAX_MESSAGE_BYTES = 24 * 2**20
"""Largest message, all its parts and what is compressed in it together."""

MAX_BUFFERS = 64
"""Largest number of binary parts of a message."""

MAX_DEPTH = 40
"""How deep what a message holds may be nested."""

KINDS = frozenset({"PULL-DOC-REQ", "PATCH-DOC", "SERVER-INFO-REQ", "ACK", "OK", "ERROR"})
"""Messages that pages send. PUSH-DOC would replace all that the server shows."""

VALUES = frozenset({"map", "number", "bytes", "typed_array", "ndarray", "event"})
"""Values that pages send beside those that JSON has. An object would make a model of any class."""

THIRD_PARTY: dict[str, frozenset[str]] = {
    "Alert": frozenset({"closed"}),
    "Button": frozenset({"clicks"}),
    "Checkbox": frozenset({"value"}),
    "FileDownload": frozenset({"clicks", "_clicks"}),
    "Page": frozenset({"dark_theme", "sidebar_open"}),
    "RadioButtonGroup": frozenset({"value"}),
    "Tabs": frozenset({"active"}),
    "TextInput": frozenset({"value", "value_input", "enter_pressed"}),
    "Toggle": frozenset({"value"}),
    "BoxSelectTool": frozenset({"active"}),
    "BrowserInfo": frozenset(
        {
            *("dark_mode", "device_pixel_ratio", "language", "timezone", "timezone_offset"),
            *("webdriver", "rendered", "webgl"),
        }
    ),
    "ColumnDataSource": frozenset({"data"}),
    "figure": frozenset({"inner_width", "inner_height", "outer_width", "outer_height", "disabled"}),
    "Location": frozenset({"pathname", "search", "hash", "href", "hostname", "port", "protocol"}),
    "NotificationArea": frozenset({"notifications", "_clear"}),
    "Notification": frozenset({"_destroyed", "_rendered"}),
    "Range1d": frozenset({"start", "end"}),
}
"""What pages set on components and models of libraries, by their class."""


class RefusedError(SpectrabridgeError):
    """A message cannot come from a page of ours; its connection ends."""


class MessageGate:
    """Puts the parts of messages of one browser together, and looks at them.

    Examples
    --------
    >>> gate = MessageGate()
    >>> gate.take('{"msgid": "1", "msgtype": "PULL-DOC-REQ"}', None)
    []
    >>> gate.take("{}", None)
    []
    >>> len(gate.take("{}", None))
    3
    """

    def __init__(self) -> None:
        self._parts: list[str | bytes] = []
        self._header: dict[str, Any] = {}
        self._size = 0

    def take(self, part: str | bytes, document: Document | None) -> list[str | bytes]:
        """Take a part of a message; return all of it when it is whole, else nothing.

        Parameters
        ----------
        part : str or bytes
            As it came.
        document : Document or None
            What the browser shows, None before it shows anything.

        Raises
        ------
        RefusedError
            If no page of ours sends such a message.
        """
        self._size += len(part)
        if len(part) > MAX_FRAGMENT_BYTES or self._size > MAX_MESSAGE_BYTES:
            raise RefusedError(f"A message of more than {MAX_MESSAGE_BYTES >> 20} MiB was refused.")
        if not self._parts:
            self._header = _header(part)
        self._parts.append(part)
        if len(self._parts) < 3 + 2 * self._header["num_buffers"]:
            return []
        parts, self._parts, self._size = self._parts, [], 0
        if self._header["msgtype"] == "PATCH-DOC":
            parts[2] = checked_patch(parts[2], document)
        return parts


def _header(part: str | bytes) -> dict[str, Any]:
    try:
        header = json.loads(part)
        kind, buffers = header["msgtype"], header.get("num_buffers", 0)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise RefusedError("A message without a header was refused.") from problem
    if kind not in KINDS:
        raise RefusedError("A message of a kind that pages do not send was refused.")
    if type(buffers) is not int or not 0 <= buffers <= MAX_BUFFERS:
        raise RefusedError(f"A message of more than {MAX_BUFFERS} binary parts was refused.")
    return header | {"num_buffers": buffers}


def checked_patch(content: str | bytes, document: Document | None) -> str:
    """Return the content of a patch with those changes that a browser may make.

    Raises
    ------
    RefusedError
        If it is no patch, or holds what is too large.
    """
    try:
        patch = json.loads(content)
        events = patch["events"]
        assert isinstance(events, list)
    except (ValueError, TypeError, KeyError, AssertionError, RecursionError) as problem:
        raise RefusedError("A patch that cannot be read was refused.") from problem
    left = MAX_MESSAGE_BYTES
    for value in _compressed(events, MAX_DEPTH):
        left -= _unpacked_size(value, left)
    allowed = [event for event in events if _allowed(event, document)]
    return json.dumps({"events": allowed})


def _compressed(value: Any, depth: int) -> Iterator[str]:
    """Yield the texts in which bytes are packed; raise if there is what no page sends."""
    if depth == 0:
        raise RefusedError(f"A message nested more than {MAX_DEPTH} deep was refused.")
    if isinstance(value, list):
        for each in value:
            yield from _compressed(each, depth - 1)
    elif isinstance(value, dict):
        kind = value.get("type")
        # Of maps that are no values of Bokeh's the type is a word of their own, or there is none.
        if kind == "bytes" and isinstance(value.get("data"), str):
            yield value["data"]
        if kind in ("object", "symbol", "slice", "date", "value", "field", "expr", "set"):
            raise RefusedError("A message that makes objects was refused.")
        if kind in ("ndarray", "typed_array"):
            _check_array(value)
        for each in value.values():
            yield from _compressed(each, depth - 1)


def _check_array(value: Mapping[str, Any]) -> None:
    shape = value.get("shape", [])
    if not (isinstance(shape, list) and len(shape) <= 3 and all(type(n) is int for n in shape)):
        raise RefusedError("A message with an array of no shape was refused.")
    if value.get("dtype") == "object":
        raise RefusedError("A message with an array of objects was refused.")


def _unpacked_size(packed: str, most: int) -> int:
    """Return the size of gzipped bytes in base64, read no further than `most`."""
    try:
        data = base64.b64decode(packed, validate=True)
        reader = zlib.decompressobj(wbits=31)
        size = len(reader.decompress(data, most + 1))
    except (binascii.Error, ValueError, zlib.error) as problem:
        raise RefusedError("A message with bytes that cannot be read was refused.") from problem
    if size > most or reader.unused_data:
        raise RefusedError(f"A message of more than {MAX_MESSAGE_BYTES >> 20} MiB was refused.")
    return size


def _allowed(event: Any, document: Document | None) -> bool:
    """Tell whether a browser may do this; what it may not is logged."""
    kind = event.get("kind") if isinstance(event, dict) else None
    if kind == "MessageSent":
        return bool(event.get("msg_type") == "bokeh_event")
    if kind != "ModelChanged" or document is None:
        _tell(logging.WARNING, "a browser may not send %s", kind)
        return False
    model, name = event.get("model"), event.get("attr")
    id_ = model.get("id") if isinstance(model, dict) else None
    target = document.get_model_by_id(cast(ID, id_)) if isinstance(id_, str) else None
    if target is None:
        return False  # what it was is gone from the page
    if isinstance(name, str) and may_set(target, name, event.get("new")):
        return True
    # BokehJS and libraries echo much that nobody needs; of ours a page sets nothing else.
    level = logging.DEBUG if component_named(class_of(target)) is None else logging.WARNING
    _tell(level, "a browser may not set %s of %s to that", name, class_of(target))
    return False


def class_of(model: Model) -> str:
    """Return what the class of a model, or of the component that it is part of, is called."""
    # Panel numbers the classes that it makes for the data of components.
    return re.sub(r"\d+$", "", type(model).__name__)


def may_set(model: Model, name: str, value: Any) -> bool:
    """Tell whether a browser may set a property of a model to a value."""
    component = component_named(class_of(model))
    if component is None:
        return name in THIRD_PARTY.get(class_of(model), ())
    known = model.properties()
    server = {each: getattr(model, each) for each in component.param if each in known}
    return component.accepts(name, value, server)


def _tell(level: int, sentence: str, *words: object) -> None:
    log.log(level, sentence, *(repr(str(word))[:80] for word in words))

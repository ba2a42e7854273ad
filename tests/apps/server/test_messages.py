"""What browsers may say: hostile messages end their connection, hostile changes are left out."""

from __future__ import annotations

import base64
import gzip
import json
import logging
from typing import Any

import panel_material_ui as pmui
import pytest
from bokeh.document import Document
from bokeh.models import Div, Range1d

from spectrabridge.apps.server.messages import (
    MAX_FRAGMENT_BYTES,
    MAX_MESSAGE_BYTES,
    MessageGate,
    RefusedError,
    checked_patch,
)
from spectrabridge.explorer.widgets.choice import Choice
from spectrabridge.explorer.widgets.file_drop import FileDrop
from spectrabridge.explorer.widgets.navigation import Navigation


def shown(component: Any) -> tuple[Document, str]:
    """Return a document with a component, and the id of its data."""
    document = Document()
    root = component.get_root(document)
    document.add_root(root)
    return document, root.data.id


def change(id_: str, name: str, value: Any) -> dict[str, Any]:
    return {"kind": "ModelChanged", "model": {"id": id_}, "attr": name, "new": value}


def left(document: Document, *events: Any) -> list[Any]:
    """Return the events of a patch that are let through."""
    return json.loads(checked_patch(json.dumps({"events": list(events)}), document))["events"]


class TestChanges:
    def test_a_choice_takes_what_it_offers(self) -> None:
        document, id_ = shown(Choice(options=[["a", "A"], ["b", "B"]]))
        fine = change(id_, "value", "b")
        assert left(document, fine) == [fine]

    @pytest.mark.parametrize(
        ("name", "value"),
        [("options", [["/etc", "x"]]), ("value", "/etc"), ("label", "<b>"), ("value", ["a"])],
    )
    def test_nothing_else(self, name: str, value: Any, caplog: pytest.LogCaptureFixture) -> None:
        document, id_ = shown(Choice(options=[["a", "A"]]))
        with caplog.at_level(logging.WARNING):
            assert left(document, change(id_, name, value)) == []
        assert "may not set" in caplog.text

    def test_pages_and_limits_are_the_servers(self) -> None:
        document, id_ = shown(Navigation(pages=[["fit", "Fit"], ["map", "Map", "m"]]))
        assert left(document, change(id_, "value", "map"))
        assert not left(document, change(id_, "value", "../../nothing"))
        document, id_ = shown(FileDrop())
        assert not left(document, change(id_, "largest", 10**15))

    def test_components_of_libraries_have_their_lists(self) -> None:
        document, id_ = shown(pmui.Toggle())
        assert left(document, change(id_, "value", True))
        assert not left(document, change(id_, "label", "<img src=x>"))
        document = Document()
        document.add_root(Range1d())
        document.add_root(Div())
        axis, text = document.roots
        assert left(document, change(axis.id, "start", 1.0))
        assert not left(document, change(text.id, "text", "<script>"))

    @pytest.mark.parametrize(
        "event",
        [
            {"kind": "RootAdded", "model": {"id": "x"}},
            {"kind": "TitleChanged", "title": "x"},
            {"kind": "ColumnDataChanged", "model": {"id": "x"}},
            {"kind": "MessageSent", "msg_type": "other"},
            change("nobody", "value", 1),
            {"kind": "ModelChanged", "model": "x", "attr": 3},
            {"kind": "ModelChanged", "model": {"id": 7}, "attr": "a"},
            "text",
            None,
            7,
        ],
    )
    def test_other_events_are_left_out(self, event: Any) -> None:
        assert left(Document(), event) == []

    def test_what_is_right_in_a_patch_stays(self) -> None:
        document, id_ = shown(Choice(options=[["a", "A"]]))
        fine = change(id_, "value", "a")
        assert left(document, change(id_, "options", []), fine) == [fine]


def bomb(size: int) -> dict[str, str]:
    return {"type": "bytes", "data": base64.b64encode(gzip.compress(bytes(size), 9)).decode()}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        bomb(MAX_MESSAGE_BYTES + 1),
        [bomb(MAX_MESSAGE_BYTES // 2)] * 3,
        {"type": "bytes", "data": "no base64"},
        {"type": "bytes", "data": base64.b64encode(b"no gzip").decode()},
        {"type": "object", "name": "CustomJS", "id": "1"},
        {"type": "ndarray", "dtype": "object", "shape": [1], "array": []},
        {"type": "ndarray", "dtype": "float64", "shape": "x", "array": []},
        {"type": "slice", "start": 1},
        nested(100),
        nested(60),
    ],
    ids=["bomb", "bombs", "base64", "gzip", "object", "dtype", "shape", "slice", "deep", "deeper"],
)
def test_values_that_no_page_sends_end_the_connection(value: Any) -> None:
    event = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": value}
    with pytest.raises(RefusedError, match="refused"):
        checked_patch(json.dumps({"events": [event]}), None)


def test_a_piece_of_a_file_passes() -> None:
    piece = bomb(4 * 2**20)
    event = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": piece}
    assert left(Document(), event) == [event]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"events": 3}', "[" * 100_000])
def test_a_patch_that_is_none_ends_the_connection(content: str) -> None:
    with pytest.raises(RefusedError, match="refused"):
        checked_patch(content, None)


class TestMessages:
    HEADER = '{"msgid": "1", "msgtype": "PULL-DOC-REQ"}'

    def test_parts_are_handed_over_when_all_are_there(self) -> None:
        gate = MessageGate()
        header = '{"msgid": "1", "msgtype": "OK", "num_buffers": 1}'
        parts = [header, "{}", "{}", '{"id": "b"}', b"content"]
        for part in parts[:-1]:
            assert gate.take(part, None) == []
        assert gate.take(parts[-1], None) == parts
        assert gate.take(self.HEADER, None) == []

    @pytest.mark.parametrize(
        "header",
        [
            '{"msgtype": "PUSH-DOC"}',
            '{"msgtype": "PATCH-DOC", "num_buffers": 1000000000}',
            '{"msgtype": "PATCH-DOC", "num_buffers": -1}',
            '{"msgtype": "PATCH-DOC", "num_buffers": true}',
            "{}",
            "[1]",
            "null",
            "not JSON",
            b"\xff\xfe",
            "[" * 100_000,
        ],
    )
    def test_headers_that_no_page_sends(self, header: str | bytes) -> None:
        with pytest.raises(RefusedError, match="refused"):
            MessageGate().take(header, None)

    def test_what_is_too_large_is_refused_before_it_is_unpacked(self) -> None:
        with pytest.raises(RefusedError):
            MessageGate().take("x" * (MAX_FRAGMENT_BYTES + 1), None)
        gate = MessageGate()
        gate.take('{"msgtype": "PATCH-DOC", "num_buffers": 60}', None)
        with pytest.raises(RefusedError):
            for _ in range(8):
                gate.take("x" * (MAX_FRAGMENT_BYTES // 2), None)

"""The drawing of the rooms follows the imports."""

from __future__ import annotations

import runpy
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def drawing() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "tools" / "draw_rooms.py"))


def test_every_package_of_core_is_drawn(drawing: dict[str, Any]) -> None:
    root = ElementTree.fromstring(drawing["draw"]())
    names = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    folders = {path.parent.name for path in (ROOT / "core").glob("*/__init__.py")}
    assert folders <= names


def test_a_room_stands_below_those_that_import_it(drawing: dict[str, Any]) -> None:
    graph, _ = drawing["without_circles"](drawing["arrows"]())
    rows = drawing["floors"](graph)
    floor = {room: number for number, row in enumerate(rows) for room in row}
    for room, others in graph.items():
        for other in others:
            assert floor[room] < floor[other], (room, other)


def test_an_arrow_that_closes_a_circle_is_told(drawing: dict[str, Any]) -> None:
    a, b = ("core", "a"), ("core", "b")
    kept, closing = drawing["without_circles"]({a: {b}, b: {a}})
    assert kept == {a: {b}, b: set()}
    assert closing == {(b, a)}

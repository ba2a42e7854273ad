"""JSON as dataclasses: what fits is taken, what does not is named with its place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pytest

from spectrabridge.core.errors import BundleError
from spectrabridge.core.files.typed_json import parsed, rebuilt, require_types, said_of


@dataclass(frozen=True)
class Line:
    species: str
    loggf: float
    kind: Literal["weak", "strong"] = "weak"


@dataclass(frozen=True)
class Table:
    name: str
    count: int
    good: bool
    limit: float | None
    span: tuple[float, float]
    lines: tuple[Line, ...] = ()
    labels: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


WHOLE = Table("x", 3, True, None, (1.0, 2.0), (Line("Fe 1", -1.0),), {"teff": 1.0}, {"a": [1]})
DATA = json.loads(json.dumps(asdict(WHOLE)))


def test_what_was_written_is_read_back() -> None:
    assert rebuilt(Table, DATA) == WHOLE
    assert rebuilt(Table, DATA | {"limit": 2}).limit == 2.0
    assert isinstance(rebuilt(Table, DATA | {"span": [1, 2]}).span[0], float)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": 3}, "name: expected text, found a number"),
        ({"name": None}, "name: expected text, found null"),
        ({"count": 1.5}, "count: expected a whole number, found a number"),
        ({"count": True}, "count: expected a whole number, found true"),
        ({"good": 1}, "good: expected true or false, found a number"),
        ({"limit": "x"}, "limit: expected a number, found text"),
        ({"limit": float("nan")}, "limit: expected a finite number"),
        ({"limit": 10**400}, "limit: expected a finite number"),
        ({"span": [1.0]}, "span: expected 2 values, found 1"),
        ({"span": [1.0, None]}, r"span\[1\]: expected a number, found null"),
        ({"span": {"a": 1}}, "span: expected a list, found an object"),
        ({"lines": [{"species": "Fe 1"}]}, r"lines\[0\].loggf is missing"),
        ({"lines": [[]]}, r"lines\[0\]: expected an object, found a list"),
        ({"lines": [asdict(Line("x", 1)) | {"more": 1}]}, r"lines\[0\].more is not known"),
        ({"lines": [asdict(Line("x", 1)) | {"kind": "odd"}]}, r"lines\[0\].kind: expected one of"),
        ({"labels": {"teff": []}}, "labels.teff: expected a number, found a list"),
        ({"labels": [1]}, "labels: expected an object, found a list"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        rebuilt(Table, DATA | change)


@pytest.mark.parametrize("data", [None, [], "x", 1, True])
def test_other_contents_are_no_object(data: object) -> None:
    with pytest.raises(ValueError, match=r"^table: expected an object"):
        rebuilt(Table, data, "table")


def test_json_that_is_none_or_nested_without_end_is_said() -> None:
    assert parsed(b'{"a": [1, null]}', "x.json") == {"a": [1, None]}
    assert parsed("[" * 90 + "]" * 90, "x.json")
    for content in (b"{", b"", b"\xff\xfe\x00", "9" * 5000, b'{"a": 1}x'):
        with pytest.raises(BundleError, match=r"^x\.json is no JSON and not a list .*Mend it\.$"):
            parsed(content, "x.json", "a list", BundleError, "Mend it.")
    for depth in (150, 5_000, 200_000):
        for content in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
            with pytest.raises(BundleError, match=r"^x\.json is not a list: .*nested more than"):
                parsed(content, "x.json", "a list", BundleError)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "the content: expected an object, found null"),
        ({"count": 1}, "name is missing"),
        ({"name": "x", "count": True}, "count: expected a whole number, found true"),
        ({"name": "x", "count": 10**30}, "count: expected a whole number of at most 19 digits"),
        ({"name": "x", "count": float("nan")}, "count: expected a whole number, found a number"),
        ({"name": "x", "count": 1, "limit": 10**400}, "limit: expected a finite number"),
        ({"name": "x", "count": 1, "limit": float("nan")}, "limit: expected a finite number"),
    ],
)
def test_types_of_some_keys_are_looked_at(data: object, words: str) -> None:
    required: dict[str, Any] = {"name": str, "count": int}
    with (
        pytest.raises(BundleError, match=rf"^x\.json: {words}\. Get it again\.$"),
        said_of("x.json", BundleError),
    ):
        require_types(data, required, {"limit": float | None})


def test_other_keys_stay_as_they_are() -> None:
    data = {"name": "x", "count": 3, "newer": [float("nan")]}
    assert require_types(data, {"name": str, "count": int}, {"limit": float}) is data

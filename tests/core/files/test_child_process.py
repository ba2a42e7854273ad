"""A child that loops, eats memory or crashes ends, and another one answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from spectrabridge.core.errors import SpectrumError
from spectrabridge.core.files.child_process import ChildProcess, ProcessEndedError, ProcessLimits
from spectrabridge.core.files.exchange import from_bytes, to_bytes

WORK = """
import os, time
from spectrabridge.core.files.child_process import serve

def work(question, content):
    print("noise of a library")
    os.write(1, b"noise of a C library")
    do = question["do"]
    if do == "loop in C":
        sum(range(10 ** 12))  # one call of C that does not end
    if do == "wait":
        time.sleep(600)
    if do == "memory":
        bytearray(10 ** 10)
    if do == "answer":
        return bytes(2_000_000)
    if do == "crash":
        os._exit(3)
    return content[::-1]

def answer():
    def guarded(question, content):
        try:
            return work(question, content)
        except (MemoryError, OSError) as problem:
            return type(problem).__name__.encode()
    serve(guarded)
"""

LIMITS = ProcessLimits(cpu_seconds=1, wall_seconds=8, memory_bytes=10**9, answer_bytes=1_000_000)


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChildProcess]:
    (tmp_path / "stub_of_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = ChildProcess("stub_of_work", "answer", LIMITS)
    yield made
    made.close()


def test_one_child_answers_many_questions(child: ChildProcess) -> None:
    assert child.pid is None
    assert child.ask({"do": ""}, b"abc") == b"cba"
    first = child.pid
    assert child.ask({"do": ""}, bytes(300_000)) == bytes(300_000)
    assert child.pid == first


@pytest.mark.parametrize(
    ("what", "reason"), [("wait", "time"), ("answer", "answer"), ("crash", "crash")]
)
def test_a_child_that_does_not_answer_is_replaced(
    child: ChildProcess, what: str, reason: str
) -> None:
    child.ask({"do": ""}, b"")
    first = child.pid
    with pytest.raises(ProcessEndedError) as ended:
        child.ask({"do": what}, b"abc")
    assert ended.value.reason == reason
    assert child.pid not in (None, first)
    assert child.ask({"do": ""}, b"abc") == b"cba"


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of the system there")
def test_a_loop_in_c_ends(child: ChildProcess) -> None:
    with pytest.raises(ProcessEndedError) as ended:
        child.ask({"do": "loop in C"}, b"")
    assert ended.value.reason == "time"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited on Linux only")
def test_memory_is_limited(child: ChildProcess) -> None:
    assert child.ask({"do": "memory"}, b"") == b"MemoryError"


def test_the_child_ends_with_its_parent(child: ChildProcess) -> None:
    child.ask({"do": ""}, b"")
    process = child._process
    assert process is not None and process.stdin is not None
    process.stdin.close()
    assert process.wait(30) == 0


@dataclass(frozen=True)
class Point:
    x: float
    row: np.ndarray


class TestExchange:
    def test_values_come_back(self) -> None:
        value = {
            "a": [1, 2.5, None, True, "text \u00e9", np.float32(0.5), float("inf")],
            "b": (Point(1.0, np.arange(3)), np.array(["x", "yy"], dtype=object)),
        }
        back = from_bytes(to_bytes(value), {"Point": Point})
        assert back["a"] == [1, 2.5, None, True, "text \u00e9", 0.5, float("inf")]
        assert back["b"][0].row.tolist() == [0, 1, 2]
        assert back["b"][1].tolist() == ["x", "yy"]

    @pytest.mark.parametrize("value", [object(), {"a": open}, [os]])
    def test_other_things_are_not_sent(self, value: object) -> None:
        with pytest.raises(TypeError, match="cannot be sent"):
            to_bytes(value)

    def test_only_named_classes_are_made(self) -> None:
        with pytest.raises(KeyError):
            from_bytes(to_bytes(Point(1.0, np.arange(3))), {})
        with pytest.raises(SpectrumError, match="damaged, or of another kind"):
            from_bytes(b"no frame", {})

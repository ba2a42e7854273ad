"""Locks between processes: one holder at a time, none after a kill, no file left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from spectrabridge.core.file_lock import LockedError, locked

COUNT = """
import sys
from pathlib import Path
from spectrabridge.core.file_lock import locked
counter = Path(sys.argv[1], "counter")
for _ in range(40):
    with locked(Path(sys.argv[1], "x.lock"), timeout=60):
        counter.write_text(str(int(counter.read_text("utf-8")) + 1), "utf-8")
"""
HOLD = """
import sys, time
from pathlib import Path
from spectrabridge.core.file_lock import locked
with locked(Path(sys.argv[1], "x.lock"), timeout=60):
    print("held", flush=True)
    time.sleep(600)
"""


def test_no_two_hold_it_at_once(tmp_path: Path) -> None:
    (tmp_path / "counter").write_text("0", encoding="utf-8")
    words = [sys.executable, "-c", COUNT, str(tmp_path)]
    processes = [subprocess.Popen(words) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert (tmp_path / "counter").read_text(encoding="utf-8") == "160"
    assert [path.name for path in tmp_path.iterdir()] == ["counter"]


def test_a_holder_is_waited_for_until_it_is_killed(tmp_path: Path) -> None:
    words = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(LockedError), locked(tmp_path / "x.lock", timeout=0.1):
            raise AssertionError
        asked: list[int] = []
        with (
            pytest.raises(LockedError),
            locked(tmp_path / "x.lock", timeout=600, give_up=lambda: not asked.append(1)),
        ):
            raise AssertionError
        assert asked == [1]
        holder.kill()
        holder.wait()
        with locked(tmp_path / "x.lock", timeout=60):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_failure_inside_gives_it_back(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path / "x.lock", timeout=1):
        raise KeyError
    with locked(tmp_path / "x.lock", timeout=1):
        pass
    (tmp_path / "file").write_bytes(b"")
    blocked = tmp_path / "file" / "x.lock"
    with pytest.raises(OSError, match="file"), locked(blocked, timeout=1):
        raise AssertionError

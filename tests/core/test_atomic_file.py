"""Output files: whole or not there, the old one kept until then, and errors that name the file."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spectrabridge.core.atomic_file import replacing, require_output, write_whole
from spectrabridge.core.errors import OutputError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "Ångström 1.ecsv"
    write_whole(path, b"one")
    with replacing(path) as partial:
        partial.write_bytes(b"two")
        assert path.read_bytes() == b"one"
        assert partial.parent == tmp_path
    assert path.read_bytes() == b"two"
    assert names(tmp_path) == [path.name]


def test_a_name_may_be_as_long_as_the_disk_allows(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 250 + ".fits")
    write_whole(path, b"content")
    assert path.read_bytes() == b"content"


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"t\.csv exists; nothing was written.*--overwrite"):
        require_output(path)
    with pytest.raises(OutputError, match="exists"):
        write_whole(path, b"other", overwrite=False)
    assert path.read_bytes() == b"mine"
    path.unlink()
    with pytest.raises(OutputError, match="exists"), replacing(path, overwrite=False) as partial:
        partial.write_bytes(b"other")
        path.write_bytes(b"of another program")  # which was quicker
    assert path.read_bytes() == b"of another program"
    assert names(tmp_path) == ["t.csv"]


@pytest.mark.parametrize("problem", [ValueError("x"), KeyboardInterrupt(), SystemExit(1)])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path, problem: BaseException) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"old")
    with pytest.raises(type(problem)), replacing(path) as partial:
        partial.write_bytes(b"ha")
        raise problem
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["t.csv"]


def test_a_full_disk_is_said_with_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with (
        pytest.raises(OutputError, match=r"t\.csv cannot be written: No space left.*Make room"),
        replacing(path) as partial,
    ):
        partial.write_bytes(b"ha")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(partial))
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which Linux has")
def test_devices_pipes_and_folders_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/full", "/dev/zero", tmp_path / "pipe"):
        with pytest.raises(OutputError, match="pipe or a device"):
            write_whole(path, b"x")
    with pytest.raises(OutputError, match="is a folder"):
        write_whole(tmp_path, b"x")
    with pytest.raises(OutputError, match=r"there is no folder .*none\. Make it first"):
        require_output(tmp_path / "none" / "t.csv")
    with pytest.raises(OutputError, match="cannot be written"):
        require_output(tmp_path / ("x" * 300))
    with pytest.raises(OutputError, match="cannot be written"):
        require_output(tmp_path / "a\0b")


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    target = tmp_path / "real" / "t.csv"
    target.parent.mkdir()
    target.write_bytes(b"old")
    link = tmp_path / "t.csv"
    link.symlink_to(target)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert names(target.parent) == ["t.csv"]


PROGRAM = """
import sys
from spectrabridge.core.atomic_file import write_whole
for i in range(10**9):
    write_whole(sys.argv[1], bytes([i % 256]) * 300_000)
    print(i, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_kill_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "t.bin"
    for wait in (0.0, 0.013, 0.029):
        words = [sys.executable, "-c", PROGRAM, str(path)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(wait)
        process.kill()
        process.communicate()
        content = path.read_bytes()
        assert len(content) == 300_000
        assert len(set(content)) == 1

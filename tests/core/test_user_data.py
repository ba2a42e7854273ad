"""A user without a home directory gets a sentence, from every command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
try:
    import pwd
except ImportError:
    sys.exit("no pwd")
def nobody(*_):
    raise KeyError("no such user")
pwd.getpwuid = nobody
from spectrabridge.apps.cli import main
main(sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows always has a profile")
@pytest.mark.parametrize("words", [["bundles", "list"], ["fit", "mock-lines", __file__]])
def test_no_home_is_said_in_a_sentence(words: list[str], tmp_path: Path) -> None:
    kept = {k: v for k, v in os.environ.items() if k != "HOME" and not k.startswith("XDG_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env=kept,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("spectrabridge: Expected a home directory")
    assert "Set HOME to a folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []  # no folder that is called ~

"""A process that serves takes the memory of its objects from the system."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = """
import os, sys
from spectrabridge.apps.server.memory import allocate_by_system
allocate_by_system()
print(os.getpid(), os.environ.get("PYTHONMALLOC"), sys.argv[1:])
"""


def told(*words: str, **environment: str) -> tuple[bool, str, str]:
    """Return whether the process kept its number, where its memory is from, and its words."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONMALLOC"} | environment
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, *words], stdout=subprocess.PIPE, text=True, env=env
    )
    number, source, seen = process.communicate(timeout=60)[0].strip().split(" ", 2)
    assert process.returncode == 0
    return int(number) == process.pid, source, seen


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc gives single pages back")
def test_a_server_begins_anew_with_the_same_words() -> None:
    words = ("serve", "mock lines", "--port", "0")
    assert told(*words) == (True, "malloc", str(list(words)))


def test_what_does_not_serve_and_who_has_chosen_stay_as_they_are() -> None:
    assert told("fit", "serve") == (True, "None", "['fit', 'serve']")
    assert told("serve", PYTHONMALLOC="pymalloc") == (True, "pymalloc", "['serve']")

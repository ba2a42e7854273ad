"""Where the memory of a serving process comes from."""

from __future__ import annotations

import ctypes
import os
import sys


def allocate_by_system() -> None:
    """Have the objects of this process lie in memory of glibc, not in Python's own arenas.

    Python gives an arena of 1 MB back when nothing at all is left in it, so that most of what
    twenty sessions took stays with the process for good; glibc returns single pages. Python asks
    the environment of its process only, so the process begins anew, with the same words and the
    same number, which takes a tenth of a second. Without effect where PYTHONMALLOC is set, where
    the C library is another, and in a process that was not started to serve.
    """
    words = sys.orig_argv
    started = sys.argv[1:2] == ["serve"] and words[-len(sys.argv) + 1 :] == sys.argv[1:]
    if "PYTHONMALLOC" in os.environ or not started or not sys.executable or not _is_glibc():
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *words[1:]], os.environ | {"PYTHONMALLOC": "malloc"})


def _is_glibc() -> bool:
    if sys.platform != "linux":
        return False
    try:
        ctypes.CDLL(None).gnu_get_libc_version  # noqa: B018
    except (OSError, AttributeError):
        return False
    return True

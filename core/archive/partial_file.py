"""Partial files: one writer at a time, kept when a transfer is cut, renamed when complete."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from threading import Event

from filelock import BaseFileLock, FileLock, Timeout

from .remote_file import RefusedError, StoppedError

_POLL_SECONDS = 0.1


@contextmanager
def locked(path: Path, timeout: float, stop: Event) -> Iterator[Path]:
    """Yield the partial file's path while no other thread or process may write to it.

    The lock is a file of its own, ``NAME.partial.lock``: Windows renames no file that is
    open, so a lock on the partial file itself would have to be given up before the rename.
    It is removed in the end, and so is an empty partial file: only bytes are worth keeping.

    Parameters
    ----------
    path : Path
        The final name; the partial file lies beside it.
    timeout : float
        Seconds to wait for another download of the same file, 1 at least.
    stop : threading.Event
        Ends the waiting.

    Raises
    ------
    RefusedError
        If another download holds the lock for longer than that.
    StoppedError
        If `stop` is set meanwhile.
    """
    partial = path.with_name(path.name + ".partial")
    lock = _acquired(partial, timeout, stop)
    try:
        yield partial
    finally:
        if partial.is_file() and not partial.stat().st_size:
            partial.unlink()
        # Before the release, so that nobody waits for a name that is about to go: filelock
        # looks whether the file that it locked still has its name. Windows refuses, and
        # filelock removes the file there itself.
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


def _acquired(partial: Path, timeout: float, stop: Event) -> BaseFileLock:
    """Return the lock of a partial file, acquired."""
    lock = FileLock(partial.with_name(partial.name + ".lock"))
    until = time.monotonic() + max(timeout, 1.0)
    while not stop.is_set():
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if time.monotonic() > until:
                raise RefusedError(
                    f"{partial} is being written by another download; wait until it ends."
                ) from None
            stop.wait(_POLL_SECONDS)
        else:
            return lock
    raise StoppedError


def finish(partial: Path, path: Path) -> int:
    """Give a complete partial file its final name, and return its bytes.

    The bytes are on the disk before the name is: a power cut leaves the one or the other.
    """
    with partial.open("r+b") as file:
        os.fsync(file.fileno())
        size = file.seek(0, os.SEEK_END)
    partial.replace(path)
    return size


def append_to(partial: Path) -> FileIO:
    """Return a partial file opened to append, unbuffered: what came is on the file at once."""
    return partial.open("a+b", buffering=0)

"""Partial files: one writer at a time, kept when a transfer is cut, renamed when complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from threading import Event

from .. import file_lock
from .remote_file import RefusedError, StoppedError


@contextmanager
def locked(path: Path, timeout: float, stop: Event) -> Iterator[Path]:
    """Yield the partial file's path while no other thread or process may write to it.

    The lock is a file of its own, ``NAME.partial.lock``: Windows renames no file that is
    open, so a lock on the partial file itself would have to be given up before the rename.
    An empty partial file is removed in the end: only bytes are worth keeping.

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
    lock = partial.with_name(partial.name + ".lock")
    try:
        with file_lock.locked(lock, max(timeout, 1.0), stop.is_set):
            try:
                yield partial
            finally:
                if partial.is_file() and not partial.stat().st_size:
                    partial.unlink()
    except file_lock.LockedError:
        if stop.is_set():
            raise StoppedError from None
        raise RefusedError(
            f"{partial} is being written by another download; wait until it ends."
        ) from None


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

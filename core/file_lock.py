"""Locks between processes, on every operating system, that leave no file behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

_POLL_SECONDS = 0.05


class LockedError(Exception):
    """Another thread or process holds the lock."""


@contextmanager
def locked(
    path: Path, timeout: float, give_up: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Hold a lock while the block runs; a lock of a process that was killed counts for nothing.

    Parameters
    ----------
    path : Path
        The lock file, which nothing else is kept in. It is made, and removed in the end.
    timeout : float
        Seconds to wait for another holder.
    give_up : callable, optional
        Asked while waiting; ends it by returning True.

    Raises
    ------
    LockedError
        If another holder keeps it for longer than that, or `give_up` says so.
    OSError
        If the file cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with locked(Path(folder, "x.lock"), timeout=1):
    ...         Path(folder, "x.lock").exists()
    True
    """
    lock = FileLock(path)
    until = time.monotonic() + timeout
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            if time.monotonic() > until or give_up():
                raise LockedError(str(path)) from None
            time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        # Before the release, so that nobody waits for a name that is about to go: filelock looks
        # whether the file that it locked still has its name (3.21.2 and later). Windows removes
        # no open file, and filelock does it there itself.
        with suppress(OSError):
            path.unlink()
        lock.release()

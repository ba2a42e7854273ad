"""Fetch files over HTTPS: several at once, checked, and continued where they stopped.

What was fetched is kept in astropy's download cache and copied from there when it is asked
for again. A file gets its final name by one atomic rename, after its size was compared with
what the server announced and with what its own FITS headers say.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from ..errors import DownloadError
from .address import host_of, require_safe_url
from .remote_file import RemoteFile, Result, StoppedError, UnreachableError
from .transfer import Transfers

MAX_CONNECTIONS = 4
"""Files fetched at the same time, whatever is asked for."""

MAX_FAILURES_IN_A_ROW = 8
"""Files that may fail one after the other by the server's fault before the rest is left."""

Progress = Callable[[int, int, int], None]
"""Called with the files done, the files in all and the bytes received so far."""

_NOT_IN_NAMES = frozenset('/\\:*?"<>|\0')  # of files, on Windows or elsewhere

_Outcomes: TypeAlias = "queue.SimpleQueue[tuple[int, Result | BaseException]]"


def _made(folder: Path) -> Path:
    """Return a folder that is there from now on; raise DownloadError if it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise DownloadError(
            f"The folder {folder} cannot be made ({problem.strerror}). Choose another one."
        ) from problem
    return folder


def download(
    files: Iterable[RemoteFile],
    folder: str | Path,
    *,
    workers: int = MAX_CONNECTIONS,
    retries: int = 4,
    timeout: float = 30.0,
    backoff: float = 1.0,
    cache: bool = True,
    progress: Progress | None = None,
) -> list[Result]:
    """Fetch files into a folder; what is complete there is not fetched again.

    Ctrl-C or a kill at any moment leaves complete files and ``NAME.partial`` files; the
    same call goes on from there. Two processes may fetch into one folder.

    Parameters
    ----------
    files : iterable of RemoteFile
        What to fetch. Files called ``.fits`` or ``.fits.gz`` are checked by
        :func:`.fits_check.check_fits`, all by the length that the server gives.
    folder : path
        Where to; made if needed.
    workers : int, optional
        Files at a time, :data:`MAX_CONNECTIONS` at most.
    retries : int, optional
        Further attempts at a file after a server error, a cut connection or silence.
        Attempts are not counted while each brings another megabyte.
    timeout : float, optional
        Seconds without a byte after which an attempt ends.
    backoff : float, optional
        Seconds to wait before the first further attempt; doubled for each after it. A
        longer ``Retry-After`` of the server is honoured, by all workers.
    cache : bool, optional
        Look into astropy's download cache first, and keep there what was fetched.
    progress : callable, optional
        See :data:`Progress`; called in this thread, several times a second.

    Returns
    -------
    list of Result
        One per file, in order. A file that failed (not there, damaged, too many
        attempts) does not stop the others.

    Raises
    ------
    UnreachableError
        At once if the server cannot be reached, and when it stops serving; has results.
    DownloadError
        If an address or name is not fit, or the folder cannot be written.
    """
    wanted = list(dict.fromkeys(files))
    _require_names(wanted)
    folder = _made(Path(folder))
    transfers = Transfers(folder, retries, timeout, backoff, cache)
    done: _Outcomes = queue.SimpleQueue()
    threads = _started(transfers, wanted, min(workers, MAX_CONNECTIONS), done)
    results: dict[int, Result] = {}
    try:
        _collect(transfers, done, results, len(wanted), progress)
    except UnreachableError as problem:
        _stop(transfers, threads)
        while not done.empty():  # files that were finished meanwhile
            i, late = done.get()
            if isinstance(late, Result):
                results[i] = late
        problem.results = [
            results.get(i, Result(file, folder / file.name, "skipped", "not tried"))
            for i, file in enumerate(wanted)
        ]
        raise
    except BaseException:  # Ctrl-C too
        _stop(transfers, threads)
        raise
    return [results[i] for i in range(len(wanted))]


def _started(
    transfers: Transfers, wanted: list[RemoteFile], workers: int, done: _Outcomes
) -> list[threading.Thread]:
    """Return threads that fetch the files and put what became of each into `done`."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for i in range(len(wanted)):
        waiting.put(i)

    def work() -> None:
        while not transfers.stop.is_set():
            try:
                i = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((i, transfers.fetch(wanted[i])))
            except StoppedError:
                return
            except BaseException as problem:  # a thread that dies silently would hang the call
                # It ends the whole call: no thread may ask for another file meanwhile.
                transfers.stop.set()
                done.put((i, problem))
                return

    # Daemons, because a thread that waits for a silent server must not hold up Ctrl-C.
    n_workers = max(1, min(workers, len(wanted)))
    threads = [threading.Thread(target=work, daemon=True) for _ in range(n_workers)]
    for thread in threads:
        thread.start()
    return threads


def _collect(
    transfers: Transfers,
    done: _Outcomes,
    results: dict[int, Result],
    n_files: int,
    progress: Progress | None,
) -> None:
    """Gather results until all are there; raise what ends the whole call."""
    in_a_row = 0
    while len(results) < n_files:
        try:
            i, result = done.get(timeout=0.1)
        except queue.Empty:
            result = None
        if isinstance(result, OSError):
            raise DownloadError(
                f"Writing to {transfers.folder} failed: {result.strerror or result}. Make room or "
                "choose another folder, then give the same command again."
            ) from result
        if isinstance(result, BaseException):
            raise result
        if result is not None:
            results[i] = result
            if result.status == "failed" and result.file in transfers.given_up:
                in_a_row += 1
            elif result.status in ("fetched", "failed"):  # the server gave an answer
                in_a_row = 0
            if in_a_row >= MAX_FAILURES_IN_A_ROW:
                raise UnreachableError(
                    f"{host_of(result.file.url)} failed for {in_a_row} files one after the other; "
                    f"the last: {result.reason} Give the same command again later."
                )
        if progress is not None:
            progress(len(results), n_files, transfers.received)


def _stop(transfers: Transfers, threads: list[threading.Thread]) -> None:
    """Ask the threads to end, and wait a second for those that can."""
    transfers.stop.set()
    until = time.monotonic() + 1.0
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


def _require_names(files: list[RemoteFile]) -> None:
    """Raise a DownloadError unless names are plain and differ, and addresses are safe."""
    urls: dict[str, str] = {}
    for file in files:
        if not file.name or file.name.startswith(".") or _NOT_IN_NAMES & set(file.name):
            raise DownloadError(f"Expected a plain file name; found {file.name!r}.")
        require_safe_url(file.url)
        if file.name in urls:
            raise DownloadError(
                f"Expected one address per file; {file.name} has {urls[file.name]} and {file.url}. "
                "Fetch them into two folders."
            )
        urls[file.name] = file.url

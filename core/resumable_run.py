"""A run of many tasks that goes on where it was stopped: a plan, its parts, and workers.

What a task gives is written at once as a file of its own, in a folder beside the final file.
The folder also holds the plan, so that a rerun with the same plan computes what is missing and
one with another plan is refused. When no part is missing, the caller joins them and removes
the folder. Surveys of fits and synthetic grids are such runs.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from .atomic_file import write_whole
from .errors import OutputError, RunError, SpectrabridgeError
from .files import read_limited
from .files.typed_json import mapping_of, parsed

PLAN = "plan.json"
"""File in a folder of parts that says which run they belong to."""

TASKS_PER_WORKER = 2
"""Tasks that are handed out per worker: one is computed and one waits, so that none idles."""

RETRIES = 3
"""Times that Dask gives a task to another worker after one died with it."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class PartsFolder:
    """The folder in which the parts of a run are kept until they are joined.

    Parameters
    ----------
    path : Path
        The folder; see :meth:`beside`.
    what : str
        What a run makes, for sentences: ``survey`` or ``grid``.
    error : type
        What is raised; a subclass of SpectrabridgeError.

    Examples
    --------
    >>> import tempfile
    >>> parts = PartsFolder.beside(Path(tempfile.mkdtemp()) / "labels.fits", "survey")
    >>> parts.begin({"seed": 1})
    >>> parts.write("000000.txt", b"the first part")
    >>> "000000.txt" in parts, "000001.txt" in parts
    (True, False)
    >>> parts.remove()
    """

    path: Path
    what: str = "run"
    error: type[SpectrabridgeError] = RunError

    @classmethod
    def beside(
        cls, out: str | Path, what: str = "run", error: type[SpectrabridgeError] = RunError
    ) -> PartsFolder:
        """Return the folder of parts beside the file that they are joined to."""
        out = Path(out)
        return cls(out.with_name(out.name + ".parts"), what, error)

    def begin(
        self, plan: Mapping[str, Any], defaults: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        """Make the folder with its plan, or go on with one that has the same plan.

        Parameters
        ----------
        plan : mapping
            What the run follows from, as JSON holds it. ``fingerprint``, if there, stands for
            the content of its input files.
        defaults : mapping, optional
            Values, by key of the plan, of settings that older versions did not have yet: a
            plan without them is read as if it had these.

        Raises
        ------
        SpectrabridgeError
            Of the folder's own class: if it holds other files or the parts of another run,
            is damaged, or cannot be made.
        """
        wanted = json.loads(json.dumps(plan))
        path = self.path / PLAN
        if not path.exists():
            self._make()
            self.write(PLAN, (json.dumps(wanted, indent=1) + "\n").encode())
            return
        try:
            content = read_limited(path, str(path), "the plan of a run", error=self.error)[0]
            found = mapping_of(parsed(content, str(path), "the plan of a run", self.error))
            for key, values in (defaults or {}).items():
                found[key] = json.loads(json.dumps(values)) | found[key]
        except (self.error, ValueError, TypeError, KeyError) as problem:
            raise self.error(
                f"{path} is damaged. Delete the folder {self.path} to start anew."
            ) from problem
        if found != wanted:
            keys = [k for k in wanted if found.get(k) != wanted[k] and k != "fingerprint"]
            raise self.error(
                f"{self.path} holds parts of a {self.what} with other "
                f"{', '.join(keys) or 'input files'}. Give the same to go on with it, another "
                "--out, or delete the folder to start anew."
            )

    def _make(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            others = [f for f in self.path.iterdir() if f.suffix != ".partial"]
        except OSError as problem:
            raise self.error(
                f"{self.path} cannot be made: {problem.strerror or problem}."
            ) from problem
        if others:
            raise self.error(
                f"{self.path} exists and holds other files than parts of a {self.what}; nothing "
                "was changed there. Give another --out."
            )

    def __contains__(self, name: str) -> bool:
        return (self.path / name).exists()

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def write(self, name: str, content: bytes) -> None:
        """Write a part in one step: a file of that name is always whole.

        Raises
        ------
        SpectrabridgeError
            Of the folder's own class: if it cannot be written, as on a full disk.
        """
        path = self.path / name
        try:
            write_whole(path, content)
        except OutputError as problem:
            reason = getattr(problem.__cause__, "strerror", None) or problem
            raise self.error(
                f"{path} cannot be written: {reason}. What is done is kept; make room and give the "
                "same command to go on."
            ) from problem

    def read(self, name: str) -> bytes:
        """Return the content of a part.

        Raises
        ------
        SpectrabridgeError
            Of the folder's own class: if it is missing, empty or cannot be read.
        """
        path = self.path / name
        return read_limited(path, str(path), f"a part of a {self.what}", error=self.error)[0]

    def damaged(self, name: str) -> SpectrabridgeError:
        """Return the error for a part that does not hold what it should."""
        return self.error(
            f"{self.path / name} is damaged. Delete it and give the same command to go on."
        )

    def remove(self) -> None:
        """Delete the folder, if it is one of parts."""
        if PLAN in self:
            shutil.rmtree(self.path)


# ---------------------------------------------------------------------- workers


def compute_tasks(
    compute: Callable[[T], R],
    tasks: Sequence[T],
    *,
    processes: int = 1,
    client: Any = None,
    error: type[SpectrabridgeError] = RunError,
    describe: Callable[[T], str] = str,
) -> Iterator[tuple[T, R]]:
    """Yield each task with what it gives, as they are done.

    Parameters
    ----------
    compute : callable
        Takes a task. For processes and Dask it must be a function of a module, or a
        :func:`functools.partial` of one, and paths in it absolute.
    tasks : sequence
        What to compute.
    processes : int
        Worker processes; 1 computes in this one.
    client : distributed.Client, optional
        Dask scheduler to compute on instead.
    error : type
        What is raised if workers die.
    describe : callable
        Returns what a task is called in an error.

    Raises
    ------
    SpectrabridgeError
        Of class `error`, if workers die or a task fails on them for good.

    Examples
    --------
    >>> list(compute_tasks(abs, [-1, 2]))
    [(-1, 1), (2, 2)]
    """
    if not tasks:
        return
    if client is not None:
        yield from _on_dask(compute, tasks, client, error, describe)
    elif processes > 1:
        yield from _in_pool(compute, tasks, min(processes, len(tasks)), error)
    else:
        for task in tasks:
            yield task, compute(task)


def _in_pool(
    compute: Callable[[T], R], tasks: Sequence[T], processes: int, error: type[SpectrabridgeError]
) -> Iterator[tuple[T, R]]:
    # Threads inside a worker would fight over the cores; workers inherit these.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    context = multiprocessing.get_context("spawn")
    waiting = iter(tasks)
    # Libraries of synthesis leave logs in the folder where a process works.
    with (
        tempfile.TemporaryDirectory(prefix="spectrabridge-") as scratch,
        ProcessPoolExecutor(processes, context, initializer=os.chdir, initargs=(scratch,)) as pool,
    ):
        running = {
            pool.submit(compute, task): task
            for task in islice(waiting, TASKS_PER_WORKER * processes)
        }
        try:
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    task = running.pop(future)
                    yield task, future.result()
                for task in islice(waiting, len(done)):
                    running[pool.submit(compute, task)] = task
        except BrokenProcessPool as problem:
            raise error(
                "A worker process died, perhaps for want of memory. What is done is kept; give the "
                "same command with fewer --processes to go on."
            ) from problem
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _on_dask(
    compute: Callable[[T], R],
    tasks: Sequence[T],
    client: Any,
    error: type[SpectrabridgeError],
    describe: Callable[[T], str],
) -> Iterator[tuple[T, R]]:
    from distributed import as_completed

    workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    waiting = iter(tasks)
    running: dict[Any, T] = {}
    completed = as_completed()

    def hand_over(count: int) -> None:
        for task in islice(waiting, count):
            future = client.submit(compute, task, pure=False, retries=RETRIES)
            running[future] = task
            completed.add(future)

    try:
        hand_over(TASKS_PER_WORKER * workers)
        while running:
            future = next(completed)
            task = running.pop(future)
            if future.status != "finished":
                raise error(
                    f"{describe(task)} failed on the workers: {future.exception()}. What is done "
                    "is kept; the same command goes on."
                )
            result = future.result()
            future.release()
            hand_over(1)
            yield task, result
    finally:
        client.cancel(list(running))


@contextmanager
def dask_client(scheduler: str | None = None, workers: int | None = None) -> Iterator[Any]:
    """Yield a Dask client: of a running scheduler, or of a cluster on this machine.

    Parameters
    ----------
    scheduler : str, optional
        Address of a running scheduler, as ``tcp://host:8786``.
    workers : int, optional
        Processes of a local cluster; one per core if not given.

    Raises
    ------
    RunError
        If Dask is not installed or the scheduler does not answer.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as problem:
        raise RunError(
            "Runs on Dask need the extra [scale]: pip install 'spectrabridge[scale]'. Without it "
            "they take one process (fit --workers 0), or the cores of this machine (make-grid "
            "--processes)."
        ) from problem
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=10)
        except (OSError, ValueError, TimeoutError) as problem:
            raise RunError(
                f"The Dask scheduler {scheduler} does not answer: {problem}. Start one with "
                "`dask scheduler` and workers with `dask worker`, or leave --scheduler away."
            ) from problem
        with client:
            yield client
        return
    quiet = {"distributed.admin.large-graph-warning-threshold": "100MB"}
    with (
        dask.config.set(quiet),
        LocalCluster(
            n_workers=workers or os.cpu_count() or 1,
            threads_per_worker=1,
            memory_limit=0,
            dashboard_address=None,
            silence_logs="ERROR",
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client

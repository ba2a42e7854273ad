"""Fit whole surveys: in tasks, on many processes, so that nothing done is ever lost.

The spectra, rows of HDF5 files or zarr stores and files of single stars, are cut into tasks.
Each task becomes a table that is written at once and as a whole beside the final one; a rerun
of the same survey does what is missing. Tasks run in this process or on Dask distributed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy import units
from astropy.table import MaskedColumn, Table, vstack

from ..bundle.bundle import Bundle, open_bundle
from ..errors import FitError, SpectrumError
from ..io.spectra_store import is_set, is_store, open_set
from ..io.star_file import on_apstar
from ..labels.label_set import LabelSet
from .fit import Fitter
from .result import set_units
from .settings import FitSettings, Kind
from .star_fits import fit_stars, fitters
from .stars import Reading, Star, read_stars

PLAN = "plan.json"
"""File in the folder of parts that says which survey they belong to."""

WAITING = 2
"""Tasks handed to the scheduler ahead of time, per worker."""

RETRIES = 3
"""Times a task is given to another worker after one died with it."""


@dataclass(frozen=True)
class Task:
    """A part of a survey.

    Parameters
    ----------
    number : int
        Place in the survey.
    files : tuple of str
        Files of stars; one HDF5 file or zarr store if there are rows.
    rows : tuple of int, optional
        From which row of that file to which, the last one not included.
    """

    number: int
    files: tuple[str, ...]
    rows: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.files) if self.rows is None else self.rows[1] - self.rows[0]


@dataclass(frozen=True)
class Survey:
    """What is to be fitted, and how.

    Parameters
    ----------
    bundle : str
        Name or path of the bundle, the same for all processes.
    files : tuple of str
        HDF5 files or zarr stores of spectra, and files of single stars.
    kinds : tuple of str
        Kinds of spectra to fit with.
    settings : FitSettings
        How to fit.
    reading : Reading
        How to read files of single stars.
    chunk : int
        Spectra per task.
    covariance : bool
        Put the labels' covariance into the table.
    device : str
        Where to compute.
    """

    bundle: str
    files: tuple[str, ...]
    kinds: tuple[Kind, ...] = ("emulated", "adapted")
    settings: FitSettings = field(default_factory=FitSettings)
    reading: Reading = field(default_factory=Reading)
    chunk: int = 256
    covariance: bool = False
    device: str = "cpu"

    def tasks(self) -> list[Task]:
        """Return the tasks, in the order of the files.

        Raises
        ------
        FitError
            If there are no files.
        """
        out: list[Task] = []
        stars: list[str] = []

        def gather() -> None:
            for start in range(0, len(stars), self.chunk):
                out.append(Task(len(out), tuple(stars[start : start + self.chunk])))
            stars.clear()

        for name in self.files:
            n = _rows(name)
            if n is None:
                stars.append(name)
                continue
            gather()
            for start in range(0, n, self.chunk):
                out.append(Task(len(out), (name,), (start, min(start + self.chunk, n))))
        gather()
        if not out:
            raise FitError("There is nothing to fit: no files were given, or all are empty.")
        return out

    def plan(self, bundle: Bundle) -> dict[str, Any]:
        """Return what makes the survey with its opened bundle the one it is, as JSON."""
        sources = []
        for name in self.files:
            # Files that are missing become flagged rows.
            # A store's own folder keeps its time when spectra are added; this file does not.
            path = Path(name, "flux", "zarr.json") if is_store(name) else Path(name)
            state = path.stat() if path.exists() else None
            stamp = [state.st_size, state.st_mtime_ns] if state else None
            sources.append([str(path.resolve()), stamp])
        return {
            "bundle": bundle.fingerprint,
            "kinds": list(self.kinds),
            "settings": asdict(self.settings),
            "reading": asdict(self.reading),
            "chunk": self.chunk,
            "covariance": self.covariance,
            "sources": sources,
        }


def count_stars(files: Sequence[str | Path]) -> int:
    """Return how many rows there are: those of HDF5 files and zarr stores, else one a file."""
    rows = [_rows(name) for name in files]
    return sum(1 if n is None else n for n in rows)


def _rows(name: str | Path) -> int | None:
    """Return how many rows a set has; None for files of single stars and sets that are damaged.

    Either becomes one row, which says what is wrong if that cannot be read.
    """
    if not is_set(name):
        return None
    try:
        with open_set(name) as file:
            return len(file)
    except SpectrumError:
        return None


# ---------------------------------------------------------------------- one task

_ready: dict[tuple[str, str], dict[Kind, Fitter]] = {}
"""What this process fits with, so that a bundle is opened once per process."""


def fit_task(survey: Survey, task: Task) -> Table:
    """Fit one task; runs in any process."""
    if survey.device == "cpu":
        torch.set_num_threads(1)
    key = (survey.bundle, json.dumps([asdict(survey.settings), survey.kinds, survey.device]))
    if key not in _ready:
        _ready.clear()
        bundle = open_bundle(survey.bundle, survey.device)
        _ready[key] = fitters(bundle, survey.kinds, survey.settings)
    ready = _ready[key]
    if task.rows is None:
        stars = read_stars(task.files, survey.reading)
    else:
        grid = next(iter(ready.values())).model.grid
        stars = _read_rows(task, grid)
    return fit_stars(ready, stars).table(survey.covariance)


def _read_rows(task: Task, grid: Any) -> list[Star]:
    assert task.rows is not None
    name = task.files[0]
    first, last = task.rows
    try:
        with open_set(name) as file:
            spectra = file[first:last]
    except SpectrumError as problem:
        # The rest of the survey is not to wait for these.
        short = Path(name).name
        return [
            replace(Star.unreadable(short, str(problem), i, grid), id=f"{short} {i}")
            for i in range(first, last)
        ]
    if spectra.grid != grid and spectra.grid.on_chips() != grid:
        spectra = on_apstar(spectra)
    stars = []
    for i, star in enumerate(spectra.ids):
        known = {}
        if spectra.labels is not None and spectra.label_set is not None:
            known = dict(zip(spectra.label_set.names, spectra.labels[i].tolist(), strict=True))
        stars.append(
            Star(
                star,
                Path(name).name,
                spectra[i],
                format="spectra",
                row=first + i,
                survey=known,
            )
        )
    return stars


# ---------------------------------------------------------------------- whole surveys

Tell = Callable[[int, int], None]
"""Called with (stars done, stars)."""


def run_survey(
    survey: Survey, out: str | Path, *, client: Any = None, progress: Tell | None = None
) -> Table:
    """Fit a survey and return its table, which is not written yet.

    Parameters
    ----------
    survey : Survey
        What to fit.
    out : path
        Where the table is going to be; parts are kept in a folder beside it until
        :func:`forget_parts`.
    client : distributed.Client, optional
        Dask scheduler to run on; this process if not given.
    progress : callable, optional
        See :data:`Tell`.

    Returns
    -------
    Table
        A row per star, in the order of the files.

    Raises
    ------
    FitError
        If the folder holds parts of another survey, or a task failed for good.
    """
    folder = parts_folder(out)
    tasks = survey.tasks()
    bundle = open_bundle(survey.bundle)
    _begin(folder, survey.plan(bundle))
    missing = [t for t in tasks if not _part(folder, t).exists()]
    total = sum(map(len, tasks))
    done = total - sum(map(len, missing))
    if progress is not None:
        progress(done, total)
    for task, table in _results(survey, missing, client):
        _write(table, _part(folder, task))
        done += len(task)
        if progress is not None:
            progress(done, total)
    return _joined([_part(folder, t) for t in tasks], bundle.labels)


def parts_folder(out: str | Path) -> Path:
    """Return the folder beside a table in which its parts are kept."""
    out = Path(out)
    return out.with_name(out.name + ".parts")


def forget_parts(out: str | Path) -> None:
    """Delete the parts of a survey whose table has been written."""
    folder = parts_folder(out)
    if (folder / PLAN).exists():
        shutil.rmtree(folder)


def _begin(folder: Path, plan: dict[str, Any]) -> None:
    plan = json.loads(json.dumps(plan))
    path = folder / PLAN
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FitError(
                f"{folder} exists and holds other files than parts of a survey; nothing was "
                "changed there. Give another --out."
            )
        partial = path.with_name(PLAN + ".partial")
        partial.write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise FitError(f"{path} is damaged. Delete the folder {folder} to start anew.") from problem
    if found != plan:
        differ = [k for k in plan if found.get(k) != plan[k]]
        raise FitError(
            f"{folder} holds parts of a survey with other {', '.join(differ)}. Give the same to go "
            "on with it, another --out, or delete the folder to start anew."
        )


def _part(folder: Path, task: Task) -> Path:
    return folder / f"{task.number:06d}.fits"


def _write(table: Table, path: Path) -> None:
    """Write a part in one step: a file of that name is always whole."""
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial")
    try:
        for_exchange(table).write(partial, format="fits", overwrite=True)
        partial.replace(path)
    except OSError as problem:
        partial.unlink(missing_ok=True)
        raise FitError(
            f"{path} cannot be written: {problem.strerror or problem}. What is done is kept; the "
            "same command goes on."
        ) from problem


def for_exchange(table: Table) -> Table:
    """Return a copy that FITS and VOTable can hold.

    Neither knows the unit dex, so it is left away, and FITS only knows ASCII: other
    characters become "?".
    """
    out = table.copy()
    for name in out.colnames:
        column = out[name]
        if column.unit == units.dex:
            column.unit = None
        if column.dtype.kind == "U":
            texts = np.ma.filled(column, "") if hasattr(column, "mask") else column
            out[name] = [str(t).encode("ascii", "replace").decode() for t in texts]
    return out


def _joined(paths: Sequence[Path], labels: LabelSet) -> Table:
    parts = []
    for path in paths:
        part = Table.read(path, format="fits", character_as_bytes=False)
        for name in part.colnames:
            column = part[name]
            if column.dtype.kind == "f":
                values = np.asarray(np.ma.filled(column, np.nan))
                part[name] = MaskedColumn(
                    values, mask=~np.isfinite(values), description=column.description
                )
            elif column.dtype.kind == "U":
                # Empty texts are read as masked.
                part[name] = np.asarray(np.ma.filled(column, ""))
        part.meta.clear()
        parts.append(part)
    # Labels of surveys may be known in some parts only.
    out = vstack(parts, join_type="outer", metadata_conflicts="silent")
    set_units(out, labels)
    return out


def _results(survey: Survey, tasks: Sequence[Task], client: Any) -> Iterator[tuple[Task, Table]]:
    """Yield the table of each task as it is done."""
    if client is None:
        for task in tasks:
            yield task, fit_task(survey, task)
        return
    from distributed import as_completed

    waiting = iter(tasks)
    workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    running: dict[Any, Task] = {}
    queue = as_completed()

    def hand_over(n: int) -> None:
        for _ in range(n):
            task = next(waiting, None)
            if task is None:
                return
            future = client.submit(fit_task, survey, task, pure=False, retries=RETRIES)
            running[future] = task
            queue.add(future)

    try:
        hand_over(WAITING * workers)
        while running:
            future = next(queue)
            task = running.pop(future)
            if future.status != "finished":
                raise FitError(
                    f"Task {task.number} ({', '.join(task.files[:3])}) failed: "
                    f"{future.exception()}. What is done is kept; the same command goes on."
                )
            table = future.result()
            future.release()
            hand_over(1)
            yield task, table
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
    FitError
        If Dask is not installed or the scheduler does not answer.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as problem:
        raise FitError(
            "Surveys on several processes need Dask: pip install spectrabridge[scale]. Without it, "
            "--workers 0 fits in this process."
        ) from problem
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=10)
        except (OSError, ValueError, TimeoutError) as problem:
            raise FitError(
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

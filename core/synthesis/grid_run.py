"""Make a synthetic grid: in parallel, resumable, the same file whatever happened on the way.

Every spectrum is written as a small file of its own as soon as it is done, in a folder
beside the grid. When none is missing they are put together in order, so that neither the
order in which they were computed nor a kill in between shows in the result, and no time or
machine is written into it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SynthesisError
from ..spectra.spectra import Spectra, SpectraFile
from .grid_plan import GridPlan, compute_star, ready

PLAN = "plan.json"
"""File in the folder of parts that says which grid they belong to."""

BLOCK = 64
"""Spectra written into the grid at once."""

SPARE = 200_000
"""Bytes that a grid takes besides its spectra and labels, at most."""

Tell = Callable[[int, int, int], None]
"""Called with (spectra done, spectra, failures)."""


@dataclass(frozen=True)
class GridReport:
    """What became of a grid.

    Parameters
    ----------
    path : Path
        The file.
    n_asked, n_made, n_failed : int
        Spectra.
    failures : dict
        Reason by number of the star, counted from 0.
    processor_seconds : float
        Processor time that syntheses of this run took; 0 if none was needed.
    n_computed : int
        How many these were.
    """

    path: Path
    n_asked: int
    n_made: int
    failures: dict[int, str]
    processor_seconds: float = 0.0
    n_computed: int = 0

    @property
    def n_failed(self) -> int:
        """Spectra that could not be computed."""
        return len(self.failures)


def parts_folder(out: str | Path) -> Path:
    """Return the folder beside a grid in which its parts are kept until it is whole."""
    out = Path(out)
    return out.with_name(out.name + ".parts")


def make_grid(
    plan: GridPlan,
    out: str | Path,
    *,
    processes: int = 1,
    client: Any = None,
    progress: Tell | None = None,
) -> GridReport:
    """Make a grid of spectra, or go on with one that was interrupted.

    Parameters
    ----------
    plan : GridPlan
        What to make.
    out : path
        HDF5 file that :func:`~spectrabridge.core.io.grid.read_grid` and ``train-emulator``
        read. Columns: ``kind`` (1 giant branch or catalogue, 0 box or list) and ``index``.
    processes : int
        Worker processes; 1 computes in this one.
    client : distributed.Client, optional
        Dask scheduler to run on instead.
    progress : callable, optional
        See :data:`Tell`.

    Returns
    -------
    GridReport
        Failures are named there and in the file's provenance; they stop nothing.

    Raises
    ------
    SynthesisError
        If the folder holds parts of another grid, the disk is full, workers die, or not
        one spectrum could be computed.
    """
    out = Path(out)
    n = plan.size()
    stars = plan.stars()
    folder = parts_folder(out)
    # What cannot work must fail before there are parts of it.
    ready(plan)
    _begin(folder, plan)
    missing = [i for i in range(n) if not (_flux(folder, i).exists() or _note(folder, i).exists())]
    failed = sum(_note(folder, i).exists() for i in range(n))
    done = n - len(missing)
    if progress is not None:
        progress(done, n, failed)
    processor, computed = 0.0, 0
    for index, flux, failure, seconds in _results(plan, missing, processes, client):
        processor, computed = processor + seconds, computed + (seconds > 0)
        if flux is None:
            _write(_note(folder, index), failure.encode())
            failed += 1
        else:
            _write(_flux(folder, index), flux.astype("<f4").tobytes())
        done += 1
        if progress is not None:
            progress(done, n, failed)
    report = _assemble(plan, stars, n, folder, out)
    shutil.rmtree(folder)
    return replace(report, processor_seconds=processor, n_computed=computed)


def _flux(folder: Path, index: int) -> Path:
    return folder / f"{index:07d}.flux"


def _note(folder: Path, index: int) -> Path:
    return folder / f"{index:07d}.failed"


def _write(path: Path, content: bytes) -> None:
    """Write a part in one step: a file of that name is always whole."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as problem:
        partial.unlink(missing_ok=True)
        raise SynthesisError(
            f"{path} cannot be written: {problem.strerror or problem}. What is done is kept; make "
            "room and give the same command to go on."
        ) from problem


def _begin(folder: Path, plan: GridPlan) -> None:
    facts = plan.facts() | {"fingerprint": plan.fingerprint()}
    facts = json.loads(json.dumps(facts))
    path = folder / PLAN
    if not path.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise SynthesisError(
                f"{folder} cannot be made: {problem.strerror or problem}."
            ) from problem
        if any(not f.name.endswith(".partial") for f in folder.iterdir()):
            raise SynthesisError(
                f"{folder} exists and holds other files than parts of a grid; nothing was changed "
                "there. Give another --out."
            )
        _write(path, (json.dumps(facts, indent=1) + "\n").encode())
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise SynthesisError(
            f"{path} is damaged. Delete the folder {folder} to start anew."
        ) from problem
    if found != facts:
        differ = [k for k in facts if found.get(k) != facts[k] and k != "fingerprint"]
        raise SynthesisError(
            f"{folder} holds parts of a grid with other {', '.join(differ) or 'input files'}. Give "
            "the same to go on with it, another --out, or delete the folder to start anew."
        )


Result = tuple[int, NDArray[np.float32] | None, str, float]


def _results(plan: GridPlan, missing: list[int], processes: int, client: Any) -> Iterator[Result]:
    if not missing:
        return
    if client is not None:
        yield from _on_dask(plan, missing, client)
    elif processes <= 1:
        for index in missing:
            yield (index, *compute_star(plan, index))
    else:
        yield from _in_pool(plan, missing, min(processes, len(missing)))


def _in_pool(plan: GridPlan, missing: list[int], processes: int) -> Iterator[Result]:
    # Threads inside a worker would fight over the cores; workers inherit these.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    context = multiprocessing.get_context("spawn")
    queue = iter(missing)
    absolute = plan.with_absolute_paths()
    # The library leaves a log in the folder where a process works.
    with (
        tempfile.TemporaryDirectory(prefix="spectrabridge-") as scratch,
        ProcessPoolExecutor(processes, context, initializer=os.chdir, initargs=(scratch,)) as pool,
    ):
        running = {pool.submit(compute_star, absolute, i): i for i in islice(queue, 2 * processes)}
        try:
            while running:
                ready, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ready:
                    index = running.pop(future)
                    yield (index, *future.result())
                for index in islice(queue, len(ready)):
                    running[pool.submit(compute_star, absolute, index)] = index
        except BrokenProcessPool as problem:
            raise SynthesisError(
                "A worker process died, perhaps for want of memory. What is done is kept; give the "
                "same command with fewer --processes to go on."
            ) from problem
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _on_dask(plan: GridPlan, missing: list[int], client: Any) -> Iterator[Result]:
    from distributed import as_completed

    workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    queue = iter(missing)
    absolute = plan.with_absolute_paths()
    running: dict[Any, int] = {}
    ready = as_completed()

    def hand_over(count: int) -> None:
        for index in islice(queue, count):
            future = client.submit(compute_star, absolute, index, pure=False, retries=3)
            running[future] = index
            ready.add(future)

    try:
        hand_over(2 * workers)
        while running:
            future = next(ready)
            index = running.pop(future)
            if future.status != "finished":
                raise SynthesisError(
                    f"Star {index} failed on the workers: {future.exception()}. What is done is "
                    "kept; the same command goes on."
                )
            result = future.result()
            future.release()
            hand_over(1)
            yield (index, *result)
    finally:
        client.cancel(list(running))


def _free(path: Path) -> int:
    """Bytes that are free where a file is to be written."""
    return shutil.disk_usage(path.resolve().parent).free


def _assemble(plan: GridPlan, stars: Any, n: int, folder: Path, out: Path) -> GridReport:
    grid, labels = plan.grid, plan.label_set
    failures = {
        i: _note(folder, i).read_text(encoding="utf-8")
        for i in range(n)
        if _note(folder, i).exists()
    }
    made = [i for i in range(n) if i not in failures]
    if not made:
        raise SynthesisError(
            f"Not one of {n} spectra could be computed; the first failed with: {failures[0]}"
        )
    kinds, values = zip(*(stars(i) for i in made), strict=True)
    table = np.array(values)
    label_set = labels.with_ranges(table.min(axis=0).tolist(), table.max(axis=0).tolist())
    provenance = {
        "product": "synthetic grid",
        "continuum": "true",
        "plan": plan.facts(),
        "fingerprint": plan.fingerprint(),
        "stars": stars.description,
        "simulator": ready(plan)[0].description,
        "n_failed": len(failures),
        "failures": {str(i): text for i, text in list(failures.items())[:1000]},
    }
    partial = out.with_name(out.name + ".partial")
    need, free = 4 * len(made) * (grid.n_pixels + 2 * len(labels)) + SPARE, _free(out)
    if free < need:
        # A file that is cut short cannot be closed: HDF5 then complains from everywhere.
        raise SynthesisError(
            f"{out} needs {need / 1e6:.1f} MB and {free / 1e6:.1f} MB are free. The spectra are "
            f"kept in {folder}; make room and give the same command to go on."
        )
    try:
        with SpectraFile.create(partial, grid, label_set, provenance) as file:
            for start in range(0, len(made), BLOCK):
                rows = made[start : start + BLOCK]
                flux = np.stack([np.frombuffer(_flux(folder, i).read_bytes(), "<f4") for i in rows])
                file.append(
                    Spectra(
                        grid,
                        flux,
                        ids=tuple(f"{plan.seed}-{i}" for i in rows),
                        labels=table[start : start + BLOCK],
                        label_set=label_set,
                        columns={
                            "kind": np.array(kinds[start : start + BLOCK], dtype=np.int8),
                            "index": np.array(rows, dtype=np.int64),
                        },
                    )
                )
        partial.replace(out)
    except (OSError, ValueError, RuntimeError) as problem:
        partial.unlink(missing_ok=True)
        raise SynthesisError(
            f"{out} cannot be written: {problem}. The spectra are kept in {folder}; make room and "
            "give the same command to go on."
        ) from problem
    return GridReport(out, n, len(made), failures)

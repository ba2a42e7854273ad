"""Make a synthetic grid: in parallel, resumable, the same file whatever happened on the way.

Every spectrum is written as a small file of its own as soon as it is done, in a folder
beside the grid. When none is missing they are put together in order, so that neither the
order in which they were computed nor a kill in between shows in the result, and no time or
machine is written into it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic_file import replacing
from ..errors import OutputError, SynthesisError
from ..labels.label_set import LabelSet
from ..resumable_run import PartsFolder, compute_tasks
from ..spectra.spectra import Spectra, SpectraFile
from .grid_plan import GridPlan, compute_star, ready

BLOCK_SPECTRA = 64
"""Spectra that are written into the grid at once."""

HDF5_OVERHEAD_BYTES = 200_000
"""Room that a grid's file takes at most besides its spectra and labels."""

LISTED_FAILURES = 1000
"""Failures whose reasons stand in the provenance; more are only counted."""

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


def _parts(out: str | Path) -> PartsFolder:
    return PartsFolder.beside(out, "grid", SynthesisError)


def parts_folder(out: str | Path) -> Path:
    """Return the folder beside a grid in which its parts are kept until it is whole."""
    return _parts(out).path


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
    parts = _parts(out)
    # What cannot work must fail before there are parts of it.
    ready(plan)
    parts.begin(plan.facts() | {"fingerprint": plan.fingerprint()})
    failed = sum(_failure(i) in parts for i in range(n))
    missing = [i for i in range(n) if not (_flux(i) in parts or _failure(i) in parts)]
    done = n - len(missing)
    if progress is not None:
        progress(done, n, failed)
    processor, computed = 0.0, 0
    for index, (flux, failure, seconds) in compute_tasks(
        partial(compute_star, plan.with_absolute_paths()),
        missing,
        processes=processes,
        client=client,
        error=SynthesisError,
        describe=lambda index: f"Star {index}",
    ):
        processor, computed = processor + seconds, computed + (seconds > 0)
        if flux is None:
            parts.write(_failure(index), failure.encode())
            failed += 1
        else:
            parts.write(_flux(index), flux.astype("<f4").tobytes())
        done += 1
        if progress is not None:
            progress(done, n, failed)
    report = _assemble(plan, stars, n, parts, out)
    parts.remove()
    return replace(report, processor_seconds=processor, n_computed=computed)


def _flux(index: int) -> str:
    return f"{index:07d}.flux"


def _failure(index: int) -> str:
    return f"{index:07d}.failed"


def _free(path: Path) -> int:
    """Bytes that are free where a file is to be written."""
    return shutil.disk_usage(path.resolve().parent).free


def _assemble(plan: GridPlan, stars: Any, n: int, parts: PartsFolder, out: Path) -> GridReport:
    """Join the parts in order, and return what became of the grid."""
    labels = plan.label_set
    failures = {
        i: (parts / _failure(i)).read_text(encoding="utf-8")
        for i in range(n)
        if _failure(i) in parts
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
        "failures": {str(i): text for i, text in list(failures.items())[:LISTED_FAILURES]},
    }
    need = 4 * len(made) * (plan.grid.n_pixels + 2 * len(labels)) + HDF5_OVERHEAD_BYTES
    free = _free(out)
    if free < need:
        # A file that is cut short cannot be closed: HDF5 then complains from everywhere.
        raise SynthesisError(
            f"{out} needs {need / 1e6:.1f} MB and {free / 1e6:.1f} MB are free. The spectra are "
            f"kept in {parts.path}; make room and give the same command to go on."
        )
    try:
        with (
            replacing(out) as whole,
            SpectraFile.create(whole, plan.grid, label_set, provenance) as file,
        ):
            for start in range(0, len(made), BLOCK_SPECTRA):
                block = slice(start, start + BLOCK_SPECTRA)
                file.append(_block(plan, parts, made[block], kinds[block], table[block], label_set))
    except (OutputError, OSError, ValueError, RuntimeError) as problem:
        reason = problem.__cause__ or problem
        raise SynthesisError(
            f"{out} cannot be written: {reason}. The spectra are kept in {parts.path}; make room "
            "and give the same command to go on."
        ) from problem
    return GridReport(out, n, len(made), failures)


def _block(
    plan: GridPlan,
    parts: PartsFolder,
    stars: list[int],
    kinds: tuple[int, ...],
    labels: NDArray[np.float64],
    label_set: LabelSet,
) -> Spectra:
    """Return the spectra of some stars, from their parts."""
    flux = np.empty((len(stars), plan.grid.n_pixels), "<f4")
    for row, i in zip(flux, stars, strict=True):
        content = parts.read(_flux(i))
        if len(content) != row.nbytes:
            raise parts.damaged(_flux(i))
        row[:] = np.frombuffer(content, "<f4")
    return Spectra(
        plan.grid,
        flux,
        ids=tuple(f"{plan.seed}-{i}" for i in stars),
        labels=labels,
        label_set=label_set,
        columns={
            "kind": np.array(kinds, dtype=np.int8),
            "index": np.array(stars, dtype=np.int64),
        },
    )

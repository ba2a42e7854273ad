"""Fit whole surveys: in tasks, on many processes, so that nothing done is ever lost.

The spectra, rows of HDF5 files or zarr stores and files of single stars, are cut into tasks.
Each task becomes a table that is written at once and as a whole beside the final one; a rerun
of the same survey does what is missing. Tasks run in this process or on Dask distributed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.table import MaskedColumn, Table, vstack

from ..bundle.bundle import Bundle, open_bundle
from ..errors import FitError, SpectrumError
from ..files.tables import read_table
from ..io.cell_text import unescape_columns
from ..io.names import distinct_names
from ..io.spectra_set import read_rows
from ..io.spectra_store import is_set, is_store, open_set
from ..io.star_file import on_apstar
from ..io.table_writer import table_bytes
from ..labels.label_set import LabelSet
from ..resumable_run import PartsFolder, compute_tasks
from .fit import Fitter
from .result import set_units
from .settings import FitSettings, Kind
from .star_fits import fit_stars, fitters
from .stars import Reading, Star, read_stars


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

    @property
    def part(self) -> str:
        """Name of the file that keeps its table."""
        return f"{self.number:06d}.fits"

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
    names = dict(zip(survey.files, distinct_names(survey.files), strict=True))
    if task.rows is None:
        stars = read_stars([(names[f], Path(f)) for f in task.files], survey.reading)
    else:
        grid = next(iter(ready.values())).model.grid
        stars = _read_rows(task, names[task.files[0]], survey.reading, grid)
    return fit_stars(ready, stars).table(survey.covariance)


def _read_rows(task: Task, name: str, reading: Reading, grid: Any) -> list[Star]:
    """Return the stars of some rows of a set that is called `name`."""
    assert task.rows is not None
    first, last = task.rows
    try:
        spectra = read_rows(task.files[0], first, last, name, reading.options())
    except SpectrumError as problem:
        # The rest of the survey is not to wait for these.
        return [
            replace(Star.unreadable(name, str(problem), i, grid), id=f"{name} {i}")
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
                name,
                spectra[i],
                format="spectra",
                row=first + i,
                survey=known,
                notes=tuple(str(n) for n in spectra.provenance.get("notes", ())),
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
    parts = _parts(out)
    tasks = survey.tasks()
    bundle = open_bundle(survey.bundle)
    parts.begin(survey.plan(bundle), _DEFAULTS)
    missing = [task for task in tasks if task.part not in parts]
    total = sum(map(len, tasks))
    done = total - sum(map(len, missing))
    if progress is not None:
        progress(done, total)
    for task, table in compute_tasks(
        partial(fit_task, survey), missing, client=client, error=FitError, describe=_words
    ):
        parts.write(task.part, _part_bytes(table))
        done += len(task)
        if progress is not None:
            progress(done, total)
    return _joined(parts, [task.part for task in tasks], bundle.labels)


def _parts(out: str | Path) -> PartsFolder:
    return PartsFolder.beside(out, "survey", FitError)


def _part_bytes(table: Table) -> bytes:
    # Units are set when the parts are joined; FITS would move those it lacks to descriptions.
    plain = table.copy(copy_data=False)
    for name in plain.colnames:
        plain[name].unit = None
    return table_bytes(plain, "FITS")


def _words(task: Task) -> str:
    return f"Task {task.number} ({', '.join(task.files[:3])})"


_DEFAULTS = {"settings": asdict(FitSettings()), "reading": asdict(Reading())}
"""Settings of a survey that an older version began without knowing all of them."""


def parts_folder(out: str | Path) -> Path:
    """Return the folder beside a table in which its parts are kept."""
    return _parts(out).path


def forget_parts(out: str | Path) -> None:
    """Delete the parts of a survey whose table has been written."""
    _parts(out).remove()


def _joined(folder: PartsFolder, names: Sequence[str], labels: LabelSet) -> Table:
    parts = []
    for one in names:
        try:
            part = read_table(folder.read(one), "fits", error=FitError)
        except FitError as problem:
            raise folder.damaged(one) from problem
        part = unescape_columns(part, str(part.meta.get("ESCAPED", "")).split(", "))
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

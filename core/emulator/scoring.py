"""Errors of emulators on spectra that they have not seen, and the way from grid to folder.

Examples
--------
>>> import numpy as np, torch
>>> from spectrabridge.core.emulator import EmulatorTraining
>>> from spectrabridge.core.labels import APOGEE_LABELS, draws
>>> from spectrabridge.core.spectra import Spectra, WavelengthGrid
>>> labels = draws.box(60, torch.Generator().manual_seed(0)).numpy()
>>> scaled = (labels - APOGEE_LABELS.low) / (APOGEE_LABELS.high - APOGEE_LABELS.low)
>>> grid = WavelengthGrid.log_linear(4.18, 6e-6, 50)
>>> lines = np.exp(-scaled @ np.random.default_rng(0).uniform(0, 0.1, (25, 50)))
>>> spectra = Spectra(grid, lines, labels=labels, label_set=APOGEE_LABELS)
>>> brief = EmulatorTraining(steps=20, hidden=(8,), n_basis=6, confine=False)
>>> from spectrabridge.core.emulator.scoring import train_and_store
>>> train_and_store(spectra, training=brief, continuum="true").figures["n_held_out"]
6
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..io.grid import read_grid
from ..spectra.continuum import normalise
from ..spectra.spectra import Spectra
from .emulator import Emulator
from .training import PAYNE_TRAINING, EmulatorTraining, ShowSteps, train_emulator

ShowStages = Callable[[str, int, int, dict[str, float]], None]
"""Called now and then with (what is trained, step, steps, figures)."""


def hold_out(kind: np.ndarray, fraction: float = 0.1, seed: int = 0) -> np.ndarray:
    """Choose the spectra that an emulator must not see, the same fraction of each kind.

    Parameters
    ----------
    kind : ndarray, shape ``(n_stars,)``
        Kind of draw; see :func:`spectrabridge.core.io.grid.read_grid`.
    fraction : float
        Part of each kind to hold out.
    seed : int
        Of the choice.

    Returns
    -------
    ndarray of bool, shape ``(n_stars,)``
        True for held-out spectra.

    Examples
    --------
    >>> held = hold_out(np.repeat([0, 1], [20, 10]))
    >>> int(held[:20].sum()), int(held[20:].sum())
    (2, 1)
    """
    rng = np.random.default_rng(seed)
    held = np.zeros(len(kind), bool)
    for value in np.unique(kind):
        rows = np.flatnonzero(kind == value)
        held[rng.permutation(rows)[: max(1, round(fraction * rows.size))]] = True
    return held


def absolute_errors(emulator: Emulator, spectra: Spectra) -> dict[str, float]:
    """Return ``median_abs_error`` and ``mean_abs_error`` over all pixels of some spectra."""
    assert spectra.labels is not None
    with torch.no_grad():
        flux = emulator(torch.tensor(spectra.labels, dtype=torch.float32)).numpy()
    error = np.abs(flux - spectra.flux)
    return {
        "median_abs_error": float(np.median(error)),
        "mean_abs_error": float(error.mean(dtype=np.float64)),
    }


@dataclass(frozen=True)
class EmulatorReport:
    """Held-out errors of an emulator.

    Parameters
    ----------
    emulator : Emulator
        The trained emulator.
    figures : dict
        ``median_abs_error``, ``mean_abs_error`` (giant-branch draws), ``box`` (the same
        for box draws), ``train_seconds``, counts and settings.
    """

    emulator: Emulator
    figures: dict[str, Any]


def train_and_score(
    spectra: Spectra,
    training: EmulatorTraining,
    *,
    seed: int = 0,
    continuum: str = "true",
    device: str = "cpu",
    progress: ShowSteps | None = None,
) -> EmulatorReport:
    """Train on nine tenths of the spectra and measure errors on the rest.

    The column ``kind`` of the spectra separates giant-branch draws (1) from box draws
    (0); without it all count as giant-branch draws. Other parameters are those of
    :func:`train_emulator`; `seed` chooses the held-out spectra.
    """
    kind = np.asarray(spectra.columns.get("kind", np.ones(len(spectra), int)))
    held = hold_out(kind, seed=seed)
    start = time.perf_counter()
    emulator = train_emulator(
        spectra[~held], training, continuum=continuum, device=device, progress=progress
    )
    seconds = time.perf_counter() - start
    figures: dict[str, Any] = {
        "n_train": int((~held).sum()),
        "n_held_out": int(held.sum()),
        "seed": seed,
        "training": asdict(training),
        "continuum": continuum,
        "device": device,
        "threads": torch.get_num_threads(),
        "train_seconds": seconds,
    }
    if (held & (kind == 1)).any():
        figures |= absolute_errors(emulator, spectra[held & (kind == 1)])
    if (held & (kind == 0)).any():
        figures["box"] = absolute_errors(emulator, spectra[held & (kind == 0)])
    return EmulatorReport(emulator, figures)


def train_and_store(
    grid: str | Path | Spectra,
    out: str | Path | None = None,
    training: EmulatorTraining | None = None,
    *,
    continuum: str = "pseudo",
    yardstick: bool = False,
    device: str = "cpu",
    progress: ShowStages | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> EmulatorReport:
    """Train an emulator on a grid, score it on a random tenth, and write it to a folder.

    It is what ``spectrabridge train-emulator`` does.

    Parameters
    ----------
    grid : path or Spectra
        A file of make-grid, import-grid or an npz file with labels
        (:func:`~spectrabridge.core.io.grid.read_grid`), or spectra with labels.
    out : path, optional
        Folder for the emulator; see
        :meth:`~spectrabridge.core.emulator.Emulator.save`. Nothing is written
        without it.
    training : EmulatorTraining, optional
        Architecture and schedule. Its seed also chooses the held-out spectra.
    continuum : {"pseudo", "true"}
        ``pseudo``: normalise the spectra like observations first; ``true``: keep the
        simulator's continuum.
    yardstick : bool
        Also train the paper's perceptron for the same time, and report its errors.
    device : str
        Where to train.
    progress : callable, optional
        See :data:`ShowStages`.
    provenance : mapping, optional
        Kept with the figures; must be JSON.

    Returns
    -------
    EmulatorReport
        The emulator and its figures; with a yardstick ``payne``, its figures, and
        ``payne_over_basis``, the ratio of the median errors.

    Raises
    ------
    BundleError
        If `out` holds something else.
    GridError, SpectrumError, TrainingError
        If the grid cannot be read or trained on.
    """
    training = training or EmulatorTraining()
    if out is not None:
        Emulator.require_writable(out)
    spectra = grid if isinstance(grid, Spectra) else read_grid(grid)
    if continuum == "pseudo":
        spectra = normalise(spectra)
    spectra = spectra.on_chips()
    name = f"{training.architecture} emulator"

    def show(step: int, total: int, figures: dict[str, float]) -> None:
        if progress is not None:
            progress(name, step, total, figures)

    report = train_and_score(
        spectra, training, seed=training.seed, continuum=continuum, device=device, progress=show
    )
    file = {} if isinstance(grid, Spectra) else {"grid": Path(grid).name}
    figures = report.figures | file | dict(provenance or {})
    if out is not None:
        report.emulator.save(out, figures)  # before the yardstick, which is as long again
    if yardstick and training.architecture != "payne":
        figures |= _yardstick(spectra, training.seed, figures, continuum, device, progress)
        if out is not None:
            report.emulator.save(out, figures)
    return EmulatorReport(report.emulator, figures)


def _yardstick(
    spectra: Spectra,
    seed: int,
    figures: Mapping[str, Any],
    continuum: str,
    device: str,
    progress: ShowStages | None,
) -> dict[str, Any]:
    """Return the figures of the paper's perceptron, trained for as long as `figures` say."""
    limit = figures["train_seconds"]
    # The clock ends this one; the number of steps is out of reach.
    training = replace(PAYNE_TRAINING, seed=seed, seconds=limit, steps=10**7)

    def show_time(_step: int, _total: int, values: dict[str, float]) -> None:
        if progress is not None:
            seconds = int(min(limit, values.get("seconds", limit)))
            progress("payne yardstick", seconds, int(limit), values)

    payne = train_and_score(
        spectra, training, seed=seed, continuum=continuum, device=device, progress=show_time
    ).figures
    out: dict[str, Any] = {"payne": payne}
    if "median_abs_error" in figures:  # a grid may have no giant-branch draws
        out["payne_over_basis"] = payne["median_abs_error"] / figures["median_abs_error"]
    return out

"""All that is measured of a bundle in one call: its evaluation, ablations, fits, recovery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..adaptation.callbacks import ShowProgress
from ..adaptation.settings import AdaptationTraining
from ..bundle.bundle import Bundle
from ..bundle.model import Model
from ..bundle.training_record import first_training
from ..bundle.writing import require_folder, store_metrics
from ..domains.mock_lines import mock_domains
from ..domains.registry import domains_of
from ..emulator.hidden_lines import Experiment, read_paper_mask
from ..errors import BundleError
from .ablations import train_ablations
from .real_star_fits import score_fits
from .recovery import score_recovery
from .report import about, evaluate_bundle, evaluate_model

ShowStages = Callable[[str, int, int, dict[str, float]], None]
"""Called now and then with (what is done, steps done, steps, figures)."""

Say = Callable[[str], None]
"""Called with what is being measured."""


def evaluate_fully(
    bundle: Bundle,
    *,
    n_stars: int = 1000,
    mask: str | Path | None = None,
    ablations: bool = False,
    data: str | Path | None = None,
    members: int | None = None,
    iterations: int | None = None,
    store: bool = False,
    fit_files: Sequence[str | Path] = (),
    n_recovered: int = 0,
    device: str = "cpu",
    progress: ShowStages | None = None,
    measuring: Say | None = None,
    row_done: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Measure what a bundle is worth; with all that the command ``evaluate`` can add.

    Parameters
    ----------
    bundle : Bundle
        A bundle whose model is on the CPU.
    n_stars : int
        Test stars at most.
    mask : path, optional
        Retrain with the paper's own masked lines, and evaluate that: see
        :func:`evaluate_paper_mask`.
    ablations : bool
        Train again with each part of the method left out in turn; see :func:`ablate_bundle`.
    data, members, iterations, store
        See :func:`ablate_bundle`.
    fit_files : sequence of path
        Fit the stars in these files, and report residuals.
    n_recovered : int
        Fit so many adapted spectra with noise, and compare with their labels.
    device : str
        Where networks are trained.
    progress, measuring, row_done : callable, optional
        Told about steps, about what is being measured, and each row of the ablations.

    Returns
    -------
    dict
        What :func:`~spectrabridge.core.evaluation.report.evaluate_bundle` returns, with
        ``ablations``, ``fits`` and ``recovery`` where they were asked for.

    Raises
    ------
    BundleError
        If the bundle does not hold what is asked for.
    TrainingError, SpectrumError
        If something that is read cannot be used.
    """
    trained: dict[str, Any] = {
        "members": members,
        "iterations": iterations,
        "device": device,
        "progress": progress,
    }
    if mask is not None:
        figures = evaluate_paper_mask(bundle, mask, n_stars=n_stars, measuring=measuring, **trained)
    else:
        table = None
        if ablations:
            table = ablate_bundle(bundle, data=data, store=store, row_done=row_done, **trained)
        figures = evaluate_bundle(bundle, n_stars=n_stars, progress=measuring)
        if table is not None:
            figures["ablations"] = table
    return _with_fits(figures, bundle, fit_files, n_recovered, progress)


def _with_fits(
    figures: dict[str, Any],
    bundle: Bundle,
    files: Sequence[str | Path],
    n_recovered: int,
    progress: ShowStages | None,
) -> dict[str, Any]:
    """Return figures with those of fits of stars in files, and of adapted spectra with noise."""

    def show(what: str) -> Callable[[int, int], None]:
        def told(done: int, total: int) -> None:
            if progress is not None:
                progress(what, done, total, {})

        return told

    if files:
        found = score_fits(bundle, [Path(f) for f in files], progress=show("fitting"))
        plots = {**(figures.get("plots") or {}), **found.pop("plots")}
        figures = {**figures, **found, "plots": plots}
    if n_recovered:
        recovered = score_recovery(bundle, n_recovered, progress=show("recovery"))
        figures = {**figures, "recovery": recovered}
    return figures


def ablate_bundle(
    bundle: Bundle,
    *,
    data: str | Path | None = None,
    members: int | None = None,
    iterations: int | None = None,
    store: bool = False,
    device: str = "cpu",
    progress: ShowStages | None = None,
    row_done: Callable[[dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Train the adaptation of a bundle again with each part of the method left out in turn.

    Parameters
    ----------
    bundle : Bundle
        A bundle of a built-in experiment.
    data : path, optional
        The data folder, where the experiment needs it.
    members, iterations : int, optional
        Networks and steps, if not those of the bundle.
    store : bool
        Keep the table in the bundle, row by row.
    device : str
        Where to train.
    progress : callable, optional
        See :data:`ShowStages`.
    row_done : callable, optional
        Given every row as soon as it is known.

    Returns
    -------
    list of dict
        See :func:`~spectrabridge.core.evaluation.ablations.train_ablations`.

    Raises
    ------
    BundleError
        If the bundle was trained on a user's own spectra, or is a zip file and `store` is
        asked for.
    """
    if store:
        require_folder(bundle)
    table: list[dict[str, Any]] = []

    def keep(row: dict[str, Any]) -> None:
        table.append(row)
        if row_done is not None:
            row_done(row)
        if store:
            store_metrics(bundle, {"ablations": table})

    def show(variant: str, step: int, total: int, figures: dict[str, float]) -> None:
        if progress is not None:
            progress(f"ablation: {variant}", step, total, figures)

    training = shortened(first_training(bundle), members, iterations)
    train_ablations(domains_of(bundle, data), training, device=device, progress=show, done=keep)
    return table


def evaluate_paper_mask(
    bundle: Bundle,
    mask: str | Path,
    *,
    n_stars: int = 1000,
    members: int | None = None,
    iterations: int | None = None,
    device: str = "cpu",
    progress: ShowStages | None = None,
    measuring: Say | None = None,
) -> dict[str, Any]:
    """Train the adaptation of a bundle again with the paper's own masked lines, and evaluate it.

    Parameters
    ----------
    bundle : Bundle
        A bundle that hides lines.
    mask : path
        The file ``mock_missing_lines.npz`` of the paper.
    n_stars : int
        Test stars at most.
    members, iterations : int, optional
        Networks and steps, if not those of the bundle.
    device : str
        Where to train.
    progress, measuring : callable, optional
        Told about steps, and about what is being measured.

    Raises
    ------
    BundleError
        If the bundle hides no lines.
    """
    model = bundle.model
    if bundle.experiment is None:
        raise BundleError(
            f"{bundle.name} hides no lines, so --mask cannot be used with it; expected a bundle "
            "such as mock-lines."
        )
    emulator = model.complete_emulator
    features = read_paper_mask(mask, model.labels, model.grid.n_pixels)
    training = shortened(first_training(bundle), members, iterations)
    domains = mock_domains(emulator, Experiment(features, 1.0, 0.0, 0))

    def show(step: int, total: int, figures: dict[str, float]) -> None:
        if progress is not None:
            progress("adaptation", step, total, figures)

    result = domains.trainer(training, device).run([ShowProgress(show)])
    trained = Model(domains.synthetic, result.adapter, model.reference, emulator)
    sample = domains.sample(result.adapter)
    figures = evaluate_model(trained, sample, features, n_stars=n_stars, progress=measuring)
    return (
        figures
        | about(bundle)
        | {
            "train_seconds": result.seconds,
            "train_device": device,
            "train_threads": torch.get_num_threads(),
            "mask": Path(mask).name,
        }
    )


def shortened(
    training: AdaptationTraining, members: int | None, iterations: int | None
) -> AdaptationTraining:
    """Return settings with another number of networks or steps, where they are given.

    Examples
    --------
    >>> shortened(AdaptationTraining(keep=2), members=1, iterations=450).critics_from
    50
    """
    if iterations is not None:
        training = training.lasting(iterations)
    return training if members is None else replace(training, members=members, keep=0)

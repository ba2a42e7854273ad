"""``spectrabridge train-emulator``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import (
    EXISTING,
    FOLDER,
    bar,
    device_option,
    json_option,
    print_figures,
    set_up_torch,
    threads_option,
    typed_command,
)


@click.command("train-emulator")
@click.argument("grid", type=EXISTING)
@click.option("--out", type=FOLDER, help="Folder for the trained emulator.")
@click.option(
    "--architecture",
    type=click.Choice(["basis", "payne"]),
    default="basis",
    show_default=True,
    help="basis: log-flux components; payne: the paper's 25-300-300-P perceptron.",
)
@click.option(
    "--continuum",
    type=click.Choice(["pseudo", "true"]),
    default="pseudo",
    show_default=True,
    help="pseudo: normalise like an observation first; true: keep the simulator's continuum.",
)
@click.option("--n-basis", type=click.IntRange(4), help="Principal components (basis).")
@click.option("--hidden", type=click.IntRange(8), help="Width of the hidden layers.")
@click.option(
    "--confine/--no-confine",
    default=True,
    show_default=True,
    help="Rare elements act on their own lines only, where the shipped line list covers the grid: "
    "a second training (basis).",
)
@click.option(
    "--first",
    type=click.FloatRange(0, 1, min_open=True),
    help="Steps of the first of these two trainings, as a part of --steps.",
)
@click.option("--steps", type=click.IntRange(1), help="Optimiser steps.")
@click.option("--seconds", type=click.FloatRange(min=1), help="Stop after this much time.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--yardstick/--no-yardstick",
    default=True,
    show_default=True,
    help="Also train the payne architecture for the same time and report its errors.",
)
@threads_option
@device_option
@json_option
def train_emulator_command(
    grid: Path,
    out: Path | None,
    architecture: str,
    continuum: str,
    n_basis: int | None,
    hidden: int | None,
    confine: bool,
    first: float | None,
    steps: int | None,
    seconds: float | None,
    seed: int,
    yardstick: bool,
    threads: int,
    device: str,
    as_json: bool,
) -> None:
    """Train an emulator on GRID, a file of make-grid, import-grid or an npz file with labels.

    A random tenth of the spectra is held out and scored.
    """
    from dataclasses import replace

    from ..core.emulator import Emulator, EmulatorTraining
    from ..core.emulator.training import PAYNE_TRAINING, train_and_score
    from ..core.io.grid import read_grid
    from ..core.spectra import normalise

    set_up_torch(threads, device)
    if out is not None:
        Emulator.require_writable(out)
    spectra = read_grid(grid)
    if continuum == "pseudo":
        spectra = normalise(spectra)
    spectra = spectra.on_chips()
    training = replace(
        PAYNE_TRAINING if architecture == "payne" else EmulatorTraining(),
        seed=seed,
        seconds=seconds,
    )
    if not confine:
        training = replace(training, confine=False)
    if first is not None:
        training = replace(training, first=first)
    if steps is not None:
        training = replace(training, steps=steps)
    if n_basis is not None:
        training = replace(training, n_basis=n_basis)
    if hidden is not None:
        training = replace(training, hidden=(hidden,) * len(training.hidden))
    options: dict[str, Any] = {"seed": seed, "continuum": continuum, "device": device}
    with bar(f"{architecture} emulator", training.steps) as show:
        report = train_and_score(spectra, training, progress=show, **options)
    figures = dict(report.figures) | {"grid": grid.name, "command": typed_command()}
    if out is not None:
        report.emulator.save(out, figures)  # before the yardstick, which is as long again
    if yardstick and architecture != "payne":
        limit = figures["train_seconds"]
        # The clock ends this one; the number of steps is out of reach.
        payne = replace(PAYNE_TRAINING, seed=seed, seconds=limit, steps=10**7)
        with bar("payne yardstick", int(limit)) as show:

            def show_time(_step: int, _total: int, values: dict[str, float]) -> None:
                show(int(min(limit, values.get("seconds", limit))), int(limit), values)

            figures["payne"] = train_and_score(
                spectra, payne, progress=show_time, **options
            ).figures
        if "median_abs_error" in figures:  # a grid may have no giant-branch draws
            figures["payne_over_basis"] = (
                figures["payne"]["median_abs_error"] / figures["median_abs_error"]
            )
    if out is not None:
        report.emulator.save(out, figures)
        figures["out"] = str(out)
    print_figures(figures, as_json)

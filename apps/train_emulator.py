"""``spectrabridge train-emulator``."""

from __future__ import annotations

from pathlib import Path

import click

from .options import (
    EXISTING,
    FOLDER,
    check_folder,
    device_option,
    json_option,
    overwrite_option,
    print_figures,
    set_up_torch,
    stage_bars,
    threads_option,
    typed_command,
    without_none,
)


@click.command("train-emulator")
@click.argument("grid", type=EXISTING)
@click.option("--out", type=FOLDER, help="Folder for the trained emulator.")
@overwrite_option
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
    overwrite: bool,
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

    from ..core.emulator import EmulatorTraining
    from ..core.emulator.scoring import train_and_store
    from ..core.emulator.training import PAYNE_TRAINING

    if out is not None:
        check_folder(out, "emulator.json", overwrite)
    set_up_torch(threads, device)
    training = PAYNE_TRAINING if architecture == "payne" else EmulatorTraining()
    given = {
        "first": first,
        "steps": steps,
        "n_basis": n_basis,
        "hidden": None if hidden is None else (hidden,) * len(training.hidden),
        "confine": None if confine else False,
    }
    training = replace(training, seed=seed, seconds=seconds, **without_none(given))
    with stage_bars() as show:
        report = train_and_store(
            grid,
            out,
            training,
            continuum=continuum,
            yardstick=yardstick,
            device=device,
            progress=show,
            provenance={"command": typed_command()},
        )
    written = {} if out is None else {"out": str(out)}
    print_figures(report.figures | written, as_json)

"""``spectrabridge train-adaptation``."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import click

from ..core.errors import SpectrabridgeError
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


@click.command("train-adaptation")
@click.argument("emulator")
@click.option("--out", type=FOLDER, required=True, help="Folder for the bundle.")
@click.option(
    "--experiment",
    type=click.Choice(["mock-lines"]),
    help="A built-in observed domain: mock-lines hides line features (paper, section 3.3).",
)
@click.option(
    "--observed",
    type=EXISTING,
    help="Your own spectra: an HDF5 file written by Spectra.save, on the emulator's grid.",
)
@click.option("--name", help="Name of the bundle; the folder's name if not given.")
@click.option("--members", type=click.IntRange(1, 32), default=4, show_default=True)
@click.option("--iterations", type=click.IntRange(10), help="Optimiser steps.")
@click.option("--n-basis", type=click.IntRange(4), help="Principal components per domain.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the first member.")
@click.option("--fresh", is_flag=True, help="Start anew even if a checkpoint is there.")
@threads_option
@device_option
@json_option
def train_adaptation_command(
    emulator: str,
    out: Path,
    experiment: str | None,
    observed: Path | None,
    name: str | None,
    members: int,
    iterations: int | None,
    n_basis: int | None,
    seed: int,
    fresh: bool,
    threads: int,
    device: str,
    as_json: bool,
) -> None:
    """Adapt EMULATOR to observed spectra and write a bundle.

    EMULATOR is a folder that train-emulator wrote, or a bundle whose emulator to take.

    Give either --experiment or --observed. The state is kept beside the bundle while
    training; after Ctrl-C the same command goes on where it stopped.
    """
    from dataclasses import asdict, replace

    from ..core.adaptation.training import AdaptationTraining
    from ..core.bundle import require_writable, store_metrics, write_bundle
    from ..core.evaluation import score_hidden_lines
    from ..core.mock_lines import (
        DESCRIPTION,
        TITLE,
        MockSurvey,
        mock_experiment,
        mock_trainer,
        reference_giant,
    )
    from ..core.own_spectra import own_trainer, read_observed

    if (experiment is None) == (observed is None):
        raise click.UsageError("Give one of --experiment and --observed.")
    set_up_torch(threads, device)
    out = out.resolve()
    require_writable(out)
    source, emulator_report = _emulator(emulator)
    given: dict[str, Any] = {"iterations": iterations, "n_basis": n_basis}
    training = AdaptationTraining(members=members, seed=seed)
    training = replace(training, **{k: v for k, v in given.items() if v is not None})
    provenance: dict[str, Any] = {
        "command": typed_command(),
        "training": asdict(training),
        "emulator_report": emulator_report,
    }
    if observed is None:
        survey = MockSurvey()
        design = mock_experiment(source)
        trainer = mock_trainer(source, design.features, training, survey, device)
        title, description = TITLE, DESCRIPTION
        provenance["observed"] = asdict(survey)
    else:
        spectra = read_observed(observed, source)
        design = None
        trainer = own_trainer(source, spectra, training, device)
        title = f"Adapted to {observed.name}"
        description = (
            f"Synthetic spectra of giants adapted to {len(spectra)} observed spectra from "
            f"{observed.name}. The truth of the observed domain is not known."
        )
        provenance["observed"] = {"file": observed.name, "n_stars": len(spectra)}
    result = _run(trainer, out, fresh)
    provenance |= {
        "train_seconds": result.seconds,
        "train_device": device,
        "train_threads": threads,
        "iterations": result.iterations,
        "stopped_early": result.stopped_early,
        "history": result.history,
    }
    bundle = write_bundle(
        out,
        name=name or out.name,
        title=title,
        description=description,
        emulator=source,
        adapter=result.adapter,
        reference=reference_giant(source.labels),
        experiment=design,
        provenance=provenance,
    )
    figures: dict[str, Any] = {}
    if design is not None:
        figures = score_hidden_lines(bundle.model, design.features)
        bundle = store_metrics(bundle, figures)
    _checkpoint(out).unlink(missing_ok=True)
    figures |= {
        "train_seconds": result.seconds,
        "train_device": device,
        "train_threads": threads,
        "bytes": bundle.size,
        "out": str(out),
    }
    print_figures(figures, as_json)


def _emulator(where: str) -> tuple[Any, dict[str, Any]]:
    """Return the emulator of a folder or of a bundle, and the report of its training."""
    from ..core.bundle import open_bundle
    from ..core.emulator import Emulator

    folder = Path(where)
    if (folder / "bundle.json").exists() or not folder.is_dir():
        bundle = open_bundle(where)
        model = bundle.model
        complete = model.truth_emulator or model.emulator
        return complete, bundle.provenance.get("emulator_report", {})
    emulator = Emulator.load(folder)
    return emulator, json.loads((folder / "emulator.json").read_text()).get("report", {})


def _checkpoint(out: Path) -> Path:
    return out.with_name(out.name + ".checkpoint.safetensors")


def _run(trainer: Any, out: Path, fresh: bool) -> Any:
    """Train with a progress bar, from the checkpoint beside `out` if there is one."""
    checkpoint = _checkpoint(out)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists() and not fresh:
        trainer.resume(checkpoint)
        click.echo(f"Going on from step {trainer.iteration} of {checkpoint}.", err=True)
    # The step in progress is finished first, so that going on later changes nothing.
    before = signal.signal(signal.SIGINT, lambda *_: trainer.request_stop())
    try:
        with bar("adaptation", trainer.training.iterations) as show:
            return trainer.run(checkpoint=checkpoint, progress=show)
    except KeyboardInterrupt:
        raise SpectrabridgeError(
            f"Interrupted at step {trainer.iteration}; the state is in {checkpoint}. Give the same "
            "command again to go on."
        ) from None
    finally:
        signal.signal(signal.SIGINT, before)

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
    type=click.Choice(["mock-lines", "tuned-gf", "apogee-giants"]),
    help="A built-in observed domain: mock-lines hides line features (paper, section 3.3); "
    "tuned-gf is another list of log gf (needs --truth); apogee-giants is a model of real giants "
    "(needs --data).",
)
@click.option(
    "--observed",
    type=EXISTING,
    help="Your own spectra: an HDF5 file written by Spectra.save, on the emulator's grid, or "
    "csn_apogee.h5 of the paper.",
)
@click.option(
    "--truth", help="With tuned-gf: the emulator of the tuned grid, or a bundle that has it."
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With apogee-giants: the folder with the empirical model, catalogue and real spectra.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    help="With --observed: at most this many spectra, drawn with --seed.",
)
@click.option(
    "--column",
    multiple=True,
    metavar="LABEL=NAME",
    help="With --observed: where the file holds a label, as in teff=T_spec.",
)
@click.option(
    "--giant-branch",
    is_flag=True,
    help="With --observed: draw synthetic labels from the giant branch, not like the file's.",
)
@click.option("--name", help="Name of the bundle; the folder's name if not given.")
@click.option(
    "--preset",
    type=click.Choice(["basis", "basis-further", "conv-paper", "conv-paper-apogee", "conv-small"]),
    help="Network and schedule: components (minutes), or the paper's convolutions (hours). "
    "basis if not given, with --further basis-further.",
)
@click.option(
    "--further",
    metavar="BUNDLE",
    help="Train the networks of this bundle further, between the same domains, with new critics.",
)
@click.option("--members", type=click.IntRange(1, 32), help="Networks in the ensemble.")
@click.option(
    "--keep",
    type=click.IntRange(1, 32),
    help="Networks to keep of them: the best by a score that needs no truth. All but failed ones "
    "if not given.",
)
@click.option("--iterations", type=click.IntRange(10), help="Optimiser steps.")
@click.option("--n-basis", type=click.IntRange(4), help="Principal components per domain.")
@click.option(
    "--setting",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other setting of the training, as in warm_rest=0.03; see AdaptationTraining.",
)
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
    truth: str | None,
    data: Path | None,
    limit: int | None,
    column: tuple[str, ...],
    giant_branch: bool,
    name: str | None,
    preset: str | None,
    further: str | None,
    members: int | None,
    keep: int | None,
    iterations: int | None,
    n_basis: int | None,
    settings: tuple[str, ...],
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

    from ..core.adaptation.settings import PRESETS
    from ..core.bundle import open_bundle
    from ..core.bundle.writing import require_writable, store_metrics, write_bundle
    from ..core.domains.mock_lines import reference_giant
    from ..core.domains.registry import build_domains
    from ..core.domains.user_spectra import own_domains, read_observed
    from ..core.evaluation import evaluate_bundle, judge_of, without_plots

    if (experiment is None) == (observed is None):
        raise click.UsageError("Give one of --experiment and --observed.")
    for option, value, belongs in (
        ("--truth", truth, experiment == "tuned-gf"),
        ("--data", data, experiment == "apogee-giants"),
        ("--limit", limit, observed is not None),
        ("--column", column or None, observed is not None),
        ("--giant-branch", giant_branch or None, observed is not None),
    ):
        if value is not None and not belongs:
            raise click.UsageError(f"{option} does nothing here; see --help for when it does.")
    if any("=" not in c for c in column):
        raise click.UsageError("--column takes LABEL=NAME, as in teff=T_spec.")
    set_up_torch(threads, device)
    out = out.resolve()
    require_writable(out)
    source, emulator_report = _emulator(emulator)
    given: dict[str, Any] = {
        "iterations": iterations,
        "n_basis": n_basis,
        "members": members,
        "keep": keep,
    }
    earlier = None if further is None else open_bundle(further)
    named = preset or ("basis" if earlier is None else "basis-further")
    training = replace(PRESETS[named], seed=seed)
    if earlier is not None:
        training = _like_networks_of(earlier, training)
    training = replace(training, **{k: v for k, v in given.items() if v is not None})
    training = replace(training, **_other_settings(training, settings))
    if experiment is not None:
        other = None if truth is None else _truth_emulator(truth)
        domains = build_domains(experiment, source, truth=other, data=data)
        facts = dict(domains.facts)
    else:
        assert observed is not None
        columns = dict(c.split("=", 1) for c in column)
        spectra = read_observed(observed, source, columns=columns, limit=limit, seed=seed)
        for note in spectra.provenance.get("notes", []):
            click.echo(note, err=True)
        used = training.n_basis if training.backbone == "basis" else 0
        domains = own_domains(source, spectra, used, draw_like_labels=not giant_branch, seed=seed)
        domains = replace(
            domains,
            title=f"Adapted to {observed.name}",
            description=(
                f"Synthetic spectra of giants adapted to {len(spectra)} observed spectra from "
                f"{observed.name}. The truth of the observed domain is not known."
            ),
        )
        facts = {"file": observed.name, "n_stars": len(spectra)}
    provenance: dict[str, Any] = {
        "command": typed_command(),
        "experiment": domains.name,
        "training": asdict(training),
        "emulator_report": emulator_report,
        "observed": facts,
    }
    start = None if earlier is None else earlier.model.adapter
    if earlier is not None:
        told = ("command", "experiment", "training", "train_seconds", "started_from")
        before = {k: earlier.provenance[k] for k in told if k in earlier.provenance}
        provenance["started_from"] = {"fingerprint": earlier.fingerprint, **before}
    result = _run(domains.trainer(training, device, judge_of(domains), start), out, fresh)
    seeds = training.seeds() if start is None else start.network.seeds
    for i in sorted(set(range(len(seeds))) - set(result.kept)):
        click.echo(
            f"The network of seed {seeds[i]} is left out: score without truth "
            f"{result.scores[i]:.2f}, the best has {min(result.scores):.2f}.",
            err=True,
        )
    provenance |= {
        "train_seconds": result.seconds,
        "train_device": device,
        "train_threads": threads,
        "iterations": result.iterations,
        "stopped_early": result.stopped_early,
        "seeds_trained": seeds,
        "scores_without_truth": result.scores,
        "seeds_kept": [seeds[i] for i in result.kept],
        "history": result.history,
    }
    hidden = domains.experiment is not None
    bundle = write_bundle(
        out,
        name=name or out.name,
        title=domains.title,
        description=domains.description,
        emulator=source,
        adapter=result.adapter,
        reference=(
            reference_giant(source.labels)
            if domains.reference is None
            else source.labels.array(domains.reference)
        ),
        experiment=domains.experiment,
        truth=None if hidden else domains.truth,
        sample=domains.sample(result.adapter),
        provenance=provenance,
    )
    figures = without_plots(
        evaluate_bundle(bundle, progress=lambda what: click.echo(f"Scoring {what}.", err=True))
    )
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


def _like_networks_of(bundle: Any, training: Any) -> Any:
    """Return the settings with the sizes and seeds of a bundle's networks."""
    from dataclasses import replace

    from ..core.adaptation.settings import AdaptationTraining

    stored = AdaptationTraining.of(bundle.provenance.get("training", {}))
    seeds = bundle.model.adapter.network.seeds
    sizes = ("backbone", "n_basis", "hidden", "n_shared", "n_split", "activation", "conv")
    same = {k: getattr(stored, k) for k in (*sizes, "linear_path", "split_limit")}
    return replace(training, seed=seeds[0], members=len(seeds), **same)


def _other_settings(training: Any, words: tuple[str, ...]) -> dict[str, Any]:
    """Return settings given as NAME=VALUE, each of the kind that it has in `training`."""
    out: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        now = getattr(training, name, None)
        if not equals or not isinstance(now, bool | int | float | str):
            raise click.UsageError(f"--setting takes NAME=VALUE of a training setting; got {word}.")
        try:
            if isinstance(now, bool):
                out[name] = {"true": True, "false": False}[text.lower()]
            else:
                out[name] = type(now)(text)
        except (ValueError, KeyError):
            kind = "true or false" if isinstance(now, bool) else type(now).__name__
            raise click.UsageError(f"--setting {name} takes {kind}; got {text!r}.") from None
    return out


def _emulator(where: str) -> tuple[Any, dict[str, Any]]:
    """Return the emulator of a folder or of a bundle, and the report of its training."""
    from ..core.bundle import open_bundle
    from ..core.emulator import Emulator

    folder = Path(where)
    if (folder / "bundle.json").exists() or not folder.is_dir():
        bundle = open_bundle(where)
        # Not its truth: that is the observed domain's, unless lines are hidden.
        return bundle.model.complete_emulator, bundle.provenance.get("emulator_report", {})
    emulator = Emulator.load(folder)
    return emulator, json.loads((folder / "emulator.json").read_text(encoding="utf-8")).get(
        "report", {}
    )


def _truth_emulator(where: str) -> Any:
    """Return the emulator of a folder, or the one that a bundle has for its truth."""
    from ..core.bundle import open_bundle
    from ..core.errors import BundleError

    if Path(where).is_dir() and not (Path(where) / "bundle.json").exists():
        return _emulator(where)[0]
    model = open_bundle(where).model
    if model.truth_emulator is None:
        raise BundleError(
            f"--truth: the bundle {where} holds no truth of the observed domain; give the folder "
            "of an emulator."
        )
    return model.truth_emulator


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

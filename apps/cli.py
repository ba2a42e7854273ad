"""The command line: ``spectrabridge VERB``.

Exit codes: 0 done, 1 the work failed (one line on stderr), 2 wrong usage. Long work
shows a progress bar on stderr; figures go to stdout, as JSON with ``--json``.
"""

from __future__ import annotations

import json
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from ..core.errors import SpectrabridgeError
from ..core.version import __version__

_EXISTING = click.Path(exists=True, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


class _Program(click.Group):
    """Turns errors written for users into one line on stderr and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of a pipe has gone; click ends quietly
        except (SpectrabridgeError, OSError) as problem:
            if ctx.params.get("debug"):
                traceback.print_exc()
            name = getattr(problem, "filename", None)
            text = str(problem)
            if isinstance(problem, OSError) and problem.strerror:
                text = f"{problem.strerror}: {name}" if name else problem.strerror
            click.echo(f"spectrabridge: {text}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("spectrabridge: interrupted.", err=True)
            ctx.exit(1)


@click.group(
    cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="spectrabridge")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def main(debug: bool) -> None:
    """See what stellar models are missing."""


def _threads(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--threads",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Threads that torch may use.",
    )(function)


def _device(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--device",
        type=click.Choice(["cpu", "cuda"]),
        default="cpu",
        show_default=True,
        help="Where to compute.",
    )(function)


def _as_json(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print figures as JSON.")(function)


def _set_up_torch(threads: int, device: str) -> None:
    import torch

    torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise click.UsageError("--device cuda: torch finds no CUDA device on this machine.")


def _print(figures: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(figures, indent=1))
        return
    for key, value in figures.items():
        if isinstance(value, float):
            click.echo(f"{key:32s} {value:.5g}")
        elif isinstance(value, int | str | bool):
            click.echo(f"{key:32s} {value}")


@contextmanager
def _bar(name: str, total: int) -> Iterator[Callable[[int, int, dict[str, float]], None]]:
    """Yield a progress callback that draws a bar with rate, time left and figures."""
    with tqdm(
        total=total, desc=name, unit="step", file=sys.stderr, mininterval=0.5, dynamic_ncols=True
    ) as bar:

        def show(step: int, _total: int, figures: dict[str, float]) -> None:
            bar.set_postfix({k: f"{v:.3g}" for k, v in figures.items()}, refresh=False)
            bar.update(step - bar.n)

        yield show


def _command() -> str:
    """Return the command as typed, for provenance; only file names of paths are kept."""

    def short(word: str) -> str:
        option, equals, value = word.rpartition("=")
        return option + equals + (Path(value).name if "/" in value else value)

    words = [short(w) for w in sys.argv[1:]]
    return "spectrabridge " + shlex.join(words)


# ---------------------------------------------------------------------- train-emulator


@main.command("train-emulator")
@click.argument("grid", type=_EXISTING)
@click.option("--out", type=_FOLDER, help="Folder for the trained emulator.")
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
@click.option("--steps", type=click.IntRange(1), help="Optimiser steps.")
@click.option("--seconds", type=click.FloatRange(min=1), help="Stop after this much time.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--yardstick/--no-yardstick",
    default=True,
    show_default=True,
    help="Also train the payne architecture for the same time and report its errors.",
)
@_threads
@_device
@_as_json
def train_emulator_command(
    grid: Path,
    out: Path | None,
    architecture: str,
    continuum: str,
    steps: int | None,
    seconds: float | None,
    seed: int,
    yardstick: bool,
    threads: int,
    device: str,
    as_json: bool,
) -> None:
    """Train an emulator on GRID, an npz file of simulated spectra with labels.

    A random tenth of the spectra is held out and scored.
    """
    from dataclasses import replace

    from ..core.continuum import normalise
    from ..core.emulator import Emulator
    from ..core.emulator_training import PAYNE_TRAINING, EmulatorTraining, train_and_score
    from ..core.io.grid import read_grid

    _set_up_torch(threads, device)
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
    if steps is not None:
        training = replace(training, steps=steps)
    options: dict[str, Any] = {"seed": seed, "continuum": continuum, "device": device}
    with _bar(f"{architecture} emulator", training.steps) as show:
        report = train_and_score(spectra, training, progress=show, **options)
    figures = dict(report.figures) | {"grid": grid.name, "command": _command()}
    if out is not None:
        report.emulator.save(out, figures)  # before the yardstick, which is as long again
    if yardstick and architecture != "payne":
        limit = figures["train_seconds"]
        # The clock ends this one; the number of steps is out of reach.
        payne = replace(PAYNE_TRAINING, seed=seed, seconds=limit, steps=10**7)
        with _bar("payne yardstick", int(limit)) as show:

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
    _print(figures, as_json)


# ---------------------------------------------------------------------- train-adaptation


@main.command("train-adaptation")
@click.argument("emulator")
@click.option("--out", type=_FOLDER, required=True, help="Folder for the bundle.")
@click.option(
    "--experiment",
    type=click.Choice(["mock-lines"]),
    help="A built-in observed domain: mock-lines hides line features (paper, section 3.3).",
)
@click.option(
    "--observed",
    type=_EXISTING,
    help="Your own spectra: an HDF5 file written by Spectra.save, on the emulator's grid.",
)
@click.option("--name", help="Name of the bundle; the folder's name if not given.")
@click.option("--members", type=click.IntRange(1, 32), default=4, show_default=True)
@click.option("--iterations", type=click.IntRange(10), help="Optimiser steps.")
@click.option("--n-basis", type=click.IntRange(4), help="Principal components per domain.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the first member.")
@click.option("--fresh", is_flag=True, help="Start anew even if a checkpoint is there.")
@_threads
@_device
@_as_json
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
    _set_up_torch(threads, device)
    out = out.resolve()
    require_writable(out)
    source, emulator_report = _emulator(emulator)
    given: dict[str, Any] = {"iterations": iterations, "n_basis": n_basis}
    training = AdaptationTraining(members=members, seed=seed)
    training = replace(training, **{k: v for k, v in given.items() if v is not None})
    provenance: dict[str, Any] = {
        "command": _command(),
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
    _print(figures, as_json)


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
        with _bar("adaptation", trainer.training.iterations) as show:
            return trainer.run(checkpoint=checkpoint, progress=show)
    except KeyboardInterrupt:
        raise SpectrabridgeError(
            f"Interrupted at step {trainer.iteration}; the state is in {checkpoint}. Give the same "
            "command again to go on."
        ) from None
    finally:
        signal.signal(signal.SIGINT, before)


# ---------------------------------------------------------------------- evaluate


@main.command("evaluate")
@click.argument("bundle")
@click.option(
    "--mask",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Retrain with the paper's own masked lines (mock_missing_lines.npz) and score that.",
)
@click.option("--stars", type=click.IntRange(50), default=1000, show_default=True)
@click.option("--members", type=click.IntRange(1, 32), help="With --mask: networks to train.")
@click.option("--iterations", type=click.IntRange(10), help="With --mask: optimiser steps.")
@_threads
@_device
@_as_json
def evaluate_command(
    bundle: str,
    mask: Path | None,
    stars: int,
    members: int | None,
    iterations: int | None,
    threads: int,
    device: str,
    as_json: bool,
) -> None:
    """Score BUNDLE (a name or a path) against the truth, on labels never used in training."""
    from dataclasses import replace

    from ..core.adaptation.training import AdaptationTraining
    from ..core.bundle import open_bundle
    from ..core.errors import BundleError
    from ..core.evaluation import score_hidden_lines, weak_elements
    from ..core.missing_lines import HiddenLines, hidden_pixels, read_paper_mask
    from ..core.mock_lines import MockSurvey, mock_trainer
    from ..core.model import Model

    if mask is None and (members is not None or iterations is not None):
        raise click.UsageError("--members and --iterations need --mask.")
    _set_up_torch(threads, device)
    opened = open_bundle(bundle, device)
    if opened.experiment is None:
        raise BundleError(
            f"{opened.name} has real observations whose truth nobody knows; expected a bundle with "
            "hidden lines, such as mock-lines."
        )
    model, provenance = opened.model, opened.provenance
    features = opened.experiment.features
    if mask is not None:
        assert model.truth_emulator is not None
        emulator = model.truth_emulator.cpu()
        features = read_paper_mask(mask, model.labels, model.grid.n_pixels)
        training = AdaptationTraining(**provenance.get("training", {}))
        if members is not None:
            training = replace(training, members=members)
        if iterations is not None:
            training = replace(training, iterations=iterations)
        trainer = mock_trainer(emulator, features, training, MockSurvey(), device)
        with _bar("adaptation", training.iterations) as show:
            result = trainer.run(progress=show)
        provenance = {
            "train_seconds": result.seconds,
            "train_device": device,
            "train_threads": threads,
        }
        hidden = hidden_pixels(features, model.grid.n_pixels)
        model = Model(HiddenLines(emulator, hidden), result.adapter, model.reference, emulator)
    figures = score_hidden_lines(
        model,
        features,
        n_stars=stars,
        progress=lambda what: click.echo(f"Scoring {what}.", err=True),
    )
    figures |= {
        k: provenance.get(k, "not recorded")
        for k in ("train_seconds", "train_device", "train_threads")
    }
    figures |= {"bundle": opened.name, "fingerprint": opened.fingerprint}
    if mask is not None:
        figures["mask"] = mask.name
    _print(figures, as_json)
    if not as_json:
        weak = weak_elements(figures, model.labels)
        if weak:
            click.echo(
                f"Derivatives of {', '.join(weak)} in hidden lines correlate with the truth by "
                "less than 0.5: do not trust them."
            )


# ---------------------------------------------------------------------- bundles


@main.group("bundles")
def bundles_group() -> None:
    """List, describe and check bundles."""


@bundles_group.command("list")
@_as_json
def bundles_list(as_json: bool) -> None:
    """List the bundles that can be opened by name."""
    from ..core.bundle import DEFAULT, list_bundles

    found = list_bundles()
    if as_json:
        keys = ("name", "title", "size")
        rows = [{k: getattr(b, k) for k in keys} | {"default": b.name == DEFAULT} for b in found]
        click.echo(json.dumps(rows, indent=1))
        return
    for b in found:
        mark = "*" if b.name == DEFAULT else " "
        click.echo(f"{mark} {b.name:16s} {b.size / 1e6:5.1f} MB  {b.title}")


@bundles_group.command("info")
@click.argument("bundle")
@_as_json
def bundles_info(bundle: str, as_json: bool) -> None:
    """Describe BUNDLE: what it is, how it was made, how good it is."""
    from ..core.bundle import open_bundle

    opened = open_bundle(bundle)
    provenance = {k: v for k, v in opened.provenance.items() if k != "history"}
    if as_json:
        keys = ("name", "title", "description", "fingerprint")
        out = {k: getattr(opened, k) for k in keys}
        click.echo(
            json.dumps(out | {"provenance": provenance, "metrics": opened.metrics}, indent=1)
        )
        return
    click.echo(f"{opened.name}: {opened.title}\n\n{opened.description}\n")
    click.echo(
        f"{len(opened.labels)} labels, {opened.grid.n_pixels} pixels, "
        f"{opened.size / 1e6:.1f} MB, fingerprint {opened.fingerprint}\n"
    )
    click.echo(f"made by: {provenance.get('command', 'not recorded')}")
    _print({k: v for k, v in provenance.items() if k != "command"}, False)
    click.echo("\nfigures:")
    _print(opened.metrics, False)


@bundles_group.command("verify")
@click.argument("bundle")
@_as_json
def bundles_verify(bundle: str, as_json: bool) -> None:
    """Check every file of BUNDLE against its hash, and that its model works."""
    from ..core.bundle import verify_bundle

    problems = verify_bundle(bundle)
    if as_json:
        click.echo(json.dumps({"ok": not problems, "problems": problems}, indent=1))
    if problems:
        raise SpectrabridgeError(" ".join(problems))
    if not as_json:
        click.echo(f"{bundle}: all files are as they were packed, and the model works.")


# ---------------------------------------------------------------------- serve


@main.command("serve")
@click.argument("bundle", required=False)
@click.argument("spectra", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=5006, show_default=True)
@click.option("--open/--no-open", "open_browser", default=False, help="Open a browser.")
def serve_command(
    bundle: str | None, spectra: tuple[Path, ...], host: str, port: int, open_browser: bool
) -> None:
    """Serve the explorer on BUNDLE (a name or a path; the default one if not given).

    SPECTRA are apStar FITS files to lay over the model from the start.
    """
    from .explorer import serve

    if bundle and Path(bundle).is_file() and not bundle.lower().endswith(".zip"):
        spectra = (Path(bundle), *spectra)
        bundle = None
    serve(bundle=bundle, port=port, host=host, open_browser=open_browser, files=spectra)


if __name__ == "__main__":
    main()

"""``spectrabridge train-adaptation``."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import SpectrabridgeError
from .options import (
    EXISTING,
    FOLDER,
    check_folder,
    device_option,
    json_option,
    overwrite_option,
    print_figures,
    say,
    set_up_torch,
    stage_bars,
    threads_option,
    typed_command,
    without_none,
)

if TYPE_CHECKING:
    from ..core.adaptation.callbacks import Step
    from ..core.adaptation.settings import AdaptationTraining
    from ..core.bundle import Bundle
    from ..core.domains.domains import Domains
    from ..core.emulator import Emulator


class ExperimentName(click.ParamType):
    """The name of a registered experiment; the registry is asked when it is needed."""

    name = "experiment"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return the names there are, for the help."""
        from ..core.domains.registry import experiments

        return f"[{'|'.join(experiments())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or refuse it with what there is."""
        from ..core.domains.registry import experiments

        known = experiments()
        if value not in known:
            needs = {k: f" (needs --{e.needs})" if e.needs else "" for k, e in known.items()}
            listed = "; ".join(f"{k}: {e.summary}{needs[k]}" for k, e in known.items())
            self.fail(f"{value!r} is none of these. {listed}.", param, ctx)
        return str(value)


@click.command("train-adaptation")
@click.argument("emulator")
@click.option("--out", type=FOLDER, required=True, help="Folder for the bundle.")
@overwrite_option
@click.option(
    "--experiment",
    type=ExperimentName(),
    help="A built-in observed domain.",
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
    overwrite: bool,
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
    from ..core.bundle import open_bundle
    from ..core.bundle.emulator_source import read_emulator
    from ..core.bundle.writing import require_writable
    from ..core.evaluation.adapted_bundle import adapt_and_store

    _require_fitting(experiment, observed, truth, data, limit, column, giant_branch)
    set_up_torch(threads, device)
    require_writable(out.resolve())
    check_folder(out, "bundle.json", overwrite)
    source, emulator_report = read_emulator(emulator)
    earlier = None if further is None else open_bundle(further)
    sizes = {"iterations": iterations, "n_basis": n_basis, "members": members, "keep": keep}
    training = _training(preset, earlier, seed, without_none(sizes), settings)
    if experiment is not None:
        domains = _built_in(experiment, source, truth, data)
    else:
        assert observed is not None
        domains = _own(observed, source, training, column, limit, giant_branch, seed)
    stop = StopOnInterrupt()
    try:
        with stage_bars() as show:
            made = adapt_and_store(
                domains,
                out,
                training,
                name=name,
                further=earlier,
                device=device,
                fresh=fresh,
                callbacks=[ShowBar(show), stop],
                say=say,
                provenance={"command": typed_command(), "emulator_report": emulator_report},
            )
    except KeyboardInterrupt:
        raise SpectrabridgeError(stop.message(out)) from None
    finally:
        stop.restore()
    print_figures(made.figures | {"bytes": made.bundle.size, "out": str(out.resolve())}, as_json)


class ShowBar:
    """A callback that draws the bar of the training."""

    def __init__(self, show: Any) -> None:
        self._show = show

    def after_step(self, step: Step) -> None:
        """Move the bar."""
        newest = {k: step.figures[k] for k in ("validation",) if k in step.figures}
        self._show("adaptation", step.iteration, step.iterations, step.losses | newest)


class StopOnInterrupt:
    """A callback by which Ctrl-C finishes the step in progress, so that going on changes nothing.

    Before the first step and after the last Ctrl-C does what it always does.
    """

    def __init__(self) -> None:
        self.iteration: int | None = None
        self._asked = False
        self._before: Any = None

    def after_step(self, step: Step) -> None:
        """Stop the training if Ctrl-C was pressed."""
        if self.iteration is None:
            self._before = signal.signal(signal.SIGINT, self._ask)
        self.iteration = step.iteration
        step.stopping = step.stopping or self._asked
        if step.last or step.stopping:
            self.restore()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def restore(self) -> None:
        """Give Ctrl-C back what it did before."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def message(self, out: Path) -> str:
        """Return what to tell somebody who pressed Ctrl-C."""
        from ..core.evaluation.adapted_bundle import checkpoint_of

        checkpoint = checkpoint_of(out.resolve())
        if self.iteration is None:
            return "Interrupted before a step was taken. Give the same command again to begin."
        return (
            f"Interrupted at step {self.iteration}; the state is in {checkpoint}. Give the same "
            "command again to go on."
        )


def _require_fitting(
    experiment: str | None,
    observed: Path | None,
    truth: str | None,
    data: Path | None,
    limit: int | None,
    column: tuple[str, ...],
    giant_branch: bool,
) -> None:
    """Refuse options that do nothing together."""
    from ..core.domains.registry import experiments

    if (experiment is None) == (observed is None):
        raise click.UsageError("Give one of --experiment and --observed.")
    needs = None if experiment is None else experiments()[experiment].needs
    for option, value, belongs in (
        ("--truth", truth, needs == "truth"),
        ("--data", data, needs == "data"),
        ("--limit", limit, observed is not None),
        ("--column", column or None, observed is not None),
        ("--giant-branch", giant_branch or None, observed is not None),
    ):
        if value is not None and not belongs:
            raise click.UsageError(f"{option} does nothing here; see --help for when it does.")
    if any("=" not in c for c in column):
        raise click.UsageError("--column takes LABEL=NAME, as in teff=T_spec.")


def _training(
    preset: str | None,
    earlier: Bundle | None,
    seed: int,
    given: dict[str, Any],
    settings: tuple[str, ...],
) -> AdaptationTraining:
    """Return the settings that the options ask for."""
    from dataclasses import replace

    from ..core.adaptation.settings import PRESETS
    from ..core.bundle.training_record import further_training

    named = preset or ("basis" if earlier is None else "basis-further")
    training = replace(PRESETS[named], seed=seed)
    if earlier is not None:
        training = further_training(earlier, training)
    training = replace(training, **given)
    return replace(training, **_other_settings(training, settings))


def _built_in(experiment: str, source: Emulator, truth: str | None, data: Path | None) -> Domains:
    """Return the domains of a built-in experiment."""
    from ..core.bundle.emulator_source import read_truth_emulator
    from ..core.domains.registry import build_domains

    other = None if truth is None else read_truth_emulator(truth)
    return build_domains(experiment, source, truth=other, data=data)


def _own(
    observed: Path,
    source: Emulator,
    training: AdaptationTraining,
    column: tuple[str, ...],
    limit: int | None,
    giant_branch: bool,
    seed: int,
) -> Domains:
    """Return the domains of a user's own spectra, and print what was assumed of them."""
    from ..core.domains.user_spectra import read_own_domains

    domains = read_own_domains(
        observed,
        source,
        training,
        columns=dict(c.split("=", 1) for c in column),
        limit=limit,
        draw_like_labels=not giant_branch,
        seed=seed,
    )
    for note in domains.notes:
        say(note)
    return domains


def _other_settings(training: AdaptationTraining, words: tuple[str, ...]) -> dict[str, Any]:
    """Return settings given as NAME=VALUE, each of the kind that it has in `training`."""
    from dataclasses import asdict

    known = asdict(training)
    out: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        now = known.get(name)
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

"""From two domains to a bundle: train an adaptation, write it, and score it.

The networks are judged while they are trained and the bundle is scored when it is written,
which is why this is in the room of evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ..adaptation.callbacks import Callback, WriteCheckpoint
from ..adaptation.result import TrainingResult
from ..adaptation.settings import AdaptationTraining
from ..adaptation.training import AdaptationTrainer
from ..bundle.bundle import Bundle
from ..bundle.training_record import started_from
from ..bundle.writing import require_writable, store_metrics, write_bundle
from ..domains.domains import Domains
from ..domains.mock_lines import reference_giant
from .blind_score import judge_of
from .report import evaluate_bundle, without_plots

Say = Callable[[str], None]
"""Called with sentences for a person."""


@dataclass(frozen=True)
class AdaptedBundle:
    """A bundle that was just trained.

    Parameters
    ----------
    bundle : Bundle
        The bundle, with its figures.
    result : TrainingResult
        How its adaptation came about.
    figures : dict
        What its evaluation gave, and how long training took; JSON.
    """

    bundle: Bundle
    result: TrainingResult
    figures: dict[str, Any]


def checkpoint_of(out: str | Path) -> Path:
    """Return the file that keeps the state of a training beside its bundle.

    Examples
    --------
    >>> checkpoint_of("runs/mine").name
    'mine.checkpoint.safetensors'
    """
    out = Path(out)
    return out.with_name(out.name + ".checkpoint.safetensors")


def adapt_and_store(
    domains: Domains,
    out: str | Path,
    training: AdaptationTraining | None = None,
    *,
    name: str | None = None,
    further: Bundle | None = None,
    device: str = "cpu",
    fresh: bool = False,
    callbacks: Iterable[Callback] = (),
    say: Say | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> AdaptedBundle:
    """Train an adaptation between two domains and write it, scored, as a bundle.

    It is what ``spectrabridge train-adaptation`` does. The state of the training is kept
    beside the bundle until that is written: after an interruption the same call goes on
    where it stopped.

    Parameters
    ----------
    domains : Domains
        What to adapt between; see :func:`~spectrabridge.core.domains.registry.build_domains`
        and :func:`~spectrabridge.core.domains.user_spectra.read_own_domains`.
    out : path
        Folder for the bundle. A folder that is no bundle is refused.
    training : AdaptationTraining, optional
        Settings.
    name : str, optional
        Name of the bundle; that of the folder if not given.
    further : Bundle, optional
        Train its networks further, with settings as
        :func:`~spectrabridge.core.bundle.training_record.further_training` gives them.
    device : str
        Where to train.
    fresh : bool
        Start anew even if the state of an interrupted training is there.
    callbacks : iterable of Callback
        Told about every step, before the state is written; see
        :mod:`spectrabridge.core.adaptation.callbacks`.
    say : callable, optional
        Called with sentences on what happens.
    provenance : mapping, optional
        Kept in the bundle with what is known here; must be JSON.

    Raises
    ------
    BundleError
        If `out` holds something else.
    TrainingError
        If the spectra cannot be trained on, or the state is that of another training.
    KeyboardInterrupt
        If a callback stopped the training; its state is written.
    """
    tell = say or (lambda _: None)
    training = training or AdaptationTraining()
    out = Path(out).resolve()
    require_writable(out)
    start = None if further is None else further.model.adapter
    trainer = domains.trainer(training, device, judge_of(domains), start)
    result = _run(trainer, checkpoint_of(out), fresh, callbacks, tell)
    seeds = training.seeds() if start is None else start.network.seeds
    for i in sorted(set(range(len(seeds))) - set(result.kept)):
        tell(
            f"The network of seed {seeds[i]} is left out: score without truth "
            f"{result.scores[i]:.2f}, the best has {min(result.scores):.2f}."
        )
    measured = {
        "train_seconds": result.seconds,
        "train_device": device,
        "train_threads": torch.get_num_threads(),
    }
    known = dict(provenance or {}) | _record(domains, training, further, result, seeds) | measured
    bundle = _write(domains, result, out, name or out.name, known)
    figures = without_plots(evaluate_bundle(bundle, progress=lambda what: tell(f"Scoring {what}.")))
    bundle = store_metrics(bundle, figures)
    checkpoint_of(out).unlink(missing_ok=True)
    return AdaptedBundle(bundle, result, figures | measured)


def _record(
    domains: Domains,
    training: AdaptationTraining,
    further: Bundle | None,
    result: TrainingResult,
    seeds: list[int],
) -> dict[str, Any]:
    """Return what the provenance of a bundle says of its training."""
    out: dict[str, Any] = {
        "experiment": domains.name,
        "training": asdict(training),
        "observed": dict(domains.facts),
    }
    if further is not None:
        out["started_from"] = started_from(further)
    return out | {
        "iterations": result.iterations,
        "stopped_early": result.stopped_early,
        "seeds_trained": seeds,
        "scores_without_truth": result.scores,
        "seeds_kept": [seeds[i] for i in result.kept],
        "history": result.history,
    }


def _run(
    trainer: AdaptationTrainer,
    checkpoint: Path,
    fresh: bool,
    callbacks: Iterable[Callback],
    tell: Say,
) -> TrainingResult:
    """Train from the checkpoint if there is one, and keep it up to date."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists() and not fresh:
        trainer.resume(checkpoint)
        tell(f"Going on from step {trainer.iteration} of {checkpoint}.")
    return trainer.run([*callbacks, WriteCheckpoint(checkpoint)])


def _write(
    domains: Domains, result: TrainingResult, out: Path, name: str, provenance: Mapping[str, Any]
) -> Bundle:
    """Write the bundle of two domains and what was trained between them."""
    emulator = domains.emulator
    given = domains.reference
    return write_bundle(
        out,
        name=name,
        title=domains.title,
        description=domains.description,
        emulator=emulator,
        adapter=result.adapter,
        reference=(
            reference_giant(emulator.labels) if given is None else emulator.labels.array(given)
        ),
        experiment=domains.experiment,
        # Where lines are hidden, the emulator itself is the truth.
        truth=None if domains.experiment is not None else domains.truth,
        sample=domains.sample(result.adapter),
        provenance=provenance,
    )

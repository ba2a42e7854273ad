"""``spectrabridge evaluate``."""

from __future__ import annotations

from pathlib import Path

import click

from .options import (
    bar,
    device_option,
    json_option,
    print_figures,
    set_up_torch,
    threads_option,
)


@click.command("evaluate")
@click.argument("bundle")
@click.option(
    "--mask",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Retrain with the paper's own masked lines (mock_missing_lines.npz) and score that.",
)
@click.option("--stars", type=click.IntRange(50), default=1000, show_default=True)
@click.option("--members", type=click.IntRange(1, 32), help="With --mask: networks to train.")
@click.option("--iterations", type=click.IntRange(10), help="With --mask: optimiser steps.")
@threads_option
@device_option
@json_option
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
    set_up_torch(threads, device)
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
        with bar("adaptation", training.iterations) as show:
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
    print_figures(figures, as_json)
    if not as_json:
        weak = weak_elements(figures, model.labels)
        if weak:
            click.echo(
                f"Derivatives of {', '.join(weak)} in hidden lines correlate with the truth by "
                "less than 0.5: do not trust them."
            )

"""``spectrabridge evaluate``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .options import (
    EXISTING,
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
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write a page with figures and plots: one HTML file that needs no network.",
)
@click.option(
    "--ablations",
    is_flag=True,
    help="Train again with each part of the method left out in turn, and compare.",
)
@click.option(
    "--store", is_flag=True, help="With --ablations: keep the table in the bundle, row by row."
)
@click.option("--data", type=EXISTING, help="With --ablations: the data folder, if it is needed.")
@click.option(
    "--mask",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Retrain with the paper's own masked lines (mock_missing_lines.npz) and score that.",
)
@click.option(
    "--fit",
    "fit_files",
    multiple=True,
    type=EXISTING,
    help="Also fit the star in this file, and report residuals; may be given many times.",
)
@click.option(
    "--recovery",
    type=click.IntRange(10),
    metavar="N",
    help="Also fit N adapted spectra with noise (S/N 100) and compare with their labels.",
)
@click.option("--stars", type=click.IntRange(50), default=1000, show_default=True)
@click.option(
    "--members", type=click.IntRange(1, 32), help="With --mask or --ablations: networks to train."
)
@click.option(
    "--iterations", type=click.IntRange(10), help="With --mask or --ablations: optimiser steps."
)
@click.option("--seeds", is_flag=True, help="Also print the figures of every member and quartet.")
@threads_option
@device_option
@json_option
def evaluate_command(
    bundle: str,
    report: Path | None,
    ablations: bool,
    store: bool,
    data: Path | None,
    mask: Path | None,
    fit_files: tuple[Path, ...],
    recovery: int | None,
    stars: int,
    members: int | None,
    iterations: int | None,
    seeds: bool,
    threads: int,
    device: str,
    as_json: bool,
) -> None:
    """Measure what BUNDLE (a name or a path) is worth, on stars never used in training.

    Where the truth is known: how much of the gap is left, whether labels of adapted
    spectra hold, whether derivatives are right. With the held-out stars a bundle keeps:
    how well the domains mix, what split latents tell of labels, and a score that needs
    no truth. --device is where --mask and --ablations train.
    """
    from ..core.bundle import open_bundle
    from ..core.evaluation import evaluate_bundle, without_plots

    retrain = mask is not None or ablations
    if mask is not None and ablations:
        raise click.UsageError("Give one of --mask and --ablations.")
    if not retrain and (members is not None or iterations is not None):
        raise click.UsageError("--members and --iterations need --mask or --ablations.")
    if store and not ablations:
        raise click.UsageError("--store needs --ablations.")
    if data is not None and not ablations:
        raise click.UsageError("--data needs --ablations.")
    if report is not None and not report.resolve().parent.is_dir():
        raise click.UsageError(f"--report: there is no folder {report.resolve().parent}.")
    set_up_torch(threads, device)
    opened = open_bundle(bundle)
    if mask is not None:
        figures = _with_mask(opened, mask, stars, members, iterations, threads, device)
    else:
        table = None
        if ablations:
            table = _ablations(opened, data, members, iterations, device, store)
        figures = evaluate_bundle(opened, n_stars=stars, progress=_say)
        if table is not None:
            figures["ablations"] = table
    if fit_files:
        figures = _with_fits(figures, opened, fit_files)
    if recovery is not None:
        from ..core.evaluation.recovery import score_recovery

        with bar("recovery", recovery, unit="star") as show:
            found = score_recovery(opened, recovery, progress=lambda d, n: show(d, n, {}))
        figures = {**figures, "recovery": found}
    plain = without_plots(figures)
    if report is not None:
        from ..explorer.about.evaluation_report import report_html

        report.write_text(report_html(figures, opened), encoding="utf-8")
        _say(f"the page {report}", "Wrote")
    if as_json:
        print_figures(plain, True)
    else:
        _print(plain, seeds)


def _with_fits(figures: dict[str, Any], opened: Any, files: tuple[Path, ...]) -> dict[str, Any]:
    """Return the figures with those of fits of stars in files."""
    from ..core.evaluation.real_star_fits import score_fits

    with bar("fitting", 2 * len(files), unit="fit") as show:
        found = score_fits(opened, files, progress=lambda done, total: show(done, total, {}))
    drawn = {**(figures.get("plots") or {}), **found.pop("plots")}
    return {**figures, **found, "plots": drawn}


def _say(what: str, verb: str = "Measuring") -> None:
    click.echo(f"{verb} {what}.", err=True)


def _training(opened: Any, members: int | None, iterations: int | None) -> Any:
    """Return the settings a bundle was trained with, changed as asked for.

    Of networks that were trained further, those of their first training.
    """
    from dataclasses import replace

    from ..core.adaptation.settings import AdaptationTraining

    made = opened.provenance
    while "started_from" in made:
        made = made["started_from"]
    training = AdaptationTraining.of(made.get("training", {}))
    if iterations is not None:
        training = training.lasting(iterations)
    return training if members is None else replace(training, members=members, keep=0)


def _ablations(
    opened: Any,
    data: Path | None,
    members: int | None,
    iterations: int | None,
    device: str,
    store: bool,
) -> list[dict[str, Any]]:
    """Train the variants with a progress bar each; keep the rows in the bundle if asked to."""
    from ..core.bundle.writing import store_metrics
    from ..core.domains.registry import domains_of
    from ..core.evaluation import train_ablations

    training = _training(opened, members, iterations)
    table: list[dict[str, Any]] = []

    def keep(row: dict[str, Any]) -> None:
        table.append(row)
        _say(f"{row['variant']}: {json.dumps(_short(row))}", "Measured")
        if store:
            store_metrics(opened, {**opened.metrics, "ablations": table})

    with bar("ablations", training.iterations) as show:
        train_ablations(
            domains_of(opened, data),
            training,
            device=device,
            progress=_without_name(show),
            done=keep,
        )
    return table


def _without_name(show: Callable[[int, int, dict[str, float]], None]) -> Any:
    """Return a progress callback that is also given the name of what is trained."""

    def named(_: str, step: int, total: int, figures: dict[str, float]) -> None:
        show(step, total, figures)

    return named


def _with_mask(
    opened: Any,
    mask: Path,
    stars: int,
    members: int | None,
    iterations: int | None,
    threads: int,
    device: str,
) -> dict[str, Any]:
    """Retrain on the paper's own mask and evaluate that."""
    from ..core.adaptation.callbacks import ShowProgress
    from ..core.bundle import Model
    from ..core.domains.mock_lines import mock_domains
    from ..core.emulator.hidden_lines import Experiment, read_paper_mask
    from ..core.errors import BundleError
    from ..core.evaluation import about, evaluate_model

    model = opened.model
    if opened.experiment is None:
        raise BundleError(
            f"{opened.name} hides no lines, so --mask cannot be used with it; expected a bundle "
            "such as mock-lines."
        )
    emulator = model.complete_emulator
    features = read_paper_mask(mask, model.labels, model.grid.n_pixels)
    training = _training(opened, members, iterations)
    domains = mock_domains(emulator, Experiment(features, 1.0, 0.0, 0))
    trainer = domains.trainer(training, device)
    with bar("adaptation", training.iterations) as show:
        result = trainer.run([ShowProgress(show)])
    trained = Model(domains.synthetic, result.adapter, model.reference, emulator)
    sample = domains.sample(result.adapter)
    figures = evaluate_model(trained, sample, features, n_stars=stars, progress=_say)
    return (
        figures
        | about(opened)
        | {
            "train_seconds": result.seconds,
            "train_device": device,
            "train_threads": threads,
            "mask": mask.name,
        }
    )


_MAIN = ("teff", "logg", "Fe", "C", "N", "O", "Mg", "Si")


def _print(figures: dict[str, Any], seeds: bool) -> None:
    """Print the main figures for a person, warnings last."""
    print_figures({k: v for k, v in figures.items() if k != "has_truth"}, False)
    if "label_bias" in figures:
        click.echo("\nlabels read back from adapted spectra: bias, scatter (of true spectra)")
        floor = figures["label_floor"]
        for name in (n for n in _MAIN if n in figures["label_bias"]):
            click.echo(
                f"  {name:6s} {figures['label_bias'][name]:+9.3g} "
                f"{figures['label_scatter'][name]:9.3g}   "
                f"({floor['bias'][name]:+.2g} {floor['scatter'][name]:.2g})"
            )
    if "mixing" in figures:
        click.echo("\nmixing of the domains: purity, AUC of a classifier (0.5 is perfect)")
        for name, found in figures["mixing"].items():
            if isinstance(found, dict):
                click.echo(f"  {name:14s} {found['purity']:.3f}  {found['auc']:.3f}")
    if "reconstruction" in figures:
        click.echo("\nreconstruction and cycle errors: flux, in units of noise")
        for name, found in figures["reconstruction"].items():
            noise = "" if found["noise"] is None else f"{found['noise']:.3f}"
            click.echo(f"  {name:26s} {found['flux']:.5f}  {noise}")
    leak = figures.get("leakage")
    if leak and leak["split_max"] is not None:
        click.echo(
            f"\nlabels from split latents: R2 {leak['split_mean']:.3f} on average, "
            f"{leak['split_max']:.3f} at most ({leak['split_max_label']}); from shared ones "
            f"{leak['shared_mean']:.3f}"
        )
    if "recovery" in figures:
        click.echo("\nfits of adapted spectra: bias, scatter, bias in errors, spread in errors")
        found = figures["recovery"]
        for name in found["bias"]:
            keys = ("bias", "scatter", "bias_sigma", "pull_std")
            click.echo(f"  {name:7s} " + " ".join(f"{found[k][name]:+9.3f}" for k in keys))
    if "fits" in figures:
        click.echo("\nresiduals of fitted stars in sigma: mean, standard deviation, median chi2")
        for name in ("raw", "adapted"):
            found = figures["fits"][name]
            numbers = (found[k] for k in ("mean", "std", "reduced_chi2"))
            click.echo(f"  {name:8s} " + " ".join(f"{x:8.3f}" for x in numbers if x is not None))
    if seeds:
        click.echo("\nmembers")
        for i, member in enumerate(figures["members"]):
            click.echo(f"  {i + 1}: {json.dumps(_short(member))}")
        for quartet in figures.get("quartets", {}).get("each", []):
            click.echo(f"  quartet: {json.dumps(_short(quartet))}")
    if "quartets" in figures:
        click.echo(f"\nmedian of quartets: {json.dumps(_short(figures['quartets']['median']))}")
    if "ablations" in figures:
        click.echo("\nablations")
        for row in figures["ablations"]:
            click.echo(f"  {json.dumps(_short(row))}")
    for sentence in figures["warnings"]:
        click.echo(f"\nWarning: {sentence}")


def _short(value: Any) -> Any:
    """Return numbers with three digits and of labels only the main ones, for a person."""
    if isinstance(value, dict):
        rows = {k: v for k, v in value.items() if k != "label_consistency_by_label"}
        if "teff" in rows:
            rows = {k: v for k, v in rows.items() if k in _MAIN}
        return {k: _short(v) for k, v in rows.items()}
    return float(f"{value:.3g}") if isinstance(value, float) else value

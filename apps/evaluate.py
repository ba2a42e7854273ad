"""``spectrabridge evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..core.atomic_file import write_whole
from .options import (
    EXISTING,
    check_out,
    device_option,
    json_option,
    overwrite_option,
    print_figures,
    say,
    set_up_torch,
    stage_bars,
    threads_option,
)


@click.command("evaluate")
@click.argument("bundle")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write a page with figures and plots: one HTML file that needs no network.",
)
@overwrite_option
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
    overwrite: bool,
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
    from ..core.evaluation import without_plots
    from ..core.evaluation.full_evaluation import evaluate_fully

    retrain = mask is not None or ablations
    if mask is not None and ablations:
        raise click.UsageError("Give one of --mask and --ablations.")
    if not retrain and (members is not None or iterations is not None):
        raise click.UsageError("--members and --iterations need --mask or --ablations.")
    if store and not ablations:
        raise click.UsageError("--store needs --ablations.")
    if data is not None and not ablations:
        raise click.UsageError("--data needs --ablations.")
    if report is not None:
        check_out(report, overwrite, option="--report")
    set_up_torch(threads, device)
    opened = open_bundle(bundle)
    with stage_bars() as show:
        figures = evaluate_fully(
            opened,
            n_stars=stars,
            mask=mask,
            ablations=ablations,
            data=data,
            members=members,
            iterations=iterations,
            store=store,
            fit_files=fit_files,
            n_recovered=recovery or 0,
            device=device,
            progress=show,
            measuring=lambda what: say(f"Measuring {what}."),
            row_done=lambda row: say(f"Measured {row['variant']}: {json.dumps(_short(row))}."),
        )
    plain = without_plots(figures)
    if report is not None:
        from ..explorer.about.evaluation_report import report_html

        write_whole(report, report_html(figures, opened).encode())
        say(f"Wrote the page {report}.")
    if as_json:
        print_figures(plain, True)
    else:
        _print(plain, seeds)


SHOWN_LABELS = ("teff", "logg", "Fe", "C", "N", "O", "Mg", "Si")
"""Labels of which figures are printed for a person."""


def _print(figures: dict[str, Any], seeds: bool) -> None:
    """Print the main figures for a person, warnings last."""
    print_figures({k: v for k, v in figures.items() if k != "has_truth"}, False)
    if "label_bias" in figures:
        click.echo("\nlabels read back from adapted spectra: bias, scatter (of true spectra)")
        floor = figures["label_floor"]
        for name in (n for n in SHOWN_LABELS if n in figures["label_bias"]):
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
            rows = {k: v for k, v in rows.items() if k in SHOWN_LABELS}
        return {k: _short(v) for k, v in rows.items()}
    return float(f"{value:.3g}") if isinstance(value, float) else value

"""``spectrabridge lines``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..core.atomic_file import write_whole
from ..core.io.table_formats import SUFFIXES
from .options import (
    EXISTING,
    OUT,
    bar,
    check_out,
    device_option,
    json_option,
    print_figures,
    set_up_torch,
)

PRINTED_CANDIDATES = 20
"""Candidates that are printed for a person."""


@click.command("lines")
@click.argument("bundle")
@click.option(
    "--out",
    type=OUT,
    help=f"Write the table: {', '.join(SUFFIXES)}, or .json with all of it.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing table.")
@click.option("--store", is_flag=True, help="Keep the candidates in the bundle, for the explorer.")
@click.option("--evaluate", is_flag=True, help="Score them, where the truth is known.")
@click.option(
    "--stars", type=click.IntRange(1), default=64, show_default=True, help="Stars to look at."
)
@click.option(
    "--least-depth",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.01,
    show_default=True,
    help="Smallest difference of depths that counts.",
)
@click.option(
    "--least-significance",
    type=click.FloatRange(0),
    default=4.0,
    show_default=True,
    help="Smallest difference in units of the adaptation's own noise.",
)
@click.option(
    "--line-list",
    type=EXISTING,
    help="Known lines instead of the shipped ones: a VALD, MOOG, Turbospectrum or linemake file.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@device_option
@json_option
def lines_command(
    bundle: str,
    out: Path | None,
    overwrite: bool,
    store: bool,
    evaluate: bool,
    stars: int,
    least_depth: float,
    least_significance: float,
    line_list: Path | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Find the lines that the models of BUNDLE lack or have wrong, and what each belongs to.

    Candidates are places where adapted spectra differ from emulated ones; how the difference
    responds to abundances tells the element. The explorer's Lines page shows those that are
    kept with --store, to be vetted one by one.
    """
    from ..core.bundle import open_bundle
    from ..core.bundle.writing import require_folder
    from ..core.io.table_writer import write_table
    from ..core.linelist import read_lines
    from ..core.lines import LineSettings, score_candidates, summary
    from ..core.lines.attached import find_and_store

    if out is not None:
        check_out(out, overwrite, (*SUFFIXES, ".json"))
    set_up_torch(1, device)
    settings = LineSettings(stars, least_depth, least_significance, seed)
    opened = open_bundle(bundle, device)
    # What cannot work fails before the work.
    known = None if line_list is None else read_lines(line_list)
    if store:
        require_folder(opened)
    if evaluate:
        with bar("stars", 2 * stars, unit="star") as show:
            figures = score_candidates(opened, settings, lambda i, n: show(i, n, {}))
        _print_scores({"bundle": opened.name, **figures}, as_json)
        if out is None and not store:
            return
    with bar("stars", stars, unit="star") as show:
        found = find_and_store(
            opened, settings, lines=known, store=store, progress=lambda i, n: show(i, n, {})
        )
    if out is not None:
        if out.suffix.lower() == ".json":
            write_whole(out, (json.dumps(found.to_json(), indent=1) + "\n").encode())
        else:
            write_table(found.table(), out, overwrite=True)
        click.echo(f"Wrote {out}.", err=True)
    if store:
        click.echo(f"Kept {len(found)} candidates in {opened.path}.", err=True)
    if evaluate:
        return
    if as_json:
        print_figures({**summary(found), **found.to_json()}, True)
    elif out is None:
        _print(found)


def _print(found: Any) -> None:
    """Print the most significant candidates for a person."""
    n = min(PRINTED_CANDIDATES, len(found))
    click.echo(f"{len(found)} candidates; the {n} most significant:")
    click.echo(
        f"{'vacuum A':>9} {'air A':>9}  {'kind':10} {'emul.':>6} {'adapt.':>6} "
        f"{'EW mA':>7} {'sigma':>6}  answers"
    )
    for c in sorted(found, key=lambda c: -c.significance)[:n]:
        answers = ", ".join(f"{a.name} {a.probability:.0%}" for a in c.answers[:3])
        click.echo(
            f"{c.wavelength:9.2f} {c.air:9.2f}  {c.kind:10} {c.emulated:6.3f} {c.adapted:6.3f} "
            f"{c.width:7.1f} {c.significance:6.1f}  {answers}"
        )


def _print_scores(figures: dict[str, Any], as_json: bool) -> None:
    print_figures(figures, as_json)
    if as_json:
        return
    for row in figures["calibration"]:
        click.echo(
            f"  first answers with {row['from']:.2f} to {row['to']:.2f}: {row['n']}, "
            f"mean {row['probability']:.2f}, right {row['right']:.2f}"
        )
    for miss in figures.get("misses", []):
        answers = "; ".join(miss["answers"])
        click.echo(
            f"  {miss['element']} pixels {miss['start']} to {miss['stop']}: "
            f"{miss['why']}{': ' + answers if answers else ''}"
        )

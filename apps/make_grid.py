"""``spectrabridge make-grid``: synthetic spectra to train an emulator on."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from .options import EXISTING, OUT, check_out, json_option, print_figures

if TYPE_CHECKING:
    from ..core.synthesis.grid_plan import GridPlan
    from ..core.synthesis.grid_run import GridReport

PRINTED_FAILURES = 5
"""Failures whose reasons are printed; the file has all of them."""


@click.command("make-grid")
@click.option(
    "--out",
    type=OUT,
    required=True,
    help="HDF5 file to write; train-emulator reads it.",
)
@click.option("--n", type=click.IntRange(1), help="Spectra; with --draw list all rows by default.")
@click.option(
    "--draw",
    type=click.Choice(["stars", "mixed", "giants", "box", "catalogue", "list"]),
    default="mixed",
    show_default=True,
    help="stars: dwarfs and giants from 3500 to 6500 K; mixed: 60 % giant branch, 40 % box; "
    "catalogue: stars drawn from --table; list: its rows.",
)
@click.option("--table", type=EXISTING, help="ECSV, CSV, FITS or VOTable with a column per label.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--range",
    "range_",
    type=(float, float),
    metavar="LOW HIGH",
    help="Vacuum angstrom; the whole apStar grid by default.",
)
@click.option(
    "--pixel",
    type=click.FloatRange(0.05, 300),
    metavar="KM/S",
    help="Pixels of this width over --range, anywhere, instead of APOGEE's. The shipped lines "
    "reach from 15,005 to 17,040 angstrom.",
)
@click.option("--resolution", type=click.FloatRange(100), default=22500.0, show_default=True)
@click.option("--lines", type=EXISTING, help="Line list: VALD long, MOOG, linemake, Turbospectrum.")
@click.option(
    "--medium", type=click.Choice(["air", "vacuum"]), help="Of --lines, if it does not say."
)
@click.option(
    "--lines-format",
    type=click.Choice(["vald", "turbospectrum", "linemake", "moog"]),
    help="Of --lines, if its content does not tell.",
)
@click.option(
    "--atmospheres",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of MARCS .mod, ATLAS or .krz models to interpolate in.",
)
@click.option(
    "--prune",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="RATIO",
    help="Leave out lines whose opacity is nowhere above RATIO of the continuum's; the change of "
    "flux is measured and printed. 0.001 is a good value.",
)
@click.option("--step", type=click.FloatRange(0.005, 0.2), default=0.05, show_default=True)
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True)
@click.option("--scheduler", metavar="ADDRESS", help="Dask scheduler to run on.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@json_option
def make_grid_command(out: Path, overwrite: bool, as_json: bool, **given: Any) -> None:
    """Synthesize a grid of spectra with labels in LTE.

    Needs the extra [synthesis]. Ctrl-C or a kill loses at most the spectra in work: the same
    command goes on, and the file is the same as without the interruption. A spectrum follows
    from the seed and its number alone. Failures are recorded and stop nothing.
    """
    from ..core.synthesis.grid_plan import GridPlan
    from ..core.synthesis.sme import require_pysme, work_in_scratch_folder

    check_out(out, overwrite)
    if given["draw"] in ("catalogue", "list") and given["table"] is None:
        raise click.UsageError(f"--draw {given['draw']} needs --table.")
    if given["pixel"] is not None and given["range_"] is None:
        raise click.UsageError("--pixel needs --range.")
    if given["scheduler"] and find_spec("distributed") is None:
        raise click.UsageError(
            "--scheduler needs Dask: pip install 'spectrabridge[scale]'. --processes uses the "
            "cores of this machine without it."
        )
    require_pysme()
    plan = GridPlan(
        n=given["n"],
        draw=given["draw"],
        seed=given["seed"],
        table=str(given["table"]) if given["table"] else None,
        range=given["range_"],
        pixel=given["pixel"],
        resolution=given["resolution"],
        lines=str(given["lines"]) if given["lines"] else None,
        medium=given["medium"],
        lines_format=given["lines_format"],
        atmospheres=str(given["atmospheres"]) if given["atmospheres"] else None,
        prune=given["prune"],
        step=given["step"],
    )
    # The library leaves a log where it runs.
    plan, out = plan.with_absolute_paths(), out.resolve()
    work_in_scratch_folder()
    figures: dict[str, Any] = {"out": str(out)}
    if plan.prune:
        figures["pruning"] = _pruning(plan)
    report, rates = _made(plan, out, given["processes"], given["scheduler"])
    figures |= {"spectra": report.n_made, "failed": report.n_failed} | rates
    for index, reason in list(report.failures.items())[:PRINTED_FAILURES]:
        click.echo(f"star {index} failed: {reason}", err=True)
    print_figures(figures, as_json)


def _pruning(plan: GridPlan) -> dict[str, Any]:
    """Measure what leaving out weak lines costs, and say it."""
    from ..core.synthesis.pruning import prune, pruning_error

    full = replace(plan, prune=None).simulator()
    error = pruning_error(full, prune(full, plan.prune or 0.0))
    click.echo(
        f"{error['kept']} of {error['lines']} lines kept; flux changes by at most "
        f"{error['flux_max']:.1e}, rms {error['flux_rms']:.1e}.",
        err=True,
    )
    return error


def _made(
    plan: GridPlan, out: Path, processes: int, scheduler: str | None
) -> tuple[GridReport, dict[str, float]]:
    """Make the grid with a bar; return what became of it, and how fast it went."""
    from ..core.resumable_run import dask_client
    from ..core.synthesis.grid_run import make_grid

    start, first = time.monotonic(), -1
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(dask_client(scheduler)) if scheduler else None
        bar = stack.enter_context(tqdm(total=plan.size(), unit="spectrum", dynamic_ncols=True))

        def show(done: int, total: int, failed: int) -> None:
            nonlocal first
            if first < 0:
                # What an earlier run did must not count in the rate.
                first = bar.initial = bar.n = bar.last_print_n = done
                bar.refresh()
            if failed:
                bar.set_postfix(failed=failed, refresh=False)
            bar.update(done - bar.n)

        report = make_grid(plan, out, processes=processes, client=client, progress=show)
    rates = {"seconds": time.monotonic() - start}
    computed = report.n_asked - max(first, 0)
    if computed and client is None:
        rates["spectra_per_hour"] = 3600 * computed / rates["seconds"]
    if report.processor_seconds > 0:
        # Of the synthesis alone: other work on the machine and what is made once do not count.
        each = report.processor_seconds / report.n_computed
        rates |= {"core_seconds_per_spectrum": each, "spectra_per_core_hour": 3600 / each}
    return report, rates

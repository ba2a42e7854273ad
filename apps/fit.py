"""``spectrabridge fit``: spectra in, stellar labels out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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
    threads_option,
)

if TYPE_CHECKING:
    from ..core.fitting.survey import Survey


@click.command("fit")
@click.argument("bundle")
@click.argument("spectra", nargs=-1, type=EXISTING)
@click.option(
    "--spectrum",
    type=click.Choice(["both", "adapted", "raw"]),
    default="both",
    show_default=True,
    help="Fit with adapted spectra, with the plain emulator's, or with both.",
)
@click.option(
    "--prior",
    type=click.Choice(["population", "none"]),
    default="population",
    show_default=True,
    help="Draw labels gently to those of the stars that the bundle was trained on.",
)
@click.option("--widening", default=3.0, show_default=True, help="Factor on the prior's variance.")
@click.option("--fix", "fixed", multiple=True, metavar="NAME=VALUE", help="Hold a label.")
@click.option("--velocity/--no-velocity", default=True, help="Fit the radial velocity.")
@click.option(
    "--search",
    type=click.FloatRange(0),
    default=600.0,
    show_default=True,
    help="Range in km/s in which a velocity is looked for before the fit; 0 for none.",
)
@click.option(
    "--degree",
    type=click.IntRange(-1, 20),
    default=4,
    show_default=True,
    help="Degree of the continuum per chip; -1 for none.",
)
@click.option(
    "--floor",
    type=click.FloatRange(0, 1),
    default=0.005,
    show_default=True,
    help="Error added in quadrature, part of the continuum.",
)
@click.option("--member-spread", is_flag=True, help="Add the spread of the networks to the errors.")
@click.option(
    "--split",
    type=click.Choice(["typical", "encoded", "fitted"]),
    default="typical",
    show_default=True,
    help="Split latents: typical, read off each spectrum, or fitted.",
)
@click.option("--starts", type=click.IntRange(1), default=1, show_default=True, help="Starts.")
@click.option(
    "--iterations",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Times that derivatives are computed at most.",
)
@click.option("--every-row", is_flag=True, help="Fit every spectrum of a file, visits included.")
@click.option(
    "--unit", type=click.Choice(["angstrom", "nm", "um"]), help="Of files that do not say it."
)
@click.option("--medium", type=click.Choice(["vacuum", "air"]), help="Of files that do not say it.")
@click.option("--rv", "rv_kms", type=float, help="Velocity (km/s) to take out of wavelengths.")
@click.option(
    "--resolution",
    type=click.FloatRange(1000),
    help="Of the spectra, if it is higher than that of the models; they are broadened to it.",
)
@click.option(
    "--mask",
    type=EXISTING,
    metavar="TABLE",
    help="Windows to fit or to leave out: columns use (include, exclude), from, to, and medium.",
)
@click.option(
    "--clip",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Leave out pixels this many errors above a first fit: emission, cosmic rays; 0 for none.",
)
@click.option(
    "--bad-bits",
    metavar="LIST",
    help="Bits of APOGEE's pixel mask that are bad, by number or name, or none.  "
    "[default: 0-7, 12, 14]",
)
@click.option(
    "--out",
    type=OUT,
    help=f"Table to write: {', '.join(SUFFIXES)}.",
)
@click.option("--covariance", is_flag=True, help="Put the labels' covariance into the table.")
@click.option("--overwrite", is_flag=True, help="Replace an existing table.")
@click.option(
    "--chunk",
    "per_task",
    type=click.IntRange(1),
    default=256,
    show_default=True,
    help="Spectra per task of a survey; a task that is done is never lost.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Dask scheduler to run a survey on.")
@click.option(
    "--workers",
    type=click.IntRange(0),
    help="Processes for a survey; 0 for this one only. By default one per core.",
)
@threads_option
@device_option
@json_option
def fit_command(bundle: str, spectra: tuple[Path, ...], **given: Any) -> None:
    """Fit labels of BUNDLE (a name or a path) to SPECTRA.

    SPECTRA are files of any format that is read: apStar, aspcapStar, apVisit and mwmStar FITS
    files, FITS images, tables with wavelength, flux and error, npz and HDF5 files of spectra. A
    file that cannot be read becomes a flagged row. More than --chunk spectra make a survey: it is
    cut into tasks, --out is written as they end, and the same command goes on where it was stopped.
    """
    from ..core.bundle import find_bundle
    from ..core.errors import FitError
    from ..core.fitting.settings import FitSettings
    from ..core.fitting.stars import Reading
    from ..core.fitting.survey import Survey, count_stars
    from ..core.fitting.windows import read_windows

    if not spectra and Path(bundle).is_file() and not bundle.lower().endswith(".zip"):
        raise click.UsageError(
            f"Give a bundle before the spectra, as in: fit apogee-giants {bundle}"
        )
    if not spectra:
        raise click.UsageError("Give at least one file with a spectrum.")
    out: Path | None = given["out"]
    if out is not None:
        check_out(out, given["overwrite"], SUFFIXES)
        if given["covariance"] and out.suffix.lower() == ".csv":
            raise click.UsageError(
                "--covariance: CSV holds one value in a cell; give --out another ending."
            )
    set_up_torch(given["threads"], given["device"])
    found = find_bundle(bundle).resolve()
    if given["rv_kms"] is not None and not math.isfinite(given["rv_kms"]):
        raise click.UsageError(f"--rv: expected a velocity in km/s; found {given['rv_kms']}.")
    try:
        settings = FitSettings(
            prior=given["prior"],
            widening=given["widening"],
            fixed=_fixed(given["fixed"], found),
            velocity=given["velocity"],
            search=given["search"],
            degree=given["degree"],
            floor=given["floor"],
            member_spread=given["member_spread"],
            split=given["split"],
            starts=given["starts"],
            iterations=given["iterations"],
            clip=given["clip"],
            windows=() if given["mask"] is None else read_windows(given["mask"]),
        )
    except FitError as problem:
        raise click.UsageError(str(problem)) from problem
    kinds: dict[str, tuple[Any, ...]] = {
        "both": ("emulated", "adapted"),
        "adapted": ("adapted",),
        "raw": ("emulated",),
    }
    reading = Reading(
        given["unit"],
        given["medium"],
        given["rv_kms"],
        given["every_row"],
        given["resolution"],
        _bad_bits(given["bad_bits"]),
    )
    # Workers may run in other folders.
    survey = Survey(
        str(found),
        tuple(str(f.resolve()) for f in spectra),
        kinds[given["spectrum"]],
        settings,
        reading,
        given["per_task"],
        given["covariance"],
        given["device"],
    )
    large = count_stars(spectra) > given["per_task"]
    if large or given["scheduler"] is not None or given["workers"] is not None:
        _in_tasks(survey, out, given["scheduler"], given["workers"], given["as_json"])
    else:
        _here(survey, out, given["as_json"])


def _here(survey: Survey, out: Path | None, as_json: bool) -> None:
    """Fit a few stars in this process."""
    from ..core.bundle import open_bundle
    from ..core.errors import FitError
    from ..core.fitting.star_fits import fit_stars, fitters
    from ..core.fitting.stars import read_stars
    from ..core.io.table_writer import write_table

    stars = read_stars(survey.files, survey.reading)
    for star in stars:
        if star.error:
            click.echo(f"spectrabridge: {star.error}", err=True)
    if all(star.error for star in stars):
        raise FitError("None of the files could be read; nothing was fitted.")
    # What takes seconds comes last.
    opened = open_bundle(survey.bundle, survey.device)
    ready = fitters(opened, survey.kinds, survey.settings)
    with bar("fitting", len(stars) * len(survey.kinds), unit="fit") as show:
        found = fit_stars(ready, stars, lambda done, total: show(done, total, {}))
    if out is not None:
        table = found.table(survey.covariance)
        _say_pixels(table, survey)
        write_table(table, out, overwrite=True)
        click.echo(f"Wrote {out}.", err=True)
    if as_json:
        print_figures({"bundle": opened.name, "spectra": found.as_json()}, True)
    elif out is None:
        _print(found)


def _bad_bits(text: str | None) -> int | None:
    """Return the bits that a person calls bad, or raise a click.UsageError."""
    from ..core.errors import SpectrumError
    from ..core.io.pixel_mask import parse_bits

    try:
        return None if text is None else parse_bits(text)
    except SpectrumError as problem:
        raise click.UsageError(f"--bad-bits: {problem}") from problem


def _say_pixels(table: Any, survey: Survey) -> None:
    """Write into the metadata of a table which pixels were fitted, if a person chose them."""
    from ..core.fitting.windows import windows_text
    from ..core.io.pixel_mask import bits_text

    if survey.settings.clip:
        table.meta["clip"] = survey.settings.clip
    if survey.reading.bad_bits is not None:
        table.meta["bad_bits"] = bits_text(survey.reading.bad_bits)
    if survey.settings.windows:
        table.meta["windows"] = windows_text(survey.settings.windows)


def _in_tasks(
    survey: Survey,
    out: Path | None,
    scheduler: str | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Fit many stars in tasks, on several processes."""
    import os
    import time
    from contextlib import nullcontext

    from ..core.fitting.survey import forget_parts, run_survey
    from ..core.io.table_writer import write_table
    from ..core.resumable_run import dask_client

    if out is None:
        raise click.UsageError("--out is needed for more spectra than --chunk, or with --workers.")
    if workers is None:
        workers = min(os.cpu_count() or 1, len(survey.tasks()))
    alone = scheduler is None and workers in (0, 1)
    began = time.perf_counter()
    with (
        nullcontext(None) if alone else dask_client(scheduler, workers) as client,
        bar("fitting", 0, unit="star") as show,
    ):

        def tell(done: int, total: int) -> None:
            show(done, total, {})

        table = run_survey(survey, out, client=client, progress=tell)
    _say_pixels(table, survey)
    write_table(table, out, overwrite=True)
    forget_parts(out)
    flags = [str(f) for f in table["flags" if "flags" in table.colnames else "raw_flags"]]
    figures = {
        "out": str(out),
        "n_stars": len(table),
        "n_unflagged": sum(not f for f in flags),
        "n_unreadable": flags.count("unreadable"),
        "seconds": time.perf_counter() - began,
    }
    print_figures(figures, as_json)


def _print(found: Any) -> None:
    """Print the main figures of every star, a line per fit."""
    from ..core.fitting.star_fits import SPECTRA

    width = max(len(s.id) for s in found.stars)
    head = f"{'star':{width}s} {'fit':7s} {'chi2':>7s} {'T_eff':>11s} {'log g':>11s} "
    click.echo(head + f"{'[Fe/H]':>13s} {'rv km/s':>8s} flags")
    for i, star in enumerate(found.stars):
        for kind, name in SPECTRA.items():
            if kind not in found.fits:
                continue
            f = found.fits[kind]
            if star.error:
                click.echo(f"{star.id:{width}s} {name:7s} {'':53s} unreadable")
                continue
            texts = []
            for label, digits in (("teff", 0), ("logg", 2), ("Fe", 2)):
                if label in f.label_set.names:
                    j = f.label_set.index(label)
                    texts.append(f"{f.labels[i, j]:.{digits}f} +- {f.errors[i, j]:.{digits}f}")
            columns = " ".join(f"{t:>12s}" for t in texts)
            flags = ", ".join(f.flags[i]) or "none"
            line = f"{star.id:{width}s} {name:7s} {f.reduced_chi2[i]:7.2f} {columns} "
            click.echo(line + f"{f.velocity[i]:8.2f} {flags}")


def _fixed(given: tuple[str, ...], bundle: Path) -> dict[str, float]:
    from ..core.bundle import open_bundle
    from ..core.errors import FitError
    from ..core.fitting.held_labels import held_labels

    if not given:
        return {}
    try:
        return held_labels(given, open_bundle(bundle).labels)
    except FitError as problem:
        raise click.UsageError(f"--fix: {problem}") from problem

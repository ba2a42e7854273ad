"""``spectrabridge embed``: a map of the stars of both domains, for the explorer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..core.io.table_formats import SUFFIXES
from .options import (
    EXISTING,
    OUT,
    check_out,
    json_option,
    overwrite_option,
    print_figures,
    say,
    set_up_torch,
    stage_bars,
    threads_option,
    typed_command,
)

MAX_STARS = 250_000
"""Stars of a map at most."""


@click.command("embed")
@click.argument("bundle")
@click.option(
    "--n",
    "n_stars",
    type=click.IntRange(40, MAX_STARS),
    default=4000,
    show_default=True,
    help="Stars of the map, half of them synthetic. Where neither --spectra is given nor the "
    "truth of the observed domain is known, there are no more than the bundle keeps.",
)
@click.option(
    "--spectra",
    type=EXISTING,
    help="Your own observed spectra: an HDF5 file written by Spectra.save or a zarr store, on the "
    "bundle's grid, or csn_apogee.h5 of the paper. Of more than --n / 2 spectra some are drawn.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--perplexity",
    type=click.FloatRange(2, 500),
    default=30.0,
    show_default=True,
    help="About how many neighbours a star has.",
)
@click.option("--store", is_flag=True, help="Keep the map in the bundle; an older one is replaced.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the map to (.safetensors).",
)
@click.option(
    "--places",
    type=OUT,
    help="With --spectra: table to write of where every spectrum of the file belongs on the map, "
    f"drawn or not: {', '.join(SUFFIXES)}.",
)
@overwrite_option
@threads_option
@json_option
def embed_command(
    bundle: str,
    n_stars: int,
    spectra: Path | None,
    seed: int,
    perplexity: float,
    store: bool,
    out: Path | None,
    places: Path | None,
    overwrite: bool,
    threads: int,
    as_json: bool,
) -> None:
    """Place the stars of BUNDLE (a name or a path) on a map by t-SNE.

    Three panels, as in Fig. 2 of O'Briain et al. (2020): input spectra of both domains;
    observed with adapted spectra; shared latents. Prints how well the domains mix (0.5 is
    perfect) and how well t-SNE did (Kullback-Leibler divergence). The same seed gives the
    same map with one thread.
    """
    from ..core.bundle import open_bundle
    from ..core.embedding import TsneSettings
    from ..core.embedding.stored_map import embed_bundle

    if out is not None:
        check_out(out, overwrite)
    if places is not None:
        if spectra is None:
            raise click.UsageError("--places needs --spectra, whose spectra it places.")
        check_out(places, overwrite, SUFFIXES)
    set_up_torch(threads, "cpu")
    with stage_bars() as show:
        made = embed_bundle(
            open_bundle(bundle),
            n_stars,
            spectra=spectra,
            settings=TsneSettings(perplexity=perplexity, seed=seed, threads=threads),
            store=store,
            out=out,
            places=places,
            report=show,
            command=typed_command(),
        )
    for note in made.notes:
        say(f"spectrabridge: {note}")
    embedding = made.embedding
    figures: dict[str, Any] = {
        "bundle": made.bundle.name,
        "n_stars": len(embedding),
        "seconds": embedding.info["seconds"],
        "bytes": made.n_bytes,
        "stored": str(made.bundle.path) if store else "",
        "out": "" if out is None else str(out),
        "places": "" if places is None else str(places),
    }
    if as_json:
        print_figures(figures | {"kl": embedding.kl, "mixing": embedding.mixing}, True)
        return
    print_figures({k: v for k, v in figures.items() if v != ""}, False)
    click.echo(
        f"{'panel':10s} {'KL':>6s} {'purity':>7s} {'on map':>7s} {'accuracy':>9s} {'auc':>6s}"
    )
    for key, m in embedding.mixing.items():
        click.echo(
            f"{key:10s} {embedding.kl[key]:6.3f} {m['purity']:7.3f} {m['purity_on_map']:7.3f} "
            f"{m['accuracy']:9.3f} {m['auc']:6.3f}"
        )
    if not store and out is None and places is None:
        click.echo("Nothing was kept: give --store for the explorer, or --out.", err=True)

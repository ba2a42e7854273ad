"""``spectrabridge fetch-apogee``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import ArchiveError, DownloadError, SpectrabridgeError
from .options import FOLDER, bar, json_option, print_figures

if TYPE_CHECKING:
    from ..core.archive.apogee import ArchiveFile, ArchiveStar
    from ..core.archive.download import Progress
    from ..core.archive.remote_file import Result

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SHOWN = 10  # failures that are told one by one


def _catalogue(
    release: str, out: Path, server: str, dry_run: bool, settings: dict[str, Any]
) -> Path:
    """Return the file of a release's catalogue, fetched unless this is a dry run."""
    from ..core.archive.apogee import catalogue_file
    from ..core.archive.download import download

    table = catalogue_file(release)
    if dry_run and not (out / table.name).exists():
        raise ArchiveError(
            f"--dry-run fetches nothing, and {out / table.name} is not there yet. Fetch "
            f"{table.url(server)} first."
        )
    if not dry_run:
        with _told(1) as progress:
            (got,) = download([table.remote(server)], out, progress=progress, **settings)
        if not got.ok:
            raise DownloadError(got.reason)
    return out / table.name


def _list(
    head: dict[str, Any], files: list[ArchiveFile], lost: dict[str, str], server: str, as_json: bool
) -> None:
    """Print what would be fetched, and from where."""
    rows = [{"id": f.star, "name": f.name, "url": f.url(server)} for f in files]
    if as_json:
        missing = [{"id": k, "reason": v} for k, v in lost.items()]
        click.echo(json.dumps(head | {"files": rows, "not_found": missing}, indent=1))
    else:
        click.echo("\n".join(r["url"] for r in rows))
        _tell(list(lost.values()))


@click.command("fetch-apogee")
@click.argument("ids", nargs=-1)
@click.option(
    "--release",
    type=click.Choice(["dr20", "dr19", "dr17", "dr14"]),
    help="Data release.  [default: that of the catalogue, else dr17]",
)
@click.option("--catalogue", type=_FILE, help="Local allStar file, which tells where stars are.")
@click.option(
    "--fetch-catalogue",
    is_flag=True,
    help="Fetch the release's catalogue first (1 GB and more) into the folder, and use it.",
)
@click.option(
    "--query", default="", help='Stars of the catalogue, as in "teff<5000 logg<3.5 snr>100".'
)
@click.option("--limit", type=click.IntRange(1), help="Take this many stars, at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of --limit.")
@click.option("--field", default="", help="Field of the stars, without a catalogue (dr17, apo1m).")
@click.option("--location", type=int, help="Location number, without a catalogue (dr14).")
@click.option(
    "--telescope",
    type=click.Choice(["apo25m", "apo1m", "lco25m"]),
    help="Telescope, without a catalogue.  [default for dr14: apo25m]",
)
@click.option(
    "--product",
    type=click.Choice(["apStar", "aspcapStar", "mwmStar", "mwmVisit", "astraStarASPCAP"]),
    help="apStar: combined and single visits; aspcapStar: normalised, with the survey's fit (both "
    "dr14, dr17); mwmStar: combined; mwmVisit: single visits; astraStarASPCAP: labels and model.  "
    "[default: apStar, since dr19 mwmStar]",
)
@click.option(
    "--out", type=FOLDER, default=Path("apogee"), show_default=True, help="Folder for the files."
)
@click.option(
    "--workers", type=click.IntRange(1, 4), default=4, show_default=True, help="Files at a time."
)
@click.option("--retries", type=click.IntRange(0), default=4, show_default=True)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds without a byte after which a connection is given up.",
)
@click.option(
    "--server",
    default="https://data.sdss.org/sas",
    show_default=True,
    help="Archive or a mirror of it; plain http only on this machine.",
)
@click.option(
    "--cache/--no-cache",
    default=True,
    show_default=True,
    help="Look into astropy's download cache, and keep a copy of every file there.",
)
@click.option("--dry-run", is_flag=True, help="Print the addresses and fetch nothing.")
@json_option
def fetch_apogee_command(
    ids: tuple[str, ...],
    release: str | None,
    catalogue: Path | None,
    fetch_catalogue: bool,
    query: str,
    limit: int | None,
    seed: int,
    field: str,
    location: int | None,
    telescope: str | None,
    product: str | None,
    out: Path,
    workers: int,
    retries: int,
    timeout: float,
    server: str,
    cache: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Fetch spectra of stars from SDSS's public archive.

    IDS are APOGEE ids such as 2M00004994+1621552, or numbers of SDSS-V such as 60000001, which
    alone tell where dr19 and dr20 keep a star. For APOGEE ids a catalogue tells it; without one
    say it by --field and --telescope (dr17) or --location (dr14). With --query and no IDS, all
    stars of the catalogue that match are fetched.

    What is complete in the folder is not fetched again, and an interrupted file goes on where
    it stopped: give the same command again. Exit code 1 means that some files failed.
    """
    from ..core.archive.address import require_safe_url
    from ..core.archive.apogee import default_product
    from ..core.archive.download import download
    from ..core.archive.remote_file import UnreachableError

    if catalogue is not None and fetch_catalogue:
        raise click.UsageError("--catalogue and --fetch-catalogue exclude each other.")
    known = catalogue is not None or fetch_catalogue
    _require_usage(ids, known, release or "dr17", query, limit, field, location, telescope)
    try:
        require_safe_url(server)
    except DownloadError as problem:
        raise click.UsageError(f"--server: {problem}") from problem
    settings: dict[str, Any] = {
        "workers": workers,
        "retries": retries,
        "timeout": timeout,
        "cache": cache,
    }
    if fetch_catalogue:
        catalogue = _catalogue(release or "dr17", out, server, dry_run, settings)

    files, lost, release = _files(
        ids, catalogue, release, query, limit, seed, field, location, telescope, product or ""
    )
    product = product or default_product(release)
    head: dict[str, Any] = {"release": release, "product": product, "out": str(out)}
    if dry_run:
        _list(head, files, lost, server, as_json)
        click.get_current_context().exit(1 if lost else 0)

    stars = {f.name: f.star for f in files}
    remote = [f.remote(server) for f in files]
    gone: UnreachableError | None = None
    with _told(len(files)) as progress:
        try:
            results = download(remote, out, progress=progress, **settings)
        except UnreachableError as unreachable:
            gone, results = unreachable, unreachable.results
    _report(head, results, stars, lost, as_json)
    if gone is not None:
        raise gone
    if lost or not all(r.ok for r in results):
        click.get_current_context().exit(1)


def _require_usage(
    ids: tuple[str, ...],
    known: bool,
    release: str,
    query: str,
    limit: int | None,
    field: str,
    location: int | None,
    telescope: str | None,
) -> None:
    """Raise a click.UsageError unless the options tell which files are meant."""
    if known:
        if field or location is not None or telescope:
            raise click.UsageError(
                "--field, --location and --telescope are for stars without a catalogue; write "
                '--query "field=NAME" to choose in it.'
            )
        if not ids and not query and limit is None:
            raise click.UsageError("Say which stars: give IDS, --query or --limit.")
        return
    if query or not ids:
        raise click.UsageError(
            "Give --catalogue with a local allStar file, or --fetch-catalogue, to choose stars."
            if query
            else "Say which stars: give IDS, or --catalogue with --query."
        )
    if release in ("dr19", "dr20"):
        if field or location is not None or telescope:
            raise click.UsageError(
                f"{release} finds a star by its sdss_id alone; leave --field, --location and "
                "--telescope away."
            )
        return
    if release == "dr17" and not (field and telescope):
        raise click.UsageError(
            "Without a catalogue, dr17 needs --field and --telescope of the stars."
        )
    if release == "dr14" and location is None and not (field and telescope == "apo1m"):
        raise click.UsageError(
            "Without a catalogue, dr14 needs --location of the stars, or --telescope apo1m with "
            "--field."
        )


def _files(
    ids: tuple[str, ...],
    catalogue: Path | None,
    release: str | None,
    query: str,
    limit: int | None,
    seed: int,
    field: str,
    location: int | None,
    telescope: str | None,
    product: str,
) -> tuple[list[ArchiveFile], dict[str, str], str]:
    """Return the files, why other stars have none, and the release."""
    from ..core.archive.apogee import ArchiveStar, star_file
    from ..core.archive.catalogue import find_stars, parse_query

    wanted = list(dict.fromkeys(i.strip() for i in ids))
    lost: dict[str, str] = {}
    stars: list[ArchiveStar]
    if catalogue is None:
        stars = [ArchiveStar(i, telescope or "apo25m", field, location) for i in wanted]
    else:
        if query:
            try:
                parse_query(query)
            except ArchiveError as problem:
                raise click.UsageError(f"--query: {problem}") from problem
        stars = find_stars(catalogue, wanted or None, query, limit=limit, seed=seed)
        if not stars:
            what = "is one of the ids" if wanted else "matches the query"
            what += " and matches the query" if wanted and query else ""
            raise ArchiveError(f"No star of {catalogue.name} {what}.")
        if limit is None:
            found = {s.id for s in stars}
            what = "does not have this star" + (", or it does not match the query" if query else "")
            lost = {i: f"{i}: {catalogue.name} {what}." for i in wanted if i not in found}
    release = release or _release(stars)
    files = []
    for star in stars:
        try:
            files.append(star_file(star, release, product))
        except ArchiveError as problem:
            lost[star.id] = str(problem)
    if not files:
        raise ArchiveError(next(iter(lost.values())))
    return files, lost, release


def _release(stars: list[ArchiveStar]) -> str:
    """Return the release that the catalogue's file names tell, else the newest."""
    return next((s.release for s in stars if s.release), "dr17")


@contextmanager
def _told(n_files: int) -> Iterator[Progress]:
    """Show files and megabytes while they come; turn Ctrl-C into a sentence."""
    count = 0
    with bar("fetch", n_files) as show:

        def progress(done: int, total: int, received: int) -> None:
            nonlocal count
            count = done
            show(done, total, {"MB": received / 1e6})

        try:
            yield progress
        except KeyboardInterrupt:
            raise SpectrabridgeError(
                f"interrupted after {count} of {n_files} files. Give the same command again to "
                "go on."
            ) from None


def _report(
    head: dict[str, Any],
    results: list[Result],
    stars: dict[str, str],
    lost: dict[str, str],
    as_json: bool,
) -> None:
    """Print what became of the files, and say why those that failed did."""
    counts = {
        f"n_{status}": sum(r.status == status for r in results)
        for status in ("fetched", "cached", "present", "failed", "skipped")
    }
    counts["n_failed"] += len(lost)
    if as_json:
        rows = [
            {
                "id": stars[r.file.name],
                "name": r.file.name,
                "path": str(r.path) if r.ok else None,
                "url": r.file.url,
                "status": r.status,
                "reason": r.reason,
                "bytes": r.size,
            }
            for r in results
        ]
        rows += [
            {
                "id": i,
                "name": None,
                "path": None,
                "url": None,
                "status": "failed",
                "reason": reason,
                "bytes": 0,
            }
            for i, reason in lost.items()
        ]
        print_figures(head | counts | {"files": rows}, True)
    else:
        print_figures(head | counts, False)
    _tell([r.reason for r in results if r.status == "failed"] + list(lost.values()))


def _tell(reasons: list[str]) -> None:
    for reason in reasons[:_SHOWN]:
        click.echo(f"failed: {reason}", err=True)
    if len(reasons) > _SHOWN:
        click.echo(f"and {len(reasons) - _SHOWN} more; --json lists them all.", err=True)

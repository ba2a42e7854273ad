"""``spectrabridge vetting``: decisions about candidate features, out, in, compared, sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import OUT, bar, check_out, json_option, print_figures

if TYPE_CHECKING:
    from ..core.bundle import Bundle
    from ..core.linelist import LineList
    from ..core.lines import Candidates
    from ..core.vetting import Vetting
    from ..core.vetting.agreement import Comparison
    from ..core.vetting.line_table import Settled

_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


class _ExportFormat(click.ParamType):
    """One of the formats of vetted lines, which are imported when one is given."""

    name = "format"

    def convert(self, value: str, param: Any, context: Any) -> str:
        from ..core.vetting.export import EXPORTS

        if value.lower() not in EXPORTS:
            self.fail(f"Expected one of {', '.join(EXPORTS)}; found {value!r}.", param, context)
        return value.lower()


@click.group("vetting")
def vetting_group() -> None:
    """Decisions about candidate features: export, import, compare and send them.

    They are made on the explorer's Lines page and kept in a file, one for each bundle in the
    user's data folder if --vetting names no other.
    """


def _vetting_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--vetting", "path", type=OUT, help="File of decisions.")(function)


def _candidates_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--candidates",
        "table",
        type=_EXISTING,
        help="Candidates (JSON, of `lines --out`) instead of those kept in the bundle.",
    )(function)


@vetting_group.command("export")
@click.argument("bundle")
@_vetting_option
@_candidates_option
@click.option(
    "--format",
    "kind",
    type=_ExportFormat(),
    required=True,
    help="A table (ecsv, votable, fits, csv), a line list (vald, moog, turbospectrum), or html.",
)
@click.option("--out", type=OUT, required=True, help="File to write.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@click.option("--all", "everything", is_flag=True, help="Tables: not only what is accepted.")
@click.option("--vetter", help="Only decisions of this vetter.")
@click.option(
    "--medium",
    type=click.Choice(["air", "vacuum"]),
    default="air",
    show_default=True,
    help="Line lists: of the wavelengths. Tables have both.",
)
@click.option(
    "--unnamed",
    type=click.Choice(["likeliest", "leave-out"]),
    default="likeliest",
    show_default=True,
    help="Line lists: what to do with features accepted without an element.",
)
@click.option(
    "--line-list", type=_EXISTING, help="Known lines, if candidates were found with others."
)
@json_option
def export_command(bundle: str, kind: str, out: Path, as_json: bool, **given: Any) -> None:
    """Write the accepted features of BUNDLE: a table, a line list, or a page with pictures.

    What a line list cannot hold, because no known line lends its log gf or because no element
    was named, goes to OUT.left-out with the reason.
    """
    from ..core.vetting.export import EXPORTS, LEFT_OUT, export_vetting

    form = EXPORTS[kind]
    if given["everything"] and form.kind != "table":
        raise click.UsageError(f"--all is for tables, not for {kind}.")
    check_out(out, given["overwrite"])
    if form.kind == "line list":
        check_out(out.with_name(out.name + LEFT_OUT), given["overwrite"])
    from ..core.bundle import open_bundle

    opened = open_bundle(bundle)
    candidates = _candidates(opened, given["table"])
    known = _known(given["line_list"])
    with _opened(opened, given["path"], read_only=True) as vetting:
        made = export_vetting(
            vetting,
            candidates,
            kind,
            which="all" if given["everything"] else "accepted",
            vetter=given["vetter"],
            known=known,
            medium=given["medium"],
            unnamed=given["unnamed"].replace("-", " "),
            report=lambda *of: _report(opened, candidates, known, *of),
        )
    for file in made.write(out, overwrite=given["overwrite"]):
        click.echo(f"Wrote {file}.", err=True)
    figures: dict[str, Any] = dict(made.figures)
    if as_json:
        notes = {"notes": list(made.notes)} if form.kind == "line list" else {}
        print_figures({"out": str(out), "format": kind, **figures, **notes}, True)
        return
    print_figures(figures, False)
    for note in made.notes:
        click.echo(note)


def _report(
    opened: Bundle,
    candidates: Candidates,
    known: LineList,
    settled: Settled,
    agreement: Comparison | None,
) -> str:
    """Return the page with pictures, and show how many of them are drawn."""
    from ..explorer.lines.report import line_report_html

    with bar("pictures", len(settled.accepted), unit="line") as show:
        return line_report_html(
            opened, candidates, settled, agreement, known, lambda i, n: show(i, n, {})
        )


@vetting_group.command("import")
@click.argument("bundle")
@click.argument("session", type=_EXISTING)
@_vetting_option
@_candidates_option
@click.option(
    "--match",
    type=click.Choice(["id", "wavelength"]),
    default="id",
    show_default=True,
    help="How features are told; ids hold for one and the same bundle only.",
)
@click.option("--unit", type=click.Choice(["angstrom", "nm", "um"]), help="Of tables without one.")
@click.option("--medium", type=click.Choice(["vacuum", "air"]), help="Of tables that do not say.")
@click.option("--vetter", help="Who decided, for tables that do not say.")
@click.option("--replace", "replace_existing", is_flag=True, help="Replace decisions made here.")
@json_option
def import_command(bundle: str, session: Path, as_json: bool, **given: Any) -> None:
    """Bring the decisions of SESSION (ECSV, VOTable, FITS or a vetting file) to BUNDLE.

    Decisions that fit several candidates, or none, are listed and not taken; nor are those
    whose vetter says something else here, unless --replace is given.
    """
    from ..core.bundle import open_bundle
    from ..core.vetting.import_session import import_session
    from ..core.vetting.previous_session import read_session

    opened = open_bundle(bundle)
    candidates = _candidates(opened, given["table"])
    read = read_session(session, unit=given["unit"], medium=given["medium"], vetter=given["vetter"])
    with _opened(opened, given["path"]) as vetting:
        found = import_session(vetting, read, candidates, given["match"], given["replace_existing"])
        path = vetting.path
    names = ("written", "same", "kept", "ambiguous", "lost")
    lists = {name: getattr(found, name) for name in names}
    figures: dict[str, Any] = {
        "vetting": str(path),
        "n_decisions": len(read.decisions),
        "n_open": read.n_open,
        "n_matched": found.n_matched,
        **{f"n_{name}": len(rows) for name, rows in lists.items()},
    }
    if as_json:
        for name in ("kept", "ambiguous", "lost"):
            figures[name] = [
                {"id": d.candidate, "wavelength": d.wavelength, "vetter": d.vetter}
                for d in lists[name]
            ]
        print_figures(figures, True)
        return
    print_figures(figures, False)
    words = {
        "kept": "not taken, because their vetter says something else here",
        "ambiguous": "not taken, because they fit several candidates or share one",
        "lost": "not taken, because no candidate is there",
    }
    for name, why in words.items():
        if lists[name]:
            click.echo(f"\n{why}:")
        for d in lists[name]:
            said = ", ".join(filter(None, (d.status, d.element, d.comment.replace("\n", " "))))
            click.echo(f"  {d.wavelength:10.2f}  {d.vetter}: {said}")


@vetting_group.command("agreement")
@click.argument("bundle")
@_vetting_option
@json_option
def agreement_command(bundle: str, path: Path | None, as_json: bool) -> None:
    """Compare the vetters of BUNDLE: Cohen's kappa on status and element, with counts."""
    from ..core.bundle import open_bundle
    from ..core.vetting.agreement import compare_vetters

    with _opened(open_bundle(bundle), path, read_only=True) as vetting:
        found = compare_vetters(vetting)
        names = vetting.vetters()
    if as_json:
        print_figures({"vetters": names, **found.as_json()}, True)
        return
    if len(names) < 2:
        click.echo(f"Agreement needs two vetters; found {', '.join(names) or 'none'}.")
    for one in (*found.status, *found.element):
        click.echo(one.words)
        width = max((len(c) for c in one.categories), default=0) + 2
        if one.n:
            click.echo(" " * width + "".join(f"{c:>{width}s}" for c in one.categories))
        for name, row in zip(one.categories, one.table, strict=True):
            click.echo(f"{name:{width}s}" + "".join(f"{v:{width}d}" for v in row))


@vetting_group.command("send")
@click.argument("bundle")
@_vetting_option
@_candidates_option
@click.option("--all", "everything", is_flag=True, help="Not only what is accepted.")
@click.option("--vetter", help="Only decisions of this vetter.")
@click.option("--to", metavar="NAME", help="Only to this program, such as topcat.")
@click.option("--list", "only_list", is_flag=True, help="List the programs that take tables.")
@click.option("--timeout", type=click.FloatRange(1), default=30.0, show_default=True)
@json_option
def send_command(bundle: str, path: Path | None, as_json: bool, **given: Any) -> None:
    """Send the table of decisions of BUNDLE to TOPCAT or Aladin, by a SAMP hub on this machine."""
    from ..core.bundle import open_bundle
    from ..core.errors import LinesError
    from ..core.vetting.decision_table import decision_table
    from ..core.vetting.samp import listeners, send_table

    if given["only_list"]:
        names = [k.name for k in listeners()]
        if as_json:
            print_figures({"programs": names}, True)
        else:
            click.echo("\n".join(names) or "No program that takes tables.")
        return
    opened = open_bundle(bundle)
    candidates = _candidates(opened, given["table"])
    with _opened(opened, path, read_only=True) as vetting:
        which = "all" if given["everything"] else "accepted"
        table = decision_table(vetting, candidates, which, given["vetter"])  # type: ignore[arg-type]
    sent = send_table(table, f"{opened.name} lines", given["to"], given["timeout"])
    if as_json:
        programs = [{"name": s.name, "problem": s.problem} for s in sent]
        print_figures({"n_rows": len(table), "programs": programs}, True)
    for s in sent:
        click.echo(f"{s.name}: {s.problem or f'{len(table)} rows'}", err=as_json)
    if all(s.problem for s in sent):
        raise LinesError("No program has loaded the table.")


# ---------------------------------------------------------------------- shared


@contextmanager
def _opened(opened: Bundle, path: Path | None, read_only: bool = False) -> Iterator[Vetting]:
    from ..core.vetting import default_vetting_path, open_vetting

    file = default_vetting_path(opened) if path is None else path
    with open_vetting(file, (opened.name, opened.fingerprint), read_only=read_only) as vetting:
        yield vetting


def _candidates(opened: Bundle, table: Path | None) -> Candidates:
    """Return the candidates of a bundle, from a file or as kept in it."""
    from ..core.errors import LinesError
    from ..core.files import read_limited
    from ..core.lines import CANDIDATES, Candidates

    if table is None:
        content = opened.attached(CANDIDATES)
    else:
        content = read_limited(table, str(table), "a table of candidates", error=LinesError)[0]
    if content is None:
        raise LinesError(
            f"{opened.name} keeps no candidates. Find them with `spectrabridge lines "
            f"{opened.path} --store`, or give them with --candidates."
        )
    found = Candidates.loads(content)
    if found.fingerprint != opened.fingerprint:
        where = f"kept in {opened.name}" if table is None else f"in {table}"
        raise LinesError(
            f"The candidates {where} are of other weights ({found.fingerprint[:8]}, expected "
            f"{opened.fingerprint[:8]}). Find them anew with `spectrabridge lines`."
        )
    return found


def _known(line_list: Path | None) -> LineList:
    """Return the known lines of a file, or those that are shipped."""
    from ..core.linelist import read_lines, shipped_lines

    return shipped_lines() if line_list is None else read_lines(line_list)

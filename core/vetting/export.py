"""Vetted lines as files: tables, line lists of synthesis codes, and a report.

The Lines page and ``spectrabridge vetting export`` both call :func:`export_vetting`.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from ..atomic_file import require_output, write_whole
from ..errors import LinesError
from ..io.table_formats import FORMATS
from ..io.table_writer import table_bytes
from ..linelist import LineList, shipped_lines
from ..lines.candidate import Candidates
from ..spectra.wavelength import Medium
from .agreement import Comparison, compare_vetters
from .decision_table import Which, decision_table
from .line_table import Code, Settled, Unnamed, counted, line_list_text, line_table, settle
from .store import Vetting

Report = Callable[[Settled, "Comparison | None"], str]
"""Makes a page of HTML of what was accepted, and of how far the vetters agree."""


@dataclass(frozen=True)
class ExportFormat:
    """What vetted lines can be saved as.

    Parameters
    ----------
    name : str
        What people call it.
    kind : {"table", "line list", "report"}
        What it is.
    suffix : str
        Ending of a file, with the dot.
    about : str
        What the file holds.
    """

    name: str
    kind: Literal["table", "line list", "report"]
    suffix: str
    about: str


EXPORTS: dict[str, ExportFormat] = {
    **{
        name.lower(): ExportFormat(name, "table", one.suffix, "candidates with all decisions")
        for name, one in FORMATS.items()
    },
    **{
        name.lower(): ExportFormat(
            name,
            "line list",
            f".{name.lower()}",
            f"accepted features as a {what}, with what it leaves out",
        )
        for name, what in {
            "VALD": "VALD extract",
            "MOOG": "MOOG list",
            "Turbospectrum": "Turbospectrum list",
        }.items()
    },
    "html": ExportFormat(
        "Report", "report", ".html", "accepted features as one page with a picture of each"
    ),
}
"""The formats by the word that the command line knows them by."""


@dataclass(frozen=True)
class Exported:
    """Vetted lines as the content of a file.

    Parameters
    ----------
    content : bytes
        The file.
    left_out : str
        Accepted features that a line list cannot hold, each with the reason; empty if there
        are none. It belongs in a file beside.
    notes : tuple of str
        Sentences on what a line list leaves open.
    figures : mapping
        How many features became what.
    """

    content: bytes
    left_out: str = ""
    notes: tuple[str, ...] = ()
    figures: Mapping[str, int] = field(default_factory=dict)

    def write(self, path: str | Path, *, overwrite: bool = False) -> tuple[Path, ...]:
        """Write the file, and what is left out to ``PATH.left-out``; return the files.

        Parameters
        ----------
        path : path
            The file.
        overwrite : bool
            Whether existing files are replaced; an older ``PATH.left-out`` is deleted if
            nothing is left out.

        Raises
        ------
        OutputError
            If a file exists and may not be replaced, or cannot be written.
        """
        path = Path(path)
        beside = path.with_name(path.name + LEFT_OUT)
        files = {path: self.content}
        if self.left_out:
            files[beside] = self.left_out.encode()
        for file in files:
            require_output(file, overwrite)
        for file, content in files.items():
            write_whole(file, content, overwrite)
        if not self.left_out and overwrite:
            beside.unlink(missing_ok=True)
        return tuple(files)

    def zipped(self, name: str) -> bytes:
        """Return a zip file with the file, under a name, and what it leaves out, and why."""
        out = io.BytesIO()
        notes = "".join(f"# {note}\n" for note in self.notes)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(name, self.content)
            file.writestr(f"{Path(name).stem}-left-out.txt", notes + self.left_out)
        return out.getvalue()


LEFT_OUT = ".left-out"
"""Ending of the file beside a line list that names what the list cannot hold."""


def export_vetting(
    vetting: Vetting,
    candidates: Candidates,
    kind: str,
    *,
    which: Which = "accepted",
    vetter: str | None = None,
    known: LineList | None = None,
    medium: Medium = "air",
    unnamed: Unnamed = "likeliest",
    report: Report | None = None,
) -> Exported:
    """Return vetted lines as the content of a file.

    Parameters
    ----------
    vetting : Vetting
        The decisions.
    candidates : Candidates
        What they are about.
    kind : str
        One of :data:`EXPORTS`.
    which : {"accepted", "all"}
        Rows of a table: see :func:`.decision_table`.
    vetter : str, optional
        Only decisions of this one.
    known : LineList, optional
        Known lines, which lend a line list their data; the shipped ones if not given.
    medium : {"air", "vacuum"}
        Of the wavelengths in a line list.
    unnamed : {"likeliest", "leave out"}
        What a line list does with features accepted without an element.
    report : callable, optional
        Makes the page; needed for the report only. See :data:`Report`.

    Raises
    ------
    LinesError
        If there is no such format, the decisions are about another bundle, or there is no
        such vetter.
    TableError
        If the format cannot hold the table.
    """
    if kind not in EXPORTS:
        raise LinesError(f"Vetted lines are saved as {', '.join(EXPORTS)}; found {kind!r}.")
    form = EXPORTS[kind]
    if form.kind == "table":
        table = decision_table(vetting, candidates, which, vetter)
        figures = {"n_rows": len(table), "n_not_in_table": int((~table["in_table"]).sum())}
        return Exported(table_bytes(table, form.name), figures=figures)
    settled = settle(vetting, candidates, vetter)
    if form.kind == "report":
        if report is None:
            raise LinesError("A report needs what draws it; give `report`.")
        compared = compare_vetters(vetting, candidates) if vetter is None else None
        figures = {
            "n_accepted": len(settled.accepted),
            "n_disputed": len(settled.disputed),
            "n_not_in_table": len(settled.gone),
        }
        return Exported(report(settled, compared).encode(), figures=figures)
    lines = line_table(
        settled.accepted,
        shipped_lines() if known is None else known,
        candidates.reference,
        unnamed,
        f"features of {candidates.bundle} accepted in vetting",
    )
    written = line_list_text(lines, cast("Code", kind), medium, settled.disputed)
    return Exported(
        # Synthesis codes are older than other alphabets.
        written.text.encode("ascii", "backslashreplace"),
        written.left_out,
        tuple(written.notes),
        counted(lines, settled),
    )

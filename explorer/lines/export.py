"""Decisions as files for others: tables, and line lists for synthesis codes."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from ...core.bundle import Bundle
from ...core.errors import LinesError
from ...core.lines import Candidates
from ...core.vetting import Vetting

TABLES = {"ECSV": ("ecsv", "ecsv"), "VOTable": ("votable", "vot")}
"""Tables by what they are called: format and suffix."""

CODES = {
    "VALD": ("vald", "vald.zip"),
    "MOOG": ("moog", "moog.zip"),
    "Turbospectrum": ("turbospectrum", "turbospectrum.zip"),
}
"""Line lists by what they are called: synthesis code and suffix."""

REPORT = ("Report", "html")
"""What the page with pictures is called, and its suffix."""

ABOUT = {
    "ECSV": "all candidates with all decisions",
    "VOTable": "all candidates with all decisions",
    "VALD": "accepted features as a VALD extract, with what it leaves out",
    "MOOG": "accepted features as a MOOG list, with what it leaves out",
    "Turbospectrum": "accepted features as a Turbospectrum list, with what it leaves out",
    "Report": "accepted features as one page with a picture of each",
}
"""What each holds."""


SUFFIXES = {name: suffix for name, (_, suffix) in (TABLES | CODES).items()} | dict([REPORT])
"""Suffix of the file, by what it is called."""


def export_bytes(name: str, vetting: Vetting, candidates: Candidates, bundle: Bundle) -> bytes:
    """Return the decisions of all vetters as a file.

    Line lists come as a zip file with a second file: what they leave out, and why.

    Parameters
    ----------
    name : str
        One of :data:`SUFFIXES`.
    vetting : Vetting
        The decisions.
    candidates : Candidates
        What they are about.
    bundle : Bundle
        Whose they are; gives the pictures of the report.

    Raises
    ------
    LinesError
        If the decisions are about another bundle.
    """
    if name in TABLES:
        from ...core.vetting.exchange import decision_table, table_bytes

        kind: Any = TABLES[name][0]
        return table_bytes(decision_table(vetting, candidates, which="all"), kind)
    from ...core.linelist.shipped import shipped_lines
    from ...core.vetting.line_table import line_list_text, line_table, settle

    settled = settle(vetting, candidates)
    if name == REPORT[0]:
        from ...core.vetting.agreement import compare_vetters
        from .report import line_report_html

        agreement = compare_vetters(vetting, candidates)
        return line_report_html(bundle, candidates, settled, agreement).encode()
    code: Any = CODES[name][0]
    table = line_table(settled.accepted, shipped_lines(), candidates.reference)
    written = line_list_text(table, code, disputed=settled.disputed)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        notes = "".join(f"# {note}\n" for note in written.notes)
        file.writestr(f"{candidates.bundle}.{code}", written.text)
        file.writestr(f"{candidates.bundle}-left-out.txt", notes + written.left_out)
    return out.getvalue()


def send(vetting: Vetting | None, candidates: Candidates) -> str:
    """Send the accepted features by SAMP, and return in words what became of them.

    Raises
    ------
    LinesError
        If no hub runs on this machine, nobody there takes tables, or nothing is decided.
    """
    if vetting is None:
        raise LinesError("Nothing has been decided yet, so that there is nothing to send.")
    from ...core.vetting.exchange import decision_table
    from ...core.vetting.samp import send_table

    table = decision_table(vetting, candidates, which="accepted")
    sent = send_table(table, f"{candidates.bundle} lines")
    rows = f"{len(table)} row{'s' * (len(table) != 1)}"
    return "; ".join(f"{one.name}: {one.problem or rows}" for one in sent) + "."

"""Candidates and decisions as a table for others: ECSV, VOTable, FITS."""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.io.votable.tree import Info, VOTableFile
from astropy.table import Table

from ..errors import LinesError
from ..lines.candidate import Candidate, Candidates
from ..version import __version__
from .decision import Decision, checked_vetter
from .store import Vetting

Format = Literal["ecsv", "votable", "fits"]
FORMATS: tuple[Format, ...] = get_args(Format)

Which = Literal["accepted", "all"]

CONTENT = "decisions about candidate features"
"""What the tables say that they hold."""

FITS_KEYS = {
    "content": "CONTENT",
    "bundle": "BUNDLE",
    "fingerprint": "FPRINT",
    "medium": "MEDIUM",
    "vetters": "VETTERS",
    "reference": "REFSTAR",
    "spectrabridge": "CREATOR",
}
"""Keywords of FITS headers, by key of the table's metadata."""

_ABOUT = {
    "vetter": "who decided",
    "status": "accepted, rejected, unsure; empty while open",
    "element": "what the vetter says it belongs to; empty if nothing",
    "comment": "in the vetter's words",
    "decided": "time of the decision, UTC",
    "in_table": "whether the table of candidates has this feature",
}


def decision_table(
    vetting: Vetting,
    candidates: Candidates,
    which: Which = "accepted",
    vetter: str | None = None,
) -> Table:
    """Return candidates with what was decided about them, by wavelength.

    A candidate has a row per vetter who said something. Decisions whose candidate is not
    in the table have rows too, with ``in_table`` false and only what was kept with them.

    Parameters
    ----------
    vetting : Vetting
        The decisions.
    candidates : Candidates
        Of the same bundle.
    which : {"accepted", "all"}
        Only accepted ones; or all decisions, and candidates about which nothing is said.
    vetter : str, optional
        Only decisions of this one.

    Returns
    -------
    Table
        With units and, as metadata, bundle, fingerprint, medium and vetters.

    Raises
    ------
    LinesError
        If the candidates are of another bundle, or there is no such vetter.
    """
    require_same_bundle(vetting, candidates)
    if which not in get_args(Which):
        raise LinesError(f"Expected accepted or all decisions; found {which!r}.")
    decisions = vetting.everything()
    if vetter is not None:
        require_vetter(vetting, vetter)
        decisions = [d for d in decisions if d.vetter == checked_vetter(vetter)]
    if which == "accepted":
        decisions = [d for d in decisions if d.status == "accepted"]
    by_id = candidates.by_id()
    said = {d.candidate for d in decisions}
    rows: list[tuple[Candidate | None, Decision]] = [(by_id.get(d.candidate), d) for d in decisions]
    if which == "all":
        rows += [(c, _nothing(c)) for c in candidates if c.id not in said]
    rows.sort(key=lambda r: (r[0].wavelength if r[0] else r[1].wavelength, r[1].vetter))
    found = [c if c is not None else _bare(d) for c, d in rows]
    # Two vetters may have decided on one candidate, so that rows are not candidates.
    table = _table_of(found, candidates)
    for name in ("vetter", "status", "element", "comment"):
        table[name] = np.array([getattr(d, name) for _, d in rows], dtype=np.str_)
    table["decided"] = np.array([d.when for _, d in rows], dtype=np.str_)
    known = np.array([c is not None for c, _ in rows], dtype=bool)
    table["in_table"] = known
    table["kind"][~known] = ""
    table["answer_1"][~known] = ""
    for name, about in _ABOUT.items():
        table[name].info.description = about
    table.meta["vetters"] = sorted({d.vetter for _, d in rows if d.vetter})
    table.meta["content"] = CONTENT
    table.meta["spectrabridge"] = __version__
    return table


def require_same_bundle(vetting: Vetting, candidates: Candidates) -> None:
    """Raise a LinesError if candidates are not of the bundle that decisions are about."""
    if candidates.fingerprint != vetting.fingerprint:
        raise LinesError(
            f"The candidates are of bundle {candidates.bundle} ({candidates.fingerprint[:8]}); "
            f"{vetting.path} is about {vetting.bundle} ({vetting.fingerprint[:8]})."
        )


def require_vetter(vetting: Vetting, vetter: str) -> None:
    """Raise a LinesError if a vetter never decided anything."""
    known = vetting.vetters()
    if checked_vetter(vetter) not in known:
        raise LinesError(
            f"{vetting.path} has no vetter {vetter!r}; it has {', '.join(known) or 'none'}."
        )


def _nothing(c: Candidate) -> Decision:
    return Decision(c.id, c.wavelength, c.low, c.high, "")


def _bare(d: Decision) -> Candidate:
    """Return a stand-in for a candidate of which only the decision is left."""
    unknown = float("nan")
    return Candidate(
        id=d.candidate,
        wavelength=d.wavelength,
        low=d.low,
        high=d.high,
        start=0,
        stop=0,
        peak=0,
        kind="missing",
        emulated=unknown,
        adapted=unknown,
        depth=unknown,
        depth_low=unknown,
        depth_high=unknown,
        width=unknown,
        significance=unknown,
    )


def _table_of(rows: Sequence[Candidate], candidates: Candidates) -> Table:
    """Return the candidates' own table of some rows, some of them perhaps twice."""
    ids = {c.id: c for c in rows}
    whole = Candidates(
        candidates.bundle,
        candidates.fingerprint,
        candidates.reference,
        candidates.settings,
        tuple(ids.values()),
    ).table()
    place = {name: i for i, name in enumerate(ids)}
    table = whole[[place[c.id] for c in rows]] if rows else whole[:0]
    for name in whole.colnames:
        table[name].info.description = whole[name].info.description
    return table


# ---------------------------------------------------------------------- files


def table_bytes(table: Table, kind: Format) -> bytes:
    r"""Return a table of :func:`decision_table` as the content of a file.

    FITS knows ASCII only: other characters and line feeds of comments are written as
    ``\xe9``, ``\u2026`` or ``\n`` there, and backslashes twice.

    Raises
    ------
    LinesError
        If there is no such format.
    """
    if kind == "ecsv":
        text = io.StringIO()
        # A line feed in a cell would break the row for most readers.
        _escaped(table, ascii_only=False).write(text, format="ascii.ecsv")
        return text.getvalue().encode()
    content = io.BytesIO()
    if kind == "votable":
        with warnings.catch_warnings():
            # VOUnits would rather have nanometres; every program knows the angstrom.
            warnings.simplefilter("ignore", units.UnitsWarning)
            _votable(_plain_units(table)).to_xml(content)
        return content.getvalue()
    if kind == "fits":
        _fits(_plain_units(_escaped(table, ascii_only=True))).writeto(content)
        return content.getvalue()
    raise LinesError(f"Tables are written as {', '.join(FORMATS)}; found {kind!r}.")


def write_table(table: Table, path: str | Path, kind: Format) -> None:
    """Write a table to a file; an old one is replaced once the new one is whole.

    Raises
    ------
    LinesError
        If there is no such format.
    """
    path = Path(path)
    content = table_bytes(table, kind)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def _plain_units(table: Table) -> Table:
    """Return a copy without milliangstrom, which neither FITS nor VOTable can name."""
    out = table.copy()
    for name in out.colnames:
        if out[name].unit == units.mAA:
            about = out[name].info.description
            out[name] = np.asarray(out[name]) / 1000 * units.AA
            out[name].info.description = about
    return out


def _votable(table: Table) -> VOTableFile:
    meta = dict(table.meta)
    table.meta.clear()
    file = from_table(table)
    inside = file.get_first_table()
    inside.description = CONTENT
    for key, value in meta.items():
        text = value if isinstance(value, str) else json.dumps(value)
        inside.infos.append(Info(name=key, value=text))
    return file


def _fits(table: Table) -> fits.HDUList:
    meta = dict(table.meta)
    table.meta.clear()
    hdu = fits.table_to_hdu(table)
    hdu.name = "DECISIONS"
    for key, word in FITS_KEYS.items():
        value = meta.get(key, "")
        text = value if isinstance(value, str) else json.dumps(value)
        hdu.header[word] = text.encode("ascii", "backslashreplace").decode()
    return fits.HDUList([fits.PrimaryHDU(), hdu])


def _escaped(table: Table, ascii_only: bool) -> Table:
    out = table.copy()
    for name in ("vetter", "comment"):
        texts = [escape(str(t), ascii_only) for t in out[name]]
        about = out[name].info.description
        out[name] = np.array(texts, dtype=np.str_)
        out[name].info.description = about
    return out


def escape(text: str, ascii_only: bool) -> str:
    """Return a text on one line, and of ASCII if asked for; :func:`unescape` gives it back."""
    text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
    return text.encode("ascii", "backslashreplace").decode() if ascii_only else text


_ESCAPE = re.compile(r"\\(\\|n|t|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_PLAIN = {"\\": "\\", "n": "\n", "t": "\t"}


def unescape(text: str) -> str:
    """Return the text of which :func:`escape` made another one."""

    def one(found: re.Match[str]) -> str:
        code = found.group(1)
        if code in _PLAIN:
            return _PLAIN[code]
        number = int(code[1:], 16)
        return chr(number) if number <= 0x10FFFF else found.group(0)

    return _ESCAPE.sub(one, text)

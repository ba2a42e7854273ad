"""Candidates with the decisions about them, as one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from astropy.table import Table

from ..errors import LinesError
from ..lines.candidate import Candidate, Candidates
from ..version import __version__
from .decision import Decision, checked_vetter
from .store import Vetting

Which = Literal["accepted", "all"]

CONTENT = "decisions about candidate features"
"""What the tables say that they hold."""

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

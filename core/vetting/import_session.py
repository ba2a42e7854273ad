"""Decisions of an earlier session, brought into a vetting file.

Ids of candidates belong to a bundle's weights. Where those are others, features can only be
told by wavelength, and only if the caller says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..errors import LinesError
from ..lines.candidate import Candidate, Candidates
from .decision import Decision
from .decision_table import require_same_bundle
from .previous_session import Session
from .store import Vetting

Match = Literal["id", "wavelength"]


@dataclass(frozen=True)
class Imported:
    """What became of every decision of a session.

    Parameters
    ----------
    written : tuple of Decision
        Those that count here now.
    same : tuple of Decision
        Those that were said here already.
    kept : tuple of Decision
        Those that were not taken, because their vetter says something else here.
    ambiguous : tuple of Decision
        Those that fit several candidates, or share one with another decision.
    lost : tuple of Decision
        Those that fit no candidate.
    """

    written: tuple[Decision, ...]
    same: tuple[Decision, ...]
    kept: tuple[Decision, ...]
    ambiguous: tuple[Decision, ...]
    lost: tuple[Decision, ...]

    @property
    def n_matched(self) -> int:
        """Decisions whose feature was found."""
        return len(self.written) + len(self.same) + len(self.kept)


def import_session(
    vetting: Vetting,
    session: Session,
    candidates: Candidates,
    match: Match = "id",
    replace_existing: bool = False,
) -> Imported:
    """Bring the decisions of a session into a vetting file.

    Parameters
    ----------
    vetting : Vetting
        Where to.
    session : Session
        What to bring.
    candidates : Candidates
        Of the bundle that `vetting` is about.
    match : {"id", "wavelength"}
        How features are told: by id, which needs the same bundle; or by wavelength, where
        ids do not help: the centre of one within the extent of the other, if there is
        only one such candidate and no other decision of the same vetter that fits it.
    replace_existing : bool
        Let them count more than what the same vetter says here already.

    Returns
    -------
    Imported
        Every decision of the session, in one of its lists.

    Raises
    ------
    LinesError
        If `match` is ``id`` and the session is about another bundle or has no ids; then
        nothing is written.
    """
    require_same_bundle(vetting, candidates)
    if match not in ("id", "wavelength"):
        raise LinesError(f"Features are matched by id or by wavelength; found {match!r}.")
    same_bundle = session.fingerprint == vetting.fingerprint
    if match == "id" and not same_bundle:
        of = f"about bundle {session.bundle} ({session.fingerprint[:8]})"
        known = of if session.fingerprint else "about a bundle that it does not name"
        raise LinesError(
            f"{session.name} is {known}, not about {vetting.bundle} ({vetting.fingerprint[:8]}), "
            "so its ids mean nothing here. Ask for features to be matched by wavelength if that is "
            "meant."
        )
    if match == "id" and any(not d.candidate for d in session.decisions):
        raise LinesError(
            f"{session.name} has rows without ids. Ask for features to be matched by wavelength."
        )
    by_id = candidates.by_id()
    matched: list[tuple[Decision, Candidate]] = []
    rest: list[Decision] = []
    for d in session.decisions:
        own = by_id.get(d.candidate) if same_bundle else None
        if own is not None:
            matched.append((d, own))
        else:
            rest.append(d)
    ambiguous: list[Decision] = []
    lost = rest
    if match == "wavelength":
        taken = {(d.vetter, c.id) for d, c in matched}
        found, ambiguous, lost = match_wavelengths(rest, candidates, taken)
        matched += found
    new = [_moved(d, c) for d, c in matched]
    outcomes = vetting.record(new, replace_existing=replace_existing)
    lists: dict[str, list[Decision]] = {"written": [], "same": [], "kept": []}
    for d, outcome in zip(new, outcomes, strict=True):
        lists[outcome].append(d)
    return Imported(
        tuple(lists["written"]),
        tuple(lists["same"]),
        tuple(lists["kept"]),
        tuple(ambiguous),
        tuple(lost),
    )


def _moved(d: Decision, c: Candidate) -> Decision:
    return replace(d, candidate=c.id, wavelength=c.wavelength, low=c.low, high=c.high)


def match_wavelengths(
    decisions: Iterable[Decision],
    candidates: Sequence[Candidate],
    taken: Iterable[tuple[str, str]] = (),
) -> tuple[list[tuple[Decision, Candidate]], list[Decision], list[Decision]]:
    """Tell features by wavelength.

    Parameters
    ----------
    decisions : iterable of Decision
        What to match.
    candidates : sequence of Candidate
        To what.
    taken : iterable of (str, str)
        Pairs of vetter and candidate id that are decided otherwise.

    Returns
    -------
    matched : list of (Decision, Candidate)
        Each fits the other only.
    ambiguous : list of Decision
        Those that fit several candidates, or one that another decision fits too.
    lost : list of Decision
        Those that fit none.
    """
    centre = np.array([c.wavelength for c in candidates])
    low = np.array([c.low for c in candidates])
    high = np.array([c.high for c in candidates])
    fits_: list[tuple[Decision, list[Candidate]]] = []
    claims: dict[tuple[str, str], int] = dict.fromkeys(taken, 1)
    for d in decisions:
        # Comparisons with NaN, where there is no extent, are false.
        here = (low <= d.wavelength) & (d.wavelength <= high)
        here |= (d.low <= centre) & (centre <= d.high)
        some = [candidates[int(i)] for i in np.flatnonzero(here)]
        fits_.append((d, some))
        for c in some:
            claims[d.vetter, c.id] = claims.get((d.vetter, c.id), 0) + 1
    matched, ambiguous, lost = [], [], []
    for d, some in fits_:
        if not some:
            lost.append(d)
        elif len(some) == 1 and claims[d.vetter, some[0].id] == 1:
            matched.append((d, some[0]))
        else:
            ambiguous.append(d)
    return matched, ambiguous, lost

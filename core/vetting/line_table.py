"""Accepted features as lines of a list that synthesis codes read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import LinesError
from ..linelist import LineList, Species, Written, moog_text, turbospectrum_text, vald_text
from ..lines.candidate import PAIRS, UNDECIDED, Candidate, Candidates, NearLine
from ..lines.known_lines import lines_for
from ..spectra.wavelength import Medium, vacuum_to_air
from .decision import Decision, checked_vetter
from .decision_table import require_same_bundle, require_vetter
from .store import Vetting

Code = Literal["vald", "moog", "turbospectrum"]
CODES: tuple[Code, ...] = get_args(Code)

Unnamed = Literal["likeliest", "leave out"]

KNOWN_LINE_WINDOW_ANGSTROM = 0.3
"""How far a known line may lie from a feature to lend it its species and data, angstrom."""

NO_LINES = {
    "broad": "broad: wider than one line, so a blend, wings or the continuum",
    "changes sign": "changes sign: too weak in some stars and too strong in others",
}
"""Kinds of features that no line of a list stands for, with the reason."""

MAX_CHANGE_DEX = 1.0
"""A log gf is changed by at most so much without a fit."""

SAME_LINE_ANGSTROM = 0.005
"""How far two entries of line lists may lie apart and be one line, angstrom."""


@dataclass(frozen=True)
class Settled:
    """Accepted features with the decision that holds for each.

    Parameters
    ----------
    accepted : tuple of (Candidate, Decision)
        By wavelength.
    disputed : tuple of Candidate
        Accepted by one vetter and rejected by another.
    gone : tuple of Decision
        Accepted, but not in the table of candidates.
    vetters : tuple of str
        Who accepted something.
    """

    accepted: tuple[tuple[Candidate, Decision], ...]
    disputed: tuple[Candidate, ...] = ()
    gone: tuple[Decision, ...] = ()
    vetters: tuple[str, ...] = ()


def settle(vetting: Vetting, candidates: Candidates, vetter: str | None = None) -> Settled:
    """Return the accepted features, by one vetter or by all of them.

    With several vetters a feature is accepted if somebody accepts and nobody rejects it. Its
    element is what most of those who accept it say, the newest word first where as many
    say another; comments are joined.

    Raises
    ------
    LinesError
        If the candidates are of another bundle, or there is no such vetter.
    """
    require_same_bundle(vetting, candidates)
    decisions = vetting.everything()
    if vetter is not None:
        require_vetter(vetting, vetter)
        decisions = [d for d in decisions if d.vetter == checked_vetter(vetter)]
    by_feature: dict[str, list[Decision]] = {}
    for d in decisions:
        by_feature.setdefault(d.candidate, []).append(d)
    by_id = candidates.by_id()
    accepted, disputed, gone = [], [], []
    for name, said in by_feature.items():
        yes = [d for d in said if d.status == "accepted"]
        if not yes:
            continue
        candidate = by_id.get(name)
        if candidate is None:
            gone += yes
        elif any(d.status == "rejected" for d in said):
            disputed.append(candidate)
        else:
            accepted.append((candidate, _joined(yes)))
    accepted.sort(key=lambda pair: pair[0].wavelength)
    disputed.sort(key=lambda c: c.wavelength)
    vetters = tuple(sorted({d.vetter for d in decisions if d.status == "accepted"}))
    return Settled(tuple(accepted), tuple(disputed), tuple(gone), vetters)


def _joined(said: Sequence[Decision]) -> Decision:
    if len(said) == 1:
        return said[0]
    newest = sorted(said, key=lambda d: d.when, reverse=True)
    counts = Counter(d.element for d in newest if d.element)
    element = counts.most_common(1)[0][0] if counts else ""
    comments = "; ".join(f"{d.vetter}: {d.comment}" for d in said if d.comment)
    vetters = ", ".join(d.vetter for d in said)
    return replace(newest[0], element=element, comment=comments, vetter=vetters)


@dataclass(frozen=True)
class LineTable:
    """Lines for synthesis codes.

    Parameters
    ----------
    lines : LineList
        Known lines with what changes about them, and new ones. log gf is NaN where it has
        to be fitted first: no line lends its strength to another.
    comments : tuple of str
        Of each line: where its data come from, and the vetter's words.
    left_out : tuple of (Candidate, str)
        Accepted features that name no species, with the reason.
    """

    lines: LineList
    comments: tuple[str, ...]
    left_out: tuple[tuple[Candidate, str], ...]


def line_table(
    accepted: Sequence[tuple[Candidate, Decision]],
    known: LineList | None = None,
    reference: Mapping[str, float] | None = None,
    unnamed: Unnamed = "likeliest",
    source: str = "features accepted in vetting",
) -> LineTable:
    """Return accepted features as lines that can be merged with the list they were found with.

    What becomes of a feature follows from its kind and from the nearest known line of its
    element or molecule within 0.3 angstrom:

    - too weak, too strong: that line, at its own wavelength, with a changed log gf;
    - shifted: that line, at its new wavelength;
    - changes sign, broad: none; no line does that;
    - missing: a new line at the feature's wavelength whose log gf and excitation energy are
      unknown, with the species of that line, else neutral.

    A known line is changed once: further features that it stands for are left out by name, as
    is what has to change and has no known line.

    Parameters
    ----------
    accepted : sequence of (Candidate, Decision)
        See :func:`settle`.
    known : LineList, optional
        List that the candidates' known lines are from, without isotopes' fractions. What
        is found again there also lends its isotopes and damping; the candidates' own log
        gf may hold fractions, which synthesis codes apply themselves.
    reference : mapping, optional
        Labels of the candidates' reference star, whose 12C/13C is in their log gf.
    unnamed : {"likeliest", "leave out"}
        What to do with features accepted without an element: take the likeliest answer
        and say so in the comment, or leave them out.
    source : str
        Where the list is from.
    """
    rows: list[_Row] = []
    left_out = []
    book = None if known is None else _Book(known, lines_for(reference or {}, known).loggf)
    changed: dict[NearLine, Candidate] = {}
    for candidate, decision in sorted(accepted, key=lambda pair: pair[0].wavelength):
        element, chosen = decision.element, True
        if not element and unnamed == "likeliest":
            element, chosen = candidate.best, False
        tail = f"; {decision.comment}" * bool(decision.comment)
        if element in UNDECIDED or not element:
            reason = f"said to be {element}" if element else "no element was named"
            left_out.append((candidate, reason + tail))
            continue
        if candidate.kind in NO_LINES:
            left_out.append((candidate, f"{NO_LINES[candidate.kind]}{tail}"))
            continue
        near = nearest_known(candidate, element)
        if near is None and candidate.kind != "missing":
            window = f"{KNOWN_LINE_WINDOW_ANGSTROM} A"
            reason = f"{candidate.kind}, but no known line of {element} within {window} to change"
            left_out.append((candidate, reason + tail))
            continue
        if near in changed and candidate.kind != "missing":
            first = changed[near]
            left_out.append(
                (candidate, f"its line is that of the feature at {first.wavelength:.2f} A{tail}")
            )
            continue
        if near is not None and candidate.kind != "missing":
            changed[near] = candidate
        rows.append(_row(candidate, decision, element, chosen, near, book))
    # Comments stay with their lines: a line list is in order of wavelength.
    rows.sort(key=lambda r: r.wavelength)
    return LineTable(_line_list(rows, source), tuple(r.comment for r in rows), tuple(left_out))


@dataclass(frozen=True)
class _Book:
    """Known lines, with the log gf that the candidates have of them."""

    lines: LineList
    in_star: NDArray[np.float64]

    def find(self, near: NearLine) -> int | None:
        """Return which line of the list a candidate's known line is, None if none."""
        ends = [near.wavelength - SAME_LINE_ANGSTROM, near.wavelength + SAME_LINE_ANGSTROM]
        start, stop = np.searchsorted(self.lines.wl_vac, ends)
        here = np.arange(start, stop)
        alike = np.abs(self.lines.ep[here] - near.ep) < 0.01
        here = here[alike & (self.lines.species[here] == near.species)]
        if not here.size:
            return None
        # Isotopologues and doublets lie close to each other.
        off = np.abs(self.in_star[here] - near.loggf)
        off += 10 * np.abs(self.lines.wl_vac[here] - near.wavelength)
        return int(here[np.argmin(off)])


@dataclass(frozen=True)
class _Row:
    species: str
    wavelength: float
    comment: str
    loggf: float = float("nan")
    ep: float = float("nan")
    isotopologue: str = ""
    gamma_rad: float = 0.0
    gamma_stark: float = 0.0
    vdw: float = 0.0


def _line_list(rows: Sequence[_Row], source: str) -> LineList:
    """Return rows as a line list."""
    return LineList(
        species=np.array([r.species for r in rows], dtype=np.str_),
        wl_vac=np.array([r.wavelength for r in rows], dtype=float),
        loggf=np.array([r.loggf for r in rows], dtype=float),
        ep=np.array([r.ep for r in rows], dtype=float),
        isotopologue=np.array([r.isotopologue for r in rows], dtype=np.str_),
        gamma_rad=np.array([r.gamma_rad for r in rows], dtype=float),
        gamma_stark=np.array([r.gamma_stark for r in rows], dtype=float),
        vdw=np.array([r.vdw for r in rows], dtype=float),
        source=source,
    )


def nearest_known(candidate: Candidate, element: str) -> NearLine | None:
    """Return the known line of an element or molecule nearest to a feature, within 0.3 A."""
    wanted = PAIRS.get(element) is not None
    some = [
        n
        for n in candidate.near
        if abs(n.wavelength - candidate.wavelength) <= KNOWN_LINE_WINDOW_ANGSTROM
        and Species.parse(n.species).formula == element
        and Species.parse(n.species).is_molecule == wanted
    ]
    return min(some, key=lambda n: abs(n.wavelength - candidate.wavelength), default=None)


def _row(
    candidate: Candidate,
    decision: Decision,
    element: str,
    chosen: bool,
    near: NearLine | None,
    book: _Book | None,
) -> _Row:
    """Return the line of a feature: a new one, or a known one with what changes about it."""
    words = [f"{candidate.kind} in the model"]
    words += [] if chosen else [f"{element} is the likeliest answer, chosen by nobody"]
    tail = [decision.comment] if decision.comment else []
    if near is None:
        words.append(f"no known line within {KNOWN_LINE_WINDOW_ANGSTROM} A")
        if element not in PAIRS:
            words.append("ionisation not known, taken as neutral")
        return _Row(f"{element} 1", candidate.wavelength, "; ".join([*words, *tail]))
    offset = near.wavelength - candidate.wavelength
    if candidate.kind == "missing":
        # A known line lends no strength: the model has it, and lacks the feature all the same.
        words.append(
            f"the known line at {offset:+.3f} A has log gf {near.loggf:.3f}, EP {near.ep:.3f} eV"
        )
        return _Row(near.species, candidate.wavelength, "; ".join([*words, *tail]))
    row = _known_row(near, book)
    if (book is None or book.find(near) is None) and Species.parse(near.species).is_molecule:
        words.append("isotopes not known, their fraction may be in log gf")
    if candidate.kind == "shifted":
        row, word = _shifted(row, candidate)
    else:
        row, word = _rescaled(row, candidate)
    return replace(row, comment="; ".join([*words, word, *tail]))


def _known_row(near: NearLine, book: _Book | None) -> _Row:
    """Return a known line as its list has it."""
    row = _Row(near.species, near.wavelength, "", near.loggf, near.ep)
    again = None if book is None else book.find(near)
    if again is None or book is None:
        return row
    known = book.lines
    return replace(
        row,
        wavelength=float(known.wl_vac[again]),
        loggf=float(known.loggf[again]),
        isotopologue=str(known.isotopologue[again]),
        gamma_rad=float(known.gamma_rad[again]),
        gamma_stark=float(known.gamma_stark[again]),
        vdw=float(known.vdw[again]),
    )


def _rescaled(row: _Row, candidate: Candidate) -> tuple[_Row, str]:
    """Return a line whose log gf is changed by the ratio of depths, and a word on that.

    Depths grow like gf where lines are weak; of strong lines the change is too small. It is a
    first estimate, to be replaced by a fit.
    """
    depths = candidate.emulated, candidate.adapted
    if min(depths) <= 0:
        return replace(row, loggf=float("nan")), (
            f"log gf {row.loggf:.3f} has to change, by what the depths {depths[1]:.3f} and "
            f"{depths[0]:.3f} do not tell"
        )
    change = float(np.clip(np.log10(depths[1] / depths[0]), -MAX_CHANGE_DEX, MAX_CHANGE_DEX))
    return replace(row, loggf=row.loggf + change), (
        f"log gf {row.loggf:.3f} changed by {change:+.3f}, a first estimate from depths of "
        f"{depths[1]:.3f} and {depths[0]:.3f}"
    )


def _shifted(row: _Row, candidate: Candidate) -> tuple[_Row, str]:
    """Return a line at its new wavelength, and a word on the old one."""
    if candidate.shift is None:
        return replace(row, loggf=float("nan")), (
            "by how much is not in the table of candidates; find them again with lines --store"
        )
    return replace(row, wavelength=row.wavelength + candidate.shift), (
        f"wavelength {row.wavelength:.4f} A (vacuum) changed by {candidate.shift:+.4f} A"
    )


def line_list_text(
    table: LineTable, code: Code, medium: Medium = "air", disputed: Sequence[Candidate] = ()
) -> Written:
    """Return lines in the format of a synthesis code.

    Lines whose log gf or excitation energy is not known cannot be read by a code; they
    are listed beside with the reason, as are features that name no species or are
    disputed.

    Raises
    ------
    LinesError
        If there is no such format.
    """
    comments = list(table.comments)
    if code == "vald":
        written = vald_text(table.lines, comments, medium=medium, unknown="comment")
    elif code == "moog":
        written = moog_text(table.lines, comments, medium=medium, unknown="comment")
    elif code == "turbospectrum":
        written = turbospectrum_text(table.lines, comments, medium=medium, unknown="comment")
    else:
        raise LinesError(f"Line lists are written for {', '.join(CODES)}; found {code!r}.")
    more = [*table.left_out, *((c, "accepted and rejected by different vetters") for c in disputed)]
    if not more:
        return written
    rows = [f"# Accepted features that name no species. Angstrom in {medium}."]
    for candidate, reason in sorted(more, key=lambda pair: pair[0].wavelength):
        wavelength = candidate.wavelength
        if medium == "air":
            wavelength = float(vacuum_to_air(wavelength))
        answers = ", ".join(f"{a.name} {a.probability:.2f}" for a in candidate.answers[:3])
        plain = " ".join(reason.split())
        rows.append(f"# {wavelength:12.4f}  {'?':10s}  {plain}; answers {answers or 'none'}")
    notes = (*written.notes, f"{len(more)} features name no species; they are listed beside.")
    return replace(written, left_out=written.left_out + "\n".join(rows) + "\n", notes=notes)


def counted(table: LineTable, settled: Settled) -> Mapping[str, int]:
    """Return how many features became what, for a report."""
    whole = np.isfinite(table.lines.loggf) & np.isfinite(table.lines.ep)
    return {
        "n_accepted": len(settled.accepted),
        "n_lines": int(whole.sum()),
        "n_without_data": int((~whole).sum()),
        "n_without_species": len(table.left_out),
        "n_disputed": len(settled.disputed),
        "n_not_in_table": len(settled.gone),
    }

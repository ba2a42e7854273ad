"""Decisions whose feature is not in a table of candidates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..lines.candidate import Candidate
from .decision import Decision


@dataclass(frozen=True)
class Orphan:
    """A decision whose candidate is not in a table.

    Parameters
    ----------
    decision : Decision
        What was decided.
    nearest : Candidate or None
        The nearest candidate whose centre lies in the extent of the decision's feature. It is
        a suggestion: nothing is said about that one.
    """

    decision: Decision
    nearest: Candidate | None


def nearest_within(decision: Decision, candidates: Iterable[Candidate]) -> Candidate | None:
    """Return the candidate nearest to a decision's wavelength, centred within its extent."""
    inside = [c for c in candidates if decision.low <= c.wavelength <= decision.high]
    return min(inside, key=lambda c: abs(c.wavelength - decision.wavelength), default=None)

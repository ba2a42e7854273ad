"""Agreement between vetters beyond what chance would bring.

Cohen's kappa (Cohen 1960, Educational and Psychological Measurement 20, 37, equation 1) is
``(p_o - p_e) / (1 - p_e)``: `p_o` the part of features on which two vetters agree, `p_e` the part
on which they would if each drew from its own frequencies. More than two vetters are summed up by
the mean over pairs (Light 1971, Psychological Bulletin 76, 365).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np

from ..lines.candidate import Candidate
from .decision import STATUSES, Decision
from .store import Vetting

Aspect = Literal["status", "element"]


@dataclass(frozen=True)
class Agreement:
    """How far two vetters agree on one aspect of the features both decided.

    Parameters
    ----------
    vetters : pair of str
        The first gives the rows of `table`, the second the columns.
    aspect : str
        ``status`` or ``element``.
    categories : tuple of str
        What either said.
    table : tuple of tuple of int
        How often the first said one thing and the second another.
    """

    vetters: tuple[str, str]
    aspect: Aspect
    categories: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]

    @property
    def n(self) -> int:
        """Features that both decided."""
        return sum(map(sum, self.table))

    @property
    def n_agreed(self) -> int:
        """Features on which they agree."""
        return sum(row[i] for i, row in enumerate(self.table))

    @property
    def kappa(self) -> float:
        """Cohen's kappa; NaN where it is not defined, see :attr:`words`."""
        size = len(self.categories)
        counts = np.array(self.table, dtype=float).reshape(size, size)
        n = float(counts.sum())
        if not n:
            return math.nan
        chance = float(counts.sum(1) @ counts.sum(0)) / n**2
        # Exactly 1 only if both said one and the same thing throughout.
        if chance >= 1:
            return math.nan
        return (float(np.trace(counts)) / n - chance) / (1 - chance)

    @property
    def words(self) -> str:
        """The result as a sentence."""
        first, second = self.vetters
        if not self.n:
            what = "status" if self.aspect == "status" else "element"
            return f"{first} and {second} have not both given a feature the {what} yet."
        agreed = f"{first} and {second} agree on the {self.aspect} of {self.n_agreed} of {self.n}"
        if math.isnan(self.kappa):
            return (
                f"{agreed}; kappa is not defined, because both said {self.categories[0]!r} "
                "throughout."
            )
        return f"{agreed}; kappa {self.kappa:.2f}."

    def as_json(self) -> dict[str, Any]:
        """Return figures that JSON can hold; kappa is None where it is not defined."""
        return {
            "vetters": list(self.vetters),
            "aspect": self.aspect,
            "n": self.n,
            "n_agreed": self.n_agreed,
            "kappa": None if math.isnan(self.kappa) else self.kappa,
            "categories": list(self.categories),
            "table": [list(row) for row in self.table],
            "words": self.words,
        }


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Return Cohen's kappa of two rows of categories, NaN if it is not defined.

    Raises
    ------
    ValueError
        If the rows differ in length.

    Examples
    --------
    >>> first = ["accepted", "accepted", "rejected"]
    >>> round(cohen_kappa(first, ["accepted", "rejected", "rejected"]), 2)
    0.4
    """
    return _compare(("first", "second"), "status", list(zip(first, second, strict=True))).kappa


def compare(
    first: Mapping[str, Decision],
    second: Mapping[str, Decision],
    vetters: tuple[str, str],
    aspect: Aspect,
    candidates: Iterable[Candidate] | None = None,
) -> Agreement:
    """Return how far two vetters agree on what both gave a status, or an element.

    Parameters
    ----------
    first, second : mapping
        Decisions by candidate id.
    vetters : pair of str
        Their names.
    aspect : str
        ``status`` or ``element``.
    candidates : iterable of Candidate, optional
        Count these only.
    """
    shared = set(first) & set(second)
    if candidates is not None:
        shared &= {c.id for c in candidates}
    said = [(getattr(first[i], aspect), getattr(second[i], aspect)) for i in sorted(shared)]
    return _compare(vetters, aspect, [(a, b) for a, b in said if a and b])


def _compare(vetters: tuple[str, str], aspect: Aspect, said: list[tuple[str, str]]) -> Agreement:
    found = {word for pair in said for word in pair}
    ordered = [s for s in STATUSES if s in found] if found <= set(STATUSES) else sorted(found)
    place = {word: i for i, word in enumerate(ordered)}
    counts = np.zeros((len(ordered), len(ordered)), dtype=int)
    for a, b in said:
        counts[place[a], place[b]] += 1
    table = tuple(tuple(int(v) for v in row) for row in counts)
    return Agreement(vetters, aspect, tuple(ordered), table)


@dataclass(frozen=True)
class Comparison:
    """Agreement of all pairs of vetters."""

    status: tuple[Agreement, ...]
    element: tuple[Agreement, ...]

    def mean_kappa(self, aspect: Aspect) -> float:
        """Return the mean kappa over pairs for which it is defined; NaN if there is none."""
        kappas = [a.kappa for a in getattr(self, aspect) if not math.isnan(a.kappa)]
        return sum(kappas) / len(kappas) if kappas else math.nan

    def as_json(self) -> dict[str, Any]:
        """Return figures that JSON can hold."""
        out: dict[str, Any] = {}
        aspects: tuple[Aspect, ...] = ("status", "element")
        for aspect in aspects:
            mean = self.mean_kappa(aspect)
            out[aspect] = {
                "mean_kappa": None if math.isnan(mean) else mean,
                "pairs": [a.as_json() for a in getattr(self, aspect)],
            }
        return out


def compare_vetters(
    vetting: Vetting,
    candidates: Iterable[Candidate] | None = None,
    vetters: Sequence[str] | None = None,
) -> Comparison:
    """Return the agreement of every pair of vetters, on status and on element.

    Parameters
    ----------
    vetting : Vetting
        Their decisions.
    candidates : iterable of Candidate, optional
        Count these only; otherwise whatever both decided.
    vetters : sequence of str, optional
        Compare these only.
    """
    rows = None if candidates is None else list(candidates)
    names = list(vetters) if vetters is not None else vetting.vetters()
    decisions = {name: vetting.decisions(name) for name in names}

    def pairs(aspect: Aspect) -> tuple[Agreement, ...]:
        return tuple(
            compare(decisions[a], decisions[b], (a, b), aspect, rows)
            for a, b in combinations(names, 2)
        )

    return Comparison(pairs("status"), pairs("element"))

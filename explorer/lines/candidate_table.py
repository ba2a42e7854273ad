"""Candidate features as rows of a table, and which of them are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...core.lines import KINDS, Candidate
from ...core.spectra.wavelength import convert
from ...core.vetting import Decision
from ..figures.wavelength_axis import DIGITS, UNIT_SYMBOLS
from ..widgets.data_table import Column, Row

OPEN = "open"
"""What the status of a feature is called about which nobody has decided."""

STATUS_ORDER = (OPEN, "accepted", "unsure", "rejected")
"""Names of statuses, in the order in which a table sorts them."""

ANY = ""
"""Choice of a filter that lets all pass."""

Decisions = Mapping[str, Decision]


def status_of(decision: Decision | None) -> str:
    """Return what a status is called."""
    return (decision.status if decision is not None else "") or OPEN


def element_of(candidate: Candidate, decision: Decision | None) -> str:
    """Return what a vetter says a feature belongs to, or else the likeliest answer."""
    return (decision.element if decision is not None else "") or candidate.best


@dataclass(frozen=True)
class Filters:
    """Which candidates are wanted.

    Parameters
    ----------
    element, kind, status : str
        What they must be; empty for any.
    least : float
        Least significance.
    """

    element: str = ANY
    kind: str = ANY
    status: str = ANY
    least: float = 0.0

    def keep(self, candidate: Candidate, decision: Decision | None) -> bool:
        """Tell whether a candidate is wanted."""
        return (
            self.element in (ANY, element_of(candidate, decision))
            and self.kind in (ANY, candidate.kind)
            and self.status in (ANY, status_of(decision))
            and not candidate.significance < self.least
        )


def filter_options(
    candidates: Sequence[Candidate], decisions: Decisions
) -> dict[str, list[tuple[str, str]]]:
    """Return keys and titles of what can be chosen in each filter."""
    elements = sorted({element_of(c, decisions.get(c.id)) for c in candidates})
    kinds = [k for k in KINDS if any(c.kind == k for c in candidates)]
    return {
        "element": [(ANY, "any element"), *((e, e) for e in elements)],
        "kind": [(ANY, "any kind"), *((k, k) for k in kinds)],
        "status": [(ANY, "any status"), *((s, s) for s in STATUS_ORDER)],
    }


def candidate_columns(unit: str, medium: str) -> list[Column]:
    """Return the columns of the table.

    Parameters
    ----------
    unit, medium : str
        Of the wavelengths.
    """

    def column(title: str, about: str, number: bool = True) -> Column:
        return Column(title=title, group="", number=number, about=about, colour="")

    symbol = UNIT_SYMBOLS[unit]
    return [
        column(f"{medium} {symbol}", f"Centre, {medium} wavelength in {symbol}"),
        column("element", "Your choice, or else the likeliest answer", number=False),
        column("prob.", "Probability of this answer, by the spectra alone"),
        column("kind", "What the simulator does with it", number=False),
        column("depth", "Adapted minus emulated depth in the reference star"),
        column("EW", "Adapted minus emulated equivalent width in the reference star, m\u00c5"),
        column("signif.", "Depth in units of the adaptation's own noise"),
        column("nearest strong line", "Strongest known line near it, and how far", number=False),
        column("status", "What you have decided", number=False),
    ]


def candidate_rows(
    candidates: Sequence[Candidate],
    decisions: Decisions,
    filters: Filters,
    unit: str,
    medium: str,
) -> list[Row]:
    """Return a row for each candidate that is wanted, by wavelength.

    Values to sort by are numbers in every column, so that Python sorts like the browser.
    """
    wanted = [c for c in candidates if filters.keep(c, decisions.get(c.id))]
    names = sorted({element_of(c, decisions.get(c.id)) for c in wanted})
    rank = {name: i for i, name in enumerate(names)}
    wavelengths = convert([c.wavelength for c in wanted], unit, medium)
    rows = []
    for candidate, wavelength in zip(wanted, wavelengths, strict=True):
        decision = decisions.get(candidate.id)
        status, element = status_of(decision), element_of(candidate, decision)
        chosen = decision is not None and bool(decision.element)
        given = {a.name: a.probability for a in candidate.answers}
        probability = given.get(element)
        rows.append(
            Row(
                key=candidate.id,
                cells=[
                    [f"{wavelength:.{DIGITS[unit]}f}", candidate.wavelength, ""],
                    [
                        element,
                        rank[element],
                        "chosen by you" if chosen else "the likeliest answer",
                    ],
                    ["" if probability is None else f"{probability:.2f}", probability, ""],
                    [candidate.kind, KINDS.index(candidate.kind), ""],
                    [f"{candidate.depth:.3f}".replace("-", "\u2212"), candidate.depth, ""],
                    [f"{candidate.width:.0f}".replace("-", "\u2212"), candidate.width, ""],
                    [f"{candidate.significance:.1f}", candidate.significance, ""],
                    _near(candidate),
                    [
                        status + (" \u270e" if decision is not None and decision.comment else ""),
                        STATUS_ORDER.index(status),
                        decision.comment if decision is not None else "",
                    ],
                ],
                mark="quiet" if status == "rejected" else "",
            )
        )
    return rows


def _near(candidate: Candidate) -> list[str | float | None]:
    """Return a cell with the strongest known line near a candidate, and how far it is."""
    if not candidate.near:
        return ["none known", None, "No known line near it"]
    line = candidate.near[0]
    away = line.wavelength - candidate.wavelength
    name = species_title(line.species)
    about = f"{name} {line.wavelength:.2f} (vacuum), log gf {line.loggf:.2f}, EP {line.ep:.2f} eV"
    return [f"{name}  {away:+.2f} \u00c5".replace("-", "\u2212"), abs(away), about]


def species_title(name: str) -> str:
    """Return a species for people: ``Fe I`` for ``Fe 1``, ``CN`` for ``CN 1``."""
    from ...core.linelist.species import Species

    return Species.parse(name).title


def next_open(order: Sequence[str], decisions: Decisions, after: int) -> str | None:
    """Return the first key without a status after a place, from the top again at the end.

    Parameters
    ----------
    order : sequence of str
        Keys as they are shown.
    decisions : mapping
        By key.
    after : int
        Place of the one just decided; -1 to begin at the top.
    """
    turned = [*order[after + 1 :], *order[: max(after, 0)]]
    return next((key for key in turned if status_of(decisions.get(key)) == OPEN), None)

"""What the Lines page says in words: of a candidate, of the progress, of other vetters."""

from __future__ import annotations

import html
import math
from typing import Any

from ...core.lines import Candidate
from ...core.spectra.wavelength import convert
from ...core.vetting import Decision
from ..figures.theme import OTHER_ELEMENT, element_colour
from ..figures.wavelength_axis import DIGITS, UNIT_SYMBOLS
from ..state.view_state import ViewState
from .candidate_table import OPEN, species_title, status_of
from .reference_star import answer_colours
from .vetting_session import VettingSession

MAX_ANSWERS = 5
"""How many answers can be chosen by a key."""

MAX_NAMED_LINES = 3
"""How many known lines are named."""


def candidate_card(
    candidate: Candidate | None, decision: Decision | None, state: ViewState, measured: str = ""
) -> dict[str, Any]:
    """Return what :class:`~.vetting_panel.VettingPanel` shows of a candidate.

    `measured` is what was measured of it on an observed star, in words.
    """
    if candidate is None:
        return {}
    at = float(convert(candidate.wavelength, state.unit, state.medium))
    where = f"{at:.{DIGITS[state.unit]}f} {UNIT_SYMBOLS[state.unit]}"
    status = status_of(decision)
    return {
        "id": candidate.id,
        "title": f"{where}, {candidate.kind}",
        "status": "" if status == OPEN else status,
        "facts": [*_facts(candidate), *([measured] if measured else [])],
        "answers": [
            [a.name, float(a.probability), [_colour(e) for e in answer_colours(a.name)]]
            for a in candidate.answers[:MAX_ANSWERS]
        ],
        "element": decision.element if decision is not None else "",
        "comment": decision.comment if decision is not None else "",
    }


def undone_words(
    before: Decision | None, after: Decision, candidate: Candidate, state: ViewState
) -> str:
    """Return what was taken back of a candidate, and what counts again."""
    at = float(convert(candidate.wavelength, state.unit, state.medium))
    where = f"{at:.{DIGITS[state.unit]}f} {UNIT_SYMBOLS[state.unit]}"
    was, now = status_of(before), status_of(after)
    if was != now:
        return f"Undone: {was} at {where}, now {now}."
    return f"Undone: words about {where}."


def _colour(name: str) -> str:
    return element_colour(name) or OTHER_ELEMENT


def _facts(candidate: Candidate) -> list[str]:
    c = candidate
    near = ", ".join(
        f"{species_title(line.species)} {line.wavelength - c.wavelength:+.2f}"
        for line in c.near[:MAX_NAMED_LINES]
    )
    lines = [
        f"depth {c.depth:.3f} ({c.depth_low:.3f} to {c.depth_high:.3f} over stars)",
        f"{c.significance:.1f} \u03c3, equivalent width {c.width:+.0f} m\u00c5",
        f"known lines: {near} \u00c5" if near else "no known line near",
    ]
    return [line.replace("-", "\u2212") for line in lines]


def progress_words(verdicts: VettingSession) -> str:
    """Return how many candidates a vetter has accepted, rejected and found unsure."""
    counts = {"accepted": 0, "rejected": 0, "unsure": 0}
    for key, decision in verdicts.decisions.items():
        if key in verdicts.by_id and decision.status:
            counts[decision.status] += 1
    if not any(counts.values()):
        return ""
    return f": {counts['accepted']} yes, {counts['rejected']} no, {counts['unsure']} unsure"


def agreement_html(verdicts: VettingSession) -> str:
    """Return how far the vetter agrees with each of the others, and what is left over."""
    lines = []
    for agreement in verdicts.agreements:
        other = next(v for v in agreement.vetters if v != verdicts.vetter)
        kappa = agreement.kappa
        figure = "not defined" if math.isnan(kappa) else f"{kappa:.2f}".replace("-", "\u2212")
        about = html.escape(f"{agreement.words} Cohen's kappa on the status.", quote=True)
        lines.append(
            f'<div title="{about}">With {html.escape(other)}: \u03ba {figure} '
            f"({agreement.n_agreed} of {agreement.n} alike)</div>"
        )
    if verdicts.orphans:
        lines.append(
            f"<div>{verdicts.orphans} decisions are about features that this table does not "
            "have; they are kept.</div>"
        )
    return "".join(lines)

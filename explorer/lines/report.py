"""Accepted features as one page, with a picture of each: opens without a network, and prints.

Names, comments and descriptions may be a stranger's: everything is escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ...core.bundle import Bundle
from ...core.linelist import LineList, Species, shipped_lines
from ...core.lines import PAIRS, Candidate, Candidates
from ...core.version import __version__
from ...core.vetting import Decision
from ...core.vetting.agreement import Comparison
from ...core.vetting.line_table import Settled
from ..computed.derivatives import DerivativeCache
from ..figures.chip_axis import ChipAxis
from ..figures.theme import element_colour
from .reference_star import StarLines, columns_by_element, reference_star, top_elements, window_of
from .report_svg import line_picture

STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")

SHOWN_SLOPES = 3
"""Elements whose derivatives are drawn."""


def line_report_html(
    bundle: Bundle,
    candidates: Candidates,
    settled: Settled,
    agreement: Comparison | None = None,
    lines: LineList | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Return the accepted features of a vetting as a page.

    Parameters
    ----------
    bundle : Bundle
        Computes the spectra of the reference star.
    candidates : Candidates
        Of the bundle; its reference star is drawn.
    settled : Settled
        What was accepted.
    agreement : Comparison, optional
        Of the vetters.
    lines : LineList, optional
        Known lines to name; those that are shipped if not given.
    progress : callable, optional
        Told how many pictures are done, of how many.

    Returns
    -------
    str
        HTML with pictures inside, without scripts.
    """
    star = reference_star(bundle, candidates)
    derivatives = DerivativeCache(bundle.model).get(star.values)
    columns = columns_by_element(bundle.labels)
    axis = ChipAxis(bundle.grid)
    teff = float(star.values[bundle.labels.index("teff")])
    known_list = shipped_lines() if lines is None else lines
    cards = []
    for i, (candidate, decision) in enumerate(settled.accepted):
        elements = _elements(candidate, decision, derivatives, columns)
        slopes = {e: derivatives.difference[:, columns[e]] for e in elements}
        known = StarLines.of(known_list, *window_of(candidate), teff)
        cards.append(_card(candidate, decision, line_picture(candidate, axis, star, slopes, known)))
        if progress is not None:
            progress(i + 1, len(settled.accepted))
    observed = ""
    if star.observed is not None:
        observed = f" Observed: the mean of {star.n_observed} stars like it."
    parts = [
        _facts(bundle, candidates, settled),
        f"<p>{escape(_reference(bundle, star.values))}{observed} Below each spectrum: how the flux "
        "responds to abundances, adapted minus emulated.</p>",
        _agreement(agreement),
        f'<div class="lines">{"".join(cards)}</div>' if cards else "<p>No feature is accepted.</p>",
        _features("Accepted by one vetter and rejected by another", settled.disputed),
        _gone(settled.gone),
    ]
    title = f"Lines of {bundle.name}"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f"<h1>Lines that the models miss or have wrong</h1><p>{escape(bundle.title)}</p>"
        f"{''.join(parts)}</main></body></html>\n"
    )


def _elements(
    candidate: Candidate, decision: Decision, derivatives: Any, columns: dict[str, int]
) -> list[str]:
    """Return the elements to draw: what the vetter says, then the likeliest."""
    named = PAIRS.get(decision.element, (decision.element,))
    chosen = [e for e in named if e in columns]
    likely = top_elements(candidate, derivatives, columns)
    return list(dict.fromkeys([*chosen, *likely]))[: max(SHOWN_SLOPES, len(chosen))]


def _facts(bundle: Bundle, candidates: Candidates, settled: Settled) -> str:
    last = max((d.when for _, d in settled.accepted), default="")
    facts = [
        f"{len(settled.accepted)} accepted of {len(candidates)} candidates",
        f"vetted by {', '.join(settled.vetters)}" if settled.vetters else "",
        f"last decision {last[:10]}" if last else "",
        f"bundle {bundle.name}",
        f"fingerprint {candidates.fingerprint}",
        f"spectrabridge {__version__}",
    ]
    return f'<p class="facts">{" · ".join(escape(f) for f in facts if f)}</p>'


def _reference(bundle: Bundle, values: Any) -> str:
    shown = {"teff": ("Teff", "{:.0f} K"), "logg": ("log g", "{:.2f}"), "Fe": ("[Fe/H]", "{:.2f}")}
    names = bundle.labels.names
    parts = [
        f"{title} {form.format(float(values[bundle.labels.index(name)]))}"
        for name, (title, form) in shown.items()
        if name in names
    ]
    return f"Reference star: {', '.join(parts)}."


def _agreement(found: Comparison | None) -> str:
    if found is None or not found.status:
        return ""
    rows = "".join(f"<li>{escape(a.words)}</li>" for a in (*found.status, *found.element))
    return f"<h2>Agreement of vetters</h2><ul>{rows}</ul>"


def _card(c: Candidate, d: Decision, picture: str) -> str:
    name = d.element or f"{c.best}, the likeliest answer"
    about = " · ".join(escape(a) for a in (f"air {c.air:.2f}", c.kind, d.vetter) if a)
    heading = f"<h3>{c.wavelength:.2f} \u212b {escape(name)}<span>{about}</span></h3>"
    facts = (
        f"depth {c.depth:+.3f} ({c.depth_low:+.3f} to {c.depth_high:+.3f} over stars), "
        f"{c.width:+.0f} m\u212b, {c.significance:.0f} sigma"
    )
    answers = ", ".join(
        f'<b style="color:{_colour(a.name)}">{escape(a.name)}</b> {a.probability:.2f}'
        for a in c.answers[:4]
    )
    near = ", ".join(
        f"{escape(_species(n.species))} {n.wavelength - c.wavelength:+.2f} \u212b "
        f"({n.ep:.2f} eV, log gf {n.loggf:.2f})"
        for n in c.near[:3]
    )
    near = near or "none within 0.3 \u212b"
    said = f'<p class="said">{escape(d.comment)}</p>' if d.comment else ""
    text = f"{facts}. Answers: {answers or 'none'}. Known lines: {near}."
    for before in " (":
        text = text.replace(f"{before}-", f"{before}\u2212")
    return f'<article class="line">{heading}{picture}<p>{text}</p>{said}</article>'


def _colour(name: str) -> str:
    return element_colour(PAIRS.get(name, (name,))[0])


def _species(name: str) -> str:
    return Species.parse(name).title


def _features(title: str, rows: Sequence[Candidate]) -> str:
    if not rows:
        return ""
    body = "".join(
        f'<tr><td class="n">{c.wavelength:.2f}</td><td class="n">{c.air:.2f}</td>'
        f"<td>{escape(c.kind)}</td><td>{escape(c.best)}</td></tr>"
        for c in rows
    )
    head = '<tr><th class="n">vacuum</th><th class="n">air</th><th>kind</th><th>likeliest</th></tr>'
    return f"<h2>{escape(title)}</h2><table>{head}{body}</table>"


def _gone(rows: Sequence[Decision]) -> str:
    if not rows:
        return ""
    body = "".join(
        f'<tr><td class="n">{d.wavelength:.2f}</td><td>{escape(d.vetter)}</td>'
        f"<td>{escape(d.element)}</td><td>{escape(d.comment)}</td></tr>"
        for d in rows
    )
    head = '<tr><th class="n">vacuum</th><th>vetter</th><th>element</th><th>comment</th></tr>'
    return f"<h2>Accepted, but not in this table of candidates</h2><table>{head}{body}</table>"

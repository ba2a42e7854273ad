"""What the Fit page says in words: how far the work is, and what there is to know of a star."""

from __future__ import annotations

import html
from collections.abc import Mapping

from ...core.fitting.settings import Kind
from ...core.io.star_file import readable
from ..session.fit_queue import Progress
from ..session.fit_words import MEANINGS, flag_sentences
from ..session.fitted_star import KINDS, FittedStar
from .tables import TITLES


def progress_html(progress: Progress, stars: Mapping[str, FittedStar]) -> str:
    """Return a bar and a sentence on how far the work is."""
    if progress.busy:
        text = f"{progress.done} of {progress.total} fitted"
        if progress.reading:
            text += f", {progress.reading} files to read" if progress.reading > 1 else ", reading"
        if progress.left is not None:
            text += f", about {_seconds(progress.left)} left"
        part = progress.done / max(1, progress.total)
        bar = (
            f'<div role="progressbar" aria-label="Stars fitted" aria-valuemin="0" '
            f'aria-valuemax="{progress.total}" aria-valuenow="{progress.done}" '
            'style="height:6px;margin:1px 0 3px;border-radius:3px;'
            'background:color-mix(in srgb, currentColor 15%, transparent)">'
            f'<div style="width:{part:.1%};height:100%;border-radius:3px;'
            'background:var(--panel-primary-color, #0072b2)"></div></div>'
        )
        return f'{bar}<div role="status">{text}</div>'
    if not stars:
        return "Fits start when files arrive."
    count = {stage: sum(s.stage == stage for s in stars.values()) for stage in _STAGES}
    parts = [f"{n} {_STAGES[stage]}" for stage, n in count.items() if n]
    return f'<div role="status">{", ".join(parts)}.</div>'


_STAGES = {
    "fitted": "fitted",
    "stopped": "stopped before the fit",
    "failed": "failed",
    "unreadable": "unreadable",
    "waiting": "waiting",
}


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value < 100 else f"{value / 60:.0f} min"


def summary_html(star: FittedStar) -> str:
    """Return what there is to say about a star, beside its figure."""
    lines = [f"<b>{html.escape(star.star.id)}</b>", html.escape(star.star.format)]
    for kind in reversed(KINDS):
        if kind in star.fits:
            lines += _doubts(kind, star)
    lines += [html.escape(note) for note in star.star.notes]
    return "<br>".join(line for line in lines if line)


def _doubts(kind: Kind, star: FittedStar) -> list[str]:
    """Return a line of flags, with their meaning as tooltips, and one of remarks."""
    fits = star.fits[kind]
    flags = [
        f'<span title="{html.escape(MEANINGS.get(f, f))}">{html.escape(f.replace("_", " "))}</span>'
        for f in fits.flags[0]
    ]
    if not flags:
        return []
    about = f" ({html.escape(fits.remarks[0])})" if fits.remarks[0] else ""
    return [f"<b>{TITLES[kind]}:</b> {', '.join(flags)}{about}"]


def notice_html(star: FittedStar | None) -> str:
    """Return what stands in place of the figures."""
    if star is None:
        return (
            "Drop one or many files onto the page. Each star is fitted with the plain emulator "
            "(raw) and with the adapted spectra; its flux, both fits and their residuals are "
            f"shown here.<br><br>Files that are read: {html.escape(readable())}."
        )
    name = html.escape(star.star.id)
    reason = " ".join(map(html.escape, flag_sentences(star)))
    return f"<b>{name}</b><br>{reason}"

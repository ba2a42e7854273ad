"""What the Map page says in words: the map, its stars, and what to do without one."""

from __future__ import annotations

import html

import numpy as np

from ...core.embedding import PANELS, Embedding, PlacedStars
from ..state.label_text import decimals, number, short_unit


def mixing_html(embedding: Embedding) -> str:
    """Return how well the domains mix in every panel, as a table."""
    names = {"spectra": "input", "adapted": "adapted", "latents": "latents"}
    rows = []
    for key in PANELS:
        m = embedding.mixing[key]
        cells = [m["purity"], m["auc"], embedding.kl[key]]
        rows.append(
            f"<tr><td>{names[key]}</td>"
            + "".join(f'<td style="text-align:right">{v:.2f}</td>' for v in cells)
            + "</tr>"
        )
    titles = [
        ("purity", "Part of the 15 nearest stars that are of the own domain: 0.5 is mixed"),
        ("AUC", "How well a classifier tells the domains apart: 0.5 is not at all"),
        ("KL", "Kullback-Leibler divergence of t-SNE: lower is truer to the distances"),
    ]
    head = "".join(
        f'<th title="{about}" style="text-align:right;font-weight:400">{t}</th>'
        for t, about in titles
    )
    n = int(embedding.info.get("n_compared", len(embedding) // 2))
    return (
        '<table style="width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums">'
        f'<tr style="opacity:0.75"><th></th>{head}</tr>{"".join(rows)}</table>'
        f'<div style="opacity:0.75">From {n:,} stars of each domain. Mixing is no proof: '
        "stars that are permuted mix as well.</div>"
    )


def star_html(embedding: Embedding, row: int | None) -> str:
    """Return name and labels of the chosen star, in three columns."""
    if row is None:
        return (
            '<span style="opacity:0.75">Tap a star: its spectrum and labels go to all pages.</span>'
        )
    stars = embedding.stars
    parts = []
    for i, label in enumerate(stars.label_set):
        text = number(float(stars.labels[row, i]), decimals(label))
        if text:
            unit = short_unit(label)
            parts.append((label.title, f"{text} {unit}" if unit == "K" else text))
    if np.isfinite(stars.all_snr[row]):
        parts.append(("S/N", f"{stars.all_snr[row]:.0f}"))
    if np.isfinite(embedding.chi2[row]):
        parts.append(("misfit", f"{embedding.chi2[row]:.2f}"))
    cells = "".join(
        f'<span style="white-space:nowrap"><span style="opacity:0.75">{html.escape(title)}</span>'
        f"&nbsp;{text}</span>"
        for title, text in parts
    )
    labels = "" if np.isfinite(stars.labels[row]).any() else "<div>Its labels are unknown.</div>"
    return (
        f"<b>{html.escape(stars.ids[row])}</b>{labels}"
        '<div style="display:grid;grid-template-columns:repeat(auto-fill,minmax(82px,1fr));'
        f'column-gap:6px;font-variant-numeric:tabular-nums">{cells}</div>'
    )


def placed_html(embedding: Embedding, name: str, placement: PlacedStars) -> str:
    """Return where a star of one's own stands on the map, in words."""
    nearest = embedding.stars.ids[int(placement.nearest["latents"][0])]
    text = f"<b>\u2605 {html.escape(name)}</b> stands nearest to {html.escape(nearest)}."
    if bool(placement.far[0]):
        text += (
            f" It is {float(placement.distance['latents'][0]):.0f} times further from it than "
            "stars of the map are from each other: its place means little."
        )
    return text


def empty_html(name: str, problem: str) -> str:
    """Return what to do about a bundle without a map."""
    reason = html.escape(problem) if problem else "This bundle keeps no map of its stars."
    command = f"spectrabridge embed {name} --store"
    return (
        f"<p>{reason}</p>"
        "<p>A map places stars of both domains by their spectra and by their shared latents, so "
        "that it shows how well the domains mix. It is made once:</p>"
        f'<p><code style="user-select:all">{html.escape(command)}</code></p>'
        "<p>A small one can be made here, in about a minute. It is gone when the program ends.</p>"
    )


def progress_html(what: str, part: float) -> str:
    """Return how far the making of a map is."""
    step = "Spectra" if what == "spectra" else what
    return (
        f'<div role="progressbar" aria-label="Making the map" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{part:.0%}" style="height:6px;max-width:420px;'
        'border-radius:3px;background:color-mix(in srgb, currentColor 15%, transparent)">'
        f'<div style="width:{part:.1%};height:100%;border-radius:3px;'
        'background:var(--panel-primary-color, #0072b2)"></div></div>'
        f'<div role="status">{html.escape(step)}, {part:.0%}</div>'
    )


def selection_words(n: int, shown: int) -> str:
    """Return how many stars are selected, and how many of them stand in the table."""
    if n == 0:
        return "No stars there."
    stars = "1 star" if n == 1 else f"{n:,} stars"
    if shown < n:
        return f"<b>{stars}</b> selected; the first {shown} in the table, all in files."
    return f"<b>{stars}</b> selected."

"""An evaluation as one page: a file that holds all it needs and opens without a network.

Titles, names and descriptions come from bundles, which may be a stranger's: everything
is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from bokeh.embed import components
from bokeh.resources import Resources

from ...core.bundle import Bundle
from ...core.labels import LabelSet
from . import evaluation_plots as plots

STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")

EXPLAINED = {
    "gap_ratio": ("Gap that is left", "rms of adapted minus true over emulated minus true flux"),
    "rms_raw": ("Gap before", "rms of emulated minus true flux, per pixel"),
    "rms_adapted": ("Gap after", "rms of adapted minus true flux, per pixel"),
    "r2": ("R² of adapted spectra", "part of the variance over stars that is explained"),
    "masked_r2": ("R² in hidden lines", "the same in the pixels whose lines were hidden"),
    "unmasked_r2": ("R² elsewhere", "the same in all other pixels"),
    "derivative_r2": ("R² of derivatives", "flux change by abundance of the reference star"),
    "attribution_agreement": (
        "Lines given to the right element",
        "part of hidden features for which own and true derivatives name the same element",
    ),
    "score_without_truth": (
        "Score without truth",
        "lower is better; compares networks of the same domains only",
    ),
    "train_seconds": ("Training", "seconds"),
}
"""Title and explanation of figures on top of the page, in order."""

MEMBER_COLUMNS = {
    "gap_ratio": "gap left",
    "masked_r2": "R² hidden",
    "derivative_r2": "R² derivatives",
    "label_bias.teff": "Teff bias (K)",
    "label_bias.logg": "log g bias",
    "label_bias.Fe": "[Fe/H] bias",
    "attribution_agreement": "attribution",
    "mixing.auc": "AUC",
    "mixing_auc": "AUC",
    "without_truth.label_consistency": "label scatter*",
    "without_truth.score": "score without truth",
    "score_without_truth": "score without truth",
    "seconds": "seconds",
}
"""Columns of the tables of members, quartets and ablations, by path."""


def number(value: Any) -> str:
    """Return a figure as HTML, with as many digits as matter; whatever else, escaped."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "not known" if value is None else escape(str(value))
    if not math.isfinite(value):
        return "not known"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:.0f}"
    text = f"{value:.4f}" if abs(value) < 1 else f"{value:.4g}"
    return text.replace("-", "\u2212")


def table_html(rows: Sequence[Sequence[str]], head: Sequence[str] = (), words: int = 1) -> str:
    """Return a table; the first `words` columns are text, the others numbers. HTML in, HTML out."""

    def cells(row: Sequence[str], tag: str) -> str:
        kinds = ["" if i < words else ' class="n"' for i in range(len(row))]
        parts = [f"<{tag}{k}>{c}</{tag}>" for k, c in zip(kinds, row, strict=True)]
        return f"<tr>{''.join(parts)}</tr>"

    top = cells(head, "th") if head else ""
    return f"<table>{top}{''.join(cells(r, 'td') for r in rows)}</table>"


def _at(row: Mapping[str, Any], path: str) -> Any:
    """Return what lies at a dotted path, None if nothing does."""
    value: Any = row
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def rows_table(names: Sequence[str], rows: Sequence[Mapping[str, Any]], first: str) -> str:
    """Return a table of rows with the columns of MEMBER_COLUMNS that any of them has."""
    used = [p for p in MEMBER_COLUMNS if any(_at(r, p) is not None for r in rows)]
    body = [
        [escape(n), *(number(_at(r, p)) for p in used)] for n, r in zip(names, rows, strict=True)
    ]
    return table_html(body, [first, *(MEMBER_COLUMNS[p] for p in used)])


def _key_figures(figures: Mapping[str, Any]) -> str:
    rows = []
    for key, (title, why) in EXPLAINED.items():
        value = figures.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            rows.append(
                f'<tr><td>{title}</td><td class="n">{number(value)}</td>'
                f'<td class="why">{why}</td></tr>'
            )
    return f'<div class="card"><table>{"".join(rows)}</table></div>' if rows else ""


def _warnings(sentences: Sequence[str]) -> str:
    if not sentences:
        return '<div class="warnings none">Nothing to warn of.</div>'
    items = "".join(f"<li>{escape(str(s))}</li>" for s in sentences)
    return f'<div class="warnings"><strong>Before you use it</strong><ul>{items}</ul></div>'


def _labels_table(figures: Mapping[str, Any], labels: LabelSet) -> str:
    floor = figures["label_floor"]
    rows = [
        [
            escape(labels[n].title),
            *(
                number(v)
                for v in (
                    figures["label_bias_raw"][n],
                    figures["label_bias"][n],
                    figures["label_scatter"][n],
                    floor["bias"][n],
                    floor["scatter"][n],
                )
            ),
        ]
        for n in figures["label_bias"]
    ]
    head = ("label", "bias, emulated", "bias, adapted", "scatter", "floor: bias", "floor: scatter")
    return f"<details><summary>All labels</summary>{table_html(rows, head)}</details>"


def _drawings(figures: Mapping[str, Any], labels: LabelSet, history: Any) -> dict[str, Any]:
    """Return the plots that the figures allow, by name."""
    out: dict[str, Any] = {}
    data = figures.get("plots") or {}
    if "gap" in data:
        out["gap"] = plots.gap_plot(data)
        out |= {f"read{i}": p for i, p in enumerate(plots.read_plots(data, labels))}
    if "label_bias" in figures:
        dex = [n for n in figures["label_bias"] if n == "logg" or labels[n].element]
        out["bias_teff"] = plots.bias_plot(figures, labels, ["teff"], "Bias (K)")
        out["bias_dex"] = plots.bias_plot(figures, labels, dex, "Bias (dex)")
    if "derivative_correlation" in figures:
        out["derivatives"] = plots.derivative_plot(figures["derivative_correlation"])
    if "mixing" in figures:
        out["mixing"] = plots.mixing_plot(figures["mixing"])
        out["leakage"] = plots.leakage_plot(figures["leakage"], labels)
    if "residuals" in data:
        out |= plots.residual_plots(data["residuals"])
    drawn = plots.history_plot(history)
    return out if drawn is None else out | {"history": drawn}


def _sections(
    figures: Mapping[str, Any], labels: LabelSet, divs: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return (title, HTML) of the parts below the key figures."""
    out = []

    def card(name: str) -> str:
        return f'<div class="card">{divs[name]}</div>' if name in divs else ""

    if "gap" in divs:
        text = "Test stars that training did not see, noise-free. Scroll to zoom, drag to move."
        out.append(("The gap", f"<p>{text}</p>{card('gap')}"))
    if "bias_dex" in divs:
        text = (
            "Labels of adapted spectra, read with the true model of the observed domain. Bars: the "
            "mean error; whiskers: its scatter over stars; black dots: single networks; green: "
            "what the fit itself does, on true spectra. Likeness of spectra is no proof of these."
        )
        three = "".join(card(n) for n in divs if n.startswith("read"))
        body = f'<p>{text}</p><div class="three">{three}</div>'
        body += f'<div class="lop">{card("bias_teff")}{card("bias_dex")}</div>'
        out.append(("Do labels hold?", body + _labels_table(figures, labels)))
    if "fits" in figures:
        out.append(("Fits of real stars", _fits(figures["fits"], labels, card)))
    if "derivatives" in divs:
        weak = figures.get("weak_elements") or []
        text = "Derivatives of the reference star's flux by abundance. " + (
            f"Not measurable: {escape(', '.join(weak))}." if weak else "All elements are measured."
        )
        out.append(("Derivatives", f"<p>{text}</p>{card('derivatives')}"))
    if "mixing" in divs:
        text = (
            "The numbers behind the paper's Fig. 2, on held-out stars. Adapted spectra have no "
            "noise, so they are compared with the networks' reconstructions of observed spectra, "
            "which have none either; and, with noise added, with observed spectra as they are. "
            "Where the labels of the two domains are distributed differently, that alone keeps "
            "them apart. Mixing is necessary and proves nothing about labels."
        )
        leak = f"Labels of observed stars are {escape(figures['leakage']['labels_from'])}."
        body = f'<p>{text}</p><div class="two">{card("mixing")}{card("leakage")}</div><p>{leak}</p>'
        out.append(("Mixing, and what split latents know", body + _reconstruction(figures)))
    out += _tables(figures)
    if "history" in divs:
        out.append(("Training", card("history")))
    return out


def _fits(fits: Mapping[str, Any], labels: LabelSet, card: Callable[[str], str]) -> str:
    """Return the part on fits of stars: figures, residuals as in the paper's Fig. 3, labels."""
    named = {"raw": "emulated", "adapted": "adapted"}
    keys = ("reduced_chi2", "mean", "std", "beyond_3_sigma")
    rows = [[title, *(number(fits[k].get(f)) for f in keys)] for k, title in named.items()]
    head = ("fitted with", "reduced chi2, median", "mean", "standard deviation", "beyond 3 sigma")
    text = (
        f"{fits['n_stars']} stars, residuals in units of their errors (the paper's Fig. 3). Those "
        "of a perfect model have mean 0 and standard deviation 1 at every wavelength; 0.3 % of "
        "them lie beyond 3."
    )
    shown = [n for n in ("teff", "logg", "Fe") if n in labels.names]
    stars = []
    for star in fits["stars"]:
        cells = [escape(str(star["id"]))]
        for kind in named:
            fit = star[kind]
            cells += [number(fit["reduced_chi2"]), *(number(fit["labels"][n]) for n in shown)]
        known = star.get("survey") or {}
        cells += [number(known[n]) if known.get(n) is not None else "" for n in shown]
        stars.append([*cells, escape(", ".join(star["adapted"]["flags"]))])
    titles = [escape(labels[n].title) for n in shown]
    star_head = ["star", "chi2, emulated", *titles, "chi2, adapted", *titles]
    star_head += [f"survey {t}" for t in titles] + ["flags"]
    both = "".join(card(f"residuals_{k}") for k in named) + card("residuals_all")
    table = table_html(stars, star_head)
    return (
        f'<p>{text}</p><div class="card">{table_html(rows, head)}</div>{both}'
        f"<details open><summary>All stars</summary>{table}</details>"
    )


def _reconstruction(figures: Mapping[str, Any]) -> str:
    titles = {
        "synthetic_reconstruction": "synthetic, to latents and back",
        "observed_reconstruction": "observed, to latents and back",
        "synthetic_cycle": "synthetic to observed and back",
        "observed_cycle": "observed to synthetic and back",
    }
    found = figures["reconstruction"]
    rows = [[t, number(found[k]["flux"]), number(found[k]["noise"])] for k, t in titles.items()]
    table = table_html(rows, ("rms error on held-out stars", "flux", "in units of the noise"))
    return f'<div class="card">{table}</div>'


def _tables(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    out = []
    members = [m for m in figures.get("members", []) if m]
    if len(members) > 1:
        names = [f"member {i + 1}" for i in range(len(members))]
        text = (
            '<p class="facts">* of labels read by a reader that knows nothing of the adaptation, '
            "in units of the spread of the labels; about 1 where latent spaces are permuted. AUC: "
            "adapted against reconstructed observed spectra.</p>"
        )
        table = rows_table(names, members, "")
        starred = text if any("without_truth" in m for m in members) else ""
        out.append(("Members", f'<div class="card">{table}</div>{starred}'))
    if figures.get("quartets"):
        each = figures["quartets"]["each"]
        names = [f"without member {q['without'] + 1}" for q in each] + ["median"]
        table = rows_table(names, [*each, figures["quartets"]["median"]], "ensemble of four")
        out.append(("Other choices of seeds", f'<div class="card">{table}</div>'))
    rows = [r for r in figures.get("ablations") or [] if isinstance(r, Mapping)]
    if rows:
        names = [str(r.get("variant", "")) for r in rows]
        text = "The same training with one part left out, seeds alike."
        table = rows_table(names, rows, "variant")
        out.append(("What each part is worth", f'<p>{text}</p><div class="card">{table}</div>'))
    return out


def report_html(figures: Mapping[str, Any], bundle: Bundle) -> str:
    """Return an evaluation as a page.

    Parameters
    ----------
    figures : mapping
        What :func:`~spectrabridge.core.evaluation.evaluate_bundle` returned, its
        ``plots`` included if they are to be drawn.
    bundle : Bundle
        The bundle it is of.

    Returns
    -------
    str
        HTML, with scripts inside; nothing is fetched when it is opened.
    """
    drawn = _drawings(figures, bundle.labels, bundle.provenance.get("history"))
    script, divs = components(drawn) if drawn else ("", {})
    # Only the core of Bokeh is needed, without its widgets and tables.
    # Bokeh's own text only: rendering the resources would add links to files that other
    # models in this process, such as Panel's, want for themselves.
    texts = Resources(mode="inline", components=["bokeh"]).js_raw if drawn else []
    library = "".join(f"<script>\n{text}\n</script>\n" for text in texts)
    parts = _sections(figures, bundle.labels, divs)
    body = "".join(f"<section><h2>{escape(t)}</h2>{html}</section>" for t, html in parts)
    versions = bundle.provenance.get("versions")
    made = versions.get("spectrabridge", "") if isinstance(versions, Mapping) else ""
    facts = [
        f"bundle {bundle.name}",
        f"fingerprint {bundle.fingerprint}",
        f"{figures.get('n_members', 0)} networks",
        f"trained on {figures.get('train_device', 'not recorded')}",
        f"made with spectrabridge {made}" if made else "",
        f"mask {figures['mask']}" if "mask" in figures else "",
    ]
    line = " · ".join(escape(str(f)) for f in facts if f)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Evaluation of {escape(bundle.name)}</title><style>{STYLE}</style>{library}"
        f"</head><body><main><h1>{escape(bundle.title)}</h1>"
        f'<p class="facts">{line}</p><p>{escape(bundle.description)}</p>'
        f"{_warnings(figures.get('warnings', []))}{_key_figures(figures)}{body}"
        f"</main>{script}</body></html>\n"
    )

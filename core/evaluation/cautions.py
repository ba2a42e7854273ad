"""What an evaluation means, in sentences, where it means that something is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..labels.label_set import LabelSet

MIXED_AUC = 0.7
"""A classifier below this hardly tells adapted from observed spectra."""

MORE_THAN_TRUTH = 0.2
"""Excess of the AUC of adapted over that of true spectra, both with noise, that is told."""

LARGE_BIAS = {"teff": 40.0, "logg": 0.1}
"""Bias of read labels from which they do not hold, by label; see :data:`LARGE_BIAS_DEX`."""

LARGE_BIAS_DEX = 0.05
"""The same for abundances, dex."""

LARGE_LEAKAGE_R2 = 0.3
"""R2 of a label predicted from split latents from which it counts as leaked."""

LARGE_INCONSISTENCY = 0.75
"""Scatter of independently read labels, in units of their spread, that looks permuted."""

NAMED_LABELS = ("teff", "logg", "Fe", "C", "N", "O", "Mg", "Si")
"""Labels that sentences talk about."""


def biased_labels(bias: Mapping[str, float], labels: LabelSet) -> list[str]:
    """Return the biases that are large, in words: ``Teff +120 K``."""
    out = []
    for name in NAMED_LABELS:
        if name not in bias or name not in labels:
            continue
        label, value = labels[name], bias[name]
        limit = LARGE_BIAS.get(name, LARGE_BIAS_DEX if label.element else None)
        if limit is not None and abs(value) > limit:
            number = f"{value:+.0f} K" if name == "teff" else f"{value:+.2f} dex"
            title = "Teff" if name == "teff" else label.title
            out.append(f"{title} {number}")
    return out


def cautions(figures: Mapping[str, Any], labels: LabelSet) -> list[str]:
    """Return warnings in words.

    Parameters
    ----------
    figures : mapping
        An evaluation, as :func:`~spectrabridge.core.evaluation.report.evaluate_bundle`
        makes it.
    labels : LabelSet
        Its labels.

    Returns
    -------
    list of str
        Sentences; empty if there is nothing to warn of.
    """
    out: list[str] = []
    auc = figures.get("mixing", {}).get("adapted", {}).get("auc")
    bias = biased_labels(figures.get("label_bias", {}), labels)
    if bias:
        listed = ", ".join(bias)
        if auc is not None and auc < MIXED_AUC:
            out.append(
                f"Adapted spectra look like observed ones (AUC {auc:.2f}) but their labels do "
                f"not hold: {listed}."
            )
        else:
            out.append(f"Labels of adapted spectra do not hold: {listed}.")
    if auc is not None and auc >= MIXED_AUC:
        out.append(
            f"A classifier tells adapted from observed spectra (AUC {auc:.2f}, 0.5 would be "
            "perfect): the adaptation is incomplete, or the stars of the two domains are of "
            "different populations."
        )
    out += _with_noise(figures.get("mixing", {}))
    out += _from_truth(figures)
    out += _from_latents(figures)
    out += _from_members(figures, labels)
    if not figures.get("has_truth", False):
        out.append(
            "No truth is known for this bundle: nothing here shows that labels of adapted spectra "
            "are right, only whether they are consistent."
        )
    elif "mixing" not in figures:
        out.append(
            "The bundle keeps no held-out observed spectra, so mixing, leakage and cycle errors "
            "could not be measured."
        )
    return out


def _with_noise(mixing: Mapping[str, Any]) -> list[str]:
    noisy = mixing.get("adapted_noisy", {}).get("auc")
    best = mixing.get("truth_noisy", {}).get("auc")
    if noisy is None or best is None or noisy - best < MORE_THAN_TRUTH:
        return []
    return [
        f"With noise added, a classifier tells adapted from observed spectra (AUC {noisy:.2f}) "
        f"where it could not tell the truth (AUC {best:.2f}): weak features are lacking, which "
        "reconstructions lack too."
    ]


def _from_truth(figures: Mapping[str, Any]) -> list[str]:
    out = []
    ratio = figures.get("gap_ratio")
    if ratio is not None and ratio > 0.5:
        out.append(
            f"Adapted spectra are still {ratio:.0%} as far from the truth as emulated ones: check "
            "for a permuted latent space."
        )
    weak = figures.get("weak_elements", [])
    if weak:
        out.append(
            f"Derivatives by {', '.join(weak)} are not measurable (correlation with the truth "
            "below 0.5, or members that disagree by 0.15 or more): do not trust their lines."
        )
    return out


def _from_latents(figures: Mapping[str, Any]) -> list[str]:
    leak = figures.get("leakage")
    if not leak or leak["split_max"] is None or leak["split_max"] < LARGE_LEAKAGE_R2:
        return []
    high = [n for n, r in leak["split"].items() if r >= LARGE_LEAKAGE_R2]
    return [
        f"Split latents hold information on labels that belongs to the shared ones: "
        f"{', '.join(high)} can be predicted from them (R2 up to {leak['split_max']:.2f})."
    ]


def _from_members(figures: Mapping[str, Any], labels: LabelSet) -> list[str]:
    members = figures.get("members", [])
    if len(members) == 1:
        return ["A single network: how far another seed would differ is not known."]
    out = []
    spread = {}
    for name in ("teff", "logg", "Fe"):
        values = [m["label_bias"][name] for m in members if name in m.get("label_bias", {})]
        limit = LARGE_BIAS.get(name, LARGE_BIAS_DEX)
        if len(values) > 1 and max(values) - min(values) > 2 * limit:
            spread[name] = (min(values), max(values))
    if spread:
        parts = [
            f"{'Teff' if n == 'teff' else labels[n].title} {a:+.{0 if n == 'teff' else 2}f} to "
            f"{b:+.{0 if n == 'teff' else 2}f} {'K' if n == 'teff' else 'dex'}"
            for n, (a, b) in spread.items()
        ]
        out.append(f"Members disagree on what labels mean: {', '.join(parts)}.")
    gaps = [m["gap_ratio"] for m in members if "gap_ratio" in m]
    if len(gaps) > 1 and max(gaps) > 1.5 * min(gaps):
        out.append(
            f"Members differ in how well they adapt: the remaining gap is {min(gaps):.0%} to "
            f"{max(gaps):.0%} of the emulated one."
        )
    read = [m["without_truth"]["label_consistency"] for m in members if "without_truth" in m]
    if read and max(read) > LARGE_INCONSISTENCY:
        bad = [str(i + 1) for i, v in enumerate(read) if v > LARGE_INCONSISTENCY]
        out.append(
            f"Labels read independently from adapted spectra of member {', '.join(bad)} hardly "
            f"follow those they were made for (scatter up to {max(read):.2f} of their spread): "
            "check for a permuted latent space."
        )
    return out

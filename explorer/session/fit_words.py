"""What a fit has to say, in words: flags, and one line on the chosen star."""

from __future__ import annotations

import math

from ...core.fitting.flags import FLAGS
from ...core.fitting.star_fits import SPECTRA
from .fitted_star import KINDS, FittedStar

MEANINGS = FLAGS | {
    "unreadable": "no spectrum could be read from the file",
    "stopped": "the fit was stopped before this star",
    "failed": "the star cannot be fitted with this model",
    "waiting": "the star waits for its fit",
}
"""What flags mean, those of pages included."""

_PLAIN = {
    "not_fitted": "too few usable pixels",
    "not_converged": "fit not finished",
    "at_bound": "a label at its limit",
    "bad_chi2": "poor fit",
    "extrapolated": "outside the trained labels",
    "outside_population": "unlike the training stars",
    "few_pixels": "few usable pixels",
    "low_snr": "too noisy",
    "low_chi2": "errors too large",
    "doubtful_errors": "errors doubtful",
    "doubtful_medium": "air or vacuum doubtful",
    "stopped": "fit stopped",
    "failed": "not fitted",
    "waiting": "fitting",
}


def flags_of(star: FittedStar) -> tuple[str, ...]:
    """Return the flags of a star: of its adapted fit, else the emulated one, or its stage."""
    if star.stage != "fitted":
        return (star.stage,)
    return star.best.flags[0] if star.best is not None else ()


def plain_flags(star: FittedStar) -> str:
    """Return the flags of a star in plain words, with commas; empty if nothing is doubtful."""
    return ", ".join(_PLAIN.get(f, f.replace("_", " ")) for f in flags_of(star))


def short_flags(star: FittedStar) -> str:
    """Return the flags of a star where there is little room; "none" if nothing is doubtful."""
    flags = flags_of(star)
    if len(flags) > 1:
        return f"{len(flags)} flags"
    return plain_flags(star) or "none"


def flag_sentences(star: FittedStar) -> list[str]:
    """Return what is doubtful about a star, its fits and its file."""
    out = [star.problem] if star.problem else []
    if star.stage != "fitted":
        return out or [f"{star.stage}: {MEANINGS[star.stage]}"]
    for kind in reversed(KINDS):
        if kind not in star.fits:
            continue
        fits, title = star.fits[kind], SPECTRA[kind]
        out += [
            f"{title}, {f.replace('_', ' ')}: {MEANINGS.get(f, f.replace('_', ' '))}"
            for f in fits.flags[0]
        ]
        if fits.remarks[0]:
            out.append(f"{title}: {fits.remarks[0]}")
    return out + list(star.star.notes)


def chi2_words(star: FittedStar) -> str:
    """Return reduced chi2, emulated and adapted, as ``11.9 -> 1.47`` with an arrow."""
    values = [float(star.fits[kind].reduced_chi2[0]) for kind in KINDS if kind in star.fits]
    return " \u2192 ".join(_short(value) for value in values if math.isfinite(value))


def star_line(star: FittedStar) -> str:
    """Return a line on a star: how well it is fitted, its S/N, and what is doubtful."""
    name = star.star.id
    if star.stage == "waiting" and not star.fits:
        return f"{name} is being fitted."
    if not star.fitted:
        return f"{name} has no fit: {_reason(star)} The sliders stay where they are."
    parts = []
    both = len([kind for kind in KINDS if kind in star.fits]) == len(KINDS)
    if both:
        emulated, adapted = (float(star.fits[kind].reduced_chi2[0]) for kind in KINDS)
        parts.append(
            f"reduced \u03c7\u00b2 {_short(emulated)} emulated \u2192 {_short(adapted)} adapted"
        )
    else:
        parts.append(f"reduced \u03c7\u00b2 {chi2_words(star)}")
    snr = float(star.star.spectra[0].snr[0])
    if math.isfinite(snr):
        parts.append(f"S/N {snr:.0f}")
    doubts = plain_flags(star)
    parts.append(doubts or "no flags")
    if not star.trusted:
        parts.append("the sliders stay where they are")
    return f"{name}: {', '.join(parts)}"


def _reason(star: FittedStar) -> str:
    """Return why there are no labels, as a sentence."""
    if star.problem:
        return star.problem
    doubts = plain_flags(star) or "no labels were found"
    return f"{doubts}."


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 1000 else f"{value:.2g}"

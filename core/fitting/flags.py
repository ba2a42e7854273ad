"""What is doubtful about a fit: flags for tables, and sentences for people."""

from __future__ import annotations

from dataclasses import dataclass

BAD_REDUCED_CHI2 = 3.0
"""A larger reduced chi2 means that the model does not describe the star."""

LEAST_GOOD_FRACTION = 0.5
"""With fewer of the pixels usable, a fit is flagged."""

FLAGS: dict[str, str] = {
    "unreadable": "no spectrum could be read from the file",
    "not_fitted": "too few usable pixels",
    "not_converged": "the fit was still moving when it was stopped",
    "at_bound": "a label or the velocity is at the edge of its range",
    "bad_chi2": f"reduced chi2 above {BAD_REDUCED_CHI2:g}",
    "extrapolated": "labels outside the range that the emulator was trained on",
    "outside_population": "unlike any star that the adaptation was trained on",
    "few_pixels": f"fewer than {LEAST_GOOD_FRACTION:.0%} of the pixels are usable",
}
"""Names of flags and what they mean."""


@dataclass(frozen=True)
class Evidence:
    """What flags are set by."""

    converged: bool
    at_bound: tuple[str, ...]
    velocity_at_bound: bool
    reduced_chi2: float
    extrapolated: tuple[str, ...]
    outside_population: bool
    good_part: float


def flags_of(evidence: Evidence) -> tuple[tuple[str, ...], str]:
    """Return the flags of a fit and a remark that gives their details.

    Examples
    --------
    >>> fine = Evidence(
    ...     converged=True, at_bound=("v_macro",), velocity_at_bound=False, reduced_chi2=1.1,
    ...     extrapolated=(), outside_population=False, good_part=0.9,
    ... )
    >>> flags_of(fine)[0]
    ('at_bound',)
    """
    flags, remarks = [], []
    if not evidence.converged:
        flags.append("not_converged")
    bound = [*evidence.at_bound, *(["velocity"] if evidence.velocity_at_bound else [])]
    if bound:
        flags.append("at_bound")
        remarks.append(f"at the edge of their range: {', '.join(bound)}")
    if not evidence.reduced_chi2 <= BAD_REDUCED_CHI2:
        flags.append("bad_chi2")
    if evidence.extrapolated:
        flags.append("extrapolated")
        remarks.append(f"emulator extrapolates in {', '.join(evidence.extrapolated)}")
    if evidence.outside_population:
        flags.append("outside_population")
    if evidence.good_part < LEAST_GOOD_FRACTION:
        flags.append("few_pixels")
        remarks.append(f"{evidence.good_part:.0%} of the pixels are usable")
    return tuple(flags), "; ".join(remarks)

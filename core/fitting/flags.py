"""What is doubtful about a fit: flags for tables, and sentences for people."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..io.noise import scatter
from ..io.resolution import APOGEE_RESOLUTION
from ..io.spectrum_columns import reading_columns
from ..spectra.spectra import Spectra

BAD_REDUCED_CHI2 = 3.0
"""A larger reduced chi2 means that the model does not describe the star."""

LEAST_GOOD_FRACTION = 0.5
"""With fewer of the pixels usable, a fit is flagged."""

LOW_REDUCED_CHI2 = 0.25
"""A smaller reduced chi2 means that the errors are too large."""

NOISE_RATIO_LIMITS = (1 / 3, 3.0)
"""Scatter of residuals between neighbouring pixels, in errors, that is believed."""

LEAST_SNR = 5.0
"""Below this signal-to-noise ratio a pixel even noise without a star is fitted well."""

FLOOR_FACTOR = 1.5
"""Errors below this many times the floor say nothing: the floor is added to them."""

AIR_VELOCITY_KMS = 81.9
"""How much faster a star seems to come near in air wavelengths that are taken for vacuum."""

AIR_TOLERANCE_KMS = 3.0
"""A velocity so near to that of air wavelengths makes an assumed medium doubtful."""

FLAGS: dict[str, str] = {
    "unreadable": "no spectrum could be read from the file",
    "not_fitted": "too few usable pixels",
    "not_converged": "the fit was still moving when it was stopped",
    "at_bound": "a label or the velocity is at the edge of its range",
    "bad_chi2": f"reduced chi2 above {BAD_REDUCED_CHI2:g}",
    "extrapolated": "labels outside the range that the emulator was trained on",
    "outside_population": "unlike any star that the adaptation was trained on",
    "few_pixels": f"fewer than {LEAST_GOOD_FRACTION:.0%} of the pixels are usable",
    "low_snr": f"signal-to-noise ratio below {LEAST_SNR:g} a pixel: any model fits such a spectrum",
    "low_chi2": f"reduced chi2 below {LOW_REDUCED_CHI2:g}: the errors are too large",
    "doubtful_errors": "errors far from the scatter of residuals between neighbouring pixels",
    "doubtful_medium": "velocity as if wavelengths were in the other medium than was assumed",
}
"""Names of flags and what they mean."""


@dataclass(frozen=True)
class NoiseEvidence:
    """What is known of the errors and of the medium of a spectrum, from its file and its fit.

    Parameters
    ----------
    noise_ratio : float
        Scatter of residuals between neighbouring pixels, in errors; 1 for errors that are right.
    errors_matter : bool
        Whether the errors of the file decide, not the floor that is added to them or noise that
        neighbouring pixels share.
    medium_assumed : bool
        Whether the file did not say air or vacuum.
    snr : float
        Signal-to-noise ratio per pixel by the errors of the file, the median.
    """

    noise_ratio: float = 1.0
    errors_matter: bool = False
    medium_assumed: bool = False
    snr: float = math.inf


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
    velocity: float = math.nan
    lines_are: str = ""
    noise: NoiseEvidence = field(default_factory=NoiseEvidence)


def noise_evidence(
    spectra: Spectra, residual: NDArray[Any], good: NDArray[np.bool_], floor: float
) -> list[NoiseEvidence]:
    """Return what is known of the noise of fitted spectra.

    Parameters
    ----------
    spectra : Spectra
        As they were fitted, with the errors of their files.
    residual : ndarray, shape ``(n_stars, n_pixels)``
        (observed - model) / error.
    good : ndarray of bool, shape ``(n_stars, n_pixels)``
        Pixels that were fitted.
    floor : float
        Error that was added in quadrature.
    """
    reading = reading_columns(spectra)
    assumed, shared = reading["medium_assumed"], reading["noise_shared"]
    out = []
    for i, use in enumerate(good):
        weights = spectra.ivar[i, use]
        error = float(np.median(weights)) ** -0.5 if use.any() and (weights > 0).all() else 0.0
        out.append(
            NoiseEvidence(
                scatter(residual[i, use].astype(np.float64)),
                error > FLOOR_FACTOR * floor and not shared[i],
                bool(assumed[i]),
                # Flux is normalised, so near 1.
                1 / error if error else math.inf,
            )
        )
    return out


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
    if evidence.lines_are:
        remarks.append(
            f"its lines are {evidence.lines_are} than the models can have: their resolution is "
            f"{APOGEE_RESOLUTION:,.0f}, and --resolution tells that of the spectrum if it is higher"
        )
    _judge_noise(evidence, flags, remarks)
    return tuple(flags), "; ".join(remarks)


def _judge_noise(evidence: Evidence, flags: list[str], remarks: list[str]) -> None:
    noise = evidence.noise
    low, high = NOISE_RATIO_LIMITS
    if noise.snr < LEAST_SNR:
        flags.append("low_snr")
        remarks.append(f"signal-to-noise ratio {noise.snr:.1f} a pixel")
    if noise.errors_matter and evidence.reduced_chi2 < LOW_REDUCED_CHI2:
        flags.append("low_chi2")
    too_large = noise.errors_matter and noise.noise_ratio < low
    if too_large or noise.noise_ratio > high:
        flags.append("doubtful_errors")
        remarks.append(
            f"residuals of neighbouring pixels scatter by {noise.noise_ratio:.2g} errors: the "
            f"errors are too {'large' if too_large else 'small'}"
        )
    off = abs(abs(evidence.velocity) - AIR_VELOCITY_KMS)
    if noise.medium_assumed and off < AIR_TOLERANCE_KMS:
        flags.append("doubtful_medium")
        remarks.append(
            f"{evidence.velocity:.1f} km/s is the difference between air and vacuum wavelengths, "
            "and the file does not say which it has: give --medium air if they are in air"
        )

"""The resolution of spectra, brought to that of the models."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..spectra.spectra import Spectra
from ..spectra.wavelength import FWHM_PER_SIGMA, SPEED_OF_LIGHT

APOGEE_RESOLUTION = 22_500.0
"""Wavelength over full width at half maximum of the models' line profile, as of APOGEE."""

SAME_PART = 0.03
"""Resolutions that differ by less are the same."""


LEAST_RESOLUTION = 1000.0
"""Smaller numbers are not taken for a resolution: they may be widths."""

_KEYS = (
    *("resolution", "resoluti", "resolving_power", "resolpow", "respower", "specres", "spec_res"),
    *("spec_rp", "specrp", "r"),
)

_COMMENT = re.compile(r"\b(?:resolution|resolving power)\s*[=:]?\s*(\d[\d.]*)", re.IGNORECASE)


def stated_resolution(meta: Mapping[str, Any], name: str, notes: list[str]) -> float | None:
    """Return the resolution that the header of a file states, None if it states none.

    Keys are those of ESO (``SPEC_RES``), of the IVOA's spectral data model (``SPEC_RP``) and of
    common use (``RESOLUTI``, ``SPECRES``, ``R``), or a comment of a table of text.

    Parameters
    ----------
    meta : mapping
        Keys of the header in lower case.
    name : str
        Of the file, for messages.
    notes : list of str
        Gets a sentence on each number that is not used.

    Raises
    ------
    SpectrumError
        If two places state different resolutions.

    Examples
    --------
    >>> stated_resolution({"resoluti": 45000, "exptime": 600}, "star.fits", [])
    45000.0
    """
    found: dict[str, float] = {}
    comments = meta.get("comments")
    lines = comments if isinstance(comments, list | tuple) else ()
    said = [m.group(1).rstrip(".") for line in lines if (m := _COMMENT.search(str(line)))]
    places = [(key.upper(), meta.get(key)) for key in _KEYS]
    for place, value in (*places, *(("a comment", text) for text in said)):
        number = _number(value)
        if number is None:
            continue
        if LEAST_RESOLUTION <= number <= 1e7:
            found[place] = number
        elif place != "R":  # which may be anything
            notes.append(
                f"{place} of {name} is {number:g}, which is no wavelength over width of "
                f"{LEAST_RESOLUTION:,.0f} or more; it is not used."
            )
    if not found:
        return None
    if not _alike(max(found.values()), min(found.values())):
        every = ", ".join(f"{place} says {value:,.0f}" for place, value in found.items())
        raise SpectrumError(
            f"{name} contradicts itself on its resolution: {every}. Correct the file."
        )
    return next(iter(found.values()))


def _number(value: Any) -> float | None:
    """Return a finite number that a header gives, as a number or as text; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | np.number):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _alike(one: float, other: float) -> bool:
    return max(one, other) <= min(one, other) * (1 + SAME_PART)


def resolved(
    spectra: Spectra, resolution: float | None, name: str
) -> tuple[Spectra, tuple[str, ...]]:
    """Return spectra at the resolution of the models, by what a person or their file says of it.

    Parameters
    ----------
    spectra : Spectra
        As they were read; a number as ``provenance["resolution"]`` is what their file states.
    resolution : float, optional
        What a person says.
    name : str
        Of the file, for messages.

    Returns
    -------
    spectra : Spectra
        See :func:`at_resolution`; unchanged if neither says it.
    notes : tuple of str
        What was done.

    Raises
    ------
    SpectrumError
        If the resolution is lower than that of the models, or the two differ.
    """
    stated = spectra.provenance.get("resolution")
    if isinstance(stated, bool) or not isinstance(stated, int | float):
        stated = None
    if stated is not None and resolution is not None and not _alike(resolution, stated):
        raise SpectrumError(
            f"{name} says that its resolution is {stated:,.0f}; {resolution:,.0f} was given. "
            "Leave the option away, or correct the file."
        )
    given = resolution if resolution is not None else stated
    if given is None:
        return spectra, ()
    broad, note = at_resolution(spectra, given, name)
    if broad is not spectra:
        # What is saved and read again is not to be broadened twice.
        broad = replace(broad, provenance={**broad.provenance, "resolution": APOGEE_RESOLUTION})
    return broad, (note,)


def at_resolution(spectra: Spectra, resolution: float, name: str) -> tuple[Spectra, str]:
    """Return spectra broadened from their resolution to that of APOGEE, and a note on it.

    Each chip is convolved with the Gaussian that the two line profiles differ by. Bad pixels have
    no part in it. Errors stay those of single pixels, which is what a fit takes them for: the
    noise of neighbours is no longer independent.

    Parameters
    ----------
    spectra : Spectra
        On a grid that is uniform in the logarithm of the wavelength.
    resolution : float
        Theirs.
    name : str
        Of the file, for messages.

    Raises
    ------
    SpectrumError
        If the resolution is lower than that of APOGEE: lines cannot be made narrower.

    Examples
    --------
    >>> import numpy as np
    >>> from spectrabridge.core.spectra import APOGEE_GRID
    >>> flux = np.ones((1, 7214))
    >>> flux[0, 1000] = 0.0
    >>> broad, note = at_resolution(Spectra(APOGEE_GRID, flux), 45_000.0, "star.csv")
    >>> 0.6 < float(broad.flux[0, 1000]) < 0.8
    True
    """
    if resolution < APOGEE_RESOLUTION * (1 - SAME_PART):
        raise SpectrumError(
            f"The models have a resolution of {APOGEE_RESOLUTION:,.0f}; spectra of a lower one, "
            f"{resolution:,.0f} in {name}, cannot be brought to it. Labels from them would be "
            "wrong, so they are not fitted."
        )
    if resolution <= APOGEE_RESOLUTION * (1 + SAME_PART):
        return spectra, f"The resolution of {name} is that of the models."
    width = np.sqrt(APOGEE_RESOLUTION**-2.0 - resolution**-2.0) / FWHM_PER_SIGMA
    flux: NDArray[Any] = spectra.flux.astype(np.float64)
    for chip in spectra.grid.chips:
        log = np.log(spectra.grid.wavelength[chip.pixels])
        sigma = width / float(np.median(np.diff(log)))
        flux[:, chip.pixels] = _convolved(flux[:, chip.pixels], spectra.good[:, chip.pixels], sigma)
    kms = width * SPEED_OF_LIGHT
    note = (
        f"{name} was broadened from a resolution of {resolution:,.0f} to {APOGEE_RESOLUTION:,.0f} "
        f"(by a Gaussian of {kms:.2f} km/s); noise of neighbouring pixels is shared since."
    )
    shared = {**spectra.columns, "noise_shared": np.ones(len(spectra), bool)}
    return replace(spectra, flux=flux, columns=shared), note


def _convolved(
    flux: NDArray[np.float64], good: NDArray[np.bool_], sigma: float
) -> NDArray[np.float64]:
    """Return rows convolved with a Gaussian of some pixels, without their bad pixels."""
    half = int(np.ceil(5 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    out = flux.copy()
    for row, (f, g) in enumerate(zip(flux, good, strict=True)):
        if not g.any():
            continue
        above = np.convolve(np.where(g, f, 0.0), kernel, "same")
        below = np.convolve(g.astype(np.float64), kernel, "same")
        out[row, g] = above[g] / below[g]
    return out

"""The resolution of spectra, brought to that of the models."""

from __future__ import annotations

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

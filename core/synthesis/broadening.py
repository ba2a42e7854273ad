"""Flux from intensities, and what turbulence and the instrument do to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import SynthesisError
from ..spectra.wavelength import FWHM_PER_SIGMA, SPEED_OF_LIGHT


def disc_angles(n: int = 4) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return cosines of angles on the disc and their weights in the flux.

    Gauss-Legendre points in mu on (0, 1), from the centre of the disc to its limb, as SME
    wants them; the flux is the integral of 2 mu I(mu).

    Returns
    -------
    mu, weight : ndarray, shape ``(n,)``

    Examples
    --------
    A disc that is equally bright everywhere has its intensity as flux:

    >>> mu, weight = disc_angles(4)
    >>> float(weight.sum().round(12))
    1.0
    """
    points, weights = np.polynomial.legendre.leggauss(n)
    mu = (points[::-1] + 1.0) / 2.0
    return mu, weights[::-1] * mu


def velocity_width(vmacro: float, resolution: float) -> float:
    """Return sigma in km/s of macroturbulence and instrument together.

    Parameters
    ----------
    vmacro : float
        Macroturbulence v in the profile exp(-(dv/v)^2), km/s.
    resolution : float
        Wavelength over full width at half maximum of the Gaussian instrument profile.

    Raises
    ------
    SynthesisError
        If the resolution is not above 0 or vmacro is negative.

    Examples
    --------
    >>> round(velocity_width(0.0, 22500.0), 3)
    5.658
    """
    if not (np.isfinite(resolution) and resolution > 0):
        raise SynthesisError(f"The resolution must be above 0; found {resolution}.")
    if not (np.isfinite(vmacro) and vmacro >= 0):
        raise SynthesisError(f"Macroturbulence must be 0 km/s or more; found {vmacro}.")
    instrument = SPEED_OF_LIGHT / resolution / FWHM_PER_SIGMA
    return float(np.hypot(instrument, vmacro / np.sqrt(2.0)))


def broaden(
    flux: NDArray[np.float64],
    wavelength: NDArray[np.float64],
    out: NDArray[np.float64],
    sigma: float,
) -> NDArray[np.float64]:
    """Convolve a spectrum with a Gaussian in velocity and sample it.

    Parameters
    ----------
    flux : ndarray, shape ``(n_fine,)``
        On a grid that is even in the logarithm of the wavelength.
    wavelength : ndarray, shape ``(n_fine,)``
        Of `flux`, angstrom.
    out : ndarray, shape ``(n_pixels,)``
        Wavelengths at which the result is wanted.
    sigma : float
        Of the Gaussian, km/s.

    Returns
    -------
    ndarray, shape ``(n_pixels,)``

    Examples
    --------
    >>> wavelength = np.exp(np.linspace(np.log(16000.0), np.log(16010.0), 2001))
    >>> line = 1.0 - np.exp(-(((wavelength - 16005.0) / 0.05) ** 2))
    >>> pixels = np.array([16002.0, 16005.0])
    >>> broaden(line, wavelength, pixels, 5.7).round(2)
    array([1.  , 0.88])
    """
    log = np.log(wavelength)
    step = (log[-1] - log[0]) / (log.size - 1) * SPEED_OF_LIGHT
    width = sigma / step
    half = int(np.ceil(6.0 * width))
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / width) ** 2) if half else np.ones(1)
    smooth = np.convolve(np.pad(flux, half, mode="edge"), kernel / kernel.sum(), "valid")
    return np.interp(np.log(out), log, smooth)

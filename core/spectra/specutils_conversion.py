"""Arrays out of and into a ``specutils.Spectrum`` (``Spectrum1D`` before version 2)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrumError


def arrays_of(spectrum: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return wavelengths, flux and inverse variance of a specutils spectrum.

    Returns
    -------
    wavelength : ndarray, shape ``(n_pixels,)``
        Vacuum angstrom at rest, increasing.
    flux, ivar : ndarray, shape ``(n_stars, n_pixels)``
        Without an uncertainty every finite pixel has an inverse variance of 1; masked
        pixels have 0.

    Raises
    ------
    SpectrumError
        If specutils is not installed, or the flux has more than two axes.
    """
    specutils_package()
    from astropy import units
    from astropy.nddata import InverseVariance

    wavelength = spectrum.spectral_axis.to_value(units.AA, equivalencies=units.spectral())
    # The axis is as observed, unless the object knows how fast its star recedes.
    wavelength = np.asarray(wavelength, np.float64) / (1 + float(np.ravel(spectrum.redshift)[0]))
    flux: NDArray[Any] = np.atleast_2d(np.array(spectrum.flux.value, dtype=np.float64))
    if flux.ndim != 2:
        raise SpectrumError(
            "Expected a flux of shape (n_pixels,) or (n_stars, n_pixels); found "
            f"{spectrum.flux.shape}. Take one row of spectra at a time."
        )
    good = np.isfinite(flux)
    if spectrum.mask is not None:
        good &= ~np.broadcast_to(np.asarray(spectrum.mask, bool), flux.shape)
    ivar: NDArray[Any] = np.ones_like(flux)
    if spectrum.uncertainty is not None:
        uncertainty = spectrum.uncertainty
        if not isinstance(uncertainty, InverseVariance):
            with np.errstate(divide="ignore", invalid="ignore"):
                uncertainty = uncertainty.represent_as(InverseVariance)
        ivar = np.broadcast_to(np.asarray(uncertainty.array, np.float64), flux.shape)
    ivar = np.where(good & np.isfinite(ivar), ivar, 0.0)
    if wavelength[0] > wavelength[-1]:
        wavelength, flux, ivar = wavelength[::-1], flux[:, ::-1], ivar[:, ::-1]
    return wavelength, flux, ivar


def specutils_spectrum(
    wavelength: NDArray[Any],
    flux: NDArray[Any],
    ivar: NDArray[Any],
    unit: str,
    meta: Mapping[str, Any],
) -> Any:
    """Return a ``specutils.Spectrum`` with one row per star.

    Parameters
    ----------
    wavelength : ndarray, shape ``(n_pixels,)``
        Vacuum angstrom at rest.
    flux, ivar : ndarray, shape ``(n_stars, n_pixels)``
        An inverse variance of 0 becomes a mask.
    unit : str
        Unit of the flux as a survey writes it; one that astropy does not know is left out.
    meta : mapping
        What goes along.

    Raises
    ------
    SpectrumError
        If specutils is not installed.
    """
    specutils = specutils_package()
    from astropy import units
    from astropy.nddata import InverseVariance

    kind = getattr(specutils, "Spectrum", None) or specutils.Spectrum1D
    try:
        with warnings.catch_warnings():
            # The survey's unit has two slashes, of which astropy warns.
            warnings.simplefilter("ignore", units.UnitsWarning)
            known = units.Unit(unit.replace("/A", "/Angstrom"))
    except ValueError:
        known = units.dimensionless_unscaled
    return kind(
        flux=flux.astype(np.float64) * known,
        spectral_axis=wavelength * units.AA,
        uncertainty=InverseVariance(ivar.astype(np.float64)),
        mask=~(ivar > 0),
        meta=dict(meta),
    )


def specutils_package() -> Any:
    """Return the specutils package, which is not needed for anything else.

    Raises
    ------
    SpectrumError
        If it is not installed.
    """
    try:
        import specutils
    except ImportError as problem:
        raise SpectrumError(
            "Conversion to and from specutils needs the package specutils, which is not installed. "
            "Install it with: python -m pip install 'spectrabridge[specutils]'."
        ) from problem
    return specutils

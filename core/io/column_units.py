"""Units of columns: usual spellings, wavelengths in angstrom, and errors in the unit of a flux."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..spectra.wavelength import UNITS

_SPELLINGS = {
    "angstrom": (
        *("angstrom", "angstroms", "angstroem", "angström", "ångström", "ångstrom", "ang"),
        *("angs", "a", "aa", "å", "å", "angstrom_star", "0.1nm", "1e-10m", "10**-10m"),
    ),
    "nm": ("nm", "nanometer", "nanometers", "nanometre", "nanometres", "nms"),
    "um": (
        *("um", "µm", "μm", "micron", "microns", "micrometer", "micrometers", "micrometre"),
        *("micrometres", "mum"),
    ),
}
_WAVELENGTH_UNITS = {word: unit for unit, words in _SPELLINGS.items() for word in words}

PERCENT = "percent"

_SCALE = re.compile(
    r"\s*(?:10\s*(?:\*\*|\^)\s*\(?\s*(?P<power>[-+]?\d+)\s*\)?|10(?P<bare>[-+]\d+)"
    r"|(?P<number>\d*\.?\d+(?:[eE][-+]?\d+)?)|E(?P<exponent>[-+]?\d+))(?![/\d])[\s*.x]*"
)
"""A power of ten before a unit, as 1e-17, 10**(-17), 10^-17, 10-17 or E-17."""


def wavelength_unit(text: str) -> str:
    """Return ``angstrom``, ``nm`` or ``um`` for a usual spelling; empty for any other text.

    Examples
    --------
    >>> [wavelength_unit(t) for t in ("ANGSTROM", "Angstroms", "A", "[microns]", "K")]
    ['angstrom', 'angstrom', 'angstrom', 'um', '']
    """
    return _WAVELENGTH_UNITS.get(_plain_wavelength(text), "")


def _plain_wavelength(text: str) -> str:
    """Return a unit without brackets, blanks, and words on the medium."""
    low = re.sub(r"\b(in|vacuum|vac|air|rest|frame)\b", "", text.strip().lower())
    return re.sub(r"[\s\[\](),;'\"]+", "", low).rstrip(".")


def is_logarithm(unit: str) -> bool:
    """Tell whether a unit says that values are decadic logarithms, as ``log10(Angstrom)``."""
    return bool(re.match(r"\W*log", unit.strip().lower()))


def in_angstrom(values: NDArray[np.float64], unit: str, name: str) -> NDArray[np.float64]:
    """Return wavelengths, wavenumbers or frequencies in some unit as wavelengths in angstrom.

    Raises
    ------
    SpectrumError
        If the unit is none of these.
    """
    usual = wavelength_unit(unit)
    if usual:
        return values / UNITS[usual]
    from astropy import units

    plain = unit.strip().strip("[]()")
    # Short units mean other things in small letters: K is kelvin, k is kayser.
    for text in (plain, plain.lower() if len(plain) > 2 else plain):
        try:
            given = units.Unit(text)
            with np.errstate(divide="ignore"):
                return np.asarray(
                    (values * given).to_value(units.AA, equivalencies=units.spectral())
                )
        except (ValueError, TypeError):
            continue
    raise SpectrumError(
        f"Expected wavelengths in angstrom, nm or um in {name}; found the unit {unit!r}. Say "
        "which it is with unit."
    )


@lru_cache(maxsize=256)
def _flux_unit(text: str) -> Any:
    """Return an astropy unit for a unit of flux as files write it; None if it is not known."""
    from astropy import units

    low = text.strip().strip("[]").strip()
    if low.lower() in ("%", "percent", "per cent", "pct"):
        return units.percent
    if low.lower() in ("", "none", "unitless", "dimensionless", "normalized", "normalised", "1"):
        return units.dimensionless_unscaled
    whole = re.fullmatch(
        r"(?P<one>1\s*/\s*)?\((?P<unit>.*)\)\s*(?:\*\*|\^)\s*\(?(?P<to>-?\d)\)?", low
    )
    if whole and (inner := _flux_unit(whole["unit"])) is not None:
        return units.Unit(inner ** (-int(whole["to"]) if whole["one"] else int(whole["to"])))
    scale = _SCALE.match(low)
    factor = 1.0
    if scale and scale.end() > 0:
        power = scale["power"] or scale["bare"] or scale["exponent"]
        factor = 10.0 ** int(power) if power else float(scale["number"])
        low = low[scale.end() :]
    low = re.sub(r"\b(?:ergs|ERGS|ERG|Erg)\b", "erg", low)
    low = re.sub(r"\b(?i:angstroms?|ang|angstroem)\b|\bAA?\b(?!\w)|Å", "Angstrom", low)
    low = re.sub(r"\bA(?=[-^]?\d|\*)", "Angstrom", low)
    low = re.sub(r"\b(?i:seconds?|secs?|S)\b", "s", low)
    low = re.sub(r"\b(?i:hz)\b", "Hz", low)
    low = re.sub(r"\b(?i:cm)(?=\b|[-^\d])", "cm", low)
    low = re.sub(r"\b(?i:counts?|cts?|dn|adu)\b", "count", low)
    low = re.sub(r"(\w)\s*\^\s*", r"\1^", low)
    for form in (None, "fits", "cds", "vounit"):
        try:
            with warnings.catch_warnings():
                # Units with two slashes are usual; astropy warns of them.
                warnings.simplefilter("ignore", units.UnitsWarning)
                unit = units.Unit(low, format=form) if form else units.Unit(low)
        except (ValueError, TypeError):
            continue
        return units.Unit(factor * unit)
    return None


def factor_to_flux(
    unit: str,
    flux_unit: str,
    power: int,
    wavelength: NDArray[np.float64],
    column: str,
    name: str,
    notes: list[str],
) -> NDArray[np.float64] | float | str:
    """Return the factor that brings a column to the unit of the flux.

    Parameters
    ----------
    unit, flux_unit : str
        Of the column and of the flux, as in the file; empty if it says none.
    power : int
        The column is an error (1), a variance (2) or an inverse variance (-2).
    wavelength : ndarray
        Angstrom; a flux per wavelength and an error per frequency are compared there.
    column, name : str
        What the column and the file are called.
    notes : list of str
        Takes a sentence on what was assumed.

    Returns
    -------
    float or ndarray
        Or :data:`PERCENT` where an error is given in percent of the flux.

    Raises
    ------
    SpectrumError
        If both units are known and are none of one quantity.
    """
    if not unit or unit.strip() == flux_unit.strip():
        return 1.0
    from astropy import units

    of_column, of_flux = _flux_unit(unit), _flux_unit(flux_unit) if flux_unit else None
    if of_column is not None and power == 1 and of_column == units.percent:
        return PERCENT
    if not flux_unit:
        notes.append(
            f"{column} has the unit {unit} and the flux has none; they were taken to be in one "
            "unit."
        )
        return 1.0
    if of_column is None or of_flux is None:
        unknown = unit if of_column is None else flux_unit
        notes.append(
            f"The unit {unknown} is not known; {column} was taken to be in the unit of the flux."
        )
        return 1.0
    try:
        root = of_column ** (1 / power)
        if root.is_equivalent(of_flux):
            return float(root.to(of_flux)) ** power
        by_wavelength = np.asarray(
            root.to(of_flux, 1.0, equivalencies=units.spectral_density(wavelength * units.AA))
        )
        return by_wavelength**power
    except (units.UnitsError, TypeError, ValueError) as problem:
        raise SpectrumError(
            f"Expected {column} of {name} in the unit of the flux, {flux_unit}, or one that "
            f"converts to it; found {unit}. Correct the unit in the file."
        ) from problem

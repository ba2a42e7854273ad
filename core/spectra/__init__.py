"""Spectra on a wavelength grid: units, media, resampling and the continuum."""

from .continuum import fit_continuum, normalise
from .resample import resample
from .spectra import Spectra, SpectraFile
from .wavelength import (
    APOGEE_GRID,
    APSTAR_GRID,
    SPEED_OF_LIGHT,
    Chip,
    WavelengthGrid,
    air_to_vacuum,
    vacuum_to_air,
)

__all__ = [
    "APOGEE_GRID",
    "APSTAR_GRID",
    "SPEED_OF_LIGHT",
    "Chip",
    "Spectra",
    "SpectraFile",
    "WavelengthGrid",
    "air_to_vacuum",
    "fit_continuum",
    "normalise",
    "resample",
    "vacuum_to_air",
]

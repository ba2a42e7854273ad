"""Equivalent widths and depths of lines in spectra, with errors."""

from .continuum import LocalContinuum, local_continuum
from .line import METHODS, LineMeasurement, Method, measure_line
from .profiles import PROFILES, LineProfile, fit_profile

__all__ = [
    "METHODS",
    "PROFILES",
    "LineMeasurement",
    "LineProfile",
    "LocalContinuum",
    "Method",
    "fit_profile",
    "local_continuum",
    "measure_line",
]

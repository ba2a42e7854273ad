"""Fitting of stellar labels to observed spectra."""

from .fit import Fitter, fit_both, fit_labels, population_of
from .flags import FLAGS
from .result import LabelFits
from .settings import FitSettings

__all__ = [
    "FLAGS",
    "FitSettings",
    "Fitter",
    "LabelFits",
    "fit_both",
    "fit_labels",
    "population_of",
]

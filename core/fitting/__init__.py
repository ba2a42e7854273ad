"""Fitting of stellar labels to observed spectra."""

from .convenience import fit, held_out_spectra
from .fit import Fitter, fit_both, fit_labels, population_of
from .flags import FLAGS
from .result import LabelFits
from .settings import FitSettings
from .star_fits import StarFits, fit_stars, fitters
from .stars import Reading, Star, read_stars

__all__ = [
    "FLAGS",
    "FitSettings",
    "Fitter",
    "LabelFits",
    "Reading",
    "Star",
    "StarFits",
    "fit",
    "fit_both",
    "fit_labels",
    "fit_stars",
    "fitters",
    "held_out_spectra",
    "population_of",
    "read_stars",
]

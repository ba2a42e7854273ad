"""Readers and writers: one module per kind of file.

:func:`read_star` takes a file of any of the formats with spectra and tells them apart by
their content; :func:`read_allstar` reads catalogues of labels.
"""

from .allstar import Catalogue, join_labels, read_allstar
from .apstar import ApStar, example_apstar, read_apstar
from .apvisit import ApVisit, read_apvisit
from .aspcapstar import AspcapStar, read_aspcapstar
from .grid import read_grid
from .payne import read_payne
from .star_file import StarFile, read_star
from .table import read_spectrum_table

__all__ = [
    "ApStar",
    "ApVisit",
    "AspcapStar",
    "Catalogue",
    "StarFile",
    "example_apstar",
    "join_labels",
    "read_allstar",
    "read_apstar",
    "read_apvisit",
    "read_aspcapstar",
    "read_grid",
    "read_payne",
    "read_spectrum_table",
    "read_star",
]

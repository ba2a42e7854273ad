"""Readers and writers: one module per kind of file.

A module registers what it reads (:data:`STAR_FORMATS`); to read another kind of file, add one.

:func:`read_star` takes a file of any of the formats with spectra and tells them apart by
their content; :func:`read_allstar` reads catalogues of labels.

Readers are imported when they are first asked for: writing a table needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .allstar import Catalogue, join_labels, read_allstar
    from .apstar import ApStar, example_apstar, read_apstar
    from .apvisit import ApVisit, read_apvisit
    from .aspcapstar import AspcapStar, read_aspcapstar
    from .grid import read_grid
    from .payne import read_payne
    from .star_file import read_star
    from .star_formats import STAR_FORMATS, ReadingOptions, StarFile
    from .table import read_spectrum_table

__all__ = [
    "STAR_FORMATS",
    "ApStar",
    "ApVisit",
    "AspcapStar",
    "Catalogue",
    "ReadingOptions",
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

_MODULES = {
    "ApStar": "apstar",
    "ApVisit": "apvisit",
    "AspcapStar": "aspcapstar",
    "Catalogue": "allstar",
    "STAR_FORMATS": "star_formats",
    "ReadingOptions": "star_formats",
    "StarFile": "star_formats",
    "example_apstar": "apstar",
    "join_labels": "allstar",
    "read_allstar": "allstar",
    "read_apstar": "apstar",
    "read_apvisit": "apvisit",
    "read_aspcapstar": "aspcapstar",
    "read_grid": "grid",
    "read_payne": "payne",
    "read_spectrum_table": "table",
    "read_star": "star_file",
}
"""Module of each name."""


def __getattr__(name: str) -> Any:
    """Import the module of a name, and return what it calls so."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)

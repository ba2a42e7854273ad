"""Grids that other codes have made, brought onto this program's pixels and labels."""

from ..errors import GridImportError
from .conversion import ImportSettings, finish
from .grid_formats import GRID_FORMATS
from .raw_grid import RawGrid
from .readers import import_grid

__all__ = [
    "GRID_FORMATS",
    "GridImportError",
    "ImportSettings",
    "RawGrid",
    "finish",
    "import_grid",
]

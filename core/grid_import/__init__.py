"""Grids that other codes have made, brought onto this program's pixels and labels."""

from ..errors import GridImportError
from .conversion import ImportSettings, finish
from .raw_grid import RawGrid
from .readers import READERS, import_grid

__all__ = ["READERS", "GridImportError", "ImportSettings", "RawGrid", "finish", "import_grid"]

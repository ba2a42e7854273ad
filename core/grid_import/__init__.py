"""Grids that other codes have made, brought onto this program's pixels and labels."""

from ..errors import GridImportError
from .finish import ImportSettings, finish
from .raw import RawGrid
from .readers import READERS, import_grid

__all__ = ["READERS", "GridImportError", "ImportSettings", "RawGrid", "finish", "import_grid"]

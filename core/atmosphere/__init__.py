"""Model atmospheres: the shipped function of Teff, log g and [Fe/H], and a user's own grids."""

from .files import read_atmosphere, read_atmospheres
from .learnt_model import LearntAtmospheres, shipped_atmospheres
from .structure import Atmospheres, Structure
from .table import TableAtmospheres, read_structure_table, table_of_structures

__all__ = [
    "Atmospheres",
    "LearntAtmospheres",
    "Structure",
    "TableAtmospheres",
    "read_atmosphere",
    "read_atmospheres",
    "read_structure_table",
    "shipped_atmospheres",
    "table_of_structures",
]

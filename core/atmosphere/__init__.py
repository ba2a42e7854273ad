"""Model atmospheres: the shipped function of Teff, log g and [Fe/H], and a user's own grids."""

from .files import read_atmosphere, read_atmospheres
from .learnt_model import LearntAtmospheres, shipped_atmospheres
from .model_table import ModelTable, read_model_table
from .structure import Atmospheres, Structure
from .table import TableAtmospheres

__all__ = [
    "Atmospheres",
    "LearntAtmospheres",
    "ModelTable",
    "Structure",
    "TableAtmospheres",
    "read_atmosphere",
    "read_atmospheres",
    "read_model_table",
    "shipped_atmospheres",
]

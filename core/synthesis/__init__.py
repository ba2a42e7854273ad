"""Synthesis of spectra: the simulator that grids, and so emulators, are made from."""

from .simulator import Continuum, Simulator
from .sme import SmeSimulator, require_pysme

__all__ = ["Continuum", "Simulator", "SmeSimulator", "require_pysme"]

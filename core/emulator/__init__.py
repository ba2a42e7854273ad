"""Emulators: networks that stand in for the simulator."""

from .emulator import Emulator, in_batches
from .extrapolation import Extrapolation
from .payne_weights import read_payne_npz
from .training import EmulatorTraining, train_emulator

__all__ = [
    "Emulator",
    "EmulatorTraining",
    "Extrapolation",
    "in_batches",
    "read_payne_npz",
    "train_emulator",
]

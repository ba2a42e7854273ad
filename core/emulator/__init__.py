"""Emulators: networks that stand in for the simulator."""

from .emulator import Emulator, Extrapolation, in_batches
from .training import EmulatorTraining, train_emulator

__all__ = [
    "Emulator",
    "EmulatorTraining",
    "Extrapolation",
    "in_batches",
    "train_emulator",
]

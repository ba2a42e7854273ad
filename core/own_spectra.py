"""Adaptation to a user's own observed spectra."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from . import draws
from .adaptation.training import AdaptationTrainer, AdaptationTraining
from .continuum import normalise
from .emulator import Emulator
from .errors import TrainingError
from .mock_lines import in_batches
from .spectra import Spectra

MOST_NOISE = 0.3
"""Largest median error, as a part of the continuum, that is taken for real."""


def read_observed(path: str | Path, emulator: Emulator) -> Spectra:
    """Read observed spectra and normalise them as the emulator's were.

    Parameters
    ----------
    path : path
        HDF5 file written by :meth:`~spectrabridge.core.spectra.Spectra.save`.
    emulator : Emulator
        Gives the grid and the kind of continuum. If it was trained on normalised
        spectra, those that were not yet normalised are normalised here.

    Raises
    ------
    SpectrumError, GridError
        If the file cannot be read or its grid is another one.
    TrainingError
        If the emulator keeps the simulator's true continuum, which no observation has.
    """
    spectra = Spectra.load(path)
    if emulator.continuum != "pseudo":
        raise TrainingError(
            "The emulator was trained with the simulator's own continuum, which observed spectra "
            "do not have. Train it with --continuum pseudo, so that both domains are normalised "
            "by the same routine."
        )
    if "continuum" not in spectra.provenance:
        spectra = normalise(spectra)
    if spectra.grid != emulator.grid:
        spectra = spectra.on_chips()
    emulator.grid.require_same(spectra.grid, "observed spectra")
    return spectra


def own_trainer(
    emulator: Emulator, spectra: Spectra, training: AdaptationTraining, device: str = "cpu"
) -> AdaptationTrainer:
    """Return a trainer that adapts giant-branch draws of the emulator to observed spectra.

    Raises
    ------
    TrainingError
        If the spectra cannot be trained on; see :class:`AdaptationTrainer`.
    """
    good = spectra.good
    if not good.any():
        raise TrainingError("Every pixel of the observed spectra is bad; nothing to adapt to.")
    noise = float(np.median(1 / np.sqrt(spectra.ivar[good])))
    if noise > MOST_NOISE:
        raise TrainingError(
            f"The errors of the observed spectra are {noise:.0%} of the continuum, as if inverse "
            "variances had been left out or were those of another normalisation. Give ivar with "
            "the flux."
        )

    def draw(n: int, generator: torch.Generator) -> torch.Tensor:
        return in_batches(emulator, draws.giant_branch(n, generator, emulator.labels))

    return AdaptationTrainer(
        draw,
        torch.from_numpy(spectra.flux),
        noise,
        training,
        ivar=torch.from_numpy(spectra.ivar),
        device=device,
    )

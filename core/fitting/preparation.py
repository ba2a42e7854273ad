"""Make observed spectra ready to be compared with a model: at rest, normalised, on its grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..bundle.model import Model
from ..errors import FitError
from ..spectra.continuum import normalise
from ..spectra.spectra import Spectra
from ..spectra.wavelength import SPEED_OF_LIGHT
from .forward_model import Forward
from .velocity import find_shift, log_step, shift_pixels

MIN_USABLE_PIXELS = 300
"""A star with fewer usable pixels is not fitted."""


@dataclass(frozen=True)
class Prepared:
    """Spectra as they are fitted.

    Parameters
    ----------
    spectra : Spectra
        Normalised, on the grid of the model, shifted to rest by whole pixels.
    shifted : ndarray of int, shape ``(n_stars,)``
        By how many pixels they were too red.
    usable : ndarray of bool, shape ``(n_stars,)``
        Whether there are enough pixels for a fit.
    """

    spectra: Spectra
    shifted: NDArray[np.int64]
    usable: NDArray[np.bool_]


def prepare(
    spectra: Spectra, model: Model, templates: NDArray[np.float64], search: float = 600.0
) -> Prepared:
    """Shift spectra to rest by whole pixels and normalise them as the model's were.

    Parameters
    ----------
    spectra : Spectra
        On the model's grid, or on a grid whose chips are the model's grid. Normalised by
        :func:`~spectrabridge.core.spectra.continuum.normalise`, or not normalised; whatever
        smooth shape another continuum left, this one takes out.
    model : Model
        Gives the grid and the kind of continuum.
    templates : ndarray, shape ``(n_templates, n_labels)``
        Labels of the spectra with which velocities are found.
    search : float
        Range of velocities, km/s either side; 0 for none.

    Raises
    ------
    FitError
        If the model's emulator keeps the simulator's true continuum.
    GridError
        If the grids are others.
    """
    chips_only = spectra.grid == model.grid
    if not chips_only:
        model.grid.require_same(spectra.grid.on_chips(), "the spectra")
    if model.emulator.continuum != "pseudo":
        raise FitError(
            "The emulator of this bundle was trained with the simulator's own continuum, which "
            "observed spectra do not have. Use a bundle whose emulator was trained with "
            "--continuum pseudo."
        )
    n = len(spectra)
    shifted = np.zeros(n, np.int64)
    usable = (spectra.ivar > 0).sum(axis=1) >= MIN_USABLE_PIXELS
    # Other continua are named by a text.
    done = isinstance(spectra.provenance.get("continuum"), Mapping)
    if search and usable.any():
        rough = spectra if done else normalise(spectra)
        most = int(np.ceil(search / (SPEED_OF_LIGHT * log_step(model.grid))))
        lines = Forward(model, "emulated").flux(
            torch.tensor(templates, dtype=torch.float32, device=model.device)
        )
        shown = np.full((len(templates), spectra.grid.n_pixels), np.nan, np.float32)
        where = slice(None) if chips_only else spectra.grid.chip_pixels
        shown[:, where] = lines.cpu().numpy()
        # Lags beyond the spectrum mean nothing.
        most = min(most, spectra.grid.n_pixels // 4)
        rows = np.flatnonzero(usable)
        shifted[rows] = find_shift(rough.flux[rows], rough.ivar[rows], shown, most)
    if shifted.any():
        moved = replace(
            spectra,
            flux=shift_pixels(spectra.flux, shifted, 1.0),
            ivar=shift_pixels(spectra.ivar, shifted, 0.0),
        )
        usable &= (moved.ivar > 0).sum(axis=1) >= MIN_USABLE_PIXELS
        # Continuum pixels are those of the rest frame, so a moved star needs its own fit.
        spectra, done = moved, False
    out = (spectra if done else normalise(spectra)).on_chips()
    # A continuum can only be found where there is light.
    usable &= (out.ivar > 0).sum(axis=1) >= MIN_USABLE_PIXELS
    return Prepared(out, shifted, usable)

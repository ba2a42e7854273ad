"""What one position of the sliders shows: spectra, difference and residuals.

Nothing here knows a screen; the functions run in worker threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ...core.bundle import Model

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Frame:
    """Spectra for one set of labels.

    Parameters
    ----------
    values : ndarray, shape ``(n_labels,)``
        The labels.
    emulated, adapted : ndarray, shape ``(n_pixels,)``
        Model spectra, continuum-normalised.
    truth : ndarray, shape ``(n_pixels,)``, or None
        Noise-free truth, where the model knows it.
    """

    values: NDArray[np.float64]
    emulated: Array
    adapted: Array
    truth: Array | None = None

    @property
    def difference(self) -> Array:
        """Adapted minus emulated, shape ``(n_pixels,)``."""
        return self.adapted - self.emulated


def compute_frame(
    model: Model, values: ArrayLike, split: NDArray[np.float64] | None = None
) -> Frame:
    """Evaluate a model for one star.

    Parameters
    ----------
    model : Model
        Model of a bundle.
    values : array_like, shape ``(n_labels,)``
        Label values in physical units.
    split : ndarray, shape ``(n_split,)``, optional
        Split latents; typical ones if not given.
    """
    row = np.array(values, dtype=np.float64)
    added = None if split is None else split[None]

    def one(spectra: Any) -> Array:
        return np.asarray(spectra, dtype=np.float32).reshape(-1)

    with torch.inference_mode():
        return Frame(
            row,
            one(model.emulate(row)),
            one(model.adapt(row, added)),
            one(model.truth(row)) if model.has_truth else None,
        )


def residual(flux: ArrayLike, ivar: ArrayLike, model: ArrayLike) -> Array:
    """Return (observed - model) / sigma with sigma = ivar**-0.5, NaN where ivar is 0.

    Parameters
    ----------
    flux, ivar, model : array_like, shape ``(n_pixels,)``
        Observed flux, its inverse variance, and a model on the same grid.
    """
    weight = np.asarray(ivar, dtype=np.float32)
    with np.errstate(invalid="ignore"):
        out = (np.asarray(flux, np.float32) - np.asarray(model, np.float32)) * np.sqrt(weight)
    return np.where(weight > 0, out, np.nan).astype(np.float32)


# The same for all sessions, which would otherwise hold one each.

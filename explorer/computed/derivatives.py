"""Derivatives of emulated and adapted spectra, kept for the labels last asked for."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ...core.bundle import Model
from .frame import Array


@dataclass(frozen=True, eq=False)
class LabelDerivatives:
    """Derivatives of both domains for one star, shape ``(n_pixels, n_labels)`` each.

    Parameters
    ----------
    emulated, adapted : ndarray
        d flux / d label, in flux per unit of the label.
    truth : ndarray or None
        The same of the truth, where the model knows it.
    """

    emulated: Array
    adapted: Array
    truth: Array | None = None

    @property
    def difference(self) -> Array:
        """Adapted minus emulated: what the simulator lacks."""
        return self.adapted - self.emulated

    @property
    def true_difference(self) -> Array | None:
        """Truth minus emulated, or None."""
        return None if self.truth is None else self.truth - self.emulated


class DerivativeCache:
    """Derivatives of a model, the last few sets of labels kept; safe to share by threads.

    Parameters
    ----------
    model : Model
        Model of a bundle.
    size : int
        How many sets of labels are kept, about 2 MB each for 25 labels.
    """

    def __init__(self, model: Model, size: int = 16) -> None:
        self.model = model
        self.size = size
        self._kept: OrderedDict[bytes, LabelDerivatives] = OrderedDict()
        self._lock = Lock()

    def known(self, values: ArrayLike) -> LabelDerivatives | None:
        """Return the derivatives at label values if they are kept, else None; at once."""
        key = _key(values)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def get(self, values: ArrayLike) -> LabelDerivatives:
        """Return the derivatives at label values of shape ``(n_labels,)``."""
        row = np.array(values, dtype=np.float64)
        kept = self.known(row)
        if kept is not None:
            return kept

        def jacobian(of: Literal["emulated", "adapted", "truth"]) -> Array:
            return np.asarray(self.model.jacobian(row, of=of), dtype=np.float32)

        found = LabelDerivatives(
            jacobian("emulated"),
            jacobian("adapted"),
            jacobian("truth") if self.model.has_truth else None,
        )
        with self._lock:
            self._kept[_key(row)] = found
            while len(self._kept) > self.size:
                self._kept.popitem(last=False)
        return found


def _key(values: ArrayLike) -> bytes:
    return np.round(np.array(values, dtype=np.float64), 6).tobytes()

"""Between which values a label may move, the others as they are, without extrapolation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.emulator import Emulator


def trained_ranges(model: Any, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the trained range of each label of one star, shape ``(n_labels, 2)``.

    Emulators read abundances as [X/Fe], so the range of [X/H] moves with [Fe/H].

    Parameters
    ----------
    model : Model
        Its emulator knows what it was trained on; without one the ranges of the labels.
    values : ndarray, shape ``(n_labels,)``
        Labels of the star.
    """
    labels = model.labels
    emulator = getattr(model, "complete_emulator", None)
    if not isinstance(emulator, Emulator):
        return np.stack([labels.low, labels.high], axis=1)
    limits = (emulator.low, emulator.high)
    out = np.stack([v.double().cpu().numpy() for v in limits], axis=1)
    if emulator.architecture == "basis":
        if "Fe" in labels:
            iron = labels.index("Fe")
            others = [i for i in labels.element_columns() if i != iron]
            out[others] += values[iron]
        if "c12c13" in labels:
            out[labels.index("c12c13")] = 10.0 ** out[labels.index("c12c13")]
    return out

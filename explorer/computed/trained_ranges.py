"""Between which values a label may move, the others as they are, without extrapolation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...core.bundle.protocols import SpectralModel


def trained_ranges(model: SpectralModel, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the trained range of each label of one star, shape ``(n_labels, 2)``.

    Parameters
    ----------
    model : SpectralModel
        Knows what it was trained on.
    values : ndarray, shape ``(n_labels,)``
        Labels of the star.
    """
    return model.trained_ranges(values)

"""The published data-driven model of real giants: a quadratic Cannon model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import SpectrumError
from ..files import understood
from ..files.npz import open_npz

TRUSTED_FRACTION = 0.97
"""Part of the empirical model's training stars among which it is trusted.

What it leaves out of the catalogue are mostly odd stars; cooler ones come from
:func:`~spectrabridge.core.domains.giant_catalogue.up_the_branch`.
"""


class EmpiricalGiants:
    """A quadratic model of real giants: flux at (Teff, log g, [M/H], [alpha/M]).

    Parameters
    ----------
    path : path
        npz file with ``coeffs`` (15, n_pixels), ``baseline`` (4,) and ``training_labels``
        (n_stars, 4).

    Raises
    ------
    SpectrumError
        If the file is another one.
    """

    def __init__(self, path: str | Path) -> None:
        what = "an empirical model of giants, an npz file with coeffs, baseline and training_labels"
        with open_npz(path, what=what) as file, understood(path, what):
            missing = [k for k in ("coeffs", "baseline", "training_labels") if k not in file.files]
            if missing:
                raise SpectrumError(
                    f"{path}: expected an npz file with coeffs, baseline and training_labels; it "
                    f"lacks {', '.join(missing)}."
                )
            self._coefficients = torch.tensor(file["coeffs"], dtype=torch.float32)
            self._baseline = np.asarray(file["baseline"], np.float64)
            stars = np.asarray(file["training_labels"], np.float64)
        if self._coefficients.dim() != 2 or self._coefficients.shape[0] != 15:
            raise SpectrumError(
                f"{path}: expected 15 rows of coefficients, of 1, four labels and their products; "
                f"found shape {tuple(self._coefficients.shape)}."
            )
        # Distances of the training stars from their own crowd tell where a quadratic may
        # be believed: it extrapolates badly.
        self._centre = np.median(stars, axis=0)
        self._inverse = np.linalg.inv(np.cov(stars - self._centre, rowvar=False))
        self._limit = float(np.quantile(self._distance(stars), TRUSTED_FRACTION))

    @property
    def n_pixels(self) -> int:
        """Number of pixels."""
        return int(self._coefficients.shape[1])

    def _distance(self, four: NDArray[np.float64]) -> NDArray[np.float64]:
        d = four - self._centre
        return np.einsum("ni,ij,nj->n", d, self._inverse, d)

    def trusted(self, four: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return True for labels ``(n_stars, 4)`` among those the model was trained on.

        A star counts if its Mahalanobis distance from the training stars is below that of
        the part :data:`TRUSTED_FRACTION` of them.
        """
        return self._distance(np.asarray(four, np.float64)) <= self._limit

    def __call__(self, four: NDArray[np.float64]) -> Tensor:
        """Return flux ``(n_stars, n_pixels)`` for labels ``(n_stars, 4)``."""
        d = torch.tensor(np.asarray(four) - self._baseline, dtype=torch.float32)
        upper = torch.triu_indices(4, 4)
        terms = [torch.ones(len(d), 1), d, d[:, upper[0]] * d[:, upper[1]]]
        return torch.cat(terms, 1) @ self._coefficients

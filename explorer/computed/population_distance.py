"""How like the stars that a bundle was trained on a star is, in words."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ...core.bundle.protocols import OpenedBundle

if TYPE_CHECKING:
    # Imported when the first star is judged: tables and FITS support, which fitting needs,
    # take a fifth of all imports, and the first screen need not wait for them.
    from ...core.fitting.population import LabelSpace, Population

EDGE_SHARE = 0.02
"""A star is at the edge of the population if less of it than this is further out."""


class PopulationDistance:
    """Distances to the population of a bundle, by temperature, gravity and metallicity.

    Parameters
    ----------
    bundle : OpenedBundle
        Its sample stands for the stars it was trained on.
    """

    def __init__(self, bundle: OpenedBundle) -> None:
        self._bundle = bundle

    @cached_property
    def _known(self) -> tuple[LabelSpace, Population, NDArray[np.float64]] | None:
        from ...core.fitting.population import LabelSpace, Population

        sample = self._bundle.sample
        if sample is None:
            return None
        stars = sample.synthetic_labels
        space = LabelSpace.of(self._bundle.model.labels, stars)
        population = Population.of(space, stars, None)
        if not population.main:
            return None
        distances = population.distance(_coordinates(space, stars)).numpy()
        return space, population, np.sort(distances)

    def distance(self, values: ArrayLike) -> tuple[float, float] | None:
        """Return how far a star is out, and the part of the population that is further out.

        Parameters
        ----------
        values : array_like, shape ``(n_labels,)``
            Labels of the star.

        Returns
        -------
        tuple of float, or None
            Mahalanobis distance in units of the largest in the population, and a number
            from 0 to 1; None if the bundle keeps no stars.
        """
        if self._known is None:
            return None
        space, population, distances = self._known
        star = torch.as_tensor(np.atleast_2d(values), dtype=torch.float32)
        d = float(population.distance(_coordinates(space, star))[0])
        further = 1 - np.searchsorted(distances, d) / len(distances)
        return d / max(population.reach, 1e-9), float(further)

    def words(self, values: ArrayLike) -> str:
        """Return in words how like the training stars a star is; empty if nobody knows."""
        found = self.distance(values)
        if found is None:
            return ""
        from ...core.fitting.population import OUTSIDE_DISTANCE_RATIO

        out, further = found
        if out > OUTSIDE_DISTANCE_RATIO:
            return "unlike any training star"
        if further < EDGE_SHARE:
            return "at the edge of the training stars"
        return f"{100 * further:.0f} % of training stars are further out"


def _coordinates(space: LabelSpace, labels: torch.Tensor) -> torch.Tensor:
    """Return coordinates of labels, also outside the bounds of fits."""
    y = labels.float()
    y = torch.where(space.logarithmic, y.clamp_min(1e-3).log(), y)
    return (y - space.centre) / space.unit

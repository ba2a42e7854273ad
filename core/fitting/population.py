"""What is known of labels before a spectrum is seen: population, ranges, coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import FitError
from ..labels.label_set import LabelSet

RANGE_MARGIN = 0.05
"""Labels may leave their range by this part of it on either side."""

LOGARITHMIC_LABELS = ("c12c13",)
"""Labels that are fitted as logarithms, because that is how emulators read them."""

MAIN_LABELS = ("teff", "logg", "Fe")
"""Labels by which it is judged whether a star belongs to the population."""

OUTSIDE_DISTANCE_RATIO = 1.2
"""A star is outside the population if its distance is so many times the largest there."""


@dataclass(frozen=True)
class LabelSpace:
    """Coordinates in which labels are fitted: about 1 wide, logarithms where apt.

    Parameters
    ----------
    names : tuple of str
        Labels, in the order of the model.
    centre, unit : Tensor, shape ``(n_labels,)``
        Zero point and unit of the coordinates, in logarithms where `logarithmic`.
    low, high : Tensor, shape ``(n_labels,)``
        Bounds of the coordinates.
    logarithmic : Tensor of bool, shape ``(n_labels,)``
        Labels that count as logarithms.
    free : Tensor of bool, shape ``(n_labels,)``
        Labels that are fitted; the others stay at `held`.
    held : Tensor, shape ``(n_labels,)``
        Coordinates of labels that are not fitted; 0 for others.
    """

    names: tuple[str, ...]
    centre: Tensor
    unit: Tensor
    low: Tensor
    high: Tensor
    logarithmic: Tensor
    free: Tensor
    held: Tensor

    @classmethod
    def of(
        cls, labels: LabelSet, population: Tensor, fixed: Mapping[str, float] | None = None
    ) -> LabelSpace:
        """Return the coordinates for a population.

        Parameters
        ----------
        labels : LabelSet
            Names and ranges.
        population : Tensor, shape ``(n_stars, n_labels)``
            Labels whose mean is the zero point.
        fixed : mapping, optional
            Labels that are not fitted.

        Raises
        ------
        FitError
            If a fixed label does not exist or its value is not finite.
        """
        logarithmic = torch.tensor([n in LOGARITHMIC_LABELS for n in labels.names])
        low, high = (
            torch.tensor(np.array(x), dtype=torch.float32) for x in (labels.low, labels.high)
        )

        def bend(y: Tensor) -> Tensor:
            return torch.where(logarithmic, y.clamp_min(1e-3).log(), y)

        width = bend(high) - bend(low)
        unit = 0.1 * width
        centre = bend(population.cpu().float()).mean(0)
        bottom = (bend(low) - RANGE_MARGIN * width - centre) / unit
        top = (bend(high) + RANGE_MARGIN * width - centre) / unit
        held, free = torch.zeros(len(labels)), torch.ones(len(labels), dtype=torch.bool)
        for name, value in (fixed or {}).items():
            if name not in labels.names:
                raise FitError(
                    f"There is no label {name!r} to hold; the labels are {', '.join(labels.names)}."
                )
            if not np.isfinite(value):
                raise FitError(f"Expected a number to hold {name} at; found {value!r}.")
            i = labels.index(name)
            free[i] = False
            at = bend(torch.full((len(labels),), float(value)))[i]
            held[i] = (at - centre[i]) / unit[i]
        return cls(tuple(labels.names), centre, unit, bottom, top, logarithmic, free, held)

    def to(self, device: torch.device) -> LabelSpace:
        """Return the same on another device."""
        tensors = (self.centre, self.unit, self.low, self.high)
        masks = (self.logarithmic, self.free, self.held)
        return LabelSpace(self.names, *(t.to(device) for t in (*tensors, *masks)))

    def labels(self, x: Tensor) -> Tensor:
        """Return labels ``(..., n_labels)`` of coordinates."""
        y = self.centre + x * self.unit
        return torch.where(self.logarithmic, y.clamp(-20, 20).exp(), y)

    def coordinates(self, labels: Tensor) -> Tensor:
        """Return coordinates of labels, moved within the bounds; held ones where they are."""
        y = torch.where(self.logarithmic, labels.clamp_min(1e-3).log(), labels)
        x = ((y - self.centre) / self.unit).clamp(self.low, self.high)
        return torch.where(self.free, x, self.held)

    def rates(self, labels: Tensor) -> Tensor:
        """Return the change of labels per unit of their coordinates, at these labels."""
        return torch.where(self.logarithmic, self.unit * labels, self.unit)


@dataclass(frozen=True)
class Population:
    """The stars that labels are likely to be like.

    Parameters
    ----------
    centre : Tensor, shape ``(n_labels,)``
        Mean of the coordinates.
    precision : Tensor, shape ``(n_labels, n_labels)``
        Inverse of their covariance times the widening, float64; zeros for no prior.
    """

    centre: Tensor
    precision: Tensor
    main: tuple[int, ...]
    main_centre: Tensor
    main_inverse: Tensor
    reach: float

    @classmethod
    def of(cls, space: LabelSpace, labels: Tensor, widening: float | None) -> Population:
        """Return the prior of a population.

        Parameters
        ----------
        space : LabelSpace
            Coordinates.
        labels : Tensor, shape ``(n_stars, n_labels)``
            Labels of the population.
        widening : float or None
            Factor on the covariance; None for no prior at all.
        """
        y = labels.cpu().float()
        y = torch.where(space.logarithmic, y.clamp_min(1e-3).log(), y)
        x = ((y - space.centre) / space.unit).double()
        k = x.shape[1]
        # A little of each range keeps labels that hardly vary from being held for good.
        floor = 0.1**2 * torch.eye(k, dtype=torch.float64)
        covariance = torch.tensor(np.cov(x.numpy(), rowvar=False)).reshape(k, k) + floor
        precision = torch.zeros(k, k, dtype=torch.float64)
        if widening is not None:
            precision = torch.linalg.inv(widening * covariance)
        main = tuple(i for i, n in enumerate(space.names) if n in MAIN_LABELS)
        rows = list(main)
        inverse = (
            torch.linalg.inv(covariance[rows][:, rows]) if main else torch.zeros(0, 0).double()
        )
        out = cls(x.mean(0).float(), precision, main, x.mean(0)[rows], inverse, 1.0)
        reach = float(out.distance(x).max()) if main else 1.0
        return cls(out.centre, precision, main, out.main_centre, inverse, reach)

    def distance(self, x: Tensor) -> Tensor:
        """Return Mahalanobis distances ``(n,)`` of coordinates in the main labels."""
        d = x[:, list(self.main)].double() - self.main_centre
        return torch.einsum("ni,ij,nj->n", d, self.main_inverse, d).sqrt()

    def outside(self, x: Tensor) -> Tensor:
        """Return True for coordinates clearly further out than any star of the population."""
        return (
            self.distance(x) > OUTSIDE_DISTANCE_RATIO * self.reach
            if self.main
            else torch.zeros(len(x)).bool()
        )

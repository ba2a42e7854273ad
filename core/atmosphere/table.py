"""Tables of model atmospheres, interpolated linearly in the logarithms."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..errors import AtmosphereError
from .structure import Structure

_FIELDS = ("rhox", "temperature", "electrons", "atoms", "density")


class TableAtmospheres:
    """Atmospheres on a grid of Teff, log g and [Fe/H], which may have holes.

    Between nodes the logarithms of column mass, temperature, densities are interpolated
    linearly in the three labels, layer by layer.

    Parameters
    ----------
    structures : sequence of Structure
        The nodes; one per combination of labels, all with the same number of layers.
    description : str
        What they are, for provenance.

    Raises
    ------
    AtmosphereError
        If there is none, two have the same labels, or numbers of layers differ.
    """

    def __init__(self, structures: Sequence[Structure], description: str = "") -> None:
        if not structures:
            raise AtmosphereError("Expected at least one model atmosphere; found none.")
        layers = {s.n_layers for s in structures}
        if len(layers) > 1:
            raise AtmosphereError(
                "All atmospheres of a grid must have the same number of layers; found "
                f"{', '.join(map(str, sorted(layers)))}."
            )
        self.description = description or f"{len(structures)} model atmospheres"
        labels = np.array([(s.teff, s.logg, s.feh) for s in structures]).round(3)
        self.axes = tuple(np.unique(labels[:, k]) for k in range(3))
        shape = tuple(axis.size for axis in self.axes)
        self.table = np.full((*shape, len(_FIELDS), layers.pop()), np.nan)
        for label, structure in zip(labels, structures, strict=True):
            place = tuple(
                int(np.searchsorted(axis, value))
                for axis, value in zip(self.axes, label, strict=True)
            )
            if np.isfinite(self.table[place]).all():
                raise AtmosphereError(
                    f"Two atmospheres have Teff {label[0]:g} K, log g {label[1]:g} and [Fe/H] "
                    f"{label[2]:g}; give one of them (of one geometry, mass and mixture)."
                )
            self.table[place] = np.log([getattr(structure, name) for name in _FIELDS])

    def outside(self, teff: float, logg: float, feh: float) -> str:
        """Say why a star lies outside the range; an empty text if it does not."""
        for title, axis, value in zip(
            ("Teff", "log g", "[Fe/H]"), self.axes, (teff, logg, feh), strict=True
        ):
            if not axis[0] - 1e-6 <= value <= axis[-1] + 1e-6:
                return f"{title} is {value:g}; the atmospheres cover {axis[0]:g} to {axis[-1]:g}"
        for corner, _ in self._cell(teff, logg, feh):
            if not np.isfinite(self.table[corner]).all():
                at = [float(axis[i]) for axis, i in zip(self.axes, corner, strict=True)]
                return (
                    f"the grid has no atmosphere of Teff {at[0]:g} K, log g {at[1]:g} and [Fe/H] "
                    f"{at[2]:g}, which interpolation needs"
                )
        return ""

    def _cell(
        self, teff: float, logg: float, feh: float
    ) -> list[tuple[tuple[int, int, int], float]]:
        """Return the nodes around a star with their weights, without those of weight 0."""
        sides: list[list[tuple[int, float]]] = []
        for axis, value in zip(self.axes, (teff, logg, feh), strict=True):
            if axis.size == 1:
                sides.append([(0, 1.0)])
                continue
            i = int(np.clip(np.searchsorted(axis, value, side="right") - 1, 0, axis.size - 2))
            weight = float((value - axis[i]) / (axis[i + 1] - axis[i]))
            sides.append([(k, w) for k, w in ((i, 1 - weight), (i + 1, weight)) if abs(w) > 1e-9])
        return [((a, b, c), u * v * w) for (a, u), (b, v), (c, w) in product(*sides)]

    def __call__(self, teff: float, logg: float, feh: float) -> Structure:
        """Return the atmosphere of a star.

        Raises
        ------
        AtmosphereError
            If the star lies outside the range, or next to a hole.
        """
        why = self.outside(teff, logg, feh)
        if why:
            raise AtmosphereError(f"There is no atmosphere for this star: {why}.")
        parts = [weight * self.table[corner] for corner, weight in self._cell(teff, logg, feh)]
        values = np.exp(np.sum(parts, axis=0))
        rest: dict[str, NDArray[np.float64]] = dict(zip(_FIELDS, values, strict=True))
        return Structure(float(teff), float(logg), float(feh), **rest, source=self.description)

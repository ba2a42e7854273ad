"""What a simulator of stellar spectra is: labels in, flux over a continuum out."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..labels.label_set import LabelSet
from ..spectra.wavelength import WavelengthGrid

Continuum = Literal["true", "pseudo"]
"""What flux was divided by: the continuum without any line, or one drawn through the spectrum."""


class Simulator(Protocol):
    """Computes spectra for labels; another code takes part by having these members."""

    @property
    def labels(self) -> LabelSet:
        """The labels it takes, in order."""

    @property
    def grid(self) -> WavelengthGrid:
        """The pixels of its spectra."""

    @property
    def continuum(self) -> Continuum:
        """What its flux was divided by."""

    @property
    def description(self) -> dict[str, str]:
        """Code, versions and data, for provenance: as much as it takes to compute it again."""

    def outside(self, values: ArrayLike) -> str:
        """Say why a star cannot be computed; an empty text if it can."""

    def __call__(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return the flux of a star, shape ``(n_pixels,)``.

        Parameters
        ----------
        values : array_like, shape ``(n_labels,)``
            Labels in physical units.

        Raises
        ------
        SynthesisError
            If the star lies outside the range or cannot be computed.
        """

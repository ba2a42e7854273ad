"""What the explorer asks of a bundle and of its model, as protocols.

:class:`~spectrabridge.core.bundle.bundle.Bundle` and
:class:`~spectrabridge.core.bundle.model.Model` satisfy them; so may a model of your own.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..emulator.extrapolation import Extrapolation
from ..labels.label_set import LabelSet
from ..spectra.wavelength import WavelengthGrid
from .sample import Sample


class SpectralModel(Protocol):
    """Spectra and derivatives by labels; see :class:`~spectrabridge.core.bundle.model.Model`."""

    @property
    def labels(self) -> LabelSet:
        """Labels of the model."""

    @property
    def grid(self) -> WavelengthGrid:
        """Pixels of the model."""

    @property
    def reference(self) -> NDArray[np.float64]:
        """Labels to start from, shape ``(n_labels,)``."""

    @property
    def n_members(self) -> int:
        """Networks in the ensemble."""

    @property
    def n_split(self) -> int:
        """Split latents, those of all members side by side."""

    @property
    def has_truth(self) -> bool:
        """Whether the observed domain is known."""

    def emulate(self, labels: Any) -> Any:
        """Return synthetic flux ``(n_stars, n_pixels)``."""

    def adapt(self, labels: Any, split: Any = None, *, return_std: Any = False) -> Any:
        """Return adapted flux ``(n_stars, n_pixels)``, with its deviation if asked for."""

    def truth(self, labels: Any) -> Any:
        """Return the noise-free observed domain ``(n_stars, n_pixels)``."""

    def jacobian(self, labels: Any, of: Any = "adapted", *, return_std: Any = False) -> Any:
        """Return the derivatives of one star's flux, ``(n_pixels, n_labels)``."""

    def extrapolations(self, labels: NDArray[np.float64]) -> list[Extrapolation]:
        """Tell what of one star's labels lies outside the trained range."""

    def trained_ranges(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the trained range of each label of one star, ``(n_labels, 2)``."""


class OpenedBundle(Protocol):
    """A bundle that is open; see :class:`~spectrabridge.core.bundle.bundle.Bundle`."""

    @property
    def name(self) -> str:
        """Short name."""

    @property
    def title(self) -> str:
        """One line for people."""

    @property
    def description(self) -> str:
        """A paragraph for people."""

    @property
    def fingerprint(self) -> str:
        """What tells its weights from others."""

    @property
    def has_sample(self) -> bool:
        """Whether it keeps held-out stars, told without reading them."""

    @property
    def sample(self) -> Sample | None:
        """The held-out stars, if it keeps some."""

    @property
    def model(self) -> Any:
        """The model, a :class:`SpectralModel`."""

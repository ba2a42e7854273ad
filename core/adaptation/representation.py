"""What the networks need to know of a domain, whichever backbone they are.

A representation turns flux into an array that a network can work on and back:
principal components (:class:`~spectrabridge.core.adaptation.spectral_basis.SpectralBasis`) or
whitened pixels (:class:`~spectrabridge.core.adaptation.pixel_space.PixelSpace`). Both are
frozen dataclasses of tensors, so that they can be stored field by field.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

from .pixel_space import PixelSpace
from .spectral_basis import SpectralBasis

Representation: TypeAlias = SpectralBasis | PixelSpace
Kind = TypeVar("Kind", SpectralBasis, PixelSpace)

KINDS: dict[str, type[SpectralBasis] | type[PixelSpace]] = {
    "basis": SpectralBasis,
    "conv": PixelSpace,
}
"""The representation that each backbone works on."""


def tensors_of(space: Representation) -> dict[str, Tensor]:
    """Return the tensors of a representation by name."""
    return {f.name: getattr(space, f.name) for f in fields(space)}


@dataclass(frozen=True)
class Batch:
    """A batch of each domain, with what each value counts in the losses.

    Parameters
    ----------
    s, o : Tensor, shape ``(M, B, n_coefficients)``
        Synthetic and observed spectra.
    ws : Tensor, shape ``(n_coefficients,)``
        Weight of deviations from synthetic spectra.
    wo : Tensor, shape ``(n_coefficients,)`` or ``(M, B, n_coefficients)``
        Weight of deviations from observed spectra; 0 at bad pixels.
    good : Tensor of bool, shape ``(M, B, n_coefficients)``, optional
        Pixels where `o` was observed; None where every coefficient was.
    """

    s: Tensor
    o: Tensor
    ws: Tensor
    wo: Tensor
    good: Tensor | None = None

    @property
    def ws_where_seen(self) -> Tensor:
        """Weight of deviations from observed spectra that were moved to the other domain."""
        return self.ws if self.good is None else self.ws * self.good

    def where_seen(self, x: Tensor) -> Tensor:
        """Return `x` with the pixels that were not observed set to 0."""
        return x if self.good is None else x * self.good


@dataclass(frozen=True)
class Representations:
    """Representations of both domains: what trainings between the same domains have in common.

    They take long to find, so that one training can hand them to the next.

    Parameters
    ----------
    synth, obs : SpectralBasis or PixelSpace
        Representations of both domains.
    coefficients : Tensor, shape ``(n_stars, n_basis)``, optional
        All observed spectra as coefficients, where they are few enough to be kept.
    """

    synth: Representation
    obs: Representation
    coefficients: Tensor | None = None


def coefficients_of(
    space: Representation, flux: Tensor, ivar: Tensor | None, noise: float
) -> Tensor | None:
    """Return observed spectra as a basis has them, drawn to the mean by their noise.

    None if the representation has pixels, of which there are too many to keep.

    Parameters
    ----------
    space : SpectralBasis or PixelSpace
        Representation of the observed domain.
    flux, ivar : Tensor, shape ``(n_stars, n_pixels)``
        The observations; `ivar` may be None.
    noise : float
        1-sigma error of the flux, where there is no `ivar`. Coefficients are drawn to the
        mean by as much as it asks for, as they are with `ivar`.
    """
    if not isinstance(space, SpectralBasis):
        return None
    found = space.encode(flux, ivar)
    return found if ivar is not None else found / (1 + (noise / space.scale).square())


class Observations:
    """Observed spectra in the order of training, represented when they are asked for.

    Coefficients of a basis are few and dear, so they are computed once. Whitened pixels
    are as many as the flux and cost nothing, so they are made batch by batch, and only
    the caller's own array is held.

    Parameters
    ----------
    space : SpectralBasis or PixelSpace
        Representation of the observed domain.
    flux, ivar : Tensor, shape ``(n_stars, n_pixels)``
        The observations; `ivar` may be None.
    order : Tensor of int, shape ``(n_stars,)``
        Order in which rows are counted.
    device : torch.device
        Where batches go.
    coefficients : Tensor, optional
        What :func:`coefficients_of` gives for them.
    """

    def __init__(
        self,
        space: Representation,
        flux: Tensor,
        ivar: Tensor | None,
        order: Tensor,
        device: torch.device,
        coefficients: Tensor | None = None,
    ) -> None:
        self.space = space.to(flux.device)
        self.weight = space.weight.to(device)
        self.device = device
        self._flux, self._ivar, self._order = flux, ivar, order.to(flux.device)
        self._kept = None if coefficients is None else coefficients[self._order].to(device)

    def __len__(self) -> int:
        return len(self._order)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return spectra, weights and good pixels of some rows.

        Parameters
        ----------
        rows : Tensor of int
            Rows, of any shape.

        Returns
        -------
        coefficients : Tensor, shape ``(*rows.shape, n_coefficients)``
        weight : Tensor, shape ``(n_coefficients,)`` or that of the coefficients
        good : Tensor of bool or None
        """
        if self._kept is not None:
            return self._kept[rows.to(self.device)], self.weight, None
        assert isinstance(self.space, PixelSpace)
        rows = self._order[rows.to(self._flux.device)]
        if self._ivar is None:
            return self.space.encode(self._flux[rows]).to(self.device), self.weight, None
        ivar = self._ivar[rows]
        coefficients = self.space.encode(self._flux[rows], ivar)
        weight = self.space.weights(ivar)
        return coefficients.to(self.device), weight.to(self.device), (ivar > 0).to(self.device)


def slices(n: int, size: int) -> list[Tensor]:
    """Return the rows 0 to n in parts of at most `size`."""
    return list(torch.arange(n).split(size))

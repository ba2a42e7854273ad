"""What a user holds: labels in, emulated and adapted spectra and derivatives out."""

from __future__ import annotations

from typing import Any, Literal, TypeVar, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..adaptation.adapter import Adapter
from ..emulator.emulator import Emulator
from ..emulator.extrapolation import Extrapolation
from ..emulator.hidden_lines import HiddenLines
from ..errors import LabelError, SpectrumError
from ..labels.label_set import LabelSet
from ..spectra.wavelength import WavelengthGrid

Domain = Literal["emulated", "adapted", "truth"]
Array = TypeVar("Array", Tensor, NDArray[Any])


class Model:
    """An emulator and an adaptation, chained; batched, differentiable.

    Every method takes torch tensors or numpy arrays and returns the same kind, float32.
    A single star may be given without the leading axis; the result always has it.

    Parameters
    ----------
    emulator : Emulator or HiddenLines
        The synthetic domain.
    adapter : Adapter
        The map to the observed domain.
    reference : array_like, shape ``(n_labels,)``
        Labels to start from.
    truth : Emulator, optional
        The noise-free observed domain, where it is known.
    device : str
        Where to compute.
    """

    def __init__(
        self,
        emulator: Emulator | HiddenLines,
        adapter: Adapter,
        reference: NDArray[np.float64],
        truth: Emulator | None = None,
        device: str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.emulator = emulator.to(self.device)
        self.adapter = adapter if device == "cpu" else adapter.on(self.device)
        self.truth_emulator = None if truth is None else truth.to(self.device)
        self.labels: LabelSet = emulator.labels
        self.grid: WavelengthGrid = emulator.grid
        self.reference = self.labels.array(reference)
        if adapter.synth.n_pixels != self.grid.n_pixels:
            raise SpectrumError(
                f"The adaptation has {adapter.synth.n_pixels} pixels, the emulator "
                f"{self.grid.n_pixels}; they do not belong together."
            )

    @property
    def n_members(self) -> int:
        """Networks in the ensemble."""
        return self.adapter.n_members

    @property
    def n_split(self) -> int:
        """Split latents, those of all members side by side."""
        return self.adapter.n_split

    @property
    def n_shared(self) -> int:
        """Shared latents, those of all members side by side."""
        return self.adapter.n_shared

    @property
    def has_truth(self) -> bool:
        """Whether the observed domain is known, so that :meth:`truth` answers."""
        return self.truth_emulator is not None

    @property
    def complete_emulator(self) -> Emulator:
        """The emulator of the simulator, with all of its lines."""
        return self.emulator.complete if isinstance(self.emulator, HiddenLines) else self.emulator

    def extrapolations(self, labels: NDArray[np.float64]) -> list[Extrapolation]:
        """Tell what of one star's labels lies outside the trained range, ``(n_labels,)``.

        Empty inside. Where it is not, spectra are extrapolated and may be absurd.
        """
        return self.emulator.extrapolations(labels)

    def trained_ranges(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the trained range of each label of one star, the others as they are.

        Parameters
        ----------
        labels : array, shape ``(n_labels,)``
            Labels of the star.

        Returns
        -------
        array, shape ``(n_labels, 2)``
            Lowest and highest value of each label, in its unit.
        """
        return self.emulator.trained_ranges(labels)

    # ------------------------------------------------------------------ spectra

    def emulate(self, labels: Array) -> Array:
        """Return synthetic flux ``(n_stars, n_pixels)``.

        Parameters
        ----------
        labels : array or Tensor, shape ``(n_stars, n_labels)`` or ``(n_labels,)``
            Labels in physical units. Outside the trained range the result is an
            extrapolation; nothing is clipped.

        Raises
        ------
        LabelError
            If the shape is another one or a value is not finite.
        """
        return _alike(self.emulator(self._labels(labels)), labels)

    @overload
    def adapt(
        self, labels: Array, split: Array | None = None, *, return_std: Literal[False] = False
    ) -> Array: ...

    @overload
    def adapt(
        self, labels: Array, split: Array | None = None, *, return_std: Literal[True]
    ) -> tuple[Array, Array]: ...

    def adapt(
        self, labels: Array, split: Array | None = None, *, return_std: bool = False
    ) -> Array | tuple[Array, Array]:
        """Return adapted flux ``(n_stars, n_pixels)``: the emulated flux made realistic.

        Parameters
        ----------
        labels : array or Tensor, shape ``(n_stars, n_labels)`` or ``(n_labels,)``
            Labels in physical units.
        split : array or Tensor, shape ``(n_stars, n_split)``, optional
            Split latents; the mean of the observations if not given.
        return_std : bool
            Also return the standard deviation between the members of the ensemble.
        """
        flux = self.emulator(self._labels(labels))
        latents = None if split is None else self._tensor(split)
        if not return_std:
            return _alike(self.adapter.adapt(flux, latents), labels)
        mean, std = self.adapter.adapt_with_std(flux, latents)
        return _alike(mean, labels), _alike(std, labels)

    def adapt_members(self, labels: Array) -> Array:
        """Return every network's adapted flux ``(n_members, n_stars, n_pixels)``.

        Their mean is :meth:`adapt`.
        """
        coefficients = self.adapter.adapt_members(self.emulator(self._labels(labels)))
        return _alike(self.adapter.obs.decode(coefficients), labels)

    def truth(self, labels: Array) -> Array:
        """Return the noise-free observed domain ``(n_stars, n_pixels)``.

        Raises
        ------
        SpectrumError
            If this model's observed domain is real data, whose truth nobody knows.
        """
        return _alike(self._truth()(self._labels(labels)), labels)

    def encode(self, flux: Array, ivar: Array | None = None) -> tuple[Array, Array]:
        """Return the latents of observed spectra.

        Parameters
        ----------
        flux : array or Tensor, shape ``(n_stars, n_pixels)``
            Normalised flux on the model's grid.
        ivar : array or Tensor, same shape, optional
            Inverse variance, 0 at bad pixels.

        Returns
        -------
        shared : shape ``(n_stars, n_shared)``
        split : shape ``(n_stars, n_split)``
        """
        f = torch.atleast_2d(self._tensor(flux))
        w = None if ivar is None else torch.atleast_2d(self._tensor(ivar))
        if f.shape[1] != self.grid.n_pixels:
            raise SpectrumError(
                f"Expected flux with {self.grid.n_pixels} pixels; found {f.shape[1]}."
            )
        shared, split = self.adapter.encode_observed(f, w)
        return _alike(shared, flux), _alike(split, flux)

    # ------------------------------------------------------------------ derivatives

    @overload
    def jacobian(
        self, labels: Array, of: Domain = "adapted", *, return_std: Literal[False] = False
    ) -> Array: ...

    @overload
    def jacobian(
        self, labels: Array, of: Domain = "adapted", *, return_std: Literal[True]
    ) -> tuple[Array, Array]: ...

    def jacobian(
        self, labels: Array, of: Domain = "adapted", *, return_std: bool = False
    ) -> Array | tuple[Array, Array]:
        """Return the derivatives of one star's flux by forward differentiation.

        Parameters
        ----------
        labels : array or Tensor, shape ``(n_labels,)``
            Labels of the star.
        of : {"adapted", "emulated", "truth"}
            Which spectrum to differentiate.
        return_std : bool
            Also return the standard deviation between members; zero for spectra that do
            not come from the ensemble.

        Returns
        -------
        array or Tensor, shape ``(n_pixels, n_labels)``
            Change of flux per unit of each label.
        """
        star = self._labels(labels)
        if star.shape[0] != 1:
            raise LabelError(f"Expected the labels of one star; found {star.shape[0]} stars.")
        if of == "adapted":
            slope = self._slopes(star)
            mean = self.adapter.obs.decode_slopes(slope.mean(0)).T
            if not return_std:
                return _alike(mean, labels)
            each = self.adapter.obs.decode_slopes(slope)
            std = each.std(0).T if self.n_members > 1 else torch.zeros_like(mean)
            return _alike(mean, labels), _alike(std, labels)
        source = {"emulated": lambda: self.emulator, "truth": self._truth}.get(of)
        if source is None:
            raise SpectrumError(
                f"Derivatives are those of 'adapted', 'emulated' or 'truth'; found {of!r}."
            )
        out = _alike(source().slopes(star)[1][0].T, labels)
        return (out, out * 0) if return_std else out

    def member_jacobians(self, labels: Array) -> Array:
        """Return every member's derivatives of one star's adapted flux.

        Shape ``(n_members, n_pixels, n_labels)``; their mean is :meth:`jacobian`.
        """
        slope = self._slopes(self._labels(labels)[:1])
        return _alike(self.adapter.obs.decode_slopes(slope).transpose(1, 2), labels)

    def _slopes(self, star: Tensor) -> Tensor:
        """Return derivatives of the members' coefficients, ``(M, n_labels, n_coefficients)``.

        Turning coefficients into flux is linear, so it is left out of the
        differentiation: with a basis there are far fewer of them than pixels.
        """
        return self.adapter.members_along(*self.emulator.slopes(star))[1][:, 0]

    # ------------------------------------------------------------------ input

    def _truth(self) -> Emulator:
        if self.truth_emulator is None:
            raise SpectrumError(
                "This model's observed domain is data; there is no truth to compare with."
            )
        return self.truth_emulator

    def _tensor(self, values: Tensor | NDArray[Any]) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)

    def _labels(self, labels: Tensor | NDArray[Any]) -> Tensor:
        out = torch.atleast_2d(self._tensor(labels))
        if out.dim() != 2 or out.shape[1] != len(self.labels):
            raise LabelError(
                f"Expected labels of shape (n_stars, {len(self.labels)}); found "
                f"{tuple(np.shape(labels))}."
            )
        if not bool(torch.isfinite(out).all()):
            bad = [
                n
                for n, ok in zip(
                    self.labels.names, torch.isfinite(out).all(0).tolist(), strict=True
                )
                if not ok
            ]
            raise LabelError(f"Label values must be finite; not finite: {', '.join(bad)}.")
        return out


def _alike(values: Tensor, given: Tensor | NDArray[Any]) -> Any:
    """Return a tensor if one was given, else a numpy array."""
    return values if isinstance(given, Tensor) else values.detach().cpu().numpy()

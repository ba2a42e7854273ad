"""Neural emulators of a stellar spectrum simulator: labels in, flux out.

Two architectures behind one class:

``basis``
    a small network predicts the coefficients of log flux on its principal
    components; abundances enter as [Fe/H] and [X/Fe], 12C/13C as a logarithm.
``payne``
    the form of The Payne (Ting et al. 2019, section 3) and of O'Briain et al.
    (2020, section 2): a perceptron with two hidden layers straight onto the pixels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import BundleError, GridError, LabelError, TrainingError
from ..files.typed_json import require_types, said_of
from ..forward_mode import silu_slope
from ..labels.label_set import LabelSet
from ..spectra.wavelength import WavelengthGrid
from .emulator_folder import (
    MAIN_FILE,
    read_description,
    read_weights,
    require_emulator_folder,
    write_emulator_folder,
)
from .extrapolation import Extrapolation

ARCHITECTURES = ("basis", "payne")
_DESCRIPTION: dict[str, Any] = {
    "architecture": Literal["basis", "payne"],
    "hidden": tuple[int, ...],
    "n_basis": int,
    "continuum": str,
}
FLUX_FLOOR = 1e-3
"""Flux below this is raised to it before the logarithm is taken."""


def _perceptron(sizes: tuple[int, ...], activation: Callable[[], nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        if i:
            layers.append(activation())
        layers.append(nn.Linear(n_in, n_out))
    return nn.Sequential(*layers)


def _slope_of(activation: nn.Module, x: Tensor) -> Tensor:
    """Return the derivative of an activation."""
    if isinstance(activation, nn.SiLU):
        return silu_slope(x)
    assert isinstance(activation, nn.LeakyReLU)
    return torch.where(x > 0, 1.0, activation.negative_slope)


class Emulator(nn.Module):
    """A differentiable surrogate of the simulator.

    Calling it maps labels ``(n_stars, n_labels)`` in physical units to flux
    ``(n_stars, n_pixels)``, both float32 tensors.

    Parameters
    ----------
    labels : LabelSet
        Labels and their trained ranges.
    grid : WavelengthGrid
        Pixels of the output.
    architecture : {"basis", "payne"}
        See the module's text.
    hidden : tuple of int
        Sizes of the hidden layers.
    n_basis : int
        Number of principal components; only for ``basis``.
    continuum : str
        What the flux is divided by: ``true`` (the simulator's own continuum) or
        ``pseudo`` (:func:`spectrabridge.core.spectra.continuum.normalise`).

    Raises
    ------
    TrainingError
        If the architecture is not known.
    """

    def __init__(
        self,
        labels: LabelSet,
        grid: WavelengthGrid,
        architecture: str = "basis",
        hidden: tuple[int, ...] = (256, 256),
        n_basis: int = 100,
        continuum: str = "true",
    ) -> None:
        super().__init__()
        if architecture not in ARCHITECTURES:
            raise TrainingError(
                f"Architectures are {', '.join(ARCHITECTURES)}; found {architecture!r}."
            )
        self.labels = labels
        self.grid = grid
        self.architecture = architecture
        self.hidden = tuple(hidden)
        self.continuum = continuum
        n_in, n_pixels = len(labels), grid.n_pixels
        self.low: Tensor
        self.high: Tensor
        self.register_buffer("low", torch.zeros(n_in))
        self.register_buffer("high", torch.ones(n_in))
        if architecture == "payne":
            self.n_basis = 0
            self.net = _perceptron((n_in, *hidden, n_pixels), lambda: nn.LeakyReLU(0.01))
            return
        self.n_basis = n_basis
        self.net = _perceptron((n_in, *hidden, n_basis), nn.SiLU)
        self.mean: Tensor
        self.components: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(n_pixels))
        self.register_buffer("components", torch.zeros(n_basis, n_pixels))
        self.register_buffer("scale", torch.ones(n_basis))

    def inputs(self, labels: Tensor) -> Tensor:
        """Return what the network reads before scaling, shape ``(n_stars, n_labels)``.

        For ``basis``, abundances other than iron become [X/Fe], and the isotope ratio
        its decimal logarithm, so that a change of metallicity moves one input only.
        """
        if self.architecture == "payne":
            return labels
        columns = list(labels.unbind(1))
        elements = self.labels.element_columns()
        if "Fe" in self.labels:
            iron = self.labels.index("Fe")
            for i in elements:
                if i != iron:
                    columns[i] = columns[i] - columns[iron]
        if "c12c13" in self.labels:
            i = self.labels.index("c12c13")
            columns[i] = columns[i].clamp_min(1e-3).log10()
        return torch.stack(columns, 1)

    def forward(self, labels: Tensor) -> Tensor:
        """Return flux ``(n_stars, n_pixels)`` for labels ``(n_stars, n_labels)``."""
        x = (self.inputs(labels) - self.low) / (self.high - self.low) - 0.5
        if self.architecture == "payne":
            return self.net(x)
        return ((self.net(x) * self.scale) @ self.components + self.mean).exp()

    def slopes(self, labels: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return flux ``(n_stars, n_pixels)`` and its derivatives by every label.

        Derivatives are pushed through the layers by hand: many times faster than
        differentiating pixel by pixel.

        Parameters
        ----------
        labels : Tensor, shape ``(n_stars, n_labels)``
            Labels in physical units.
        directions : Tensor, shape ``(n_stars, k, n_labels)``, optional
            Differentiate along these directions of label space, not by every label.

        Returns
        -------
        flux : Tensor, shape ``(n_stars, n_pixels)``
        slopes : Tensor, shape ``(n_stars, n_labels or k, n_pixels)``
            Change of flux per unit of each label, or along each direction.
        """
        value, slopes = self.pushed(labels, directions)
        if self.architecture == "payne":
            return value, slopes
        flux = ((value * self.scale) @ self.components + self.mean).exp()
        return flux, ((slopes * self.scale) @ self.components).mul_(flux[:, None, :])

    @torch.no_grad()
    def pushed(self, labels: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the network's output and its derivatives; see :meth:`slopes`.

        For ``basis`` the output are coefficients of log flux, ``(n_stars, n_basis)``.
        """
        value = (self.inputs(labels) - self.low) / (self.high - self.low) - 0.5
        slopes = self._input_slopes(labels) / (self.high - self.low)
        if directions is not None:
            slopes = directions @ slopes
        for layer in self.net:
            if isinstance(layer, nn.Linear):
                value, slopes = layer(value), slopes @ layer.weight.T
            else:
                slopes = slopes * _slope_of(layer, value)[:, None, :]
                value = layer(value)
        return value, slopes

    def _input_slopes(self, labels: Tensor) -> Tensor:
        """Return the derivatives of :meth:`inputs`, ``(n_stars, n_labels, n_inputs)``."""
        n, d = labels.shape
        out = torch.eye(d, dtype=labels.dtype, device=labels.device).repeat(n, 1, 1)
        if self.architecture == "payne":
            return out
        if "Fe" in self.labels:
            iron = self.labels.index("Fe")
            out[:, iron, [i for i in self.labels.element_columns() if i != iron]] = -1
        if "c12c13" in self.labels:
            i = self.labels.index("c12c13")
            ratio = labels[:, i]
            out[:, i, i] = torch.where(ratio > 1e-3, 1 / (math.log(10) * ratio), 0.0)
        return out

    def extrapolations(self, labels: np.ndarray) -> list[Extrapolation]:
        """Tell which inputs of one star lie outside what the emulator was trained on.

        What counts is what the network reads: for ``basis`` abundances are [X/Fe], so that
        a star may lie outside although each [X/H] alone was seen in training.

        Parameters
        ----------
        labels : array, shape ``(n_labels,)``
            Labels in physical units.

        Returns
        -------
        list of Extrapolation
            In the order of the labels; empty inside the trained range.
        """
        star = torch.as_tensor(self.labels.array(labels), dtype=torch.float32)[None]
        low, high = self.low.double().cpu().numpy(), self.high.double().cpu().numpy()
        values = self.inputs(star.to(self.low.device))[0].double().cpu().numpy()
        slack = 1e-4 * (high - low)
        found = []
        for i in np.flatnonzero((values < low - slack) | (values > high + slack)):
            label, ends = self.labels.labels[i], (values[i], low[i], high[i])
            title = label.title
            if self.architecture == "basis":
                if label.element and label.element != "Fe" and "Fe" in self.labels:
                    title = f"[{label.element}/Fe]"
                elif label.name == "c12c13":
                    ends = tuple(10.0**x for x in ends)
            found.append(Extrapolation(label.name, title, *(float(x) for x in ends)))
        return found

    def trained_ranges(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the trained range of each label of one star, the others as they are.

        ``basis`` reads abundances as [X/Fe], so that the range of [X/H] moves with [Fe/H].

        Parameters
        ----------
        labels : array, shape ``(n_labels,)``
            Labels of the star.

        Returns
        -------
        array, shape ``(n_labels, 2)``
            Lowest and highest value of each label, in its unit.
        """
        limits = (self.low, self.high)
        out = np.stack([v.double().cpu().numpy() for v in limits], axis=1)
        if self.architecture == "basis":
            if "Fe" in self.labels:
                iron = self.labels.index("Fe")
                others = [i for i in self.labels.element_columns() if i != iron]
                out[others] += labels[iron]
            if "c12c13" in self.labels:
                i = self.labels.index("c12c13")
                out[i] = 10.0 ** out[i]
        return out

    # ------------------------------------------------------------------ files

    def description(self) -> dict[str, Any]:
        """Return what is needed besides the weights to rebuild the emulator, as JSON."""
        return {
            "architecture": self.architecture,
            "hidden": list(self.hidden),
            "n_basis": self.n_basis,
            "continuum": self.continuum,
        }

    @classmethod
    def rebuild(
        cls,
        description: Mapping[str, Any],
        labels: LabelSet,
        grid: WavelengthGrid,
        tensors: Mapping[str, Tensor],
    ) -> Emulator:
        """Return the emulator that wrote `description` and `tensors`.

        Raises
        ------
        BundleError
            If the tensors do not fit the description.
        """
        try:
            require_types(description, _DESCRIPTION, where="emulator")
            # On the meta device nothing is allocated until the sizes have been compared.
            with torch.device("meta"):
                out = cls(labels, grid, **{k: description[k] for k in _DESCRIPTION})
            out.load_state_dict({k: v.float() for k, v in tensors.items()}, assign=True)
        except (KeyError, TypeError, ValueError, RuntimeError) as problem:
            reason = str(problem).splitlines()[0]
            raise BundleError(f"The emulator's weights do not fit: {reason}.") from problem
        return out.requires_grad_(False).eval()

    @staticmethod
    def require_writable(folder: str | Path) -> None:
        """Raise a BundleError unless :meth:`save` may write to a folder.

        It may if the folder is new, empty, or holds an emulator and no bundle.
        """
        require_emulator_folder(Path(folder))

    def save(self, folder: str | Path, report: Mapping[str, Any] | None = None) -> None:
        """Write the emulator into a folder: weights, and ``emulator.json``, which names them.

        Whoever reads finds the old emulator or the new one, also after a kill.

        Parameters
        ----------
        folder : path
            Made if it is not there.
        report : mapping, optional
            Figures and provenance to keep beside the weights; must be JSON.

        Raises
        ------
        BundleError
            If the folder holds something else.
        OutputError
            If a file cannot be written, as on a full disk.
        """
        data = {
            "emulator": self.description(),
            "labels": self.labels.to_json(),
            "grid": self.grid.to_json(),
            "report": dict(report or {}),
        }
        write_emulator_folder(Path(folder), data, self.state_dict())

    @classmethod
    def load(cls, folder: str | Path) -> Emulator:
        """Read an emulator written by :meth:`save`.

        Raises
        ------
        BundleError
            If a file is missing, damaged or of a newer layout; names the file and the key.
        """
        folder = Path(folder)
        data = read_description(folder)
        tensors = read_weights(folder, data)
        with said_of(str(folder / MAIN_FILE), BundleError):
            try:
                labels = LabelSet.from_json(data["labels"])
                grid = WavelengthGrid.from_json(data["grid"])
                return cls.rebuild(data["emulator"], labels, grid, tensors)
            except (LabelError, GridError, BundleError) as problem:
                raise ValueError(str(problem).rstrip(".")) from problem


@torch.no_grad()
def in_batches(model: Callable[[Tensor], Tensor], labels: Tensor, size: int = 500) -> Tensor:
    """Return flux of many stars without holding intermediate results of all at once."""
    return torch.cat([model(part) for part in labels.split(size)])

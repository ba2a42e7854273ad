"""What is embedded: the stars of a map as the paper's Fig. 2 compares them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..adaptation.spectral_basis import SpectralBasis
from ..bundle.model import Model
from .map_stars import MapStars

PANELS: dict[str, str] = {
    "spectra": "Input spectra",
    "adapted": "Adapted and observed spectra",
    "latents": "Shared latents",
}
"""Panels of a map by key, in the order of the paper's Fig. 2."""

N_COMPONENTS = 50
"""Principal components of spectra in which distances are measured."""

STARS_PER_PASS = 500
"""Stars that go through the networks at once."""


@dataclass(frozen=True)
class Projection:
    """Principal components of points: ``(x - centre) @ matrix``.

    Parameters
    ----------
    centre : ndarray, shape ``(d,)``
    matrix : ndarray, shape ``(d, k)``
    """

    centre: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return points ``(n, d)`` as ``(n, k)``."""
        return np.asarray((x - self.centre) @ self.matrix, np.float32)


@dataclass(frozen=True)
class Features:
    """Points whose distances a panel shows.

    Parameters
    ----------
    values : ndarray, shape ``(n, k)``
        All stars of the map, the synthetic ones first.
    projection : Projection
        How they came from what :class:`Routes` returns for observed stars.
    """

    values: NDArray[np.float32]
    projection: Projection


class Routes:
    """Ways of spectra through a model, to the points that panels show.

    Spectra are compared as coefficients in one basis of the observed domain, in units of
    flux, so that distances are those of spectra. Synthetic spectra get white noise like
    that of the observations: *spectra* as emulated, *adapted* each with the split latents
    of some observed star. *latents* are the shared latents of all members side by side, in
    units of their spread. Points are reduced to principal components: :data:`N_COMPONENTS` of
    spectra, and as many of latents as one member has. The rest of what members know apart
    from each other is noise.

    Parameters
    ----------
    model : Model
        Emulator and adaptation.
    stars : MapStars
        The stars of the map.
    seed : int
        Of the noise.
    """

    def __init__(self, model: Model, stars: MapStars, seed: int = 0) -> None:
        self.model, self.stars, self.seed = model, stars, seed

    @cached_property
    def space(self) -> SpectralBasis:
        """Basis in which spectra are compared."""
        adapter = self.model.adapter
        if isinstance(adapter.obs, SpectralBasis):
            return adapter.obs
        from ..evaluation.round_trips import common_space

        some = torch.tensor(self.stars.coefficients[:1000])
        with torch.inference_mode():
            return common_space(adapter, adapter.obs.decode(some), self.stars.noise)

    def _compared(self, coefficients: Tensor) -> Tensor:
        obs = self.model.adapter.obs
        if self.space is not obs:
            coefficients = self.space.encode(obs.decode(coefficients))
        return coefficients * self.space.scale

    def _noisy(self, compared: Tensor, rng: np.random.RandomState) -> Tensor:
        draw = torch.tensor(rng.standard_normal(tuple(compared.shape)), dtype=torch.float32)
        out = compared + draw * self.stars.noise
        if self.space is self.model.adapter.obs:
            out = out / (1 + (self.stars.noise / self.space.scale).square())
        return out

    def observed(self, coefficients: Tensor) -> dict[str, NDArray[np.float32]]:
        """Return points of observed spectra, ``(n, d)`` by panel.

        Parameters
        ----------
        coefficients : Tensor, shape ``(n, n_coefficients)``
            As the adapter sees them.
        """
        with torch.inference_mode():
            shared, _ = self.model.adapter.network.encode_obs(coefficients)
            seen = self._compared(coefficients).numpy()
            return {"spectra": seen, "adapted": seen, "latents": _beside(shared)}

    def misfit(self, coefficients: Tensor) -> NDArray[np.float32]:
        """Return how far observed spectra are from what the networks make of them, ``(n,)``.

        Chi2 over the number of coefficients, with the noise of the map.
        """
        adapter = self.model.adapter
        with torch.inference_mode():
            made = adapter.network.decode_obs(*adapter.network.encode_obs(coefficients)).mean(0)
            off = self._compared(made) - self._compared(coefficients)
            return np.asarray((off / self.stars.noise).square().mean(-1).numpy())

    def synthetic(
        self, labels: Tensor, coefficients: Tensor, rng: np.random.RandomState
    ) -> dict[str, NDArray[np.float32]]:
        """Return points of synthetic stars, dressed as these observed ones."""
        adapter = self.model.adapter
        network = adapter.network
        with torch.inference_mode():
            flux = self.model.emulator(labels)
            shared = network.encode_synth(adapter.synth.encode(flux))
            _, split = network.encode_obs(coefficients)
            dressed = network.decode_obs(shared, split).mean(0)
            emulated = self.space.encode(flux) * self.space.scale
            return {
                "spectra": self._noisy(emulated, rng).numpy(),
                "adapted": self._noisy(self._compared(dressed), rng).numpy(),
                "latents": _beside(shared),
            }

    def points(
        self, report: Callable[[int, int], None] | None = None
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
        """Return points of all stars, ``(2 n, d)`` by panel, and the misfit of observed ones.

        Parameters
        ----------
        report : callable, optional
            ``report(stars done, stars)``.
        """
        rng = np.random.RandomState(self.seed)
        labels = torch.tensor(self.stars.synthetic_labels)
        seen = torch.tensor(self.stars.coefficients)
        made: list[Mapping[str, NDArray[np.float32]]] = []
        real: list[Mapping[str, NDArray[np.float32]]] = []
        misfit = []
        for start in range(0, len(labels), STARS_PER_PASS):
            part = slice(start, start + STARS_PER_PASS)
            made.append(self.synthetic(labels[part], seen[part], rng))
            real.append(self.observed(seen[part]))
            misfit.append(self.misfit(seen[part]))
            if report is not None:
                report(2 * min(start + STARS_PER_PASS, len(labels)), len(self.stars))
        return (
            {key: np.concatenate([p[key] for p in (*made, *real)]) for key in PANELS},
            np.concatenate(misfit),
        )

    def features(self, points: Mapping[str, NDArray[np.float32]]) -> dict[str, Features]:
        """Return points reduced to their principal components, by panel."""
        shared = self.model.adapter.network.shared_size
        return {
            "spectra": _reduced(points["spectra"], N_COMPONENTS),
            "adapted": _reduced(points["adapted"], N_COMPONENTS),
            "latents": _reduced(points["latents"], min(shared, N_COMPONENTS), standardise=True),
        }


def _beside(shared: Tensor) -> NDArray[np.float32]:
    """Return latents ``(M, n, ...)`` of all members side by side, ``(n, M * k)``."""
    return np.asarray(shared.transpose(0, 1).flatten(1).numpy())


def _reduced(x: NDArray[np.float32], most: int, standardise: bool = False) -> Features:
    centre = x.mean(axis=0)
    unit = np.maximum(x.std(axis=0), 1e-6) if standardise else np.ones_like(centre)
    centred = ((x - centre) / unit).astype(np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    matrix = (axes[:, ::-1][:, :most] / unit[:, None]).astype(np.float32)
    projection = Projection(centre.astype(np.float32), matrix)
    return Features(projection(x), projection)

"""Where a new star belongs on a map, by openTSNE's partial embedding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..bundle.bundle import Bundle
from .embedding import Embedding
from .features import Features, Routes

PERPLEXITY = 5.0
"""About how many stars of the map pull at a new one."""

N_START_NEIGHBOURS = 25
"""Stars of the map at whose median place a new one starts."""

ITERATIONS = 100
"""Steps in which a new star finds its place."""

FAR_DISTANCE_RATIO = 3.0
"""A star is far from all others if its nearest is so many times further than is usual."""


@dataclass(frozen=True)
class PlacedStars:
    """Where stars that are not on a map belong there.

    Parameters
    ----------
    panels : dict of str to ndarray, shape ``(n, 2)``
        Coordinates by panel.
    nearest : dict of str to ndarray, shape ``(n,)``
        Row of the nearest star of the map, by panel.
    distance : dict of str to ndarray, shape ``(n,)``
        Distance to it, in units of what is usual on the map. Above :data:`FAR_DISTANCE_RATIO` the
        place means little: no star of the map is alike.
    """

    panels: dict[str, NDArray[np.float32]]
    nearest: dict[str, NDArray[np.int64]]
    distance: dict[str, NDArray[np.float32]]

    @property
    def far(self) -> NDArray[np.bool_]:
        """Whether a star is far from all others among shared latents, shape ``(n,)``."""
        return self.distance["latents"] > FAR_DISTANCE_RATIO


class Placer:
    """Places observed spectra on the map of a bundle.

    Parameters
    ----------
    bundle : Bundle
        Gives the model.
    embedding : Embedding
        The map. If it does not hold the points of its stars, these are computed anew when
        first asked for: about a second for a thousand stars.
    """

    def __init__(self, bundle: Bundle, embedding: Embedding) -> None:
        self.embedding = embedding
        self.model = bundle.model
        seed = int(embedding.info["settings"]["seed"])
        self._routes = Routes(bundle.model, embedding.stars, seed)

    @cached_property
    def features(self) -> dict[str, Features]:
        """Points of the stars of the map, by panel."""
        if self.embedding.features is not None:
            return dict(self.embedding.features)
        return self._routes.features(self._routes.points()[0])

    @cached_property
    def _references(self) -> dict[str, tuple[Any, float]]:
        out = {}
        for key, coordinates in self.embedding.panels.items():
            values = self.features[key].values
            near = _Neighbours(values)
            # What is usual, from some of the stars.
            some = values[:: max(1, len(values) // 200)]
            usual = float(np.median(near.query(some, 2)[1][:, 1]))
            out[key] = (_reference(coordinates, near), max(usual, 1e-9))
        return out

    def prepare(self) -> None:
        """Do now what the first placement would have to do."""
        _ = self._references

    def __call__(self, flux: Tensor, ivar: Tensor | None = None) -> PlacedStars:
        """Place spectra.

        Parameters
        ----------
        flux, ivar : Tensor, shape ``(n, n_pixels)``
            Normalised flux on the grid of the model, and its inverse variance, 0 at bad
            pixels.
        """
        with torch.inference_mode():
            coefficients = self.model.adapter.obs.encode(
                torch.atleast_2d(flux), None if ivar is None else torch.atleast_2d(ivar)
            )
        return self.place(coefficients)

    def place(self, coefficients: Tensor) -> PlacedStars:
        """Place spectra given as the adapter sees them, ``(n, n_coefficients)``."""
        points = self._routes.observed(coefficients)
        panels, nearest, distance = {}, {}, {}
        for key, (reference, usual) in self._references.items():
            x = self.features[key].projection(points[key]).astype(np.float64)
            rows, lengths = reference.affinities.index.query(x, 1)
            partial = reference.prepare_partial(
                x, initialization="median", k=N_START_NEIGHBOURS, perplexity=PERPLEXITY
            )
            partial.optimize(
                n_iter=ITERATIONS,
                learning_rate=0.1,
                exaggeration=1.5,
                momentum=0.8,
                max_grad_norm=0.25,
                inplace=True,
                n_jobs=1,
            )
            panels[key] = np.asarray(partial, np.float32)
            nearest[key] = rows[:, 0]
            distance[key] = (lengths[:, 0] / usual).astype(np.float32)
        return PlacedStars(panels, nearest, distance)


class _Neighbours:
    """Nearest neighbours by comparing with all: no index to build, milliseconds per star."""

    def __init__(self, values: NDArray[np.float32]) -> None:
        self.values = values.astype(np.float32)
        self._squares = (self.values**2).sum(axis=1)

    def query(self, x: NDArray[Any], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return rows and distances ``(n, k)`` of the nearest, the nearest first."""
        x32 = np.asarray(x, np.float32)
        squares = self._squares - 2 * x32 @ self.values.T
        rows = np.argpartition(squares, k - 1, axis=1)[:, :k]
        off = x32[:, None, :].astype(np.float64) - self.values[rows]
        lengths = np.sqrt((off**2).sum(axis=-1))
        order = np.argsort(lengths, axis=1)
        return (
            np.take_along_axis(rows, order, axis=1),
            np.take_along_axis(lengths, order, axis=1),
        )


def _reference(coordinates: NDArray[np.float32], index: _Neighbours) -> Any:
    """Return a map as openTSNE keeps it, without the affinities that made it."""
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import Affinities, joint_probabilities_nn

    class Known(Affinities):
        """Affinities of new points to those of the map."""

        def __init__(self) -> None:
            super().__init__()
            self.index = index
            self.P = np.empty((len(coordinates), 0))  # only its length is asked for

        def to_new(
            self, data: NDArray[Any], perplexity: float = PERPLEXITY, return_distances: bool = False
        ) -> Any:
            k = min(len(coordinates), max(N_START_NEIGHBOURS, int(3 * perplexity)))
            rows, lengths = self.index.query(data, k)
            p = joint_probabilities_nn(
                rows,
                lengths,
                [min(perplexity, k / 3)],
                symmetrize=False,
                normalization="point-wise",
                n_reference_samples=len(coordinates),
            )
            return (p, rows, lengths) if return_distances else p

    return TSNEEmbedding(
        np.asarray(coordinates, np.float64),
        Known(),
        negative_gradient_method="bh",
        n_jobs=1,
    )

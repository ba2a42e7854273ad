"""What the instrument adds: the directions in which split latents of observed stars vary.

An ensemble has split latents in every member, whose axes differ from member to member.
What they have in common are the principal directions of all of them side by side over
the observed stars that the bundle keeps; a slider moves along one of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.bundle.protocols import OpenedBundle

MAX_DIRECTIONS = 4
"""How many directions are offered."""

SLIDER_DEVIATIONS = 3.0
"""Ends of the sliders, in standard deviations of the observed stars."""


@dataclass(frozen=True)
class SplitDirections:
    """Directions in the split latents of all members side by side.

    Parameters
    ----------
    mean : ndarray, shape ``(n_split,)``
        Mean over the observed stars.
    steps : ndarray, shape ``(n_directions, n_split)``
        One standard deviation along each direction, the widest first.
    share : ndarray, shape ``(n_directions,)``
        Part of the variance of the standardised latents that each direction holds.
    """

    mean: NDArray[np.float64]
    steps: NDArray[np.float64]
    share: NDArray[np.float64]

    @classmethod
    def of(cls, latents: NDArray[np.float64], n: int) -> SplitDirections:
        """Return the widest directions of split latents ``(n_stars, n_split)``."""
        mean, std = latents.mean(0), latents.std(0)
        unit = np.where(std > 0, std, 1.0)
        _, size, directions = np.linalg.svd((latents - mean) / unit, full_matrices=False)
        spread = size[:n, None] / np.sqrt(len(latents))
        total = float((size**2).sum()) or 1.0
        # Signs so that the largest part points up: the same at every start.
        largest = np.abs(directions[:n]).argmax(axis=1)
        sign = np.sign(directions[np.arange(len(largest)), largest])
        steps = sign[:, None] * spread * directions[:n] * std
        return cls(mean, steps, size[:n] ** 2 / total)

    def latents(self, values: Sequence[float]) -> NDArray[np.float64]:
        """Return split latents so many standard deviations along each direction."""
        return self.mean + np.asarray(values, dtype=np.float64) @ self.steps[: len(values)]


class SplitLatents:
    """The split latents of a bundle, read when they are first asked for.

    Parameters
    ----------
    bundle : OpenedBundle
        Its sample of observed stars tells how split latents vary.
    """

    def __init__(self, bundle: OpenedBundle) -> None:
        self._bundle = bundle

    @property
    def n_directions(self) -> int:
        """Number of directions; 0 without split latents or observed stars."""
        model = self._bundle.model
        if not self._bundle.has_sample:
            return 0
        return min(model.n_split // max(model.n_members, 1), MAX_DIRECTIONS)

    @cached_property
    def directions(self) -> SplitDirections:
        """The directions."""
        sample, adapter = self._bundle.sample, self._bundle.model.adapter
        assert sample is not None
        with torch.no_grad():
            _, split = adapter.network.encode_obs(sample.observed.to(adapter.split_mean.device))
        side_by_side = split.transpose(0, 1).flatten(1).double().cpu().numpy()
        return SplitDirections.of(side_by_side, self.n_directions)

    def latents(self, values: Sequence[float]) -> NDArray[np.float64] | None:
        """Return split latents for positions of the sliders; None where all are typical."""
        if not self.n_directions or not any(values):
            return None
        return self.directions.latents(list(values)[: self.n_directions])

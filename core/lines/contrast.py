"""How adapted spectra of many stars differ from emulated ones, and how that responds to labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..bundle.bundle import Bundle
from ..bundle.model import Model
from ..errors import LabelError, LinesError
from ..labels import draws
from ..labels.label_set import LabelSet
from ..spectra.wavelength import WavelengthGrid

Source = Literal["adapted", "truth"]

N_STAR_GROUPS = 3
"""Stars are averaged in so many groups, from the coolest to the hottest."""


@dataclass(frozen=True)
class Contrast:
    """Adapted minus emulated spectra of many stars, and their derivatives.

    The first star is the reference star of the bundle.

    Parameters
    ----------
    grid : WavelengthGrid
        Pixels.
    label_set : LabelSet
        The model's labels.
    labels : array, shape ``(n_stars, n_labels)``
        Of the stars.
    emulated : array, shape ``(n_stars, n_pixels)``
        Emulated flux.
    adapted : array, shape ``(n_stars, n_pixels)``
        Adapted flux, mean of the networks.
    spread : array, shape ``(n_pixels,)``
        Standard deviation between networks of adapted flux, its mean over the stars; zero if
        there is one network.
    emulated_response : array, shape ``(n_groups, n_pixels, n_elements)``
        Change of emulated flux per dex of each abundance, mean over the stars of a group.
    response : array, shape ``(n_members, n_groups, n_pixels, n_elements)``
        The same of adapted minus emulated flux, by network.
    """

    grid: WavelengthGrid
    label_set: LabelSet
    labels: NDArray[np.float64]
    emulated: NDArray[np.float32]
    adapted: NDArray[np.float32]
    spread: NDArray[np.float32]
    emulated_response: NDArray[np.float32]
    response: NDArray[np.float32]

    @property
    def elements(self) -> tuple[str, ...]:
        """Names along the last axis of the responses."""
        return self.label_set.elements

    @property
    def difference(self) -> NDArray[np.float32]:
        """Adapted minus emulated flux, shape ``(n_stars, n_pixels)``."""
        return self.adapted - self.emulated


def reference_stars(bundle: Bundle, n: int, seed: int) -> NDArray[np.float64]:
    """Return labels ``(n, n_labels)`` of the reference star and of others like the bundle's.

    Others are drawn from the held-out stars of the bundle, else from the giant branch.

    Raises
    ------
    LinesError
        If the bundle keeps no stars and its labels are not those of giants.
    """
    first = np.asarray(bundle.model.reference, np.float64)[None]
    if n == 1:
        return first
    sample = bundle.sample
    if sample is not None:
        known = sample.synthetic_labels.numpy().astype(np.float64)
        rows = np.random.default_rng(seed).permutation(len(known))[: n - 1]
        return np.concatenate([first, known[rows]])
    try:
        generator = torch.Generator().manual_seed(seed)
        others = draws.giant_branch(n - 1, generator, bundle.model.labels).numpy()
    except LabelError as problem:
        raise LinesError(
            f"The bundle keeps no stars to look at, and none can be drawn. {problem}"
        ) from problem
    return np.concatenate([first, others.astype(np.float64)])


def contrast(
    model: Model,
    labels: NDArray[np.float64],
    source: Source = "adapted",
    progress: Callable[[int, int], None] | None = None,
) -> Contrast:
    """Compare adapted with emulated spectra of stars.

    Parameters
    ----------
    model : Model
        Model of a bundle.
    labels : array, shape ``(n_stars, n_labels)``
        Stars; the first is the reference star.
    source : {"adapted", "truth"}
        Compare the truth with the emulated spectra instead, where it is known: what a
        perfect adaptation would give.
    progress : callable, optional
        Called with the number of stars done and to do.
    """
    columns = list(model.labels.element_columns())
    if not columns:
        raise LinesError("The bundle's labels have no abundances; lines cannot be attributed.")
    n, p = len(labels), model.grid.n_pixels
    m = model.n_members if source == "adapted" else 1
    group = _groups(labels, model.labels)
    emulated = np.empty((n, p), np.float32)
    adapted = np.empty((n, p), np.float32)
    flux = np.zeros((m, p))
    weak = np.zeros((group.max() + 1, p, len(columns)), np.float32)
    out = np.zeros((m, *weak.shape), np.float32)
    with torch.inference_mode():
        for i, star in enumerate(labels):
            emulated[i] = model.emulate(star)[0]
            own = np.asarray(model.jacobian(star, "emulated"))[:, columns]
            weak[group[i]] += own
            if source == "truth":
                adapted[i] = model.truth(star)[0]
                out[0, group[i]] += np.asarray(model.jacobian(star, "truth"))[:, columns] - own
            else:
                each = model.adapt_members(star)[:, 0]
                adapted[i] = each.mean(axis=0)
                flux += each / n
                out[:, group[i]] += model.member_jacobians(star)[:, :, columns] - own
            if progress is not None:
                progress(i + 1, n)
    stars: NDArray[np.float32] = np.bincount(group).astype(np.float32)[:, None, None]
    return Contrast(
        model.grid,
        model.labels,
        np.asarray(labels, np.float64),
        emulated,
        adapted,
        (flux.std(axis=0, ddof=1) if m > 1 else np.zeros(p)).astype(np.float32),
        np.asarray(weak / stars, np.float32),
        np.asarray(out / stars, np.float32),
    )


def _groups(labels: NDArray[np.float64], label_set: LabelSet) -> NDArray[np.intp]:
    """Return the group of each star by effective temperature, from the coolest."""
    if "teff" not in label_set.names or len(labels) < 3 * N_STAR_GROUPS:
        return np.zeros(len(labels), np.intp)
    rank = np.argsort(np.argsort(labels[:, label_set.index("teff")], kind="stable"))
    return rank * N_STAR_GROUPS // len(labels)

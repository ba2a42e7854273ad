"""The masked-line experiment of O'Briain et al. (2020, section 3.3).

Line features are found in the derivatives of a reference star, and a part of them is
hidden from the synthetic domain by setting their pixels to the continuum. What the
adaptation brings back can then be compared with the truth, feature by feature.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import SpectrumError, TrainingError
from ..files import understood
from ..files.npz import open_npz
from ..files.typed_json import require_types
from ..labels.label_set import LabelSet
from .emulator import Emulator
from .extrapolation import Extrapolation

ABUNDANCE_STEP = 0.05
"""Change of abundance, dex, to which thresholds refer (the paper's own step)."""

PAPER_THRESHOLD, PAPER_PEAK = -0.001, -0.005
"""The paper's rule: a run of pixels below the first with a pixel below the second."""

PAPER_FEATURES = 415
"""How many features that rule finds in the paper's own derivatives."""


@dataclass(frozen=True)
class Feature:
    """One line feature of one element.

    Parameters
    ----------
    element : str
        Element whose derivative shows it.
    start, stop : int
        Pixels of the model's grid, half-open.
    depth : float
        Deepest flux change for +0.05 dex.
    hidden : bool
        Whether the synthetic domain lacks it.
    """

    element: str
    start: int
    stop: int
    depth: float
    hidden: bool = False

    @property
    def pixels(self) -> slice:
        """Its pixels as a slice."""
        return slice(self.start, self.stop)


def find_features(
    change: NDArray[Any],
    elements: Sequence[str],
    threshold: float = PAPER_THRESHOLD,
    peak: float = PAPER_PEAK,
    breaks: Sequence[int] = (),
) -> list[Feature]:
    """Find runs of pixels where flux falls when an abundance rises.

    Parameters
    ----------
    change : array, shape ``(n_elements, n_pixels)``
        Flux change for +0.05 dex in each element.
    elements : sequence of str
        Names of the rows.
    threshold : float
        A run holds connected pixels below this.
    peak : float
        Its deepest pixel must be below this.
    breaks : sequence of int
        Pixels at which a new chip starts; runs do not cross them.

    Returns
    -------
    list of Feature
        By element, then pixel; none hidden.
    """
    found = []
    for element, row in zip(elements, np.asarray(change), strict=True):
        below = row < threshold
        edges = np.flatnonzero(np.diff(below.astype(np.int8), prepend=0, append=0))
        for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            cuts = [start, *(b for b in sorted(breaks) if start < b < stop), stop]
            for a, b in itertools.pairwise(cuts):
                depth = float(row[a:b].min())
                if depth < peak:
                    found.append(Feature(element, a, b, depth))
    return found


def hide_some(features: Sequence[Feature], fraction: float, seed: int) -> list[Feature]:
    """Hide a random part of each element's features.

    Parameters
    ----------
    features : sequence of Feature
        All features.
    fraction : float
        Part of each element's features to hide, rounded to whole features.
    seed : int
        Of the choice.
    """
    rng = np.random.default_rng(seed)
    hidden: set[int] = set()
    for element in dict.fromkeys(f.element for f in features):
        rows = [i for i, f in enumerate(features) if f.element == element]
        chosen = rng.permutation(len(rows))[: round(fraction * len(rows))]
        hidden |= {rows[i] for i in chosen}
    return [
        Feature(f.element, f.start, f.stop, f.depth, i in hidden) for i, f in enumerate(features)
    ]


def hidden_pixels(features: Sequence[Feature], n_pixels: int) -> NDArray[np.bool_]:
    """Return True for every pixel of a hidden feature, shape ``(n_pixels,)``."""
    mask = np.zeros(n_pixels, bool)
    for feature in features:
        if feature.hidden:
            mask[feature.pixels] = True
    return mask


def abundance_change(
    emulator: Emulator, reference: NDArray[np.float64]
) -> tuple[list[str], NDArray[np.float32]]:
    """Return elements and the flux change for +0.05 dex in each, ``(n_elements, n_pixels)``."""
    star = torch.tensor(reference, dtype=torch.float32)
    slope = torch.func.jacfwd(lambda y: emulator(y[None])[0])(star)
    columns = emulator.labels.element_columns()
    return list(emulator.labels.elements), (slope[:, columns].T * ABUNDANCE_STEP).numpy()


@dataclass(frozen=True)
class Experiment:
    """The features of a reference star, some hidden, and the rule that found them.

    Parameters
    ----------
    features : list of Feature
        All features.
    scale : float
        Factor on the paper's two thresholds.
    fraction : float
        Part of each element's features that was to be hidden.
    seed : int
        Of the choice of hidden features.
    """

    features: list[Feature]
    scale: float
    fraction: float
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary that JSON can hold."""
        return {
            "scale": self.scale,
            "fraction": self.fraction,
            "seed": self.seed,
            "features": [asdict(f) for f in self.features],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Experiment:
        """Rebuild an experiment written by :meth:`to_json`.

        Raises
        ------
        ValueError
            If something is missing or of another type; says where.
        """
        kinds: dict[str, Any] = {"scale": float, "fraction": float, "seed": int}
        require_types(data, kinds | {"features": tuple[Feature, ...]})
        features = [Feature(**f) for f in data["features"]]
        return cls(features, data["scale"], data["fraction"], data["seed"])


def design_experiment(
    emulator: Emulator,
    reference: NDArray[np.float64],
    *,
    n_features: int = PAPER_FEATURES,
    fraction: float = 0.3,
    seed: int = 0,
) -> Experiment:
    """Find features with the paper's rule and hide a part of them.

    The paper's thresholds are multiplied by the factor between 0.3 and 3 for which the
    number of features is nearest to `n_features`, because another line list and another
    emulator give lines of other depths.

    Parameters
    ----------
    emulator : Emulator
        Its derivatives define the features.
    reference : array, shape ``(n_labels,)``
        The reference star.
    n_features : int
        Number of features to aim at.
    fraction : float
        Part of each element's features to hide.
    seed : int
        Of that choice.

    Raises
    ------
    TrainingError
        If there is hardly any feature.
    """
    elements, change = abundance_change(emulator, reference)
    breaks = [chip.start for chip in emulator.grid.chips[1:]]

    def features(scale: float) -> list[Feature]:
        return find_features(change, elements, scale * PAPER_THRESHOLD, scale * PAPER_PEAK, breaks)

    scales = np.geomspace(0.3, 3, 401)
    counts = np.array([len(features(float(s))) for s in scales])
    best = float(scales[np.abs(counts - n_features).argmin()])
    found = features(best)
    if len(found) < 10:
        raise TrainingError(
            f"Expected line features in the derivatives of the emulator; found {len(found)}. "
            "Is it trained, and is the reference star inside its range?"
        )
    return Experiment(hide_some(found, fraction, seed), best, fraction, seed)


def read_paper_mask(path: str | Path, labels: LabelSet, n_pixels: int) -> list[Feature]:
    """Read the experiment published with the paper, ``mock_missing_lines.npz``.

    The file lists its masked features in arrays of Python objects, which would need
    pickle; they are not read. The features are found again by the paper's rule in the
    published derivatives (which gives its 415), and those whose pixels are all masked
    count as hidden: 166, the paper's 133 and 33 that lie inside them.

    Raises
    ------
    SpectrumError
        If the file is not that experiment, or on other pixels.
    """
    what = (
        "the paper's masked-line file, an npz file with gradient_spec_array, element_index and "
        "total_mask"
    )
    with open_npz(path, what=what) as file, understood(path, what):
        change = np.asarray(file["gradient_spec_array"], np.float64)
        mask = np.asarray(file["total_mask"]) > 0
        columns = np.asarray(file["element_index"], int)
    if columns.ndim != 1 or not set(columns.tolist()) <= set(labels.element_columns()):
        raise SpectrumError(f"{path}: element_index must name abundances among the labels.")
    if change.shape != (len(columns), n_pixels) or mask.shape != (n_pixels,):
        raise SpectrumError(
            f"Expected a mask of {n_pixels} pixels; {path} has {mask.size}. It belongs to another "
            "wavelength grid."
        )
    elements = [labels.labels[i].element for i in columns]
    return [
        Feature(f.element, f.start, f.stop, f.depth, bool(mask[f.pixels].all()))
        for f in find_features(change, elements)
    ]


class HiddenLines(nn.Module):
    """An emulator with some pixels set to the continuum: a simulator that lacks lines.

    Parameters
    ----------
    emulator : Emulator
        The complete emulator.
    hidden : array of bool, shape ``(n_pixels,)``
        True where flux becomes 1.
    """

    def __init__(self, emulator: Emulator, hidden: NDArray[np.bool_]) -> None:
        super().__init__()
        self.complete = emulator
        self.labels = emulator.labels
        self.grid = emulator.grid
        self.hidden: Tensor
        self.register_buffer("hidden", torch.as_tensor(hidden))

    @property
    def continuum(self) -> str:
        """What the flux is divided by; see :class:`~spectrabridge.core.emulator.Emulator`."""
        return self.complete.continuum

    def extrapolations(self, labels: NDArray[np.float64]) -> list[Extrapolation]:
        """Tell what lies outside the trained range; see the emulator's method."""
        return self.complete.extrapolations(labels)

    def trained_ranges(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the trained range of each label of one star; see the emulator's method."""
        return self.complete.trained_ranges(labels)

    def forward(self, labels: Tensor) -> Tensor:
        """Return flux ``(n_stars, n_pixels)`` with the hidden pixels at 1."""
        flux = self.complete(labels)
        return torch.where(self.hidden, torch.ones_like(flux), flux)

    def slopes(self, labels: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return flux and its derivatives; see the emulator's method."""
        flux, slopes = self.complete.slopes(labels, directions)
        return torch.where(self.hidden, torch.ones_like(flux), flux), slopes * ~self.hidden

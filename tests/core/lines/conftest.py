"""Contrasts made by hand, where it is known what every feature belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from spectrabridge.core.labels import APOGEE_LABELS, ELEMENTS
from spectrabridge.core.lines import Contrast
from spectrabridge.core.lines.signature import TYPICAL_MOLECULE_RESPONSE
from spectrabridge.core.spectra import Chip, WavelengthGrid

GRID = WavelengthGrid.log_linear(
    4.2, 6e-6, 800, (Chip("left", 0, 400), Chip("right", 410, 800)), "lines"
)


@dataclass
class Sky:
    """Lines to put into a contrast: pixel, depth, shares by species."""

    lines: list[tuple[float, float, dict[str, float]]] = field(default_factory=list)
    noise: float = 0.0005
    members: int = 5
    seed: int = 0

    def build(self) -> Contrast:
        """Return the contrast: emulated spectra are flat, adapted ones have the lines."""
        rng = np.random.default_rng(self.seed)
        n_stars, n_groups, p, k = 12, 3, GRID.n_pixels, len(ELEMENTS)
        pixel = np.arange(p)
        absorption, response = np.zeros(p), np.zeros((p, k))
        for centre, depth, shares in self.lines:
            profile = depth * np.exp(-0.5 * ((pixel - centre) / 2) ** 2)
            absorption += profile
            for species, share in shares.items():
                own = TYPICAL_MOLECULE_RESPONSE.get(species, {species: -1.0})
                for element, value in own.items():
                    response[:, ELEMENTS.index(element)] += share * value * profile
        reference = np.array(
            [(0.5 * (a + b)) for a, b in zip(APOGEE_LABELS.low, APOGEE_LABELS.high, strict=True)]
        )
        labels = np.tile(reference, (n_stars, 1))
        labels[:, 0] += np.linspace(-300, 300, n_stars)
        emulated = np.ones((n_stars, p), np.float32)
        error = self.noise * rng.standard_normal((self.members, p))
        adapted = (1 - absorption - error.mean(0)) * np.ones((n_stars, 1))
        each = response + self.noise * rng.standard_normal((self.members, 1, p, k))
        return Contrast(
            GRID,
            APOGEE_LABELS,
            labels,
            emulated,
            adapted.astype(np.float32),
            error.std(0, ddof=1).astype(np.float32),
            np.zeros((n_groups, p, k), np.float32),
            np.repeat(each, n_groups, axis=1).astype(np.float32),
        )


@pytest.fixture
def sky() -> Callable[..., Contrast]:
    """Give a contrast with lines ``(pixel, depth, {species: share})``."""
    return lambda *lines, **how: Sky(list(lines), **how).build()

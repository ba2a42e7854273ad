"""A small model with Gaussian lines, fast and exactly known."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from spectrabridge.core.labels import APOGEE_LABELS
from spectrabridge.core.spectra import APOGEE_GRID


class LineModel:
    """Lines of every element at seeded places; each third one is hidden when emulated.

    The depth of a line is linear in its [X/H], and all lines get shallower with
    temperature, so derivatives are known.
    """

    labels = APOGEE_LABELS
    grid = APOGEE_GRID
    n_split = 1
    n_members = 1
    has_truth = True

    def __init__(self, per_element: int = 12, width: float = 0.6, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        wave = self.grid.wavelength
        columns = self.labels.element_columns()
        p, k = wave.size, len(self.labels)
        self.shown = np.zeros((p, k), np.float32)
        self.hidden = np.zeros((p, k), np.float32)
        for column in columns:
            for i in range(per_element):
                centre = wave[rng.integers(p)]
                depth = 0.05 + 0.25 * rng.random() ** 2
                profile = depth * np.exp(-0.5 * ((wave - centre) / width) ** 2)
                (self.hidden if i % 3 == 0 else self.shown)[:, column] += profile
        self.reference = self.labels.array(
            {k.name: 0.0 for k in self.labels}
            | {"teff": 4750, "logg": 2.5, "vturb": 1.6, "c12c13": 20, "vmacro": 4.5}
        )

    def _strengths(self, labels) -> np.ndarray:
        rows = np.atleast_2d(np.asarray(labels, dtype=np.float64))
        scale = 1 - (rows[:, :1] - 4750) / 4000
        strengths = np.zeros_like(rows)
        columns = self.labels.element_columns()
        strengths[:, columns] = (1 + 0.6 * rows[:, columns]) * scale
        return strengths

    def extrapolations(self, labels):
        return []

    def trained_ranges(self, labels):
        return np.stack([self.labels.low, self.labels.high], axis=1)

    def emulate(self, labels):
        return (1 - self._strengths(labels) @ self.shown.T).astype(np.float32)

    def truth(self, labels):
        return (1 - self._strengths(labels) @ (self.shown + self.hidden).T).astype(np.float32)

    def adapt(self, labels, split=None, return_std=False):
        spectra = self._strengths(labels) @ (self.shown + 0.95 * self.hidden).T
        out = (1 - spectra).astype(np.float32)
        return (out, np.full_like(out, 0.002)) if return_std else out

    def jacobian(self, labels, of="adapted", return_std=False):
        share = {"emulated": 0.0, "adapted": 0.95, "truth": 1.0}[of]
        teff = float(np.asarray(labels)[self.labels.index("teff")])
        lines = self.shown + share * self.hidden
        out = -0.6 * (1 - (teff - 4750) / 4000) * lines
        return (out, np.zeros_like(out)) if return_std else out.astype(np.float32)


@dataclass
class FakeBundle:
    """What the explorer reads of a bundle."""

    name: str = "fake-lines"
    title: str = "Gaussian lines"
    description: str = "A toy model for tests."
    fingerprint: str = "0123456789abcdef"
    has_sample: bool = False
    sample: None = None
    model: LineModel = field(default_factory=LineModel)

"""Derivatives of the shipped emulator agree with finite differences of the synthesis.

The differences are kept in a file: `benchmarks/synthesis.py` makes and explains them. They need
pysme and seven minutes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.labels import APOGEE_LABELS

BUNDLE = "apogee-giants"
"""Any with the confined emulator, which bundles of giants share."""

DEEP = 0.02
"""Depth of the strongest line from which derivatives must agree."""


@pytest.fixture(scope="module")
def correlations(tests_data: Path) -> dict[str, tuple[float, float]]:
    """Depth of the strongest line and correlation over all pixels, by element."""
    with np.load(tests_data / "derivatives-of-giants.npz", allow_pickle=False) as file:
        stored, largest, labels = file["stored"].astype(float), file["largest"], file["labels"]
    truth = np.sign(stored) * (np.abs(stored) / 127) ** 1.5 * largest[..., None]
    emulator = open_bundle(BUNDLE).model.emulator
    slopes = emulator.slopes(torch.tensor(labels).float())[1].double().numpy()
    ours = slopes[:, APOGEE_LABELS.element_columns()]
    return {
        element: (
            float(np.abs(truth[:, k]).max() / np.log(10)),
            float(np.corrcoef(ours[:, k].ravel(), truth[:, k].ravel())[0, 1]),
        )
        for k, element in enumerate(APOGEE_LABELS.elements)
    }


@pytest.mark.parametrize("element", APOGEE_LABELS.elements)
def test_derivatives_agree_over_all_pixels(
    correlations: dict[str, tuple[float, float]], element: str
) -> None:
    depth, correlation = correlations[element]
    if depth <= DEEP:
        assert element == "Ge", "only the one line of germanium may be too weak to ask for more"
        return
    assert correlation >= 0.98

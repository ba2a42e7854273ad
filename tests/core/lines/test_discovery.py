"""Kinds of features, and how far a shifted line is shifted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectrabridge.core.lines import LineSettings, find_features
from spectrabridge.core.lines.discovery import _kind, _shift, own_noise

from .conftest import GRID


@pytest.mark.parametrize("angstrom", [0.15, -0.15, 0.3])
def test_the_shift_of_a_line_is_measured(sky, angstrom: float) -> None:
    contrast = sky()
    centre = GRID.wavelength[200]

    def line(at: float) -> np.ndarray:
        profile = 1 - 0.3 * np.exp(-0.5 * ((GRID.wavelength - at) / 0.45) ** 2)
        return np.tile(profile, (len(contrast.labels), 1)).astype(np.float32)

    moved = replace(contrast, emulated=line(centre), adapted=line(centre + angstrom))
    (found,) = find_features(moved, LineSettings())
    assert found.sign == 0
    assert _shift(moved, found) == pytest.approx(angstrom, rel=0.12)


def test_a_feature_wider_than_a_line_is_called_broad(sky) -> None:
    profile = 0.1 * np.exp(-0.5 * ((np.arange(GRID.n_pixels) - 200) / 6.0) ** 2)
    contrast = sky()
    wide = replace(contrast, adapted=(contrast.emulated - profile).astype(np.float32))
    (found,) = find_features(wide, LineSettings())
    assert _kind(wide, found, own_noise(wide)) == "broad"
    line = sky((200, 0.1, {"Fe": 2.0}))
    (found,) = find_features(line, LineSettings())
    assert _kind(line, found, own_noise(line)) == "missing"


def test_a_feature_of_both_signs_is_called_so(sky) -> None:
    contrast = sky((200, 0.1, {"Fe": 2.0}))
    stars = np.linspace(-0.6, 1.4, len(contrast.labels))[:, None]
    change = stars * (contrast.adapted - contrast.emulated)
    both = replace(contrast, adapted=(contrast.emulated + change).astype(np.float32))
    (found,) = find_features(both, LineSettings())
    assert _kind(both, found, own_noise(both)) == "changes sign"

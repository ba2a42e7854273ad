import itertools

import numpy as np
import pytest

from spectrabridge.core.labels import ELEMENTS
from spectrabridge.explorer.figures.theme import ELEMENT_COLOURS, element_colour, surface

# Machado et al. 2009, severity 1, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
SMALLEST = {"normal": 30, "protanopia": 13, "deuteranopia": 13}


def lab(colour, sight):
    """CIELAB (D65) of a hexadecimal colour as seen by someone."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(SIGHT[sight] @ linear, 0, 1)
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    x, y, z = to_xyz @ linear / np.array([0.95047, 1, 1.08883])
    fx, fy, fz = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


def test_every_element_has_its_own_colour():
    assert set(ELEMENT_COLOURS) == set(ELEMENTS)
    assert len(set(ELEMENT_COLOURS.values())) == len(ELEMENTS)
    assert element_colour("Uuo").startswith("#")


@pytest.mark.parametrize("sight", SIGHT)
def test_elements_can_be_told_apart(sight):
    colours = [lab(c, sight) for c in ELEMENT_COLOURS.values()]
    nearest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(colours, 2))
    assert nearest > SMALLEST[sight]


def test_observed_is_black_on_light_and_white_on_dark():
    assert surface(False).observed == "#000000"
    assert surface(True).observed == "#ffffff"

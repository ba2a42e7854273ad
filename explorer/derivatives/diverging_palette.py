"""Colours of signed values: one hue for each sign, pale or dark in the middle.

Orange and blue differ for protanopes, deuteranopes and tritanopes, and lightness changes
evenly away from zero, so that sizes can be told without any hue. Colours between the
given ones are mixed in OKLab (Ottosson 2020, https://bottosson.github.io/posts/oklab/).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STOPS_LIGHT = ("#5c2a00", "#e07b00", "#ffffff", "#0072b2", "#04273f")
STOPS_DARK = ("#ffe2b8", "#e07b00", "#16181b", "#2f8fd0", "#cfeaff")

_TO_CONE = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def _lab(colour: str) -> NDArray[np.float64]:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.asarray(_TO_LAB @ np.cbrt(_TO_CONE @ linear))


def _hex(lab: NDArray[np.float64]) -> str:
    linear = np.clip(np.linalg.solve(_TO_CONE, np.linalg.solve(_TO_LAB, lab) ** 3), 0, 1)
    rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(255 * v):02x}" for v in rgb)


def diverging(dark: bool, n: int = 255) -> list[str]:
    """Return `n` colours from the most negative value to the most positive one.

    Parameters
    ----------
    dark : bool
        Whether they stand on a dark page: zero is dark then.
    n : int
        How many; odd, so that zero has a colour of its own.
    """
    stops = np.array([_lab(c) for c in (STOPS_DARK if dark else STOPS_LIGHT)])
    at = np.linspace(0, len(stops) - 1, n)
    return [
        _hex(np.array([np.interp(x, np.arange(len(stops)), stops[:, k]) for k in range(3)]))
        for x in at
    ]

"""Published data-driven networks of real giants and dwarfs, on one scale of labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..files import understood
from ..files.npz import open_npz, read_array

LABELS = ("TEFF", "LOGG", "FE_H", "ALPHA_FE", "V_MACRO")
"""Inputs of the networks: K, dex, dex, dex, km/s."""

OFFSET_OF_GIANTS = (-144.0, 0.01, -0.116, 0.03)
"""Labels of the networks minus ASPCAP's for giants, measured on 36 of them (K and dex)."""

OFFSET_LOGG = (3.3, 4.3)
"""The offset is whole below the first log g and nil above the second: the Sun has none."""

EDGE = 0.05
"""Part of a label's range by which stars may leave what a network was trained on."""


class EmpiricalNetworks:
    """Flux of real APOGEE stars at (Teff, log g, [Fe/H], [alpha/Fe], broadening).

    One small perceptron a pixel (El-Badry et al. 2018, MNRAS 473, 5043 and 476, 528). Labels are
    ASPCAP's; the networks' own differ from them by :data:`OFFSET_OF_GIANTS` for giants, which is
    added before they are evaluated.

    Parameters
    ----------
    path : path
        npz file with ``label_names`` and, for the network ``giants_dwarfs``, ``w_array_0``
        ``(n_pixels, n_hidden, 5)``, ``w_array_1`` ``(n_pixels, n_hidden)``, ``b_array_0``,
        ``b_array_1``, ``x_min`` and ``x_max``.

    Raises
    ------
    SpectrumError
        If the file is another one.
    """

    def __init__(self, path: str | Path) -> None:
        what = "data-driven networks of stars, an npz file"
        keys = ("w_array_0", "w_array_1", "b_array_0", "b_array_1", "x_min", "x_max")
        names = [f"giants_dwarfs__{key}" for key in keys]
        with open_npz(path, what=what) as file, understood(path, what):
            missing = [k for k in ("label_names", *names) if k not in file.files]
            if missing:
                raise SpectrumError(f"{path}: expected {what}; it lacks {', '.join(missing)}.")
            found = tuple(str(n) for n in read_array(file, "label_names", str(path)))
            arrays = [np.asarray(read_array(file, n, str(path)), np.float64) for n in names]
        self._w0, self._w1, self._b0, self._b1, self.low, self.high = arrays
        n_pixels, n_hidden = self._b0.shape if self._b0.ndim == 2 else (0, 0)
        shapes = (self._w0.shape, self._w1.shape, self._b1.shape, self.low.shape, self.high.shape)
        if found != LABELS or shapes != (
            (n_pixels, n_hidden, 5),
            (n_pixels, n_hidden),
            (n_pixels,),
            (5,),
            (5,),
        ):
            raise SpectrumError(
                f"{path}: expected networks of {', '.join(LABELS)} with one perceptron a pixel; "
                f"found labels {', '.join(found)} and shapes {shapes}."
            )

    @property
    def n_pixels(self) -> int:
        """Number of pixels."""
        return len(self._b1)

    def own_labels(self, five: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return labels ``(n_stars, 5)`` on the networks' scale, from ASPCAP's."""
        out = np.array(five, np.float64)
        low, high = OFFSET_LOGG
        part = np.clip((high - out[:, 1]) / (high - low), 0, 1)
        out[:, :4] += part[:, None] * np.array(OFFSET_OF_GIANTS)
        return out

    def trusted(self, five: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return True for labels ``(n_stars, 5)`` inside what the network was trained on."""
        own = self.own_labels(five)
        margin = EDGE * (self.high - self.low)
        inside = (own >= self.low - margin) & (own <= self.high + margin)
        return np.asarray(inside.all(axis=1))

    def __call__(self, five: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return flux ``(n_stars, n_pixels)`` for labels ``(n_stars, 5)``."""
        scaled = (self.own_labels(five) - self.low) / (self.high - self.low) - 0.5
        out = np.empty((len(scaled), self.n_pixels), np.float32)
        for k, star in enumerate(scaled):
            hidden = 1 / (1 + np.exp(-(self._w0 @ star + self._b0)))
            out[k] = (self._w1 * hidden).sum(axis=1) + self._b1
        return out

"""Weights in the format that The Payne publishes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..errors import LabelError, SpectrumError
from ..files import understood
from ..files.npz import open_npz
from ..labels.label_set import APOGEE_LABELS, LabelSet
from ..spectra.wavelength import APOGEE_GRID, WavelengthGrid
from .emulator import Emulator


def read_payne_npz(
    path: str | Path,
    labels: LabelSet = APOGEE_LABELS,
    grid: WavelengthGrid = APOGEE_GRID,
) -> Emulator:
    """Read weights in the format that The Payne publishes (Ting et al. 2019).

    The file holds ``w_array_0..2`` of shape (n_out, n_in), ``b_array_0..2``, and
    ``x_min``, ``x_max``; activations are leaky ReLU with slope 0.01 and labels are
    scaled to [-0.5, 0.5]. If temperatures are in units of 1000 K there (x_max of
    the first label below 100), the limits are converted to kelvin.

    Parameters
    ----------
    path : path
        The npz file.
    labels : LabelSet
        Its labels, in the order of the file.
    grid : WavelengthGrid
        Its pixels.

    Raises
    ------
    SpectrumError
        If the file cannot be read or lacks an array.
    LabelError, GridError
        If its sizes are not those of `labels` and `grid`.
    """
    keys = [f"{kind}_array_{i}" for kind in "wb" for i in range(3)] + ["x_min", "x_max"]
    what = "an npz file of plain arrays"
    with open_npz(path, what=what) as file, understood(path, what):
        missing = [k for k in keys if k not in file]
        arrays = {} if missing else {k: np.asarray(file[k], np.float64) for k in keys}
    if missing:
        raise SpectrumError(
            f"{path} is no weight file of The Payne: expected arrays {', '.join(keys)}; "
            f"missing {', '.join(missing)}."
        )
    low, high = arrays["x_min"].copy(), arrays["x_max"].copy()
    n_in, n_out = arrays["w_array_0"].shape[1], arrays["w_array_2"].shape[0]
    if not n_in == len(labels) == low.size == high.size:
        raise LabelError(f"Expected weights for {len(labels)} labels; {path} has {n_in}.")
    if n_out != grid.n_pixels:
        raise LabelError(
            f"Expected weights for {grid.n_pixels} pixels ({grid!r}); {path} has {n_out}. "
            "Give the grid of that file."
        )
    if labels.names[0] == "teff" and high[0] < 100:
        low[0], high[0] = 1000 * low[0], 1000 * high[0]
    hidden = (arrays["w_array_0"].shape[0], arrays["w_array_1"].shape[0])
    out = Emulator(labels.with_ranges(list(low), list(high)), grid, "payne", hidden, 0, "pseudo")
    linear = [layer for layer in out.net if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        out.low.copy_(torch.from_numpy(low))
        out.high.copy_(torch.from_numpy(high))
        for i, layer in enumerate(linear):
            layer.weight.copy_(torch.from_numpy(arrays[f"w_array_{i}"]))
            layer.bias.copy_(torch.from_numpy(arrays[f"b_array_{i}"]))
    return out.requires_grad_(False).eval()

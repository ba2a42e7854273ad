"""Bad pixels of observed spectra: under sky lines, which stay while stars move, and anywhere."""

from __future__ import annotations

import numpy as np


def bad_pixels(n: int, p: int, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Return True for bad pixels ``(n, p)``: half under sky lines, half anywhere.

    Sky lines stay where they are while stars move: in the rest frame they are shifted by
    each star's velocity.
    """
    run = 6
    fixed = np.zeros(p, bool)
    for start in rng.integers(0, p - run, round(0.5 * fraction * p / run)):
        fixed[start : start + run] = True
    out = shifted(np.broadcast_to(fixed, (n, p)), rng)
    starts = rng.integers(0, p - run, (n, round(0.5 * fraction * p / run)))
    rows = np.arange(n)[:, None]
    for step in range(run):
        out[rows, starts + step] = True
    return out


def shifted(masks: np.ndarray, rng: np.random.Generator, spread: float = 12.0) -> np.ndarray:
    """Return every row moved by a random number of pixels, round the end to the start.

    Parameters
    ----------
    masks : array, shape ``(n, p)``
        Rows to move.
    rng : numpy.random.Generator
        Source of the moves.
    spread : float
        Their standard deviation in pixels; 12 pixels of the apStar grid are 50 km/s, the
        scatter of the velocities of stars in the disc.

    Examples
    --------
    >>> masks = np.eye(3, 8, dtype=bool)
    >>> shifted(masks, np.random.default_rng(0)).sum(axis=1).tolist()
    [1, 1, 1]
    """
    moves = np.rint(spread * rng.standard_normal(len(masks))).astype(int)
    columns = (np.arange(masks.shape[1]) - moves[:, None]) % masks.shape[1]
    return np.take_along_axis(masks, columns, axis=1)

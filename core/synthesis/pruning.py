"""Leave out lines that no star of a grid shows, and say what that costs."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SynthesisError
from .sme import SmeSimulator

PRUNING_STARS: tuple[tuple[float, float, float], ...] = ((3800.0, 0.5, 0.5), (5500.0, 4.0, 0.5))
"""Teff, log g and [Fe/H] of stars in which lines are strongest, of molecules and of atoms."""

DIAGRAM_STARS: tuple[tuple[float, float, float], ...] = (
    (3500.0, 0.5, 0.5),
    (3500.0, 5.0, 0.5),
    (4500.0, 4.7, 0.5),
    (6500.0, 4.2, 0.5),
)
"""The same over the whole diagram; looked at where the atmospheres reach."""

CHECK_STARS: tuple[tuple[float, float, float], ...] = (
    (4000.0, 1.5, 0.0),
    (4750.0, 2.5, 0.0),
)
"""Stars for which the error is measured."""


def strengths(simulator: SmeSimulator) -> NDArray[np.float64]:
    """Return each line's largest opacity over the continuum's, of stars in which lines are strong.

    Returns
    -------
    ndarray, shape ``(n_lines,)``
        NaN for lines that the library leaves out.

    Raises
    ------
    SynthesisError
        If the atmospheres do not cover the stars of PRUNING_STARS and CHECK_STARS.
    """
    best = np.zeros(len(simulator.lines))
    for star in (*PRUNING_STARS, *CHECK_STARS):
        why = simulator.atmospheres.outside(*star)
        if why:
            raise SynthesisError(
                f"Pruning looks at the giants in which lines are strongest, and {why}. Make the "
                "grid without it."
            )
    reached = [star for star in DIAGRAM_STARS if not simulator.atmospheres.outside(*star)]
    for teff, logg, feh in (*PRUNING_STARS, *reached):
        structure = simulator.atmospheres(teff, logg, feh)
        best = np.fmax(best, simulator.opacity_ratio(structure))
    return best


def prune(simulator: SmeSimulator, threshold: float) -> SmeSimulator:
    """Return a simulator without the lines that are weak in every corner of the grid.

    Parameters
    ----------
    simulator : SmeSimulator
        With all lines; it is not changed.
    threshold : float
        Smallest opacity over the continuum's for a line to stay, between 0 and 1.

    Raises
    ------
    SynthesisError
        If the threshold is not between 0 and 1, or no line is left.
    """
    if not 0 < threshold < 1:
        raise SynthesisError(f"Expected a threshold between 0 and 1; found {threshold}.")
    keep = strengths(simulator) > threshold
    if not keep.any():
        raise SynthesisError(f"No line is stronger than {threshold:g} of the continuum.")
    out = copy(simulator)
    out.lines = simulator.lines.select(keep)
    return out


def pruning_error(simulator: SmeSimulator, pruned: SmeSimulator) -> dict[str, Any]:
    """Return lines kept and the largest and rms change of flux over the stars of CHECK_STARS."""
    largest, squares = 0.0, []
    for teff, logg, feh in CHECK_STARS:
        spectra = []
        for one in (simulator, pruned):
            fine = one.normalised_flux(teff, logg, feh, 1.5)
            spectra.append(one.observed(fine, 4.0))
        difference = spectra[1] - spectra[0]
        largest = max(largest, float(np.abs(difference).max()))
        squares.append(float((difference**2).mean()))
    return {
        "lines": len(simulator.lines),
        "kept": len(pruned.lines),
        "flux_max": largest,
        "flux_rms": float(np.sqrt(np.mean(squares))),
    }

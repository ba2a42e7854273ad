"""Known transitions near a feature."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..linelist import LineList, shipped_lines
from .candidate import NearLine

NEAR_ANGSTROM = 0.3
"""A known line within this many angstrom of a feature's centre is near it."""

STRENGTH_RANGE_DEX = 2.5
"""Lines weaker than the strongest near one by more than this, in dex, are left out."""

LEAST_STRENGTH_DEX = -1.75
"""Lines of a lower predicted strength hardly show in a giant and are left out.

Of features with a known line in `mock-lines` nineteen in twenty keep one; pixels without
absorption have one by chance in three cases of ten.
"""

MAX_NEAR_LINES = 4
"""Lines listed for a feature at most."""


def lines_for(reference: Mapping[str, float], lines: LineList | None = None) -> LineList:
    """Return known lines with the isotopic fractions of a star.

    Parameters
    ----------
    reference : mapping
        Labels of the star by short name.
    lines : LineList, optional
        Those that are shipped if not given.

    Examples
    --------
    >>> lines_for({"c12c13": 15.0}).fractions_included, lines_for({}).fractions_included
    (True, False)
    """
    known = shipped_lines() if lines is None else lines
    ratio = reference.get("c12c13")
    return known if ratio is None else known.with_isotope_fractions(float(ratio))


def near_lines(wavelength: float, lines: LineList, teff: float) -> tuple[NearLine, ...]:
    """Return the known lines within :data:`NEAR_ANGSTROM` of a wavelength, the strongest first.

    Parameters
    ----------
    wavelength : float
        Vacuum angstrom.
    lines : LineList
        Known lines; see :func:`lines_for`.
    teff : float
        Effective temperature of the star, K, for the predicted strength.

    Examples
    --------
    >>> known = lines_for({"c12c13": 15.0})
    >>> [line.species for line in near_lines(15770.15, known, teff=4750.0)]
    ['Mg 1', 'Mg 1', 'Mg 1']
    """
    near = lines.between(wavelength - NEAR_ANGSTROM, wavelength + NEAR_ANGSTROM)
    strength = near.strength(teff)
    order = np.argsort(-np.nan_to_num(strength, nan=-99.0), kind="stable")[:MAX_NEAR_LINES]
    if not len(order):
        return ()
    faintest = max(LEAST_STRENGTH_DEX, strength[order[0]] - STRENGTH_RANGE_DEX)
    return tuple(
        NearLine(
            str(near.species[i]),
            round(float(near.wl_vac[i]), 4),
            round(float(near.loggf[i]), 3),
            round(float(near.ep[i]), 3),
            round(float(strength[i]), 2),
        )
        for i in order
        if strength[i] > faintest
    )

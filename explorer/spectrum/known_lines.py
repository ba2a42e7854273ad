"""Known lines near a part of the spectrum, the strongest first.

Nothing here knows a screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...core.linelist.line_list import LineList
from ...core.linelist.shipped import shipped_lines
from ...core.linelist.species import Species
from ..state.view_state import ALL

MAX_DEX_BELOW_STRONGEST = 3.5
"""Lines so much weaker than the strongest one of the choice are left out, in dex."""

MAX_LINES = 400
"""How many lines are considered at a time."""

MAX_LINES_OF_CLICK = 4
"""How many lines a click names."""


@dataclass(frozen=True)
class RankedLines:
    """Lines of some species, with what ranks them.

    Parameters
    ----------
    lines : LineList
        In order of wavelength.
    strength : ndarray, shape ``(n_lines,)``
        See :meth:`.LineList.strength`.
    """

    lines: LineList
    strength: NDArray[np.float64]

    def between(self, low: float, high: float, most: int = MAX_LINES) -> RankedLines:
        """Return the strongest lines between two vacuum wavelengths in angstrom."""
        start, stop = np.searchsorted(self.lines.wl_vac, [low, high])
        here = np.arange(start, stop)
        rank = np.argsort(-np.nan_to_num(self.strength[here], nan=-99.0), kind="stable")
        kept = np.sort(here[rank[:most]])
        return RankedLines(self.lines.select(kept), self.strength[kept])

    def names(self) -> list[str]:
        """Return the names of the species, line by line."""
        return [_spoken(str(name)) for name in self.lines.species]

    def symbols(self) -> list[str]:
        """Return the chemical symbols of atoms and ions, empty for molecules."""
        return [_symbol(str(name)) for name in self.lines.species]

    def words(self) -> list[str]:
        """Return what is known of every line, the strongest first."""
        names = self.names()
        return [
            f"{names[i]} {self.lines.wl_vac[i]:.2f}, log gf {self.lines.loggf[i]:.2f}, "
            f"{self.lines.ep[i]:.2f} eV".replace("-", "\u2212")
            for i in np.argsort(-np.nan_to_num(self.strength, nan=-99.0), kind="stable")
        ]


@lru_cache(maxsize=256)
def _spoken(name: str) -> str:
    return Species.parse(name).title


@lru_cache(maxsize=256)
def _symbol(name: str) -> str:
    species = Species.parse(name)
    return "" if species.is_molecule else species.symbols[0]


@lru_cache(maxsize=64)
def known_lines(element: str, teff: float) -> RankedLines:
    """Return the shipped lines of an element and of the molecules with it.

    Parameters
    ----------
    element : str
        Chemical symbol, or ``all``.
    teff : float
        Effective temperature in K, for the ranking; best rounded, results are kept.
    """
    lines = shipped_lines()
    strength = lines.strength(teff)
    if element != ALL:
        with_it = [n for n in lines.species_names if element in Species.parse(n).symbols]
        mine = np.flatnonzero(np.isin(lines.species, with_it))
        lines, strength = lines.select(mine), strength[mine]
    strong = strength >= np.nanmax(strength, initial=-99.0) - MAX_DEX_BELOW_STRONGEST
    return RankedLines(lines.select(strong), strength[strong])


def lines_near(known: RankedLines, wavelength: float, within: float) -> RankedLines:
    """Return the few strongest lines around a vacuum wavelength, both in angstrom."""
    return known.between(wavelength - within, wavelength + within, MAX_LINES_OF_CLICK)

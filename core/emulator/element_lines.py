"""Elements that act on a spectrum through their own lines, and through electrons, only.

An emulator that learns every label's effect on every pixel from a thousand spectra gives
rare elements small effects on pixels where they have no line. What is known about them
beforehand helps: a rare element that forms no molecule changes the flux where its lines
are, and elsewhere at most through the electrons that it gives to the continuum's opacity
(H-). An electron is an electron, so that this second effect is the same for all elements
up to the number of their electrons.

In five giants, finite differences of the synthesis bear this out: away from lines, the
changes per dex of Al, Ca, K and Cr are 1.53 to 1.58, 1.36 to 1.40, 0.08 and 0.3 times that
of Na; by numbers of atoms they should be 1.58, 1.38, 0.08 and 0.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..labels.label_set import LabelSet
from ..linelist import LineList, Species, shipped_lines
from ..linelist.solar_abundances import SOLAR_ABUNDANCE
from ..spectra.wavelength import SPEED_OF_LIGHT, WavelengthGrid

MAIN_DONORS = ("Mg", "Si", "Fe")
"""Abundant and partly ionised: they change the continuum, and the structure, in their own ways."""

_NAMES = "Li Na Al K Ca Sc Ti V Cr Mn Ga Rb Sr Y Zr Nb In Cs Ba La Ce Pr Nd Sm Eu Gd Tb Dy Yb"

EASILY_IONISED = frozenset(_NAMES.split())
"""First ionisation below 7.5 eV (NIST): ionised for the most part where the continuum forms."""

MAX_DEX_BELOW_STRONGEST = 2.0
"""Lines weaker than the element's strongest by more than this, in dex, are left out."""

SATURATED_STRENGTH = 0.5
"""Strength from which a line counts no stronger, because it is saturated. By finite
differences, the lines that stay hold 99 % of the square of an element's derivative, or more,
for all but Ti and elements that give electrons."""

LINE_HALF_WIDTH_KM_S = 28.0
"""km/s to both sides of a line: twice the width of the profile at R = 22,500."""

LINE_HALF_WIDTH_PIXELS = 7
"""The same in pixels, for coarser spectra."""

MAX_PIXEL_FRACTION = 0.2
"""An element with lines on more than this part of the pixels is left alone."""

MAX_LINE_GAP_ANGSTROM = 10.0
"""Angstrom without a line of any kind: a list with a wider gap does not cover the grid."""


@dataclass(frozen=True)
class OwnLines:
    """Where an element acts, and how many electrons it gives.

    Parameters
    ----------
    element : str
        Chemical symbol.
    pixels : ndarray of bool, shape ``(n_pixels,)``
        True near its lines.
    electrons : float
        Electrons that it gives, per 10^12 atoms of hydrogen in the Sun's mixture.
    """

    element: str
    pixels: NDArray[np.bool_]
    electrons: float


def own_lines(
    labels: LabelSet, grid: WavelengthGrid, lines: LineList | None = None
) -> list[OwnLines]:
    """Return the elements among the labels that act only as this module's text says.

    Parameters
    ----------
    labels : LabelSet
        Labels of a grid of spectra; the range of ``teff`` says how strong lines can be.
    grid : WavelengthGrid
        Pixels of the spectra.
    lines : LineList, optional
        The shipped one if not given.

    Returns
    -------
    list of OwnLines
        In the order of the labels; empty where the list does not cover the grid. Left out
        are the main donors of electrons, elements of molecules in the list, and elements
        with lines on many pixels.
    """
    lines = shipped_lines() if lines is None else lines
    wave = grid.wavelength
    if not len(lines) or _largest_gap(wave, lines.wl_vac) > MAX_LINE_GAP_ANGSTROM:
        return []
    ends = (labels["teff"].low, labels["teff"].high) if "teff" in labels else (4750.0,)
    strength = np.max([np.nan_to_num(lines.strength(t), nan=-99.0) for t in ends], axis=0)
    step = np.diff(wave)
    # The smaller neighbour: between chips there is none.
    pixel = np.minimum(np.append(step, step[-1]), np.insert(step, 0, step[0]))
    reach = np.maximum(LINE_HALF_WIDTH_KM_S / SPEED_OF_LIGHT * wave, LINE_HALF_WIDTH_PIXELS * pixel)
    kinds = [Species.parse(name) for name in lines.species_names]
    in_molecules = {symbol for kind in kinds if kind.is_molecule for symbol in kind.symbols}
    out = []
    for element in labels.elements:
        if element in MAIN_DONORS or element in in_molecules:
            continue
        names = [kind.name for kind in kinds if kind.symbols == (element,)]
        mine = np.isin(lines.species, names)
        mine &= (lines.wl_vac > wave[0]) & (lines.wl_vac < wave[-1])
        if not mine.any():
            continue
        faintest = min(float(strength[mine].max()), SATURATED_STRENGTH) - MAX_DEX_BELOW_STRONGEST
        pixels = near(wave, lines.wl_vac[mine & (strength > faintest)], reach)
        if pixels.any() and pixels.mean() < MAX_PIXEL_FRACTION:
            given = 10.0 ** SOLAR_ABUNDANCE[element] if element in EASILY_IONISED else 0.0
            out.append(OwnLines(element, pixels, given))
    return out


def near(
    wave: NDArray[np.float64],
    centres: NDArray[np.float64] | Sequence[float],
    reach: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Tell which wavelengths have a centre within their reach; centres are in order."""
    centres = np.asarray(centres, dtype=np.float64)
    return np.searchsorted(centres, wave - reach) < np.searchsorted(centres, wave + reach)


def _largest_gap(wave: NDArray[np.float64], centres: NDArray[np.float64]) -> float:
    """Return the largest distance of a pixel from the nearest line on either side, in all."""
    after = np.searchsorted(centres, wave)
    left = np.where(after > 0, centres[np.maximum(after - 1, 0)], -np.inf)
    right = np.where(after < centres.size, centres[np.minimum(after, centres.size - 1)], np.inf)
    return float((right - left).max())

"""Tell whether a line list is in air or in vacuum by comparing it with the shipped one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..spectra.wavelength import air_to_vacuum, vacuum_to_air
from .line_list import LineList
from .shipped import shipped_lines

MATCH_ANGSTROM = 0.05
"""Angstrom within which two lists give the same line."""

MIN_MATCHES = 5
"""Matches below which no medium is named."""

MIN_MATCH_RATIO = 3.0
"""A medium must match this many times as many lines as the other one."""

_MATCH_EV = 0.02
"""eV within which excitation energies agree."""


@dataclass(frozen=True)
class MediumGuess:
    """What the comparison of a line list with the shipped one says.

    Parameters
    ----------
    medium : str
        ``vacuum``, ``air``, or empty if the lists do not decide.
    n_compared : int
        Lines of the list within the range of the shipped one.
    n_vacuum, n_air : int
        Lines that the shipped list has as well, if the wavelengths are read as vacuum and
        as air.
    sentence : str
        The same for people.
    """

    medium: str
    n_compared: int
    n_vacuum: int
    n_air: int
    sentence: str


def guess_medium(lines: LineList, stated: str = "vacuum") -> MediumGuess:
    """Tell whether the wavelengths that a list was made from are in air or in vacuum.

    The list is cross-correlated with the shipped one at the two shifts in question: a
    line counts as matched if the shipped list has one of the same species and excitation
    energy (0.02 eV) within 0.05 angstrom. In the H band the two media are 4.1 to 4.7
    angstrom apart.

    Parameters
    ----------
    lines : LineList
        Lines that were read with `stated` as their medium.
    stated : {"vacuum", "air"}
        The medium that was assumed in reading them.

    Returns
    -------
    MediumGuess
        Of the wavelengths as they are written in the file.
    """
    reference = shipped_lines()
    written = lines.wl_vac if stated == "vacuum" else vacuum_to_air(lines.wl_vac)
    low, high = reference.wl_vac[0] - 5.0, reference.wl_vac[-1] + 5.0
    inside = (written > low) & (written < high) & np.isfinite(lines.ep)
    n = int(inside.sum())
    counts = {"vacuum": 0, "air": 0}
    if n:
        part = lines.select(inside)
        for medium, wavelength in (
            ("vacuum", written[inside]),
            ("air", air_to_vacuum(written[inside])),
        ):
            counts[medium] = _matches(part, wavelength, reference)
    best = max(counts, key=lambda key: counts[key])
    other = min(counts.values())
    sure = counts[best] >= MIN_MATCHES and counts[best] >= MIN_MATCH_RATIO * max(other, 1)
    figures = (
        f"{counts['vacuum']} of {n} lines between 15,000 and 17,040 angstrom match the shipped "
        f"list if their wavelengths are read as vacuum, {counts['air']} if as air"
    )
    if sure:
        sentence = f"The wavelengths are in {best}: {figures}."
    elif not n:
        sentence = (
            "No line lies between 15,000 and 17,040 angstrom, so the shipped list cannot tell air "
            "from vacuum."
        )
    else:
        sentence = f"The shipped list does not tell air from vacuum: {figures}."
    return MediumGuess(best if sure else "", n, counts["vacuum"], counts["air"], sentence)


def _matches(lines: LineList, wavelength: np.ndarray, reference: LineList) -> int:
    total = 0
    for name in np.unique(lines.species):
        ours = np.flatnonzero(lines.species == name)
        theirs = np.flatnonzero(reference.species == name)
        if not theirs.size:
            continue
        waves, energies = reference.wl_vac[theirs], reference.ep[theirs]
        start = np.searchsorted(waves, wavelength[ours] - MATCH_ANGSTROM)
        stop = np.searchsorted(waves, wavelength[ours] + MATCH_ANGSTROM)
        for line, a, b in zip(ours, start, stop, strict=True):
            if b > a and np.abs(energies[a:b] - lines.ep[line]).min() < _MATCH_EV:
                total += 1
    return total

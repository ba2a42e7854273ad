"""How lines of each species respond to abundances: what attribution compares features with.

An atom's line answers to its own abundance. A molecule's answers to those of its atoms, and to
others that bind them: more oxygen locks carbon into CO and weakens CN (Tsuji 1973, A&A 23,
411). The proportions depend on the stars, so they are read off the emulated spectra,
where the line list says that one molecule dominates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..linelist import LineList, shipped_lines
from .candidate import PAIRS
from .contrast import Contrast

SCALING_ELEMENT = {"CN": "C", "CO": "C", "OH": "O"}
"""The element to which a molecule's response is scaled."""

DOMINANT_SHARE = 0.7
"""A species dominates a pixel with this part of the predicted strength of all lines there."""

MIN_DOMINATED_PIXELS = 8
"""With fewer pixels that it dominates, a molecule gets its :data:`TYPICAL_MOLECULE_RESPONSE`."""

TYPICAL_MOLECULE_RESPONSE: dict[str, dict[str, float]] = {
    "CN": {"C": -1.0, "N": -0.7, "O": 0.6, "Fe": 0.3},
    "CO": {"C": -1.0, "O": -0.25, "Fe": 0.4},
    "OH": {"O": -1.0, "C": 0.15, "Fe": 0.5},
}
"""Responses of molecules in giants near 4750 K, per response to the main element.

Medians over pixels that CN and CO dominate in the grid of giants that the shipped emulators
were trained on; for OH over its strongest lines, which are blended.
"""

_LINE_WIDTH = 1.3
"""Standard deviation of APOGEE's line profile in pixels of its grid."""


@dataclass(frozen=True)
class Signatures:
    """Responses of species, each scaled to -1 in its main element.

    Parameters
    ----------
    names : tuple of str
        Elements and molecules.
    values : array, shape ``(n_groups, n_species, n_elements)``
        Change of flux per dex, by group of stars.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]


def predicted_strength(
    lines: LineList, wavelength: NDArray[np.float64], teff: float
) -> dict[str, NDArray[np.float64]]:
    """Return each species' predicted line strength per pixel ``(n_pixels,)``, smeared to a line.

    Parameters
    ----------
    lines : LineList
        Known lines.
    wavelength : array, shape ``(n_pixels,)``
        Vacuum angstrom.
    teff : float
        Effective temperature, K.
    """
    strength = 10.0 ** np.nan_to_num(lines.strength(teff), nan=-99.0)
    element = np.array([name.split()[0] for name in lines.species])
    after = np.clip(np.searchsorted(wavelength, lines.wl_vac), 1, len(wavelength) - 1)
    nearer = np.abs(wavelength[after - 1] - lines.wl_vac) < np.abs(wavelength[after] - lines.wl_vac)
    pixel = after - nearer
    step = np.gradient(wavelength)
    on_grid = np.abs(wavelength[pixel] - lines.wl_vac) < step[pixel]
    profile = np.exp(-0.5 * (np.arange(-5, 6) / _LINE_WIDTH) ** 2)
    out = {}
    for name in np.unique(element):
        mine = on_grid & (element == name)
        total = np.bincount(pixel[mine], strength[mine], len(wavelength))
        out[str(name)] = np.convolve(total, profile, "same")
    return out


def signatures(contrast: Contrast, lines: LineList | None = None) -> Signatures:
    """Return the responses of atoms and molecules in emulated spectra of these stars.

    Parameters
    ----------
    contrast : Contrast
        Emulated responses.
    lines : LineList, optional
        Known lines; those that are shipped if not given.
    """
    elements = contrast.elements
    molecules = [m for m in PAIRS if set(PAIRS[m]) <= set(elements)]
    response = contrast.emulated_response.astype(np.float64)
    out = np.zeros((len(response), len(elements) + len(molecules), len(elements)))
    out[:, : len(elements)] = -np.eye(len(elements))
    teff = 4750.0
    if "teff" in contrast.label_set.names:
        teff = float(contrast.labels[0, contrast.label_set.index("teff")])
    known = shipped_lines() if lines is None else lines
    strength = predicted_strength(known, contrast.grid.wavelength, teff)
    everything = sum(v for k, v in strength.items() if k != "H") + 1e-99
    for i, molecule in enumerate(molecules, len(elements)):
        main = elements.index(SCALING_ELEMENT[molecule])
        for name, value in TYPICAL_MOLECULE_RESPONSE[molecule].items():
            if name in elements:
                out[:, i, elements.index(name)] = value
        share = strength.get(molecule, np.zeros(contrast.grid.n_pixels)) / everything
        mean = response.mean(axis=0)
        visible = mean[:, main] < 0.1 * mean[share > DOMINANT_SHARE, main].min(initial=0)
        pure = (share > DOMINANT_SHARE) & visible
        if pure.sum() >= MIN_DOMINATED_PIXELS:
            scaled = response[:, pure] / -response[:, pure][:, :, [main]]
            out[:, i] = np.median(scaled, axis=1)
    return Signatures((*elements, *molecules), out)

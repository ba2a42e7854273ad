"""Labels of real stars of the whole diagram: giants, subgiants and dwarfs of APOGEE DR17."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..errors import SpectrumError
from ..files import understood
from ..files.npz import open_npz, read_array
from ..files.tables import read_table
from ..labels import LabelSet
from ..labels.diagram_draws import DWARF_LOGG, DWARF_TEFF
from ..labels.draws import ALPHA_ELEMENTS
from ..labels.label import ELEMENTS
from .giant_catalogue import Giants

GIANT_LOGG = 3.3
"""Stars of higher gravity are taken from the catalogue of the whole diagram."""

COOLEST_GIANT = 3650.0
"""K; the model of giants has seen few cooler ones."""

POOREST_COOL_GIANT = -0.8
"""[M/H] of giants below 4000 K, at least: the model has seen none that are poorer."""

COOLEST_DWARF = 3950.0
"""K; the networks have seen none that are cooler."""

SEQUENCE_SHARE = 0.4
"""Part of the dwarfs drawn along the main sequence below 5700 K, where the catalogue has none."""

_SCALE = np.array([100.0, 0.25, 0.1, 0.05])
"""K and dex in which giants are alike, to take a composition from one for another."""


def read_giant_labels(path: str | Path) -> NDArray[np.float64]:
    """Return Teff, log g, [M/H], [alpha/M] of giants, ``(n_stars, 4)``.

    Raises
    ------
    SpectrumError
        If the file has no array ``labels`` of four columns.
    """
    what = "labels of giants, an npz file"
    with open_npz(path, what=what) as file, understood(path, what):
        if "labels" not in file.files:
            raise SpectrumError(f"{path}: expected an npz file with labels; found {file.files}.")
        out = np.asarray(read_array(file, "labels", str(path)), np.float64)
    if out.ndim != 2 or out.shape[1] != 4:
        raise SpectrumError(
            f"{path}: expected labels of Teff, log g, [Fe/H] and [alpha/M]; found shape "
            f"{out.shape}."
        )
    return out[np.isfinite(out).all(axis=1)]


def read_dwarf_labels(path: str | Path) -> NDArray[np.float64]:
    """Return Teff, log g, [Fe/H] of dwarfs and subgiants, ``(n_stars, 3)``.

    Raises
    ------
    SpectrumError
        If columns are missing.
    """
    table = read_table(path, "ascii.csv", what="a catalogue of stars, a CSV table")
    names = ("teff", "logg", "fe_h")
    missing = [n for n in names if n not in table.colnames]
    if missing:
        raise SpectrumError(f"{path} lacks the columns {', '.join(missing)}.")
    out = np.stack([np.asarray(table[n], np.float64) for n in names], axis=1)
    out = out[np.isfinite(out).all(axis=1)]
    return out[out[:, 1] > GIANT_LOGG]


def giants_like(
    four: NDArray[np.float64], known: Giants, labels: LabelSet, rng: np.random.Generator
) -> Giants:
    """Return giants at four labels with the compositions of known giants that are like them.

    Parameters
    ----------
    four : ndarray, shape ``(n_stars, 4)``
        Teff, log g, [M/H], [alpha/M].
    known : Giants
        Giants whose single elements were measured.
    labels : LabelSet
        Labels of the emulator.
    rng : Generator
        Chooses among the five that are most alike.
    """
    near = cKDTree(known.four / _SCALE).query(four / _SCALE, k=min(5, len(known)))[1]
    rows = np.atleast_2d(near)[np.arange(len(four)), rng.integers(0, near.shape[1], len(four))]
    shift = four[:, 2] - known.four[rows, 2]
    columns = labels.element_columns()
    own, ordinary = known.labels[rows].copy(), known.expected[rows].copy()
    for values in (own, ordinary):
        values[:, columns] += shift[:, None]
        values[:, labels.index("vturb")] += -0.325 * (four[:, 1] - known.four[rows, 1])
        values[:, labels.index("vmacro")] *= 10 ** (
            -0.0998 * (four[:, 1] - known.four[rows, 1]) - 0.225 * shift
        )
        values[:, labels.index("teff")], values[:, labels.index("logg")] = four[:, 0], four[:, 1]
    ids = tuple(f"giant {i}" for i in range(len(four)))
    return Giants(ids, four, _inside(own, labels), _inside(ordinary, labels))


def choose_giants(four: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray:
    """Return labels of `n` giants, half of them spread evenly over Teff.

    A survey has most of its giants in the red clump; networks should know the others as well.
    """
    cool = (four[:, 0] >= COOLEST_GIANT) & (four[:, 2] >= POOREST_COOL_GIANT)
    four = four[cool | (four[:, 0] >= 4000.0)]
    bins = np.digitize(four[:, 0], np.arange(3700.0, 5400.0, 100.0))
    weight = 1.0 / np.bincount(bins)[bins]
    weight = 0.5 * weight / weight.sum() + 0.5 / len(four)
    return four[rng.choice(len(four), min(n, len(four)), replace=False, p=weight)]


def dwarfs_of(
    catalogue: NDArray[np.float64], n: int, labels: LabelSet, rng: np.random.Generator
) -> Giants:
    """Return dwarfs and subgiants: of a catalogue, and along the main sequence below 5700 K.

    [alpha/M] rises with falling [Fe/H], more in a quarter of the metal-poor stars; single
    elements scatter about it by 0.05 dex; broadening is log-normal about 4 km/s.

    Parameters
    ----------
    catalogue : ndarray, shape ``(n_rows, 3)``
        Teff, log g, [Fe/H].
    n : int
        Number of stars.
    labels : LabelSet
        Labels of the emulator.
    rng : Generator
        Source of randomness.
    """
    n_drawn = round(SEQUENCE_SHARE * n)
    three = catalogue[rng.choice(len(catalogue), n - n_drawn, replace=len(catalogue) < n)]
    teff = rng.uniform(COOLEST_DWARF, 5700.0, n_drawn)
    logg = np.interp(teff, DWARF_TEFF, DWARF_LOGG) + 0.06 * rng.standard_normal(n_drawn)
    feh = rng.choice(catalogue[:, 2], n_drawn)
    three = np.concatenate([three, np.stack([teff, logg, feh], axis=1)])
    feh = three[:, 2]
    enhanced = 0.18 * ((feh < -0.2) & (rng.random(n) < 0.25))
    alpha = np.clip(0.02 - 0.15 * feh + enhanced + 0.03 * rng.standard_normal(n), -0.1, 0.35)
    four = np.concatenate([three, alpha[:, None]], axis=1)
    at = labels.index
    ordinary = np.empty((n, len(labels)))
    ordinary[:, at("teff")], ordinary[:, at("logg")] = three[:, 0], three[:, 1]
    for element in ELEMENTS:
        ordinary[:, at(element)] = feh + alpha * (element in ALPHA_ELEMENTS)
    ordinary[:, at("vturb")] = 2.478 - 0.325 * three[:, 1]
    ordinary[:, at("vmacro")] = 10 ** (0.6 + 0.22 * rng.standard_normal(n))
    ordinary[:, at("c12c13")] = 40.0
    own = ordinary.copy()
    own[:, at("vturb")] += 0.2 * rng.standard_normal(n)
    own[:, at("c12c13")] = 5.0 * 10 ** rng.random(n)
    others = [c for c in labels.element_columns() if c != at("Fe")]
    own[:, others] += 0.05 * rng.standard_normal((n, len(others)))
    ids = tuple(f"dwarf {i}" for i in range(n))
    return Giants(ids, four, _inside(own, labels), _inside(ordinary, labels))


def joined(first: Giants, second: Giants, rng: np.random.Generator) -> Giants:
    """Return the stars of both, in random order."""
    both = Giants(
        first.ids + second.ids,
        np.concatenate([first.four, second.four]),
        np.concatenate([first.labels, second.labels]),
        np.concatenate([first.expected, second.expected]),
    )
    return both.part(rng.permutation(len(both)))


def _inside(values: NDArray[np.float64], labels: LabelSet) -> NDArray[np.float64]:
    """Clip labels to their ranges, and [X/Fe] to those the emulator was trained on."""
    out = np.clip(values, labels.low, labels.high)
    columns = labels.element_columns()
    iron = out[:, [labels.index("Fe")]]
    out[:, columns] = np.clip(out[:, columns], iron - 0.3, iron + 0.45)
    return out


def main_labels(stars: Giants, labels: LabelSet) -> NDArray[np.float64]:
    """Return Teff, log g, [M/H], [alpha/M] and broadening of stars, ``(n_stars, 5)``."""
    return np.column_stack([stars.four, stars.labels[:, labels.index("vmacro")]])

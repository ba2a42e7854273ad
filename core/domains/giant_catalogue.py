"""Labels of real giants: a catalogue completed, and giants moved up the giant branch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..files.tables import read_table
from ..labels import ELEMENTS, LabelSet
from .empirical_giants import EmpiricalGiants

MODEL_COLUMNS = ("TEFF", "LOGG", "PARAM_M_H", "PARAM_ALPHA_M")
"""Columns of the catalogue that the empirical model reads."""


ABUNDANCE_COLUMNS = {
    "C": "C_H", "N": "N_H", "O": "O_H", "Na": "NA_H", "Mg": "MG_H", "Al": "AL_H", "Si": "SI_H",
    "S": "S_H", "K": "K_H", "Ca": "CA_H", "Ti": "TI_H", "V": "V_H", "Mn": "MN_H", "Fe": "FE_H",
    "Ni": "NI_H",
}  # fmt: skip
"""Columns with [X/H] by element; P, Cr, Co, Cu and Ge are not in DR12."""


UNMEASURED_SCATTER_DEX = 0.05
"""Scatter (dex) about [M/H] given to elements that the catalogue lacks."""


MAX_EXCESS_DEX = 0.6
"""Measured [X/M] further than this (dex) from zero is taken for a failed measurement."""


BRANCH_BELOW_KELVIN = 4600.0
"""Stars cooler than this (K) are on the giant branch, above the red clump."""


BRANCH_SLOPE = (0.0013, 0.0021)
"""Range of d log g / dTeff (per K) along which stars are moved up the giant branch.

The catalogue's giants below 4600 K have 0.0020 at given [M/H], with a scatter of 0.13 dex;
giants near 3800 K of solar metallicity in later releases have log g 1.1 rather than 0.8.
"""


RANGE_OVERSHOOT = 0.05
"""Moved stars leave the emulator's range of Teff and log g by so much of it: to 3716 K, 0.3.

Spectra of the emulator and of the empirical model change as smoothly there as within.
"""


@dataclass(frozen=True)
class Giants:
    """Stars with the four labels of the empirical model and all labels of the emulator.

    Parameters
    ----------
    ids : tuple of str
        Names.
    four : array, shape ``(n_stars, 4)``
        Teff, log g, [M/H], [alpha/M].
    labels : array, shape ``(n_stars, n_labels)``
        Labels with the elements as measured.
    expected : array, shape ``(n_stars, n_labels)``
        The same with the elements that are ordinary at the four labels, and with ordinary
        turbulence and isotopes.
    """

    ids: tuple[str, ...]
    four: NDArray[np.float64]
    labels: NDArray[np.float64]
    expected: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.four)

    def part(self, rows: NDArray[np.integer]) -> Giants:
        """Return some of the stars."""
        names = tuple(self.ids[i] for i in rows)
        return Giants(names, self.four[rows], self.labels[rows], self.expected[rows])


def read_giants(
    path: str | Path, empirical: EmpiricalGiants, labels: LabelSet, seed: int = 0
) -> Giants:
    """Read the catalogue and complete its labels.

    Elements are taken relative to the survey's zero points: the median [X/M] of stars
    with [M/H] near solar is subtracted. What is expected at the four labels is a
    quadratic fit to [X/M] over the catalogue. Microturbulence and macroturbulence follow
    the relations APOGEE adopts (see :mod:`spectrabridge.core.labels.draws`) with scatter;
    12C/13C is uniform in its logarithm.

    Parameters
    ----------
    path : path
        CSV file with the columns of :data:`MODEL_COLUMNS` and
        :data:`ABUNDANCE_COLUMNS`, and ``APOGEE_ID``.
    empirical : EmpiricalGiants
        Stars it cannot be trusted for are left out.
    labels : LabelSet
        Labels of the emulator; stars outside their ranges are left out.
    seed : int
        Of what the catalogue lacks.

    Raises
    ------
    SpectrumError
        If columns are missing.
    """
    table = read_table(path, "ascii.csv", what="a catalogue of giants, a CSV table")
    missing = [
        c
        for c in ("APOGEE_ID", *MODEL_COLUMNS, *ABUNDANCE_COLUMNS.values())
        if c not in table.colnames
    ]
    if missing:
        raise SpectrumError(
            f"{path} lacks the columns {', '.join(missing)}; expected a catalogue of APOGEE giants."
        )
    four = np.stack([_floats(table[c]) for c in MODEL_COLUMNS], axis=1)
    low, high = np.asarray(labels.low), np.asarray(labels.high)
    at = labels.index
    keep = np.isfinite(four).all(axis=1) & empirical.trusted(four)
    for name, column in (("teff", 0), ("logg", 1), ("Fe", 2)):
        keep &= (four[:, column] > low[at(name)]) & (four[:, column] < high[at(name)])
    table, four = table[keep], four[keep]
    rng = np.random.default_rng(seed)
    n, metals = len(four), four[:, 2]
    design = _quadratic(four)
    solar = np.abs(metals) < 0.1
    measured = np.empty((n, len(ELEMENTS)))
    expected = np.empty_like(measured)
    for j, element in enumerate(ELEMENTS):
        if element not in ABUNDANCE_COLUMNS:
            expected[:, j] = metals
            measured[:, j] = metals + UNMEASURED_SCATTER_DEX * rng.standard_normal(n)
            continue
        excess = _floats(table[ABUNDANCE_COLUMNS[element]]) - metals
        excess = excess - np.nanmedian(excess[solar])
        good = np.isfinite(excess) & (np.abs(excess) < MAX_EXCESS_DEX)
        fit = design @ np.linalg.lstsq(design[good], excess[good], rcond=None)[0]
        expected[:, j] = metals + fit
        measured[:, j] = metals + np.where(good, excess, fit)
    ordinary = np.empty((n, len(labels)))
    ordinary[:, at("teff")], ordinary[:, at("logg")] = four[:, 0], four[:, 1]
    columns = labels.element_columns()
    ordinary[:, columns] = expected
    ordinary[:, at("vturb")] = 2.478 - 0.325 * four[:, 1]
    ordinary[:, at("vmacro")] = 10 ** (0.741 - 0.0998 * four[:, 1] - 0.225 * metals)
    ordinary[:, at("c12c13")] = 15.0
    own = scatter_the_rest(ordinary, labels, rng)
    own[:, columns] = measured
    ids = tuple(str(i) for i in table["APOGEE_ID"])
    return Giants(ids, four, _inside(own, labels), _inside(ordinary, labels))


def scatter_the_rest(
    ordinary: NDArray[np.float64], labels: LabelSet, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return labels with turbulence scattered and 12C/13C drawn from 5 to 50."""
    out, n, at = ordinary.copy(), len(ordinary), labels.index
    out[:, at("vturb")] += 0.2 * rng.standard_normal(n)
    out[:, at("vmacro")] *= 10 ** (0.08 * rng.standard_normal(n))
    out[:, at("c12c13")] = 5.0 * 10 ** rng.random(n)
    return _inside(out, labels)


def _lowest(labels: LabelSet) -> NDArray[np.float64]:
    """Return the lowest values of labels: Teff and log g may leave their range a little."""
    low = np.array(labels.low)
    for name in ("teff", "logg"):
        i = labels.index(name)
        low[i] -= RANGE_OVERSHOOT * (labels.high[i] - low[i])
    return low


def _inside(values: NDArray[np.float64], labels: LabelSet) -> NDArray[np.float64]:
    """Clip labels to their ranges, and [X/Fe] to those the emulator was trained on."""
    out = np.clip(values, _lowest(labels), labels.high)
    columns = labels.element_columns()
    iron = out[:, [labels.index("Fe")]]
    out[:, columns] = np.clip(out[:, columns], iron - 0.3, iron + 0.45)
    return out


def up_the_branch(giants: Giants, labels: LabelSet, part: float, seed: int) -> Giants:
    """Return giants with others added that were moved up the giant branch.

    A star cooler than :data:`BRANCH_BELOW_KELVIN` is made cooler by a uniform part of its distance
    to the coolest that the emulator reaches, and its log g falls by :data:`BRANCH_SLOPE` per
    kelvin. Turbulence follows log g; composition stays.

    Parameters
    ----------
    giants : Giants
        Stars; all of them are in the result, in another order.
    labels : LabelSet
        Labels of the emulator. Stars that would leave their ranges by more than
        :data:`RANGE_OVERSHOOT` are not used.
    part : float
        Number of added stars relative to that of `giants`.
    seed : int
        Of the choice and the moves.
    """
    rng = np.random.default_rng(seed)
    lowest, at = _lowest(labels), labels.index
    wanted = round(part * len(giants))
    branch = np.flatnonzero(giants.four[:, 0] < BRANCH_BELOW_KELVIN)
    if not wanted or not len(branch):
        return giants
    # Many metal-poor stars would leave the range of log g: five times as many are tried.
    rows = rng.choice(branch, 5 * wanted)
    cooler = (giants.four[rows, 0] - lowest[at("teff")]) * rng.random(len(rows))
    lower = cooler * rng.uniform(*BRANCH_SLOPE, len(rows))
    fits = np.flatnonzero(giants.four[rows, 1] - lower > lowest[at("logg")])[:wanted]
    rows, cooler, lower = rows[fits], cooler[fits], lower[fits]
    moved = giants.part(rows)
    four = moved.four - np.stack([cooler, lower, 0 * cooler, 0 * cooler], axis=1)
    own, ordinary = moved.labels.copy(), moved.expected.copy()
    for values in (own, ordinary):
        values[:, at("teff")], values[:, at("logg")] = four[:, 0], four[:, 1]
        values[:, at("vturb")] += 0.325 * lower
        values[:, at("vmacro")] *= 10 ** (0.0998 * lower)
    ids = tuple(f"{i} moved by {k:.0f} K" for i, k in zip(moved.ids, cooler, strict=True))
    both = Giants(
        giants.ids + ids,
        np.concatenate([giants.four, four]),
        np.concatenate([giants.labels, _inside(own, labels)]),
        np.concatenate([giants.expected, _inside(ordinary, labels)]),
    )
    return both.part(rng.permutation(len(both)))


def _quadratic(four: NDArray[np.float64]) -> NDArray[np.float64]:
    x = (four - four.mean(axis=0)) / four.std(axis=0)
    return np.concatenate([np.ones((len(x), 1)), x, x**2], axis=1)


def _floats(column: object) -> NDArray[np.float64]:
    return np.asarray(np.ma.filled(np.ma.asarray(column).astype(float), np.nan), np.float64)

"""A semi-empirical observed domain: giants as APOGEE sees them, at labels that are known.

Flux at the four main labels comes from a published data-driven model of 1,801 real
giants (a quadratic Cannon model, Ness et al. 2015, ApJ 808, 16, as distributed with the
package `apogee`); the scatter of single elements about what these four labels imply
comes from the emulator::

    observed = empirical(Teff, log g, [M/H], [alpha/M]) * G(all labels) / G(expected labels)

with G the emulator and the expected labels those of a star that is ordinary for its
four. Noise and bad pixels are those of real APOGEE spectra. Synthetic spectra are the
emulator's at the labels of other stars of the same catalogue, so that nothing is paired.

The catalogue has few giants cooler than 4100 K, so in each half some stars are moved up
the giant branch (:func:`up_the_branch`): both models are smooth there, and real giants
of 3700 to 4100 K are what a survey sees in the distant disc and bulge.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from astropy.table import Table
from numpy.typing import NDArray
from torch import Tensor

from ..emulator.emulator import Emulator, in_batches
from ..emulator.training import EmulatorTraining, train_emulator
from ..errors import SpectrumError, TrainingError
from ..labels import ELEMENTS, LabelSet, draws
from ..spectra.continuum import normalise
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APOGEE_GRID, WavelengthGrid
from .domains import Domains, HeldOut
from .tuned_gf import shifted

TITLE = "APOGEE giants: what real red giants show and the models lack"

DESCRIPTION = (
    "Emulated spectra of giants adapted to APOGEE red giants. The observed domain is "
    "semi-empirical: a published data-driven model of 1,801 real giants gives the flux at "
    "Teff, log g, [M/H] and [alpha/M] of real stars (APOGEE DR12 labels), one in fourteen of them "
    "moved up the giant branch, to 3716 K, where the catalogue ends; the scatter of single "
    "elements about what these four imply is that of the emulator; noise and bad pixels are "
    "those of real spectra. Training used neither pairs nor labels of observed spectra. "
    "Because the labels are known, label fidelity can be checked; single elements are only "
    "as real as the emulator where they do not follow the four labels. To train on your own "
    "spectra instead: spectrabridge train-adaptation --observed."
)

FOUR = ("TEFF", "LOGG", "PARAM_M_H", "PARAM_ALPHA_M")
"""Columns of the catalogue that the empirical model reads."""

MEASURED = {
    "C": "C_H", "N": "N_H", "O": "O_H", "Na": "NA_H", "Mg": "MG_H", "Al": "AL_H", "Si": "SI_H",
    "S": "S_H", "K": "K_H", "Ca": "CA_H", "Ti": "TI_H", "V": "V_H", "Mn": "MN_H", "Fe": "FE_H",
    "Ni": "NI_H",
}  # fmt: skip
"""Columns with [X/H] by element; P, Cr, Co, Cu and Ge are not in DR12."""

UNMEASURED_SCATTER = 0.05
"""Scatter (dex) about [M/H] given to elements that the catalogue lacks."""

MOST_ODD = 0.6
"""Measured [X/M] further than this (dex) from zero is taken for a failed measurement."""


TRUSTED = 0.97
"""Part of the empirical model's training stars among which it is trusted.

What it leaves out of the catalogue are mostly odd stars; cooler ones come from
:func:`up_the_branch`.
"""

BRANCH_BELOW = 4600.0
"""Stars cooler than this (K) are on the giant branch, above the red clump."""

BRANCH_SLOPE = (0.0013, 0.0021)
"""Range of d log g / dTeff (per K) along which stars are moved up the giant branch.

The catalogue's giants below 4600 K have 0.0020 at given [M/H], with a scatter of 0.13 dex;
giants near 3800 K of solar metallicity in later releases have log g 1.1 rather than 0.8.
"""

BELOW_RANGE = 0.05
"""Moved stars leave the emulator's range of Teff and log g by so much of it: to 3716 K, 0.3.

Spectra of the emulator and of the empirical model change as smoothly there as within.
"""

TRUTH_TRAINING = EmulatorTraining(n_basis=64, hidden=(128, 128, 128), steps=12_000, confine=False)
"""How the observed domain is learnt, to have it at any label; small, as it ships."""


class EmpiricalGiants:
    """A quadratic model of real giants: flux at (Teff, log g, [M/H], [alpha/M]).

    Parameters
    ----------
    path : path
        npz file with ``coeffs`` (15, n_pixels), ``baseline`` (4,) and ``training_labels``
        (n_stars, 4).

    Raises
    ------
    SpectrumError
        If the file is another one.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as file:
                self._coefficients = torch.tensor(file["coeffs"], dtype=torch.float32)
                self._baseline = np.asarray(file["baseline"], np.float64)
                stars = np.asarray(file["training_labels"], np.float64)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as bad:
            raise SpectrumError(
                f"{path} cannot be read as an empirical model of giants: expected an npz file with "
                f"coeffs, baseline and training_labels; {bad}."
            ) from bad
        if self._coefficients.dim() != 2 or self._coefficients.shape[0] != 15:
            raise SpectrumError(
                f"{path}: expected 15 rows of coefficients, of 1, four labels and their products; "
                f"found shape {tuple(self._coefficients.shape)}."
            )
        # Distances of the training stars from their own crowd tell where a quadratic may
        # be believed: it extrapolates badly.
        self._centre = np.median(stars, axis=0)
        self._inverse = np.linalg.inv(np.cov(stars - self._centre, rowvar=False))
        self._limit = float(np.quantile(self._distance(stars), TRUSTED))

    @property
    def n_pixels(self) -> int:
        """Number of pixels."""
        return int(self._coefficients.shape[1])

    def _distance(self, four: NDArray[np.float64]) -> NDArray[np.float64]:
        d = four - self._centre
        return np.einsum("ni,ij,nj->n", d, self._inverse, d)

    def trusted(self, four: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return True for labels ``(n_stars, 4)`` among those the model was trained on.

        A star counts if its Mahalanobis distance from the training stars is below that of
        the part :data:`TRUSTED` of them.
        """
        return self._distance(np.asarray(four, np.float64)) <= self._limit

    def __call__(self, four: NDArray[np.float64]) -> Tensor:
        """Return flux ``(n_stars, n_pixels)`` for labels ``(n_stars, 4)``."""
        d = torch.tensor(np.asarray(four) - self._baseline, dtype=torch.float32)
        upper = torch.triu_indices(4, 4)
        terms = [torch.ones(len(d), 1), d, d[:, upper[0]] * d[:, upper[1]]]
        return torch.cat(terms, 1) @ self._coefficients


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
        CSV file with the columns of :data:`FOUR` and :data:`MEASURED` and ``APOGEE_ID``.
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
    table = Table.read(path, format="ascii.csv", fast_reader=True)
    missing = [c for c in ("APOGEE_ID", *FOUR, *MEASURED.values()) if c not in table.colnames]
    if missing:
        raise SpectrumError(
            f"{path} lacks the columns {', '.join(missing)}; expected a catalogue of APOGEE giants."
        )
    four = np.stack([_floats(table[c]) for c in FOUR], axis=1)
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
        if element not in MEASURED:
            expected[:, j] = metals
            measured[:, j] = metals + UNMEASURED_SCATTER * rng.standard_normal(n)
            continue
        excess = _floats(table[MEASURED[element]]) - metals
        excess = excess - np.nanmedian(excess[solar])
        good = np.isfinite(excess) & (np.abs(excess) < MOST_ODD)
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
    """Return the least values of labels: Teff and log g may leave their range a little."""
    low = np.array(labels.low)
    for name in ("teff", "logg"):
        i = labels.index(name)
        low[i] -= BELOW_RANGE * (labels.high[i] - low[i])
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

    A star cooler than :data:`BRANCH_BELOW` is made cooler by a uniform part of its distance
    to the coolest that the emulator reaches, and its log g falls by :data:`BRANCH_SLOPE` per
    kelvin. Turbulence follows log g; composition stays.

    Parameters
    ----------
    giants : Giants
        Stars; all of them are in the result, in another order.
    labels : LabelSet
        Labels of the emulator. Stars that would leave their ranges by more than
        :data:`BELOW_RANGE` are not used.
    part : float
        Number of added stars relative to that of `giants`.
    seed : int
        Of the choice and the moves.
    """
    rng = np.random.default_rng(seed)
    lowest, at = _lowest(labels), labels.index
    wanted = round(part * len(giants))
    branch = np.flatnonzero(giants.four[:, 0] < BRANCH_BELOW)
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


@dataclass(frozen=True)
class SurveyErrors:
    """How errors and bad pixels of real combined spectra are spread over the detectors.

    Parameters
    ----------
    profile : array, shape ``(n_pixels,)``
        Error of a pixel relative to the star's median error.
    good : array of bool, shape ``(n_masks, n_pixels)``
        Usable pixels of real spectra.
    """

    profile: NDArray[np.float32]
    good: NDArray[np.bool_]


def read_survey_errors(
    path: str | Path, grid: WavelengthGrid = APOGEE_GRID, most_bad: float = 0.2
) -> SurveyErrors:
    """Read errors and masks of the combined real spectra of the data pack.

    Parameters
    ----------
    path : path
        HDF5 file with ``err``, ``good`` (n, 8575) and ``kind`` (n,).
    grid : WavelengthGrid
        Pixels to keep; a part of the apStar grid.
    most_bad : float
        Spectra with a larger part of bad pixels are not used.

    Raises
    ------
    SpectrumError
        If the file is another one.
    """
    try:
        with h5py.File(path) as file:
            rows = np.flatnonzero(file["kind"].asstr()[:] == "apStar_coadd")
            wavelength = np.asarray(file["wavelength"])
            pixels = np.searchsorted(wavelength, grid.wavelength - 0.01)
            err = np.asarray(file["err"][rows])[:, pixels]
            good = np.asarray(file["good"][rows])[:, pixels].astype(bool)
    except (OSError, KeyError, TypeError, ValueError, IndexError, AttributeError) as problem:
        raise SpectrumError(
            f"{path} cannot be read as a set of real APOGEE spectra with err, good and kind: "
            f"{problem}."
        ) from problem
    usable = 1 - good.mean(axis=1) <= most_bad
    if not usable.any():
        raise SpectrumError(f"{path}: every combined spectrum has over {most_bad:.0%} bad pixels.")
    err, good = err[usable], good[usable]
    masked = np.ma.masked_where(~good, err)
    relative = masked / np.ma.median(masked, axis=1)[:, None]
    profile = np.ma.median(relative, axis=0).filled(1.0)
    return SurveyErrors(np.clip(profile, 0.5, 3.0).astype(np.float32), good)


@dataclass(frozen=True)
class GiantSurvey:
    """How the observed giants are made from a catalogue.

    Parameters
    ----------
    snr : float
        Median signal-to-noise ratio per pixel over stars.
    snr_scatter : float
        Standard deviation of its natural logarithm; drawn within 60 to 500.
    test_fraction : float
        Part of the stars that neither domain sees.
    moved : float
        Stars moved up the giant branch and added, relative to the number of others.
    seed : int
        Of everything random.
    """

    snr: float = 140.0
    snr_scatter: float = 0.5
    test_fraction: float = 0.1
    moved: float = 0.08
    seed: int = 0


@torch.no_grad()
def true_flux(emulator: Emulator, empirical: EmpiricalGiants, giants: Giants) -> Spectra:
    """Return noise-free observed-domain spectra, normalised like everything else.

    Raises
    ------
    TrainingError
        If the emulator's pixels are not those of the empirical model.
    """
    if emulator.grid.n_pixels != empirical.n_pixels:
        raise TrainingError(
            f"The empirical model has {empirical.n_pixels} pixels, the emulator "
            f"{emulator.grid.n_pixels}. Train the emulator on the chips of the apStar grid."
        )
    own = in_batches(emulator, torch.tensor(giants.labels, dtype=torch.float32))
    ordinary = in_batches(emulator, torch.tensor(giants.expected, dtype=torch.float32))
    flux = empirical(giants.four) * own / ordinary.clamp_min(1e-3)
    return normalise(Spectra(emulator.grid, flux.numpy(), ids=giants.ids))


def observe(
    clean: Spectra, errors: SurveyErrors, survey: GiantSurvey, rng: np.random.Generator
) -> Spectra:
    """Return spectra with noise and bad pixels, normalised as any observation is."""
    n, p = clean.flux.shape
    snr = survey.snr * np.exp(survey.snr_scatter * rng.standard_normal(n))
    sigma = (errors.profile / np.clip(snr, 60, 500)[:, None]).astype(np.float32)
    noisy = clean.flux + sigma * rng.standard_normal((n, p), dtype=np.float32)
    # Masks follow the sky, spectra the star: each star has its own velocity.
    good = shifted(errors.good[rng.integers(0, len(errors.good), n)], rng)
    flux, ivar = np.where(good, noisy, 1), np.where(good, sigma**-2, 0)
    return normalise(Spectra(clean.grid, flux, ivar, ids=clean.ids))


def giant_domains(
    emulator: Emulator,
    empirical: EmpiricalGiants,
    giants: Giants,
    errors: SurveyErrors,
    survey: GiantSurvey | None = None,
    truth_training: EmulatorTraining = TRUTH_TRAINING,
) -> Domains:
    """Split a catalogue in two halves and a test part, and observe one half.

    The truth emulator that goes with the domains is learnt from the noise-free spectra of
    both halves; the exact flux of the test stars is kept beside it.

    Raises
    ------
    TrainingError
        If the emulator is not normalised like observations, or on other pixels.
    """
    survey = survey or GiantSurvey()
    if emulator.continuum != "pseudo":
        raise TrainingError(
            "Real giants need an emulator normalised like observations; train it with "
            "--continuum pseudo."
        )
    labels = emulator.labels
    rng = np.random.default_rng(survey.seed)
    order = rng.permutation(len(giants))
    n_test = round(survey.test_fraction * len(giants))
    half = (len(giants) - n_test) // 2
    test, synthetic = giants.part(order[:n_test]), giants.part(order[n_test : n_test + half])
    seen = giants.part(order[n_test + half :])
    # Within each part, so that no star is in two of them, moved or not.
    test, synthetic, seen = (
        up_the_branch(stars, labels, survey.moved, survey.seed + i)
        for i, stars in enumerate((test, synthetic, seen))
    )
    clean = true_flux(emulator, empirical, seen)
    other = true_flux(emulator, empirical, synthetic)
    test_truth = true_flux(emulator, empirical, test)
    spectra = observe(clean, errors, survey, rng)
    held = observe(test_truth, errors, survey, rng)

    def draw_labels(n: int, generator: torch.Generator) -> Tensor:
        rows = torch.randint(0, len(synthetic), (n,), generator=generator).numpy()
        # What the catalogue lacks is drawn anew each time.
        seed = int(torch.randint(0, 2**31, (1,), generator=generator))
        out = synthetic.labels[rows].copy()
        fresh = scatter_the_rest(synthetic.expected[rows], labels, np.random.default_rng(seed))
        columns = labels.columns(("vturb", "vmacro", "c12c13"))
        out[:, columns] = fresh[:, columns]
        return torch.tensor(out, dtype=torch.float32)

    both = Spectra(
        emulator.grid,
        np.concatenate([clean.flux, other.flux]),
        labels=np.concatenate([seen.labels, synthetic.labels]),
        label_set=labels,
    )
    truth = train_emulator(both, truth_training, continuum="pseudo")
    test_labels = torch.tensor(test.labels, dtype=torch.float32)
    exact = torch.from_numpy(test_truth.flux)
    miss = float((in_batches(truth, test_labels) - exact).square().mean().sqrt())
    good = spectra.ivar > 0
    return Domains(
        "apogee-giants",
        TITLE,
        DESCRIPTION,
        emulator,
        emulator,
        draw_labels,
        torch.from_numpy(spectra.flux),
        float(np.median(spectra.ivar[good]) ** -0.5),
        ivar=torch.from_numpy(spectra.ivar),
        held_out=HeldOut(torch.from_numpy(held.flux), torch.from_numpy(held.ivar), test_labels),
        truth=truth,
        test_labels=test_labels,
        test_truth=exact,
        facts=asdict(survey)
        | {
            "kind": "semi-empirical",
            "n_observed": len(seen),
            "n_synthetic": len(synthetic),
            "n_test": len(test),
            "truth_emulator_rms": miss,
        },
        reference=draws.ordinary_giant(labels),
    )


def read_domains(
    folder: str | Path, emulator: Emulator, survey: GiantSurvey | None = None
) -> Domains:
    """Build the domains from the data pack.

    Parameters
    ----------
    folder : path
        Folder with ``observed/empirical_giants.npz``, ``observed/apogee_real.h5`` and
        ``labels/apogee_dr12_labels.csv``.
    emulator : Emulator
        Of the simulator, normalised like observations.
    survey : GiantSurvey, optional
        How the stars are observed.

    Raises
    ------
    SpectrumError
        If a file is missing or another one.
    """
    folder = Path(folder)
    names = (
        "observed/empirical_giants.npz",
        "labels/apogee_dr12_labels.csv",
        "observed/apogee_real.h5",
    )
    missing = [n for n in names if not (folder / n).exists()]
    if missing:
        raise SpectrumError(
            f"{folder} lacks {', '.join(missing)}. Give the data folder that has the empirical "
            "model of giants, the catalogue of labels and the real spectra."
        )
    empirical = EmpiricalGiants(folder / names[0])
    giants = read_giants(folder / names[1], empirical, emulator.labels)
    errors = read_survey_errors(folder / names[2], emulator.grid)
    return giant_domains(emulator, empirical, giants, errors, survey)

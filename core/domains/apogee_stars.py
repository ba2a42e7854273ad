"""A semi-empirical observed domain over the whole diagram: giants, subgiants and dwarfs.

Below log g 3.2 flux at the four main labels comes from the quadratic model of real giants of
:mod:`~spectrabridge.core.domains.apogee_giants`, above log g 3.7 and 5150 K from the networks
of real stars of :mod:`~spectrabridge.core.domains.empirical_networks`; between, the weight
passes smoothly from one to the other. Labels are on ASPCAP's scale. The scatter of single
elements about what the main labels imply comes from the emulator, as for giants; broadening of
dwarfs is that of the networks.

Giants, cool ones among them, have labels of APOGEE DR17, and compositions of DR12 giants that
are like them; dwarfs and subgiants have labels of DR17 and, below 5700 K, where that catalogue
has few, of the main sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..emulator.emulator import Emulator, in_batches
from ..emulator.training import EmulatorTraining
from ..errors import SpectrumError, TrainingError
from ..spectra.continuum import normalise
from ..spectra.spectra import Spectra
from .domains import Domains
from .empirical_giants import EmpiricalGiants
from .empirical_networks import EmpiricalNetworks
from .giant_catalogue import Giants, read_giants
from .registry import Sources, register
from .semi_empirical import Parts, Survey, semi_empirical_domains
from .star_catalogue import (
    choose_giants,
    dwarfs_of,
    giants_like,
    joined,
    main_labels,
    read_dwarf_labels,
    read_giant_labels,
)
from .survey_errors import read_survey_errors

NAME = "apogee-stars"

TITLE = "APOGEE stars: what real giants and dwarfs show and the models lack"

DESCRIPTION = (
    "Emulated spectra of giants, subgiants and dwarfs adapted to APOGEE. The observed domain is "
    "semi-empirical: data-driven models of real stars give the flux at Teff, log g, [M/H] and "
    "[alpha/M] (a quadratic model of 1,801 giants below log g 3.2, networks of giants and dwarfs "
    "above 3.7, with dwarfs to 3950 K) for labels of APOGEE DR17; the scatter of single elements "
    "about what these imply is that of the emulator; noise and bad pixels are those of real "
    "spectra. Training used neither pairs nor labels of observed spectra."
)

TRUTH_TRAINING = EmulatorTraining(n_basis=96, hidden=(160, 160, 160), steps=15_000, confine=False)
"""How the observed domain is learnt, to have it at any label."""

JOIN_LOGG = (3.2, 3.7)
"""From the first log g the weight of the networks rises; at the second it is whole."""

JOIN_TEFF = (5000.0, 5150.0)
"""The same in K: the model of giants has seen none that are hotter."""

FILES = {
    "giants": "observed/empirical_giants.npz",
    "networks": "observed/empirical_networks.npz",
    "compositions": "labels/apogee_dr12_labels.csv",
    "giant labels": "labels/apogee_dr17_rgb_labels.npz",
    "dwarf labels": "labels/apogee_dr17_stars.csv.gz",
    "spectra": "observed/apogee_real.h5",
}
"""What the data folder must hold."""


@dataclass(frozen=True)
class StarSurvey(Survey):
    """How the observed stars are made from catalogues.

    Parameters
    ----------
    snr, snr_scatter, test_fraction, seed
        See :class:`~spectrabridge.core.domains.semi_empirical.Survey`.
    n_giants, n_dwarfs : int
        Stars of each kind, of both domains and the test together.
    """

    n_giants: int = 8000
    n_dwarfs: int = 8000


def _step(values: NDArray[np.float64], ends: tuple[float, float]) -> NDArray[np.float64]:
    """Return 0 below the first end and 1 above the second, smooth between them."""
    x = np.clip((values - ends[0]) / (ends[1] - ends[0]), 0, 1)
    return np.asarray(x**2 * (3 - 2 * x))


def network_weight(four: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight of the networks at labels ``(n_stars, 4)``: 0 for giants, 1 for dwarfs.

    Examples
    --------
    >>> network_weight(np.array([[4500, 2.0, 0.0, 0.0], [4500, 4.6, 0.0, 0.0]])).tolist()
    [0.0, 1.0]
    """
    return np.maximum(_step(four[:, 1], JOIN_LOGG), _step(four[:, 0], JOIN_TEFF))


@torch.no_grad()
def true_flux(
    emulator: Emulator, giants: EmpiricalGiants, networks: EmpiricalNetworks, stars: Giants
) -> Spectra:
    """Return noise-free observed-domain spectra, normalised like everything else."""
    labels, weight = emulator.labels, network_weight(stars.four)[:, None]
    ids = stars.ids

    def normalised(flux: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(normalise(Spectra(emulator.grid, flux, ids=ids)).flux, np.float64)

    # Broadening is an input of the networks, and follows from the labels in the other model.
    broadened = stars.expected.copy()
    column = labels.index("vmacro")
    broadened[:, column] = stars.labels[:, column]
    own, ordinary, as_broad = (
        in_batches(emulator, torch.tensor(values, dtype=torch.float32)).clamp_min(1e-3).numpy()
        for values in (stars.labels, stars.expected, broadened)
    )
    flux = (1 - weight) * normalised(giants(stars.four).numpy()) * own / ordinary
    of_networks = normalised(networks(main_labels(stars, labels)))
    flux = flux + weight * of_networks * own / as_broad
    return normalise(Spectra(emulator.grid, flux.astype(np.float32), ids=ids))


def choose_stars(
    folder: Path,
    emulator: Emulator,
    giants: EmpiricalGiants,
    networks: EmpiricalNetworks,
    survey: StarSurvey,
) -> Giants:
    """Return the stars of both domains and the test, in random order."""
    labels, rng = emulator.labels, np.random.default_rng(survey.seed)
    known = read_giants(folder / FILES["compositions"], giants, labels, survey.seed)
    four = read_giant_labels(folder / FILES["giant labels"])
    at, low, high = labels.index, np.array(labels.low), np.array(labels.high)
    main = [at("teff"), at("logg"), at("Fe")]
    four = four[((four[:, :3] > low[main]) & (four[:, :3] < high[main])).all(axis=1)]
    bright = giants_like(choose_giants(four, survey.n_giants, rng), known, labels, rng)
    faint = dwarfs_of(read_dwarf_labels(folder / FILES["dwarf labels"]), 2 * survey.n_dwarfs,
                      labels, rng)  # fmt: skip
    inside = ((faint.four[:, :3] > low[main]) & (faint.four[:, :3] < high[main])).all(axis=1)
    inside &= networks.trusted(main_labels(faint, labels))
    faint = faint.part(np.flatnonzero(inside)[: survey.n_dwarfs])
    hot = network_weight(bright.four) > 0
    usable = ~hot | networks.trusted(main_labels(bright, labels))
    return joined(bright.part(np.flatnonzero(usable)), faint, rng)


def star_domains(
    folder: str | Path,
    emulator: Emulator,
    survey: StarSurvey | None = None,
    truth_training: EmulatorTraining = TRUTH_TRAINING,
) -> Domains:
    """Build the domains from the data pack.

    Parameters
    ----------
    folder : path
        Folder with the files of :data:`FILES`.
    emulator : Emulator
        Of giants and dwarfs, normalised like observations.
    survey : StarSurvey, optional
        How the stars are observed.
    truth_training : EmulatorTraining
        How the observed domain is learnt.

    Raises
    ------
    SpectrumError
        If a file is missing or another one.
    TrainingError
        If the emulator is not normalised like observations, is on other pixels, or does not
        cover dwarfs.
    """
    folder, survey = Path(folder), survey or StarSurvey()
    missing = [name for name in FILES.values() if not (folder / name).exists()]
    if missing:
        raise SpectrumError(
            f"{folder} lacks {', '.join(missing)}. Give the data folder that has the data-driven "
            "models of stars, the catalogues of labels and the real spectra."
        )
    if emulator.continuum != "pseudo":
        raise TrainingError(
            "Real stars need an emulator normalised like observations; train it with "
            "--continuum pseudo."
        )
    giants = EmpiricalGiants(folder / FILES["giants"])
    networks = EmpiricalNetworks(folder / FILES["networks"])
    if not emulator.grid.n_pixels == giants.n_pixels == networks.n_pixels:
        raise TrainingError(
            f"The data-driven models have {giants.n_pixels} and {networks.n_pixels} pixels, the "
            f"emulator {emulator.grid.n_pixels}. Train the emulator on the chips of the apStar "
            "grid."
        )
    reach = emulator.labels["logg"].high
    if reach < 4.6:
        raise TrainingError(
            f"The emulator reaches log g {reach:g}; dwarfs need 4.6. Train it on a grid that "
            "make-grid --draw stars made."
        )
    stars = choose_stars(folder, emulator, giants, networks, survey)
    rng = np.random.default_rng(survey.seed)
    order = rng.permutation(len(stars))
    n_test = round(survey.test_fraction * len(stars))
    half = (len(stars) - n_test) // 2
    parts = Parts(
        seen=stars.part(order[n_test + half :]),
        synthetic=stars.part(order[n_test : n_test + half]),
        test=stars.part(order[:n_test]),
    )
    return semi_empirical_domains(
        emulator,
        parts,
        partial(true_flux, emulator, giants, networks),
        read_survey_errors(folder / FILES["spectra"], emulator.grid),
        survey,
        truth_training,
        named=(NAME, TITLE, DESCRIPTION),
        rng=rng,
    )


@register(
    NAME,
    "models of real giants and dwarfs",
    needs="data",
    request="the data-driven models, the catalogues and the real spectra; give their folder",
)
def _build(sources: Sources) -> Domains:
    """Return the domains; the registry has seen to the data."""
    assert sources.data is not None
    return star_domains(sources.data, sources.emulator)

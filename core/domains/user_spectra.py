"""Adaptation to a user's own observed spectra.

The critics match the distributions of the two domains. If the synthetic stars are of
another population than the observed ones, the difference between the populations is
taken for a fault of the simulator. So where the file of observed spectra carries labels,
from whatever survey, the synthetic labels are drawn like these: their distribution is
used, but no spectrum is ever paired with its label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ..adaptation.input_checks import check_observed, check_same_grid
from ..adaptation.settings import AdaptationTraining
from ..adaptation.training import AdaptationTrainer
from ..emulator.emulator import Emulator
from ..errors import TrainingError
from ..labels import draws
from ..spectra.spectra import Spectra
from .domains import N_SAMPLE, Domains, HeldOut
from .observed_file import ObservedFile
from .observed_labels import MIN_LABELLED_STARS, known_labels, main_known, synthetic_labels

MAX_NOISE_OF_CONTINUUM = 0.3
"""Largest median error, as a part of the continuum, that is taken for real."""

MIN_NOISE_OF_CONTINUUM = 1e-5
"""Smallest median error, as a part of the continuum, that is taken for real."""


MAX_TRAINING_SPECTRA = 12_000
"""Spectra that training takes of a larger file unless it is told otherwise: 0.7 GB of them."""


# ---------------------------------------------------------------------- reading


def read_observed(
    path: str | Path,
    emulator: Emulator,
    *,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Spectra:
    """Read observed spectra and normalise them as the emulator's were.

    Parameters
    ----------
    path : path
        HDF5 file written by :meth:`~spectrabridge.core.spectra.Spectra.save`, or one of
        the paper's training sets (:func:`~spectrabridge.core.io.csn.read_csn`); what it
        is, is told by its content. The paper's sets were normalised by the routine of
        Ting et al. (2019). They are normalised again here, because both domains must
        be by the same routine: ours, on which smooth factors have no influence, undoes
        whatever smooth shape the other one left.
    emulator : Emulator
        Gives the grid, the labels and the kind of continuum. If it was trained on
        normalised spectra, those that were not yet normalised are normalised here.
    columns : mapping, optional
        Which label or column of the file holds a label of the emulator, where they
        are called otherwise: ``{"teff": "T_spec", "Fe": "metals"}``. Values must be
        in the emulator's units.
    limit : int, optional
        Read at most this many spectra, drawn at random.
    seed : int
        Of that draw.

    Returns
    -------
    Spectra
        On the emulator's grid. Labels, if any can be used, are those of the emulator,
        NaN where unknown. ``provenance["notes"]`` has a sentence on everything that was
        ignored or assumed.

    Raises
    ------
    SpectrumError, GridError
        If the file cannot be read or its grid is another one.
    LabelError
        If `columns` names labels or columns that do not exist.
    TrainingError
        If the emulator keeps the simulator's true continuum, which no observation has.
    """
    spectra = ObservedFile(Path(path), emulator, limit, seed).read()
    labels, notes = known_labels(spectra, emulator.labels, columns)
    if labels is None or main_known(labels, emulator.labels).sum() < MIN_LABELLED_STARS:
        notes.append(
            f"The file does not tell T_eff, log g and [Fe/H] or [M/H] of {MIN_LABELLED_STARS} "
            "stars or more, so synthetic labels are those of the giant branch. If the observed "
            "stars are others, give labels, of whatever survey."
        )
    given = [str(n) for n in spectra.provenance.get("notes", [])]
    return replace(
        spectra,
        labels=labels,
        label_set=None if labels is None else emulator.labels,
        provenance={**spectra.provenance, "notes": given + notes},
    )


# ---------------------------------------------------------------------- training


def own_domains(
    emulator: Emulator,
    spectra: Spectra,
    n_basis: int = 96,
    *,
    draw_like_labels: bool = True,
    seed: int = 0,
) -> Domains:
    """Return the emulator's and the observed spectra as domains to adapt between.

    A tenth of the observed stars is held out of training, for scores.

    Parameters
    ----------
    emulator : Emulator
        Gives the synthetic spectra.
    spectra : Spectra
        Observed spectra as :func:`read_observed` returns them.
    n_basis : int
        Components that training is to use, 0 for none; too few spectra are refused.
    draw_like_labels : bool
        Draw synthetic labels like those of the observed stars where these are known
        (:func:`synthetic_labels`), instead of from the giant branch.
    seed : int
        Of the choice of held-out stars.

    Raises
    ------
    TrainingError, GridError
        If the spectra cannot be trained on; see
        :func:`~spectrabridge.core.adaptation.input_checks.check_observed`.
    """
    check_same_grid(emulator.grid, spectra.grid)
    good = spectra.good
    if not good.any():
        raise TrainingError("Every pixel of the observed spectra is bad; nothing to adapt to.")
    noise = float(np.median(1 / np.sqrt(spectra.ivar[good])))
    if noise > MAX_NOISE_OF_CONTINUUM:
        raise TrainingError(
            f"The errors of the observed spectra are {noise:.0%} of the continuum, as if inverse "
            "variances had been left out or were those of another normalisation. Give ivar with "
            "the flux."
        )
    if noise < MIN_NOISE_OF_CONTINUUM:
        raise TrainingError(
            f"The errors of the observed spectra are {noise:.1g} of the continuum, smaller than "
            "any spectrograph's, as if ivar were that of another normalisation or held errors. "
            "Give ivar, 1 / error**2, in the units of the flux."
        )
    flux, ivar = torch.from_numpy(spectra.flux), torch.from_numpy(spectra.ivar)
    # The trainer asks the same without names; here the stars and chips can be named.
    check_observed(flux, noise, ivar, n_basis, ids=spectra.ids, chips=spectra.grid.chips)
    labels: draws.Draw = partial(draws.giant_branch, labels=emulator.labels)
    if draw_like_labels:
        labels = synthetic_labels(emulator, spectra)

    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(flux)))
    n_held = min(N_SAMPLE, len(flux) // 10)
    held, rest = order[:n_held], order[n_held:]
    known = None
    if spectra.labels is not None and spectra.label_set == emulator.labels:
        known = torch.tensor(spectra.labels, dtype=torch.float32)[held]
    title = "Adapted to own spectra"
    return Domains(
        "own",
        title,
        f"Synthetic spectra of giants adapted to {len(spectra)} observed spectra. The truth of "
        "the observed domain is not known.",
        emulator,
        emulator,
        labels,
        flux[rest],
        noise,
        ivar=ivar[rest],
        held_out=HeldOut(flux[held], ivar[held], known) if n_held else None,
    )


def read_own_domains(
    path: str | Path,
    emulator: Emulator,
    training: AdaptationTraining,
    *,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    draw_like_labels: bool = True,
    seed: int = 0,
) -> Domains:
    """Return the emulator's and a file's spectra as domains to adapt between.

    Parameters
    ----------
    path, columns
        See :func:`read_observed`.
    limit : int, optional
        Use at most this many spectra, drawn at random; :data:`MAX_TRAINING_SPECTRA` if not
        given.
    emulator : Emulator
        Gives the synthetic spectra.
    training : AdaptationTraining
        The training that is to use them; too few spectra for it are refused.
    draw_like_labels : bool
        See :func:`own_domains`.
    seed : int
        Of the choice of spectra and of held-out stars.

    Returns
    -------
    Domains
        Its ``notes`` have a sentence on everything that was ignored or assumed.

    Raises
    ------
    SpectrumError, GridError, LabelError, TrainingError
        If the file cannot be read or trained on.
    """
    path = Path(path)
    most = MAX_TRAINING_SPECTRA if limit is None else limit
    spectra = read_observed(path, emulator, columns=columns, limit=most, seed=seed)
    notes = [str(n) for n in spectra.provenance.get("notes", ())]
    if limit is None and "n_in_file" in spectra.provenance:
        notes.append(
            f"{most:,} of the {spectra.provenance['n_in_file']:,} spectra of {path.name} are used, "
            f"drawn with seed {seed}: memory does not grow with the file, and networks see each of "
            "them many times. --limit takes more or fewer."
        )
    n_basis = training.n_basis if training.backbone == "basis" else 0
    domains = own_domains(emulator, spectra, n_basis, draw_like_labels=draw_like_labels, seed=seed)
    return replace(
        domains,
        title=f"Adapted to {path.name}",
        description=(
            f"Synthetic spectra of giants adapted to {len(spectra)} observed spectra from "
            f"{path.name}. The truth of the observed domain is not known."
        ),
        facts={"file": path.name, "n_stars": len(spectra)},
        notes=tuple(notes),
    )


def own_trainer(
    emulator: Emulator,
    spectra: Spectra,
    training: AdaptationTraining,
    device: str = "cpu",
    *,
    draw_like_labels: bool = True,
) -> AdaptationTrainer:
    """Return a trainer between the domains of :func:`own_domains`.

    Raises
    ------
    TrainingError, GridError
        As :func:`own_domains` does.
    """
    n_basis = training.n_basis if training.backbone == "basis" else 0
    domains = own_domains(emulator, spectra, n_basis, draw_like_labels=draw_like_labels)
    return domains.trainer(training, device)

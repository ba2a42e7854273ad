"""The built-in pairs of domains, by name, and those a bundle was trained between."""

from __future__ import annotations

from pathlib import Path

from ..bundle.bundle import Bundle
from ..emulator.emulator import Emulator
from ..errors import BundleError, TrainingError
from . import apogee_giants, mock_lines, tuned_gf
from .domains import Domains

EXPERIMENTS = ("mock-lines", "tuned-gf", "apogee-giants")
"""Names of the built-in observed domains."""


def build_domains(
    name: str,
    emulator: Emulator,
    *,
    truth: Emulator | None = None,
    data: str | Path | None = None,
) -> Domains:
    """Return the domains of a built-in experiment.

    Parameters
    ----------
    name : str
        One of :data:`EXPERIMENTS`.
    emulator : Emulator
        Of the synthetic domain.
    truth : Emulator, optional
        For ``tuned-gf``: of the simulator with tuned log gf.
    data : path, optional
        For ``apogee-giants``: the data folder; see
        :func:`~spectrabridge.core.apogee_giants.read_domains`.

    Raises
    ------
    TrainingError
        If the experiment is not known, or needs something that was not given.
    SpectrumError
        If the data cannot be read.
    """
    if name == "mock-lines":
        return mock_lines.mock_domains(emulator, mock_lines.mock_experiment(emulator))
    if name == "tuned-gf":
        if truth is None:
            raise TrainingError(
                "The experiment tuned-gf needs an emulator of the tuned grid; give one with "
                "--truth."
            )
        return tuned_gf.tuned_domains(emulator, truth)
    if name == "apogee-giants":
        if data is None:
            raise TrainingError(
                "The experiment apogee-giants needs the empirical model, the catalogue and the "
                "real spectra; give their folder with --data."
            )
        return apogee_giants.read_domains(data, emulator)
    raise TrainingError(f"Experiments are {', '.join(EXPERIMENTS)}; found {name!r}.")


def domains_of(bundle: Bundle, data: str | Path | None = None) -> Domains:
    """Return the domains that a bundle of a built-in experiment was trained between.

    Parameters
    ----------
    bundle : Bundle
        Its emulators are used; they differ from those of training by the rounding with
        which they are stored.
    data : path, optional
        See :func:`build_domains`.

    Raises
    ------
    BundleError
        If the bundle was trained on a user's own spectra.
    """
    name = bundle.provenance.get("experiment")
    model = bundle.model
    complete = model.complete_emulator
    if bundle.experiment is not None:
        return mock_lines.mock_domains(complete, bundle.experiment)
    if name not in EXPERIMENTS:
        raise BundleError(
            f"{bundle.name} was trained on spectra that are not in the bundle, so it cannot be "
            "trained again from it."
        )
    return build_domains(name, complete, truth=model.truth_emulator, data=data)

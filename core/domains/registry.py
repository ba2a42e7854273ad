"""Built-in pairs of domains: each experiment registers its name, its builder and its needs.

To add one, write a module in this folder with a builder under :func:`register`; the command
line, the explorer and the tests find it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from ..bundle.bundle import Bundle
from ..emulator.emulator import Emulator
from ..emulator.hidden_lines import Experiment
from ..errors import BundleError, TrainingError
from .domains import Domains

Need = Literal["truth", "data"]
"""What an experiment may need: an emulator of the truth, or a folder of data."""


@dataclass(frozen=True)
class Sources:
    """What the domains of an experiment are built from.

    Parameters
    ----------
    emulator : Emulator
        Of the synthetic domain, with all lines.
    truth : Emulator, optional
        Of the observed domain.
    data : path, optional
        Folder of data.
    hidden : Experiment, optional
        Which lines to hide, where that was decided before.
    """

    emulator: Emulator
    truth: Emulator | None = None
    data: Path | None = None
    hidden: Experiment | None = None


Build = Callable[[Sources], Domains]
"""Builds the domains of an experiment; what it needs is there."""


@dataclass(frozen=True)
class Registered:
    """An experiment that was registered; see :func:`register`."""

    name: str
    build: Build
    summary: str
    needs: Need | None
    request: str
    hides_lines: bool


_registered: dict[str, Registered] = {}


def register(
    name: str,
    summary: str,
    *,
    needs: Need | None = None,
    request: str = "",
    hides_lines: bool = False,
) -> Callable[[Build], Build]:
    """Return a decorator that registers the builder of an experiment.

    Parameters
    ----------
    name : str
        Name on the command line, and of the shipped bundle.
    summary : str
        What the observed domain is, in a few words.
    needs : {"truth", "data"}, optional
        What has to be given besides the emulator.
    request : str
        What that is, in words; the message if it was not given goes on with it.
    hides_lines : bool
        Whether the synthetic domain lacks lines on purpose.
    """

    def decorate(build: Build) -> Build:
        _registered[name] = Registered(name, build, summary, needs, request, hides_lines)
        return build

    return decorate


@cache
def _import_experiments() -> None:
    """Import all modules of this room, so that each registers what it has."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{package}.{module.name}")


def experiments() -> dict[str, Registered]:
    """Return the built-in experiments by name.

    Examples
    --------
    >>> sorted(experiments())
    ['apogee-giants', 'apogee-stars', 'mock-lines', 'tuned-gf']
    >>> experiments()["tuned-gf"].needs
    'truth'
    """
    _import_experiments()
    return dict(sorted(_registered.items()))


def build_domains(
    name: str,
    emulator: Emulator,
    *,
    truth: Emulator | None = None,
    data: str | Path | None = None,
    hidden: Experiment | None = None,
) -> Domains:
    """Return the domains of a built-in experiment.

    Parameters
    ----------
    name : str
        One of :func:`experiments`.
    emulator : Emulator
        Of the synthetic domain.
    truth : Emulator, optional
        For experiments that need it: of the observed domain.
    data : path, optional
        For experiments that need it: the data folder; see
        :func:`~spectrabridge.core.domains.apogee_giants.read_domains`.
    hidden : Experiment, optional
        For experiments that hide lines: which, if not those they choose themselves.

    Raises
    ------
    TrainingError
        If the experiment is not known, or needs something that was not given.
    SpectrumError
        If the data cannot be read.
    """
    known = experiments()
    if name not in known:
        raise TrainingError(f"Experiments are {', '.join(known)}; found {name!r}.")
    entry = known[name]
    given = {"truth": truth, "data": data}
    if entry.needs is not None and given[entry.needs] is None:
        raise TrainingError(f"The experiment {name} needs {entry.request} with --{entry.needs}.")
    folder = None if data is None else Path(data)
    return entry.build(Sources(emulator, truth, folder, hidden))


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
    if bundle.experiment is not None:
        name = next(entry.name for entry in experiments().values() if entry.hides_lines)
    if name not in experiments():
        raise BundleError(
            f"{bundle.name} was trained on spectra that are not in the bundle, so it cannot be "
            "trained again from it."
        )
    model = bundle.model
    return build_domains(
        name,
        model.complete_emulator,
        truth=model.truth_emulator,
        data=data,
        hidden=bundle.experiment,
    )

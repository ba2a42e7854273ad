"""Emulators by the place they are kept: a folder of their own, or a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..emulator.emulator import Emulator
from ..emulator.emulator_folder import read_description
from ..errors import BundleError
from .bundle import open_bundle


def read_emulator(where: str | Path) -> tuple[Emulator, dict[str, Any]]:
    """Return the emulator of a folder or of a bundle, and the report of its training.

    Parameters
    ----------
    where : str or path
        A folder that :func:`~spectrabridge.core.emulator.scoring.train_and_store` wrote, or
        the name, folder or zip file of a bundle. A bundle gives the emulator of its
        synthetic domain with all lines, never its truth.

    Raises
    ------
    BundleError
        If there is no emulator that can be read.
    """
    folder = Path(where)
    if (folder / "bundle.json").exists() or not folder.is_dir():
        bundle = open_bundle(where)
        return bundle.model.complete_emulator, bundle.provenance.get("emulator_report", {})
    return Emulator.load(folder), read_description(folder).get("report", {})


def read_truth_emulator(where: str | Path) -> Emulator:
    """Return the emulator of a folder, or the one that a bundle has for its truth.

    Raises
    ------
    BundleError
        If there is none.
    """
    if Path(where).is_dir() and not (Path(where) / "bundle.json").exists():
        return read_emulator(where)[0]
    truth = open_bundle(where).model.truth_emulator
    if truth is None:
        raise BundleError(
            f"--truth: the bundle {where} holds no truth of the observed domain; give the folder "
            "of an emulator."
        )
    return truth

"""Spectra of an observed star, ready to be laid over a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...core.spectra import Spectra, WavelengthGrid

_KINDS = {"coadd": "combination", "coadd_global": "combination, global weights"}


@dataclass(frozen=True)
class ObservedStar:
    """The spectra of one star, ready to be laid over a model.

    Parameters
    ----------
    name : str
        Name of the star.
    file : str
        Name of the file it comes from.
    spectra : Spectra
        Continuum-normalised, on the grid of the model.
    titles : tuple of str
        What each row is: combination or visit, with its signal-to-noise ratio.
    notes : tuple of str
        What a user should know about the file.
    """

    name: str
    file: str
    spectra: Spectra
    titles: tuple[str, ...]
    notes: tuple[str, ...] = ()


def open_star(source: str | Path | bytes, grid: WavelengthGrid, name: str = "") -> ObservedStar:
    """Read an apStar file and normalise it as the training spectra were.

    Parameters
    ----------
    source : path or bytes
        The file or its content.
    grid : WavelengthGrid
        Grid of the model.
    name : str
        Name of the file, for messages.

    Raises
    ------
    SpectrumError
        If the file cannot be used.
    GridError
        If the model is on another grid than APOGEE's.
    """
    # Imported when the first file is opened: FITS support takes half a second to load, which
    # the first screen need not wait for.
    from ...core.io.apstar import read_apstar
    from ...core.spectra import normalise

    file = read_apstar(source, name=name)
    spectra = normalise(file.spectra).on_chips()
    grid.require_same(spectra.grid, f"the spectrum in {file.name}")
    columns = file.spectra.columns
    titles = []
    for i, snr in enumerate(spectra.snr):
        kind = str(columns["kind"][i])
        what = _KINDS.get(kind, f"visit {int(columns['visit'][i])}")
        titles.append(f"{what}, S/N {snr:.0f}")
    return ObservedStar(file.star or file.name, file.name, spectra, tuple(titles), file.notes)

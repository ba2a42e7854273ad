"""Places on a map for all spectra of a file, of which the map itself has some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from astropy.table import Table
from numpy.typing import NDArray

from ..bundle.bundle import Bundle
from ..domains.observed_file import ObservedFile
from ..spectra.spectra import Spectra
from .embedding import Embedding
from .features import PANELS
from .placement import Placer

SPECTRA_PER_PASS = 256
"""Spectra that are placed at once."""


def place_file(
    bundle: Bundle,
    embedding: Embedding,
    file: ObservedFile,
    report: Callable[[int, int], None] | None = None,
) -> Table:
    """Return where the spectra of a file belong on a map; see :class:`.Placer`.

    No more than a block of spectra is in memory, so that what is needed grows by about a hundred
    bytes a spectrum.

    Parameters
    ----------
    bundle : Bundle
        Gives the model.
    embedding : Embedding
        The map, of some of these spectra or of others.
    file : ObservedFile
        The spectra.
    report : callable, optional
        ``report(spectra done, spectra)``.

    Returns
    -------
    Table
        A row per spectrum, in the order of the file: ``id``, ``snr``, and for each panel, as
        ``latents_x``, the coordinates, ``latents_nearest``, the name of the nearest star of the
        map, and ``latents_distance`` to it in units of what is usual there. A spectrum without a
        usable pixel has NaN and no nearest star.

    Raises
    ------
    SpectrumError
        If spectra cannot be read.
    """
    placer = Placer(bundle, embedding)
    names = np.array(embedding.stars.ids)
    total = 0 if report is None else len(file)
    ids: list[str] = []
    parts: list[dict[str, NDArray[Any]]] = []
    for block in file.blocks():
        ids += block.ids
        for start in range(0, len(block), SPECTRA_PER_PASS):
            parts.append(_placed(placer, block[start : start + SPECTRA_PER_PASS], names))
        if report is not None:
            report(len(ids), total)
    out = Table({"id": ids})
    for key in parts[0]:
        out[key] = np.concatenate([p[key] for p in parts])
    return out


def _placed(placer: Placer, spectra: Spectra, names: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return columns for some spectra."""
    usable = spectra.good.any(axis=1)
    out: dict[str, NDArray[Any]] = {"snr": spectra.snr.astype(np.float32)}
    found = None
    if usable.any():
        flux, ivar = torch.tensor(spectra.flux[usable]), torch.tensor(spectra.ivar[usable])
        found = placer(flux, ivar)
    for key in PANELS:
        place = np.full((len(spectra), 3), np.nan, np.float32)
        nearest = np.full(len(spectra), "", names.dtype)
        if found is not None:
            place[usable, :2], place[usable, 2] = found.panels[key], found.distance[key]
            nearest[usable] = names[found.nearest[key]]
        out |= {f"{key}_{axis}": place[:, i] for i, axis in enumerate(("x", "y", "distance"))}
        out[f"{key}_nearest"] = nearest
    return out

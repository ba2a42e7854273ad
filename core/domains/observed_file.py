"""Observed spectra of a file, read and normalised a few hundred at a time.

What a survey holds does not fit into memory; what a network learns from does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..adaptation.input_checks import check_same_grid
from ..emulator.emulator import Emulator
from ..errors import SpectrumError, TrainingError
from ..files import open_regular, understood
from ..files.hdf5 import open_hdf5
from ..io.csn import is_csn, read_csn
from ..io.spectra_store import SpectraStore, is_store
from ..spectra.continuum import normalise
from ..spectra.spectra import Spectra, SpectraFile

ROWS_AT_ONCE = 512
"""Spectra that are read and normalised together."""

Source = Spectra | SpectraFile | SpectraStore
"""Where spectra come from: something with a length, of which runs can be taken."""


@dataclass(frozen=True)
class ObservedFile:
    """Some or all spectra of a file, for an emulator.

    Parameters
    ----------
    path : Path
        HDF5 file or zarr store written by spectrabridge, or one of the paper's training sets.
    emulator : Emulator
        Spectra that are not normalised yet are normalised as its own were, and cut to its
        pixels.
    limit : int, optional
        At most so many spectra, drawn at random.
    seed : int
        Of that draw.

    Raises
    ------
    SpectrumError
        If there is no such file.
    TrainingError
        If the emulator keeps the simulator's true continuum.
    """

    path: Path
    emulator: Emulator
    limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.emulator.continuum != "pseudo":
            raise TrainingError(
                "The emulator was trained with the simulator's own continuum, which observed "
                "spectra do not have. Train it with --continuum pseudo, so that both domains are "
                "normalised by the same routine."
            )
        if self.limit is not None and self.limit < 1:
            raise SpectrumError(f"Expected a limit of at least 1 spectrum; found {self.limit}.")

    def __len__(self) -> int:
        with self._opened() as source:
            n = len(source)
        return n if self.limit is None else min(n, self.limit)

    def blocks(self) -> Iterator[Spectra]:
        """Yield the spectra in the order of the file, normalised, on the emulator's pixels.

        Memory does not grow with their number.

        Raises
        ------
        SpectrumError, GridError
            If the file cannot be read, or its grid is another one.
        """
        with self._opened() as source:
            n = len(source)
            if n == 0:
                raise SpectrumError(f"{self.path.name} holds no spectrum.")
            rows = self._rows(n)
            more: dict[str, Any] = {}
            if rows is not None:
                more = {"limit": self.limit, "seed": self.seed, "n_in_file": n}
            done = 0
            for start in range(0, n, ROWS_AT_ONCE):
                stop = min(start + ROWS_AT_ONCE, n)
                if rows is None:
                    block = source[start:stop]
                else:
                    chosen = rows[(rows >= start) & (rows < stop)] - start
                    if not chosen.size:
                        continue
                    block = source[start:stop][chosen]
                yield self._usable(block, more, done)
                done += len(block)

    def read(self) -> Spectra:
        """Return the spectra together.

        Raises
        ------
        SpectrumError, GridError
            As :meth:`blocks` does.
        """
        parts: list[Spectra] = []
        flux: list[NDArray[np.float32]] = []
        ivar: list[NDArray[np.float32]] = []
        notes: list[str] = []
        for block in self.blocks():
            flux.append(block.flux)
            ivar.append(block.ivar)
            notes += _continuum_notes(block)
            parts.append(block)
        first = parts[0]
        if len(parts) == 1:
            return first
        provenance = dict(first.provenance)
        if notes:
            # Blocks of what was normalised before all carry the notes on all spectra.
            every = list(dict.fromkeys(notes))
            provenance["continuum"] = {**provenance["continuum"], "notes": every}
        return Spectra(
            first.grid,
            np.concatenate(flux),
            np.concatenate(ivar),
            tuple(i for p in parts for i in p.ids),
            None if first.labels is None else np.concatenate([_labels(p) for p in parts]),
            first.label_set,
            {k: np.concatenate([p.columns[k] for p in parts]) for k in first.columns},
            provenance,
        )

    def _rows(self, n: int) -> NDArray[np.int64] | None:
        """Return which rows are wanted, None for all."""
        if self.limit is None or self.limit >= n:
            return None
        return np.sort(np.random.default_rng(self.seed).choice(n, self.limit, replace=False))

    def _usable(self, spectra: Spectra, more: dict[str, Any], first_row: int) -> Spectra:
        grid = self.emulator.grid
        if spectra.grid != grid and spectra.grid.on_chips() != grid:
            # Said before the continuum fit, which takes long and may fail on another grid.
            check_same_grid(grid, spectra.grid)
        if "continuum" not in spectra.provenance:
            spectra = normalise(spectra, first_row=first_row)
        if spectra.grid != grid:
            spectra = spectra.on_chips()
        if more:
            return Spectra(
                spectra.grid,
                spectra.flux,
                spectra.ivar,
                spectra.ids,
                spectra.labels,
                spectra.label_set,
                spectra.columns,
                {**spectra.provenance, **more},
            )
        return spectra

    def _opened(self) -> AbstractContextManager[Source]:
        path = self.path
        if not path.exists():
            raise SpectrumError(f"There is no file {path}.")
        if is_store(path):
            return SpectraStore.open(path)
        if path.is_dir():
            raise SpectrumError(
                f"{path} is a folder; expected one HDF5 file or zarr store of observed spectra."
            )
        if not h5py.is_hdf5(path):
            raise SpectrumError(
                f"{path} is not HDF5{_looks_like(path)}; expected a file written by Spectra.save, "
                "or csn_apogee.h5 of O'Briain et al. 2020."
            )
        with open_hdf5(path) as file, understood(path, "HDF5"):
            names = sorted(file)
            paper = is_csn(file)
            n_pixels = file["spectra train"].shape[-1] if paper else 0
        if paper:
            # The file does not tell its wavelengths: those of the emulator, if the number fits.
            grid = self.emulator.grid if n_pixels == self.emulator.grid.n_pixels else None
            return nullcontext(read_csn(path, limit=self.limit, seed=self.seed, grid=grid))
        if "flux" not in names and "ivar" not in names:
            raise SpectrumError(
                f"{path} is HDF5 but neither a file of spectra written by Spectra.save (datasets "
                "flux, ivar, ids) nor one of the paper's training sets (spectra train, labels "
                f"train, ...); found {', '.join(map(repr, names[:6])) or 'nothing'}. Write it "
                "with Spectra.save."
            )
        return SpectraFile.open(path)


def _continuum_notes(spectra: Spectra) -> list[str]:
    record = spectra.provenance.get("continuum")
    return list(record.get("notes", ())) if isinstance(record, Mapping) else []


def _labels(spectra: Spectra) -> NDArray[np.float64]:
    assert spectra.labels is not None
    return spectra.labels


def _looks_like(path: Path) -> str:
    with open_regular(path, "a file of spectra") as file:
        start = file.read(8)
    if start.startswith(b"SIMPLE"):
        return " but FITS (read the stars with read_apstar and save them as one set)"
    if start.startswith(b"PK"):
        return " but a zip or npz file (a synthetic grid belongs to train-emulator)"
    return ""

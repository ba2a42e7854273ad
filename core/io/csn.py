"""Read the training sets of O'Briain et al. (2020): csn_apogee.h5 and csn_kurucz.h5.

The HDF5 files that the authors published with their code hold, for each of the sets
``train``, ``valid`` (``val`` in some versions) and ``test``, the datasets (names with a
space)

=====================  ============  ==============================================
``spectra train``      (n, 7214)     flux over the pseudo-continuum of Ting et al. 2019
``spectra_err train``  (n, 7214)     1-sigma errors; absent in the synthetic file
``spectra_msk train``  (n, 7214)     1 at good pixels, 0 at bad ones
``labels train``       (n, 25)       the labels of the paper, in its order
``snr train``          (n,)          signal-to-noise ratio; in some versions
=====================  ============  ==============================================

on the 7214 pixels of the apStar grid that fall on a chip. That a mask of 1 is *good* is
read off the authors' loader (``CSNDataset`` in ``training_fns.py``, repository
teaghan/Cycle_SN): residuals are multiplied by the mask, a file without masks gets ones,
and the mask is set to 0 where the error is above 0.05. The loader raises errors to
at least 0.005, which is done here too; it lets the mask end at an error of 0.05, which
is not, because the inverse variance already makes such pixels count for little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..files import understood
from ..files.hdf5 import open_hdf5
from ..labels.label_set import APOGEE_LABELS
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APOGEE_GRID, APSTAR_GRID, WavelengthGrid

SMALLEST_ERROR = 0.005
"""Errors are at least this part of the continuum, and this where a file has none."""

FEWEST_GOOD = 0.2
"""A mask with fewer good pixels than this is taken for one with 0 and 1 exchanged."""

UNKNOWN = -999.0
"""Labels from here down mean "not known"; surveys write -9999."""

_SPELLINGS = {"valid": ("valid", "val")}


def is_csn(file: h5py.File) -> bool:
    """Tell whether an open HDF5 file is laid out as the paper's training sets are."""
    data = file.get("spectra train")
    return isinstance(data, h5py.Dataset) and data.ndim > 0


def read_csn(
    path: str | Path,
    *,
    sets: Sequence[str] = ("train", "valid"),
    limit: int | None = None,
    seed: int = 0,
    grid: WavelengthGrid | None = None,
    chunk: int = 512,
) -> Spectra:
    """Read spectra of the paper's training sets.

    Parameters
    ----------
    path : path
        ``csn_apogee.h5``, ``csn_kurucz.h5``, or a file laid out like them.
    sets : sequence of str
        Which sets to read; the test set is left out unless it is asked for. ``train``
        must be in the file, the others are read if they are there.
    limit : int, optional
        At most this many spectra, drawn at random from all sets. A spectrum of 7214
        pixels takes 58 kB, and twice that for a moment.
    seed : int
        Of that draw.
    grid : WavelengthGrid, optional
        Grid of the file, which does not tell its wavelengths. The 7214 pixels of the
        paper, or all 8575 of the apStar grid, if not given.
    chunk : int
        Spectra read at a time.

    Returns
    -------
    Spectra
        In the order of the file. Columns: ``set``, and ``snr`` if the file has it. Ids
        are the set and the row, ``train-17``. Labels are those of APOGEE_LABELS, NaN
        where unknown, T_eff in kelvin, and are left out if they are not the paper's 25.
        ``provenance["notes"]`` has a sentence on everything that was assumed, changed
        or left out.

        The flux is normalised by another routine than ours, so ``provenance`` does not
        count it as normalised: it is to pass through
        :func:`~spectrabridge.core.spectra.continuum.normalise`.

    Raises
    ------
    SpectrumError
        If the file cannot be read, datasets are missing or do not fit each other, a
        mask is not 0 and 1, or an error is negative.
    """
    path = Path(path)
    if limit is not None and limit < 1:
        raise SpectrumError(f"Expected a limit of at least 1 spectrum; found {limit}.")
    what = "csn_apogee.h5 or csn_kurucz.h5, an HDF5 file"
    with open_hdf5(path, str(path), what) as file, understood(path, what):
        return _read(file, path, sets, limit, seed, grid, chunk)


def _read(
    file: h5py.File,
    path: Path,
    sets: Sequence[str],
    limit: int | None,
    seed: int,
    grid: WavelengthGrid | None,
    chunk: int,
) -> Spectra:
    found = _sets(file, path, sets)
    grid = grid or _grid(file, path, found)
    sizes = {name: _check(file, path, name, grid) for name in found}
    total = sum(sizes.values())
    if total == 0:
        raise SpectrumError(f"{path.name} holds no spectrum.")
    chosen = np.ones(total, bool)
    if limit is not None and limit < total:
        chosen[:] = False
        chosen[np.random.default_rng(seed).choice(total, limit, replace=False)] = True
    n = int(chosen.sum())
    flux = np.empty((n, grid.n_pixels), np.float32)
    ivar = np.empty_like(flux)
    labels = np.full((n, len(APOGEE_LABELS)), np.nan)
    snr = np.full(n, np.nan)
    ids: list[str] = []
    which: list[str] = []
    notes: list[str] = []
    at = offset = lost = 0
    for name in found:
        errors = _has_errors(file, path, name, chunk, notes)
        good = 0
        rows = np.flatnonzero(chosen[offset : offset + sizes[name]])
        offset += sizes[name]
        for part in _runs(rows, chunk):
            here = slice(at, at + len(part))
            flux[here], ivar[here], n_good, n_lost = _spectra(file, path, name, part, errors)
            good, lost = good + n_good, lost + n_lost
            if f"snr {name}" in file:
                snr[here] = _take(file[f"snr {name}"], part).reshape(len(part), -1)[:, 0]
            at = here.stop
        _check_mask(file, path, name, good / max(1, len(rows) * grid.n_pixels), notes)
        start = at - len(rows)
        if f"labels {name}" in file and len(rows):
            labels[start:at] = _labels(file, path, name, rows, notes)
        ids += [f"{name}-{row}" for row in rows]
        which += [name] * len(rows)
    if lost:
        notes.append(
            f"{lost} pixels of {path.name} are marked good but have no finite flux or no usable "
            "error; they count as bad."
        )
    known = bool(np.isfinite(labels).any())
    columns: dict[str, NDArray[Any]] = {"set": np.array(which)}
    if np.isfinite(snr).any():
        columns["snr"] = snr
    return Spectra(
        grid,
        flux,
        ivar,
        tuple(ids),
        labels if known else None,
        APOGEE_LABELS if known else None,
        columns,
        {
            "file": path.name,
            "product": "training sets of O'Briain et al. 2020",
            "sets": sizes,
            "n_spectra": n,
            "limit": limit,
            "seed": seed,
            "smallest_error": SMALLEST_ERROR,
            "notes": list(dict.fromkeys(notes)),
        },
    )


def _sets(file: h5py.File, path: Path, sets: Sequence[str]) -> list[str]:
    """Return the names, as spelled in the file, of the sets that it has."""
    if not is_csn(file):
        raise SpectrumError(
            f"Expected a dataset called 'spectra train' in {path.name}, as in csn_apogee.h5; found "
            f"{', '.join(map(repr, sorted(file)[:6])) or 'nothing'}."
        )
    found = []
    for name in sets:
        spellings = _SPELLINGS.get(name, (name,))
        found += [s for s in spellings if f"spectra {s}" in file][:1]
    if not found:
        raise SpectrumError(f"{path.name} has none of the sets {', '.join(sets)}.")
    return found


def _grid(file: h5py.File, path: Path, sets: list[str]) -> WavelengthGrid:
    shape = file[f"spectra {sets[0]}"].shape
    known = {g.n_pixels: g for g in (APOGEE_GRID, APSTAR_GRID)}
    if len(shape) != 2 or shape[1] not in known:
        raise SpectrumError(
            f"Expected spectra of {' or '.join(map(str, known))} pixels in {path.name}; found "
            f"'spectra {sets[0]}' of shape {shape}. The file does not tell its wavelengths; write "
            "it with Spectra.save, which does."
        )
    return known[shape[1]]


def _check(file: h5py.File, path: Path, name: str, grid: WavelengthGrid) -> int:
    """Return the number of spectra of a set; refuse datasets that do not fit."""
    shape = file[f"spectra {name}"].shape
    if len(shape) != 2 or shape[1] != grid.n_pixels:
        raise SpectrumError(
            f"Expected 'spectra {name}' of shape (n, {grid.n_pixels}) in {path.name}; found "
            f"{shape}."
        )
    for kind in ("spectra_err", "spectra_msk"):
        key = f"{kind} {name}"
        if key in file and file[key].shape != shape:
            raise SpectrumError(
                f"Expected {key!r} of the shape of the spectra, {shape}, in {path.name}; found "
                f"{file[key].shape}."
            )
    for kind in ("labels", "snr"):
        key = f"{kind} {name}"
        if key in file and file[key].shape[:1] != shape[:1]:
            raise SpectrumError(
                f"Expected {shape[0]} rows, one per spectrum, in {key!r} of {path.name}; found "
                f"shape {file[key].shape}."
            )
    return int(shape[0])


def _runs(rows: NDArray[np.int64], chunk: int) -> Iterator[NDArray[np.int64]]:
    """Split rising row numbers so that those of one part lie within `chunk` rows."""
    block = rows // chunk
    for b in np.unique(block):
        yield rows[block == b]


def _take(data: h5py.Dataset, rows: NDArray[np.int64]) -> NDArray[Any]:
    """Return some rows, read as one run: much faster than picking rows inside HDF5."""
    first = int(rows[0])
    return data[first : int(rows[-1]) + 1][rows - first]


def _has_errors(file: h5py.File, path: Path, name: str, chunk: int, notes: list[str]) -> bool:
    """Tell whether a set has errors: a dataset of them that is not zero throughout."""
    key = f"spectra_err {name}"
    if key in file:
        data = file[key]
        if any(np.any(data[a : a + chunk]) for a in range(0, len(data), chunk)):
            return True
    notes.append(
        f"{path.name} has no errors in '{key}'; {SMALLEST_ERROR:g} of the continuum is assumed, "
        "as the authors' code does."
    )
    return False


def _check_mask(file: h5py.File, path: Path, name: str, share: float, notes: list[str]) -> None:
    key = f"spectra_msk {name}"
    if key not in file:
        notes.append(f"{path.name} has no '{key}'; all its pixels count as good.")
    elif share < FEWEST_GOOD:
        raise SpectrumError(
            f"Only {share:.0%} of the pixels in '{key}' of {path.name} are 1, which marks good "
            "pixels in these files; 0 and 1 seem to be exchanged. Write 1 - mask."
        )


def _spectra(
    file: h5py.File, path: Path, name: str, rows: NDArray[np.int64], errors: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32], int, int]:
    """Return flux, inverse variance, the number of good pixels and of those not usable."""
    flux = np.asarray(_take(file[f"spectra {name}"], rows), np.float32)
    good = np.ones(flux.shape, bool)
    if f"spectra_msk {name}" in file:
        mask = _take(file[f"spectra_msk {name}"], rows)
        good = mask == 1
        other = ~good & (mask != 0)
        if other.any():
            raise SpectrumError(
                f"Expected 1 (good) or 0 (bad) in 'spectra_msk {name}' of {path.name}; found "
                f"{mask[other].flat[0]:g}. Turn bit masks into 0 and 1 first."
            )
    error = np.full(flux.shape, SMALLEST_ERROR, np.float32)
    if errors:
        error = np.asarray(_take(file[f"spectra_err {name}"], rows), np.float32)
    negative = good & (error < 0)
    if negative.any():
        raise SpectrumError(
            f"Errors must not be negative; found {int(negative.sum())} in 'spectra_err {name}' of "
            f"{path.name}, the first in row {rows[negative.any(1)][0]}. Mark such pixels with 0 in "
            f"'spectra_msk {name}'."
        )
    # An error of 0 beside others that are not is a pixel without an error, not a perfect one.
    usable = good & np.isfinite(error) & (error > 0) & np.isfinite(flux)
    safe = np.where(usable, np.maximum(error, SMALLEST_ERROR), 1).astype(np.float64)
    ivar = np.where(usable, 1 / safe**2, 0).astype(np.float32)
    return flux, ivar, int(good.sum()), int((good & ~usable).sum())


def _labels(
    file: h5py.File, path: Path, name: str, rows: NDArray[np.int64], notes: list[str]
) -> NDArray[np.float64]:
    """Return the labels of some rows, NaN where unknown or where they are others."""
    data = file[f"labels {name}"]
    unknown = np.full((len(rows), len(APOGEE_LABELS)), np.nan)
    if data.ndim != 2 or data.shape[1] != len(APOGEE_LABELS):
        notes.append(
            f"'labels {name}' of {path.name} has shape {data.shape}, not the paper's "
            f"{len(APOGEE_LABELS)} columns; the labels are ignored."
        )
        return unknown
    values = np.asarray(data[:], np.float64)[rows]
    values[~np.isfinite(values) | (values <= UNKNOWN)] = np.nan
    teff = APOGEE_LABELS.index("teff")
    if not np.isfinite(values[:, teff]).any():
        return values
    middle = float(np.nanmedian(values[:, teff]))
    if 2 <= middle <= 50:
        values[:, teff] *= 1000
        notes.append(f"T_eff in {path.name} is in 1000 K; it was converted to kelvin.")
    elif not 2000 <= middle <= 50_000:
        notes.append(
            f"The first of the labels in {path.name} has a median of {middle:g}, which is no "
            "effective temperature in kelvin or in 1000 K; the labels are ignored."
        )
        return unknown
    return values

"""Sets of spectra as stars: files of :meth:`~spectrabridge.core.spectra.Spectra.save` and stores.

The same checks are made for a set that is read at once and for one that is read in parts.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import SpectrumError
from ..spectra.spectra import Spectra
from .hdf5_arrays import LARGEST_ARRAYS, is_hdf5, set_layout
from .names import named_rows
from .noise import ERROR_FLOOR, PLACEHOLDER_FACTOR, fillers, scatter
from .resolution import resolved
from .spectra_store import SpectraStore, is_store, open_set
from .star_formats import STAR_FORMATS, OpenFile, ReadingOptions, StarFile, check_options
from .whole_star import plain_star

CALIBRATED = {"unit": "angstrom", "medium": "vacuum"}
"""What wavelengths of a set are."""


def checked_set(spectra: Spectra, name: str, first: int = 0) -> Spectra:
    """Return spectra of a set with ids and errors that mean something.

    Parameters
    ----------
    spectra : Spectra
        As they are in the set.
    name : str
        Of the set.
    first : int
        Number of the first of these spectra in the set.

    Returns
    -------
    Spectra
        Ids that only number the rows are preceded by the name of the set. An inverse variance of 1
        in all pixels, which is what a set without errors holds, becomes that of an error of 0.005
        of the median flux, as a note says.

    Examples
    --------
    >>> import numpy as np
    >>> from spectrabridge.core.spectra import APOGEE_GRID, Spectra
    >>> computed = Spectra(APOGEE_GRID, np.ones((1, 7214)))
    >>> float(checked_set(computed, "grid.h5").ivar[0, 0])
    40000.0
    """
    ivar = spectra.ivar.copy()
    placeholders = filled = 0
    for flux, weight in zip(spectra.flux, ivar, strict=True):
        bad = fillers(flux.astype(np.float64)) & (weight > 0)
        weight[bad] = 0
        filled += int(bad.sum())
        good = weight > 0
        if not good.any() or not (weight[good] == 1).all():
            continue
        values = flux[good].astype(np.float64)
        if 1 / PLACEHOLDER_FACTOR <= scatter(values) <= PLACEHOLDER_FACTOR:
            continue
        weight[good] = (ERROR_FLOOR * (float(np.median(np.abs(values))) or 1.0)) ** -2.0
        placeholders += 1
    notes = [str(n) for n in spectra.provenance.get("notes", ())]
    if filled:
        notes.append(f"{filled} pixels of {name} hold a fill value, not flux, and are not used.")
    if placeholders:
        notes.append(
            f"{name} has no errors: its inverse variance is 1 everywhere. {ERROR_FLOOR:g} of the "
            "median flux is assumed for all of its pixels."
        )
    provenance = {**spectra.provenance, "notes": notes} if notes else spectra.provenance
    ids = named_rows(spectra.ids, name, first)
    return replace(spectra, ids=ids, ivar=ivar, provenance=provenance)


def read_rows(
    path: str | Path, first: int, last: int, name: str, options: ReadingOptions
) -> Spectra:
    """Read some rows of a set, checked, and broadened if the options say so.

    Parameters
    ----------
    path : path
        HDF5 file or zarr store.
    first, last : int
        From which row to which, the last one not included.
    name : str
        What to call the set.
    options : ReadingOptions
        Only a resolution applies to sets.

    Raises
    ------
    SpectrumError
        If the rows cannot be read or an option does not apply.
    """
    check_options(STAR_FORMATS["spectra"], name, options)
    with open_set(path) as file:
        spectra = checked_set(file[first:last], name, first)
    broad, said = resolved(spectra, options.resolution, name)
    if not said:
        return spectra
    notes = [*spectra.provenance.get("notes", ()), *said]
    return replace(broad, provenance={**broad.provenance, "notes": notes})


def _read(path: Path, name: str) -> Spectra:
    if is_store(path):
        with SpectraStore.open(path) as store:
            return store[:]
    return Spectra.load(path, name, LARGEST_ARRAYS)


def _is_set(file: OpenFile) -> bool:
    if file.path is None:
        return False
    return is_store(file.path) or (is_hdf5(file.path) and set_layout(file.path))


@STAR_FORMATS.register(
    "spectra",
    "HDF5 files written by Spectra.save and zarr stores of spectra",
    _is_set,
    options=("resolution",),
    stated=CALIBRATED,
)
def _load(file: OpenFile, options: ReadingOptions) -> StarFile:
    assert file.path is not None
    spectra = _read(file.path, file.name)
    if not len(spectra):
        raise SpectrumError(f"{file.name} holds no spectrum.")
    return plain_star("spectra", file.name, checked_set(spectra, file.name), is_set=True)

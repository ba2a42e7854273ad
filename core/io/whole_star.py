"""Put spectra of any reader on the apStar grid, and join those of several parts of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..spectra.resample import resample
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APOGEE_GRID, APSTAR_GRID, WavelengthGrid
from .columns import Columns
from .names import named_rows
from .spectrum_columns import read_columns
from .star_formats import ReadingOptions, StarFile


def on_apstar(spectra: Spectra) -> Spectra:
    """Return spectra on the apStar grid; those on its detectors are put in their place."""
    if spectra.grid == APSTAR_GRID:
        return spectra
    shape = (len(spectra), APSTAR_GRID.n_pixels)
    flux: NDArray[Any] = np.full(shape, np.nan)
    ivar: NDArray[Any] = np.zeros(shape)
    pixels = APSTAR_GRID.chip_pixels
    if spectra.grid == APOGEE_GRID:
        flux[:, pixels], ivar[:, pixels] = spectra.flux, spectra.ivar
    else:
        flux, new = resample(spectra.grid.wavelength, spectra.flux, spectra.ivar, APSTAR_GRID)
        ivar[:, pixels] = new[:, pixels]
    return replace(spectra, grid=APSTAR_GRID, flux=flux, ivar=ivar)


def of_hdu(spectra: Spectra, title: str, *, first: bool) -> Spectra:
    """Return spectra that say of which HDU of a FITS file they are.

    Parameters
    ----------
    spectra : Spectra
        Those of the HDU.
    title : str
        What to call the HDU: ``HDU 1 (STAR)``.
    first : bool
        Whether it is the first of the file that holds spectra; these keep their ids.
    """
    ids = spectra.ids if first else tuple(f"{i} {title}" for i in spectra.ids)
    hdu = np.full(len(spectra), title)
    return replace(spectra, ids=ids, columns={**spectra.columns, "hdu": hdu})


def join_spectra(parts: Sequence[Spectra], name: str, notes: Sequence[str] = ()) -> Spectra:
    """Return the spectra of several parts of a file as one set, with the notes of all.

    Parameters
    ----------
    parts : sequence of Spectra
        On one grid, with the same columns.
    name : str
        Of the file, for notes.
    notes : sequence of str
        What there is to say besides.

    Raises
    ------
    SpectrumError
        If no spectrum has a usable pixel, or the parts state different resolutions.
    """
    stated = {p.provenance.get("resolution") for p in parts}
    if len(stated) > 1:
        raise SpectrumError(
            f"Parts of {name} have different resolutions: {', '.join(map(str, stated))}. Save each "
            "as a file of its own."
        )
    said = [n for p in parts for n in p.provenance.get("notes", ())]
    joined = Spectra(
        parts[0].grid,
        np.concatenate([p.flux for p in parts]),
        np.concatenate([p.ivar for p in parts]),
        tuple(i for p in parts for i in p.ids),
        columns={k: np.concatenate([p.columns[k] for p in parts]) for k in parts[0].columns},
        provenance={**parts[0].provenance, "notes": list(dict.fromkeys([*said, *notes]))},
    )
    return without_empty_rows(joined, name)


def read_hdus(
    hdus: Iterable[tuple[str, Columns | Callable[[], Columns]]],
    name: str,
    options: ReadingOptions,
    notes: list[str],
    nothing: str,
    *,
    grid: WavelengthGrid = APSTAR_GRID,
) -> Spectra:
    """Return the spectra of the HDUs of a FITS file; a note names those that cannot be read.

    Parameters
    ----------
    hdus : iterable of (str, Columns or callable)
        What to call each HDU, and its columns, or what returns them.
    name : str
        What to call the file in messages.
    options : ReadingOptions
        What the file does not say.
    notes : list of str
        Sentences about HDUs that are not read are added.
    nothing : str
        The sentence for a file without any.
    grid : WavelengthGrid
        The grid to resample to.

    Raises
    ------
    SpectrumError
        If none can be read: that of the first.
    """
    parts: list[Spectra] = []
    problem: SpectrumError | None = None
    for title, columns in hdus:
        try:
            here = columns() if callable(columns) else columns
            found = read_columns(here, name, options, grid=grid)
        except SpectrumError as one:
            problem = problem or one
            notes.append(f"{title} was not read: {one}")
            continue
        parts.append(of_hdu(found, title, first=not parts))
    if not parts:
        raise problem or SpectrumError(nothing)
    return join_spectra(parts, name, notes)


def hdu_title(number: int, hdu: Any) -> str:
    """Return what to call an HDU in messages: ``HDU 1 (STAR)``."""
    return f"HDU {number}" + (f" ({hdu.name})" if hdu.name else "")


def without_empty_rows(spectra: Spectra, name: str) -> Spectra:
    """Return the spectra that have a usable pixel; a note names those that have none.

    Raises
    ------
    SpectrumError
        If there is no other.
    """
    keep = np.asarray(spectra.good.any(axis=1))
    if keep.all():
        return spectra
    if not keep.any():
        raise SpectrumError(f"{name} has no usable pixel in any of its {len(keep)} spectra.")
    empty = np.flatnonzero(~keep)
    rows = ", ".join(map(str, empty[:10])) + (", ..." if empty.size > 10 else "")
    note = (
        f"{empty.size} of {len(keep)} spectra of {name} have no usable pixel and were passed over "
        f"(counted from 0: {rows})."
    )
    left = spectra[np.flatnonzero(keep)]
    notes = [*spectra.provenance.get("notes", ()), note]
    return replace(left, provenance={**spectra.provenance, "notes": notes})


def plain_star(
    kind: str, name: str, spectra: Spectra, *, is_set: bool = False, notes: Sequence[str] = ()
) -> StarFile:
    """Return a star whose reader gave spectra only, put on the apStar grid.

    Parameters
    ----------
    kind : str
        Name of the format.
    name : str
        Of the file.
    spectra : Spectra
        One or more, on any grid.
    is_set : bool
        Whether the rows are stars of their own.
    notes : sequence of str
        More of what a user should know.

    Raises
    ------
    SpectrumError
        If there is no spectrum, or none has a usable pixel on the grid.
    """
    if not len(spectra):
        raise SpectrumError(f"{name} holds no spectrum.")
    said = [str(note) for note in spectra.provenance.get("notes", ())]
    placed = on_apstar(spectra)
    if placed is not spectra and spectra.grid != APOGEE_GRID:
        said.append(f"The spectra were resampled from {spectra.grid!r}.")
    # A row of a set keeps its place, so that it can be found again.
    if not placed.good.any():
        raise SpectrumError(
            f"{name} has no usable pixel on the detectors of the apStar grid in any spectrum."
        )
    if not is_set:
        placed = without_empty_rows(placed, name)
        said = [*said, *(n for n in placed.provenance.get("notes", ()) if n not in said)]
    elif not placed.good[0].any():
        said.append(f"The first spectrum in {name} has no usable pixel.")
    placed = replace(placed, ids=named_rows(placed.ids, name))
    labels: dict[str, float] = {}
    if placed.labels is not None and placed.label_set is not None:
        labels = dict(zip(placed.label_set.names, placed.labels[0].tolist(), strict=True))
    if len(placed) > 1:
        said.append(_which_first(placed, is_set))
    return StarFile(name, placed.ids[0], kind, placed, None, labels, (*said, *notes), is_set)


def _which_first(spectra: Spectra, is_set: bool) -> str:
    if is_set:
        return f"The file holds {len(spectra)} spectra, each of a star of its own."
    note = f"The file holds {len(spectra)} spectra; the first stands for the star"
    hdus = spectra.columns.get("hdu")
    if hdus is None or len(set(hdus)) == 1:
        return note + "."
    rest = ", ".join(dict.fromkeys(str(h) for h in hdus if h != hdus[0]))
    return f"{note}. It is that of {hdus[0]}; others are in {rest}."

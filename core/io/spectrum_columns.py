"""Spectra from columns: whatever the file, the same words mean the same.

Used for tables of text and FITS, npz and HDF5 files. What the columns leave open, such as the unit
of a wavelength, is taken from options, guessed only where there is one reading, and always said in
``provenance["notes"]``. An option that contradicts the file is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..spectra.resample import resample
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APOGEE_GRID, APSTAR_GRID, WavelengthGrid
from .columns import Column, Columns, star_of
from .names import row_names, texts_of
from .noise import inverse_variances, scaled
from .resolution import stated_resolution
from .star_formats import ReadingOptions
from .wavelength_columns import missing_columns, overlaps, same_pixels, vacuum_wavelengths

READING_COLUMNS = ("medium_assumed", "noise_shared")
"""Columns of spectra, true or false, that a fit asks for."""


def _require_usable(ivar: NDArray[np.float64], name: str) -> None:
    if not (ivar > 0).any():
        raise SpectrumError(
            f"{name} has no usable pixel: all are masked, not finite, zero or a fill value, or "
            "without a usable error."
        )


def _on_chips(ivar: NDArray[np.float32], grid: WavelengthGrid, name: str) -> NDArray[np.float32]:
    """Return inverse variances with zeros between the detectors."""
    off = np.ones(grid.n_pixels, bool)
    off[grid.chip_pixels] = False
    used = np.where(off, 0.0, ivar)
    if not (used > 0).any():
        raise SpectrumError(f"{name} has no usable pixel on the detectors of {grid!r}.")
    return used


def read_columns(
    table: Columns,
    name: str,
    options: ReadingOptions | None = None,
    *,
    grid: WavelengthGrid | None = None,
    by_scatter: bool = True,
) -> Spectra:
    """Return the spectra that columns hold, in vacuum angstrom at rest.

    Parameters
    ----------
    table : Columns
        A flux of shape ``(n_pixels,)`` or ``(n, n_pixels)``, a wavelength of the same shape or
        ``(n_pixels,)``, and if given errors, masks and ids.
    name : str
        Of the file, for messages.
    options : ReadingOptions, optional
        What the file does not say.
    grid : WavelengthGrid, optional
        The grid to resample to. If not given, spectra on the pixels of the apStar grid or of its
        detectors stay there, and others are resampled to the apStar grid.
    by_scatter : bool
        How errors that are missing are estimated; see
        :func:`~spectrabridge.core.io.noise.inverse_variances`.

    Returns
    -------
    Spectra
        ``provenance["notes"]`` has a sentence on everything that was assumed; column
        ``medium_assumed`` is true where the file does not say air or vacuum.

    Raises
    ------
    SpectrumError
        If columns are missing or do not fit, an option contradicts the file, the unit is not
        known, wavelengths are not in order or do not meet the grid, or no pixel is usable.

    Examples
    --------
    >>> import numpy as np
    >>> table = Columns()
    >>> table.add("Wave (nm)", np.linspace(1515, 1697, 9000))
    >>> table.add("Fluxes", 1 + 0.1 * np.sin(np.arange(9000) / 30))
    >>> table.add("Sigma", np.full(9000, 0.01))
    >>> spectra = read_columns(table, "star.csv")
    >>> spectra.grid.name, round(float(np.median(spectra.snr)))
    ('apStar', 117)
    """
    options = options or ReadingOptions()
    notes: list[str] = []
    flux_column = table.find("flux")
    if flux_column is None:
        raise missing_columns(table, name)
    flux = _flux(flux_column, table.noun, name)
    angstrom, medium, assumed = vacuum_wavelengths(table, flux, name, options, grid, notes)
    unit = flux_column.unit
    ivar = inverse_variances(table, flux, angstrom, unit, name, notes, by_scatter=by_scatter)
    _tell_unused(table, flux_column, flux, name, notes)
    _require_usable(ivar, name)
    near_one, weight, scale = scaled(flux, ivar)
    target, placed, used = _placed(angstrom, near_one, weight, grid, name, notes)
    used = _on_chips(used, target, name)
    return Spectra(
        target,
        placed,
        used,
        _ids(table, len(flux), name),
        columns={"medium_assumed": np.full(len(flux), assumed)},
        provenance={
            "file": name,
            "flux_unit": flux_column.unit,
            "flux_scale": scale,
            "medium": medium,
            "rv_kms": options.rv_kms or 0.0,
            "resolution": stated_resolution(table.meta, name, notes),
            "notes": notes,
        },
    )


def reading_columns(spectra: Spectra) -> dict[str, NDArray[np.bool_]]:
    """Return what a fit asks of how spectra were read, an array ``(n,)`` each.

    Returns
    -------
    dict
        ``medium_assumed``: the file did not say air or vacuum. ``noise_shared``: neighbouring
        pixels share noise. False where a reader did not say.
    """
    none = np.zeros(len(spectra), bool)
    return {key: np.asarray(spectra.columns.get(key, none), bool) for key in READING_COLUMNS}


def _flux(column: Column, noun: str, name: str) -> NDArray[np.float64]:
    if column.values.dtype.kind not in "fiub":
        raise SpectrumError(
            f"Expected numbers in {column.name} of {name}; found {column.values.dtype}."
        )
    flux: NDArray[np.float64] = np.atleast_2d(column.values.astype(np.float64))
    if flux.ndim == 3 and 1 in flux.shape:
        flux = flux.reshape(flux.shape[0] * flux.shape[1], flux.shape[2])
    if flux.ndim != 2 or not flux.size:
        raise SpectrumError(
            f"Expected {column.name} of shape (n, n_pixels) in {name}; found {column.values.shape}."
        )
    if flux.shape[1] < 2:
        raise SpectrumError(
            f"Expected two pixels or more in {noun} {column.name} of {name}; found {flux.shape[1]}."
        )
    return flux


# ---------------------------------------------------------------------- pixels


def _placed(
    angstrom: NDArray[np.float64],
    flux: NDArray[np.float64],
    ivar: NDArray[np.float64],
    grid: WavelengthGrid | None,
    name: str,
    notes: list[str],
) -> tuple[WavelengthGrid, NDArray[Any], NDArray[Any]]:
    """Return a grid, and the spectra on its pixels."""
    if angstrom.ndim == 1:
        angstrom, flux, ivar = _ordered(angstrom, flux, ivar, name)
        own = next((g for g in (APOGEE_GRID, APSTAR_GRID) if same_pixels(angstrom, g)), None)
        if own is not None and grid in (None, own):
            return own, flux, ivar
    target = grid or APSTAR_GRID
    if angstrom.ndim == 1:
        _require_overlap(angstrom, target, name)
        flux, ivar = resample(angstrom, flux, ivar, target)
    else:
        rows = []
        for w, f, v in zip(angstrom, flux, ivar, strict=True):
            w, one, other = _ordered(w, f[None], v[None], name)
            _require_overlap(w, target, name)
            rows.append([part[0] for part in resample(w, one, other, target)])
        flux, ivar = (np.array(part) for part in zip(*rows, strict=True))
    notes.append(f"The spectra were resampled to {target!r}.")
    return target, flux, ivar


def _ordered(
    wavelength: NDArray[np.float64],
    flux: NDArray[np.float64],
    ivar: NDArray[np.float64],
    name: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return pixels that have a wavelength, in rising order."""
    # A wavelength that is not a number belongs to no pixel; fillers stand at the ends.
    known = np.isfinite(wavelength)
    wavelength, flux, ivar = wavelength[known], flux[:, known], ivar[:, known]
    step = np.diff(wavelength)
    if wavelength.size < 2 or not ((step > 0).all() or (step < 0).all()):
        raise SpectrumError(
            f"Expected wavelengths that increase or decrease from pixel to pixel in {name}; they "
            f"{'are all missing' if wavelength.size < 2 else 'go up and down'}. Sort the pixels, "
            "and merge orders that overlap."
        )
    if step[0] < 0:
        wavelength, flux, ivar = wavelength[::-1], flux[:, ::-1], ivar[:, ::-1]
    return wavelength, flux, ivar


def _require_overlap(wavelength: NDArray[np.float64], grid: WavelengthGrid, name: str) -> None:
    if overlaps(wavelength, grid):
        return
    low, high = grid.wavelength[[0, -1]]
    raise SpectrumError(
        f"Expected wavelengths within {low:.0f} to {high:.0f} vacuum angstrom in {name}; found "
        f"{wavelength[0]:g} to {wavelength[-1]:g} angstrom. Check the unit and the instrument."
    )


# ---------------------------------------------------------------------- the rest


def _tell_unused(
    table: Columns, used: Column, flux: NDArray[np.float64], name: str, notes: list[str]
) -> None:
    """Name the columns of the flux's shape that have no part in what is read."""
    error = table.find("ivar", "error", "variance", "snr")
    wavelength = table.find("wavelength", "log_wavelength", "ln_wavelength")
    masks = table.all("good", "bad", "mask", "id")
    read = [used, *(c for c in (error, wavelength) if c is not None), *masks]
    shapes = (flux.shape, used.values.shape)
    rest = [
        c.name
        for c in table.columns
        if not any(c is r for r in read)
        and c.values.shape in shapes
        and c.values.dtype.kind in "fiub"
    ]
    if rest:
        some = ", ".join(rest[:12]) + (", ..." if len(rest) > 12 else "")
        notes.append(f"{table.noun.capitalize()}s of {name} that are not used: {some}.")


def _ids(table: Columns, n: int, name: str) -> tuple[str, ...]:
    """Return the names of the spectra: by column, by header, or by the file."""
    column = table.find("id")
    if column is not None:
        ids = texts_of(column.values)
        if len(ids) == n:
            return tuple(i or own for i, own in zip(ids, row_names(name, n), strict=True))
        if table.noun == "array":
            raise SpectrumError(
                f"Expected {n} names in {column.name} of {name}, one per spectrum; found "
                f"{len(ids)}."
            )
        if len(set(ids)) == 1 and n == 1 and ids[0]:
            return ids[:1]
    star = star_of(table.meta)
    return (star,) if star and n == 1 else row_names(name, n)

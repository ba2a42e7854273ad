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
from ..spectra.wavelength import (
    APOGEE_GRID,
    APSTAR_GRID,
    SPEED_OF_LIGHT,
    UNITS,
    WavelengthGrid,
    air_to_vacuum,
)
from .column_units import in_angstrom, is_logarithm, wavelength_unit
from .columns import Column, Columns, role_of, star_of, stated_media
from .names import row_names, texts_of
from .noise import inverse_variances, scaled
from .star_formats import ReadingOptions

COVERED_PART = 0.02
"""Part of the grid that a spectrum must cover; also what makes a guessed unit possible."""

SAME_PIXELS_ANGSTROM = 0.002
"""Wavelengths are those of a grid if none differs by more: a hundredth of a pixel."""


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
        raise _missing(table, name)
    flux = _flux(flux_column, table.noun, name)
    angstrom, medium, assumed = _wavelengths(table, flux, name, options, grid, notes)
    ivar = inverse_variances(
        table, flux, angstrom, flux_column.unit, name, notes, by_scatter=by_scatter
    )
    _tell_unused(table, flux_column, flux, name, notes)
    if not (ivar > 0).any():
        raise SpectrumError(
            f"{name} has no usable pixel: all are masked, not finite, zero or a fill value, or "
            "without a usable error."
        )
    near_one, weight, scale = scaled(flux, ivar)
    target, placed, used = _placed(angstrom, near_one, weight, grid, name, notes)
    off = np.ones(target.n_pixels, bool)
    off[target.chip_pixels] = False
    used = np.where(off, 0.0, used)
    if not (used > 0).any():
        raise SpectrumError(f"{name} has no usable pixel on the detectors of {target!r}.")
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
            "notes": notes,
        },
    )


def medium_assumed(spectra: Spectra) -> NDArray[np.bool_]:
    """Return for each spectrum whether its file did not say air or vacuum, ``(n,)``."""
    given = spectra.columns.get("medium_assumed")
    return np.zeros(len(spectra), bool) if given is None else np.asarray(given, bool)


def _missing(table: Columns, name: str) -> SpectrumError:
    some = ", ".join(table.names[:8]) or "none"
    return SpectrumError(
        f"Expected {table.noun}s wavelength, flux and error (or ivar, variance) in {name}; found "
        f"{some}. Name the {table.noun}s so."
    )


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


# ---------------------------------------------------------------------- wavelengths


def _wavelengths(
    table: Columns,
    flux: NDArray[np.float64],
    name: str,
    options: ReadingOptions,
    grid: WavelengthGrid | None,
    notes: list[str],
) -> tuple[NDArray[np.float64], str, bool]:
    """Return vacuum wavelengths at rest in angstrom, the file's medium, and if it was assumed."""
    column = table.find("wavelength", "log_wavelength", "ln_wavelength")
    n_pixels = flux.shape[1]
    if column is None:
        return _wavelengths_by_number(table, n_pixels, name, options, notes), "vacuum", False
    values = _one_per_pixel(column, flux, table.noun, name)
    medium = _stated_medium(column, table, options, name)
    known = next((g for g in (APOGEE_GRID, APSTAR_GRID) if _same(values, g)), None)
    if known is not None and medium != "air" and options.unit in (None, "angstrom"):
        # The numbers themselves are vacuum angstrom.
        return _at_rest(known.wavelength, options, notes, say=False), "vacuum", False
    target = grid or APSTAR_GRID
    angstrom = _in_angstrom(column, values, options, target, name, notes)
    missing = int((~np.isfinite(angstrom)).sum())
    if missing:
        notes.append(f"{missing} rows without a wavelength were left out.")
    assumed = not medium
    if assumed:
        medium = "vacuum"
        notes.append("The file does not say air or vacuum; vacuum wavelengths were assumed.")
    if medium == "air":
        angstrom = air_to_vacuum(angstrom)
    return _at_rest(angstrom, options, notes, say=True), medium, assumed


def _at_rest(
    wavelength: NDArray[np.float64], options: ReadingOptions, notes: list[str], *, say: bool
) -> NDArray[np.float64]:
    if options.rv_kms is None and say:
        notes.append("Wavelengths were taken to be those at rest.")
    return wavelength / (1 + (options.rv_kms or 0.0) / SPEED_OF_LIGHT)


def _wavelengths_by_number(
    table: Columns, n_pixels: int, name: str, options: ReadingOptions, notes: list[str]
) -> NDArray[np.float64]:
    """Return the wavelengths of spectra without any, which are known by their number."""
    if table.noun != "array":
        raise _missing(table, name)
    grid = {g.n_pixels: g for g in (APOGEE_GRID, APSTAR_GRID)}.get(n_pixels)
    if grid is None:
        raise SpectrumError(
            f"Expected an array wavelength in {name}, or spectra of 7214 or 8575 pixels; found "
            f"{n_pixels} pixels and {', '.join(sorted(table.names)[:8])}."
        )
    for option, stated in (("unit", "angstrom"), ("medium", "vacuum")):
        if getattr(options, option) not in (None, stated):
            raise SpectrumError(
                f"{name} has no wavelengths of its own, so the {option} "
                f"{getattr(options, option)} does not apply to it. Leave that option away."
            )
    notes.append(
        f"{name} does not say its wavelengths; its {n_pixels} pixels were taken for those of the "
        "apStar grid."
    )
    return _at_rest(grid.wavelength, options, notes, say=False)


def _one_per_pixel(
    column: Column, flux: NDArray[np.float64], noun: str, name: str
) -> NDArray[np.float64]:
    """Return wavelengths of shape ``(n_pixels,)``, or that of the flux where rows differ."""
    if column.values.dtype.kind not in "fiu":
        raise SpectrumError(
            f"Expected numbers in {column.name} of {name}; found {column.values.dtype}."
        )
    values = column.values.astype(np.float64)
    if values.ndim == 2 and (
        len(values) == 1 or np.array_equal(values, np.broadcast_to(values[0], values.shape), True)
    ):
        values = values[0]
    if values.shape not in ((flux.shape[1],), flux.shape):
        raise SpectrumError(
            f"Expected {noun} {column.name} of shape ({flux.shape[1]},) in {name}, one wavelength "
            f"per pixel; found {column.values.shape}."
        )
    return values


def _stated_medium(column: Column, table: Columns, options: ReadingOptions, name: str) -> str:
    """Return the medium by the file or by the option; empty if neither says it."""
    stated = stated_media(column, table.meta)
    if len(set(stated.values())) > 1:
        places = ", ".join(f"{place} says {medium}" for place, medium in stated.items())
        raise SpectrumError(
            f"{name} contradicts itself on the medium of its wavelengths: {places}. Correct it, "
            "for example by the name of the column: wavelength_vacuum or wavelength_air."
        )
    if not stated:
        return options.medium or ""
    place, medium = next(iter(stated.items()))
    if options.medium not in (None, medium):
        raise SpectrumError(
            f"{name} says by {place} that its wavelengths are in {medium}; {options.medium} was "
            "given. Leave the option away, or correct the file."
        )
    return medium


def _same(wavelength: NDArray[np.float64], grid: WavelengthGrid) -> bool:
    if wavelength.shape != grid.wavelength.shape:
        return False
    up = wavelength if wavelength[0] < wavelength[-1] else wavelength[::-1]
    return bool(np.abs(up - grid.wavelength).max() <= SAME_PIXELS_ANGSTROM)


def _in_angstrom(
    column: Column,
    values: NDArray[np.float64],
    options: ReadingOptions,
    grid: WavelengthGrid,
    name: str,
    notes: list[str],
) -> NDArray[np.float64]:
    """Return wavelengths in angstrom, by the file's unit, by option, or by a guess."""
    role, unit = role_of(column.name), column.unit
    if role != "wavelength" or is_logarithm(unit):
        base = "natural logarithm" if role == "ln_wavelength" else "log10"
        inner = options.unit or wavelength_unit(unit.lower().partition("log")[2].lstrip("10 "))
        with np.errstate(over="ignore"):
            values = np.exp(values) if role == "ln_wavelength" else 10.0**values
        inner = inner or _only_unit(values, grid) or "angstrom"
        notes.append(f"{column.name} was taken for the {base} of the wavelength in {inner}.")
        return values / UNITS[inner]
    if unit:
        usual = wavelength_unit(unit)
        if options.unit and usual and options.unit != usual:
            raise SpectrumError(
                f"{name} says that its wavelengths are in {unit}; {options.unit} was given. Leave "
                "the option away, or correct the file."
            )
        try:
            return in_angstrom(values, unit, name)
        except SpectrumError:
            if options.unit is None:
                raise
            notes.append(f"The unit {unit} of {column.name} is not known; {options.unit} was used.")
    if options.unit is not None:
        return values / UNITS[options.unit]
    guess = _only_unit(values, grid)
    if not guess:
        possible = [u for u, scale in UNITS.items() if _overlaps(values / scale, grid)]
        finite = values[np.isfinite(values)]
        ends = f"{finite.min():g} to {finite.max():g}" if finite.size else "no numbers"
        low, high = grid.wavelength[[0, -1]]
        raise SpectrumError(
            f"The wavelengths in {name}, {ends}, have no unit and meet the grid, {low:.0f} to "
            f"{high:.0f} vacuum angstrom, in {' and in '.join(possible) or 'none'}. Give the unit "
            f"as one of {', '.join(UNITS)}."
        )
    notes.append(f"Wavelengths have no unit; {guess} was guessed from their size.")
    return values / UNITS[guess]


def _only_unit(values: NDArray[np.float64], grid: WavelengthGrid) -> str:
    """Return the unit in which wavelengths meet a grid; empty if there are several or none."""
    possible = [u for u, scale in UNITS.items() if _overlaps(values / scale, grid)]
    return possible[0] if len(possible) == 1 else ""


def _overlaps(wavelength: NDArray[np.float64], grid: WavelengthGrid) -> bool:
    """Tell whether wavelengths in angstrom meet a grid, in range and in some pixels."""
    low, high = grid.wavelength[[0, -1]]
    inside = wavelength[(wavelength >= low) & (wavelength <= high)]
    return inside.size >= 2 and bool(np.ptp(inside) >= COVERED_PART * (high - low))


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
        own = next((g for g in (APOGEE_GRID, APSTAR_GRID) if _same(angstrom, g)), None)
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
    if _overlaps(wavelength, grid):
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

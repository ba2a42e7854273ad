"""Wavelengths from columns: by unit, medium and velocity, in vacuum angstrom at rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..spectra.wavelength import (
    APOGEE_GRID,
    APSTAR_GRID,
    SPEED_OF_LIGHT,
    UNITS,
    WavelengthGrid,
    air_to_vacuum,
)
from .column_units import in_angstrom, is_logarithm, wavelength_unit
from .columns import Column, Columns, role_of, stated_media
from .star_formats import ReadingOptions

COVERED_PART = 0.02
"""Part of the grid that a spectrum must cover; also what makes a guessed unit possible."""

SAME_PIXELS_ANGSTROM = 0.002
"""Wavelengths are those of a grid if none differs by more: a hundredth of a pixel."""


def missing_columns(table: Columns, name: str) -> SpectrumError:
    """Return the error for a file in which no column is called as a spectrum's is."""
    some = ", ".join(table.names[:8]) or "none"
    return SpectrumError(
        f"Expected {table.noun}s wavelength, flux and error (or ivar, variance) in {name}; found "
        f"{some}. Name the {table.noun}s so."
    )


def vacuum_wavelengths(
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
    medium = stated_medium(column, table, options, name)
    known = next((g for g in (APOGEE_GRID, APSTAR_GRID) if same_pixels(values, g)), None)
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
        raise missing_columns(table, name)
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


def stated_medium(column: Column, table: Columns, options: ReadingOptions, name: str) -> str:
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


def same_pixels(wavelength: NDArray[np.float64], grid: WavelengthGrid) -> bool:
    """Tell whether wavelengths in angstrom, rising or falling, are those of a grid."""
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
        possible = [u for u, scale in UNITS.items() if overlaps(values / scale, grid)]
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
    possible = [u for u, scale in UNITS.items() if overlaps(values / scale, grid)]
    return possible[0] if len(possible) == 1 else ""


def overlaps(wavelength: NDArray[np.float64], grid: WavelengthGrid) -> bool:
    """Tell whether wavelengths in angstrom meet a grid, in range and in some pixels."""
    low, high = grid.wavelength[[0, -1]]
    inside = wavelength[(wavelength >= low) & (wavelength <= high)]
    return inside.size >= 2 and bool(np.ptp(inside) >= COVERED_PART * (high - low))

"""Read one spectrum from a plain table: ECSV, CSV or columns of text, or a FITS table.

Columns are found by name and may be in any order. What a table leaves open, such as the
unit of a wavelength, is taken from options, guessed only where there is one reading, and
always said in ``provenance["notes"]``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..spectra.resample import resample
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APSTAR_GRID, SPEED_OF_LIGHT, UNITS, WavelengthGrid, air_to_vacuum
from .fits_file import FITS_START, LARGEST_FILE, columns_of, read_bytes, read_fits, star_in

SMALLEST_ERROR = 0.005
"""Errors that are estimated are at least this part of the flux."""

MOST_MASKED = 0.8
"""A mask that marks more than this as bad is taken for one with 0 and 1 exchanged."""

LEAST_OVERLAP = 0.02
"""Part of the grid that a spectrum must cover; also what makes a guessed unit possible."""

WAVELENGTH_NAMES = (
    *("wavelength", "wavelengths", "wave", "lambda", "lam", "wl", "spectral_axis"),
    *("wavelength_vacuum", "wavelength_vac", "wave_vac", "lambda_vac", "vacuum_wavelength"),
    *("wavelength_air", "wave_air", "lambda_air", "air_wavelength"),
)
LOG_NAMES = ("loglam", "log_lam", "log_wave", "logwave", "log_wavelength", "log_lambda")
FLUX_NAMES = (
    *("flux", "flux_norm", "normalised_flux", "normalized_flux", "flux_density"),
    *("spec", "spectrum", "intensity"),
)
ERROR_NAMES = (
    *("error", "err", "sigma", "flux_err", "flux_error", "e_flux", "eflux", "spec_err"),
    *("uncertainty", "flux_uncertainty", "unc", "std"),
)
IVAR_NAMES = ("ivar", "flux_ivar", "inverse_variance", "invvar")
BAD_NAMES = ("mask", "bad", "flag", "flags")
GOOD_NAMES = ("good",)

_MEDIUM_KEYS = ("medium", "airorvac", "air_or_vacuum", "wavelength_medium", "vacuum")

_ID_KEYS = ("id", "star", "star_id", "object", "objid", "apogee_id", "name")

_ECSV = b"# %ECSV"


def is_spectrum_table(hdus: fits.HDUList) -> bool:
    """Tell whether an open FITS file has a table with a wavelength and a flux."""
    return _spectrum_hdu(hdus) is not None


def is_text_table(content: bytes) -> bool:
    """Tell whether content is text that starts as a table with a spectrum does.

    It does with ECSV, with names of columns of which one is that of a wavelength or a
    flux, and with numbers, of which :func:`read_spectrum_table` says that they lack names.
    """
    if content.startswith(_ECSV):
        return True
    head = content[:20_000]
    if b"\x00" in head:
        return False
    try:
        first = _named(head.decode("latin-1"))[0].lower()
    except ValueError:
        return False
    words = [w for w in re.split(r"[,;\s]+", first) if w]
    if set(words) & {*WAVELENGTH_NAMES, *LOG_NAMES, *FLUX_NAMES}:
        return True
    return len(words) > 1 and all(re.fullmatch(r"[-+.\deE]+|nan|inf", w) for w in words)


def read_spectrum_table(
    source: str | Path | bytes | BinaryIO,
    name: str = "",
    *,
    grid: WavelengthGrid = APSTAR_GRID,
    unit: str | None = None,
    medium: str | None = None,
    rv_kms: float = 0.0,
) -> Spectra:
    """Read a spectrum from a table and resample it to a grid.

    Parameters
    ----------
    source : path, bytes or binary file
        ECSV, CSV or columns separated by blanks with a line of names, or a FITS file with
        a table in which rows are pixels, or one row holds arrays.
    name : str, optional
        What to call the file in messages; the file's own name if not given.
    grid : WavelengthGrid
        The grid to resample to; pixels on none of its chips become unusable.
    unit : {"angstrom", "nm", "um"}, optional
        Unit of the wavelengths. If not given it is the file's; if that has none, it is
        guessed, provided that the spectrum meets the grid in one unit only.
    medium : {"vacuum", "air"}, optional
        If not given it is read from the name of the column or the metadata
        (``medium``, ``AIRORVAC``, ``VACUUM``), and is else vacuum.
    rv_kms : float
        Velocity of the star relative to the wavelengths in km/s, which is taken out.

    Returns
    -------
    Spectra
        One spectrum. Without errors in the file, noise is estimated from the scatter
        between pixels (Stoehr et al. 2008, ASP Conf. 394, 505). A ``mask`` is bad where it
        is not 0, ``good`` is good there. ``provenance["notes"]`` has a sentence on
        everything that was assumed.

    Raises
    ------
    SpectrumError
        If the file cannot be read, columns are missing, the unit is unknown, wavelengths
        are not in order or do not meet the grid, errors are negative, or no pixel is
        usable.
    """
    if unit is not None and unit not in UNITS:
        raise SpectrumError(f"Wavelength units are {', '.join(UNITS)}; found {unit!r}.")
    if medium not in (None, "vacuum", "air"):
        raise SpectrumError(f"The medium is 'vacuum' or 'air'; found {medium!r}.")
    if not np.isfinite(rv_kms) or abs(rv_kms) >= SPEED_OF_LIGHT:
        raise SpectrumError(f"Expected a velocity in km/s; found {rv_kms}.")
    content, name = read_bytes(source, name, "a table with a spectrum", LARGEST_FILE)
    if content.startswith(FITS_START):
        table = read_fits(content, _fits_table, name, "spectrum", LARGEST_FILE)
    else:
        table = _text_table(content, name)
    return _spectrum(table, name, grid, unit, medium, rv_kms)


class _Columns:
    """Columns of a table by lower-case name, with their units, and the metadata."""

    def __init__(self) -> None:
        self.values: dict[str, NDArray[Any]] = {}
        self.units: dict[str, str] = {}
        self.meta: dict[str, Any] = {}

    def add(self, name: str, values: Any, unit: Any) -> None:
        key = name.strip().lower()
        array: Any = np.ma.asarray(values)
        if array.ndim == 2 and array.shape[0] == 1:
            array = array[0]
        if array.dtype.kind == "f" or (array.dtype.kind in "iu" and np.ma.is_masked(array)):
            self.values[key] = np.asarray(array.astype(np.float64).filled(np.nan))
        else:
            self.values[key] = np.asarray(array.data)
        self.units[key] = str(unit or "").strip()

    def first(self, names: tuple[str, ...]) -> str:
        """Return the first of some names that is a column; an empty text if none is."""
        return next((n for n in names if n in self.values), "")


def _spectrum_hdu(hdus: fits.HDUList) -> Any:
    for hdu in hdus[1:]:
        names = {c.lower() for c in columns_of(hdu)}
        if names & {*WAVELENGTH_NAMES, *LOG_NAMES} and names & set(FLUX_NAMES):
            return hdu
    return None


def _fits_table(hdus: fits.HDUList, name: str) -> _Columns:
    hdu = _spectrum_hdu(hdus)
    if hdu is None:
        found = [sorted(columns_of(h)) for h in hdus[1:] if columns_of(h)]
        some = ", ".join(found[0][:8]) if found else "no table"
        raise SpectrumError(
            f"Expected a table with columns wavelength, flux and error in {name}; found {some}."
        )
    out = _Columns()
    rows = len(hdu.data)
    for column in hdu.columns:
        values = np.asarray(hdu.data[column.name])
        if values.dtype.kind == "f" and values.ndim == 2 and rows > 1:
            raise SpectrumError(
                f"Expected one spectrum in {name}; found {rows} rows of arrays. Write each into a "
                "file of its own, or all of them with Spectra.save."
            )
        if values.dtype.kind in "fiub":
            if column.null is not None and values.dtype.kind in "iu":
                values = np.ma.masked_equal(values, column.null)
            out.add(column.name, values, column.unit)
    for header in (hdus[0].header, hdu.header):
        out.meta |= {str(k).lower(): v for k, v in header.items() if k}
    return out


def _text_table(content: bytes, name: str) -> _Columns:
    # Imported here: tables take a while to load, which readers of images need not wait for.
    from astropy.table import Table

    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise SpectrumError(
            f"{name} is neither text nor FITS; expected a table with columns wavelength, flux and "
            "error as ECSV, CSV or FITS."
        ) from problem
    try:
        if content.startswith(_ECSV):
            table = Table.read(text.splitlines(), format="ascii.ecsv")
        else:
            lines = _named(text)
            form = "ascii.csv" if "," in lines[0] else "ascii.basic"
            table = Table.read(lines, format=form, guess=False)
    except SpectrumError:
        raise
    except Exception as problem:
        # The parsers of ECSV and of its YAML header have no error in common.
        reason = str(problem).strip().splitlines()
        raise SpectrumError(
            f"{name} cannot be read as a table ({reason[0] if reason else type(problem).__name__}"
            "); expected ECSV, or CSV with a line of column names such as wavelength,flux,error. "
            "It may be truncated."
        ) from problem
    if len(table) < 2:
        raise SpectrumError(f"Expected a pixel per row in {name}, two or more; found {len(table)}.")
    out = _Columns()
    for key in table.colnames:
        column = table[key]
        if getattr(column, "dtype", np.dtype(object)).kind in "fiub":
            out.add(key, column, column.unit)
        elif key.strip().lower() in (*WAVELENGTH_NAMES, *FLUX_NAMES, *ERROR_NAMES):
            raise SpectrumError(
                f"Expected numbers in column {key!r} of {name}; found text, such as "
                f"{str(column[0])[:20]!r}. It may be truncated."
            )
    out.meta = {str(k).lower(): v for k, v in table.meta.items()}
    return out


def _named(text: str) -> list[str]:
    """Return the lines of a table, the names first; a name line may be a comment."""
    comments: list[str] = []
    lines: list[str] = []
    for line in text.splitlines():
        plain = line.strip()
        if plain.startswith("#"):
            if not lines:
                comments.append(plain.lstrip("#").strip())
        elif plain:
            lines.append(plain)
    if lines and not re.search(r"[A-Za-z]{3}", lines[0]):
        wide = len(re.split(r"[,\s]+", lines[0]))
        for comment in reversed(comments):
            if len(re.split(r"[,\s]+", comment)) == wide and re.search(r"[A-Za-z]{3}", comment):
                return [comment, *lines]
    if not lines:
        raise ValueError("no line of numbers")
    return lines


def _spectrum(
    table: _Columns,
    name: str,
    grid: WavelengthGrid,
    unit: str | None,
    medium: str | None,
    rv_kms: float,
) -> Spectra:
    notes: list[str] = []
    log = table.first(LOG_NAMES)
    key = table.first(WAVELENGTH_NAMES) or log
    flux_key = table.first(FLUX_NAMES)
    if not key or not flux_key:
        raise SpectrumError(
            f"Expected columns wavelength, flux and error (or ivar) in {name}; found "
            f"{', '.join(list(table.values)[:8]) or 'none'}. Name the columns in a first line."
        )
    wavelength = table.values[key].astype(np.float64)
    flux = table.values[flux_key].astype(np.float64)
    if wavelength.ndim != 1 or flux.shape != wavelength.shape:
        raise SpectrumError(
            f"Expected one flux per wavelength in {name}; found shapes {wavelength.shape} and "
            f"{flux.shape}."
        )
    if wavelength.size < 2:
        raise SpectrumError(f"Expected two pixels or more in {name}; found {wavelength.size}.")
    if key == log:
        with np.errstate(over="ignore"):
            wavelength = 10.0**wavelength
        notes.append(f"{key} was taken for the log10 of the wavelength in angstrom.")
    else:
        wavelength = _angstrom(wavelength, table.units[key], unit, grid, name, notes)
    # A wavelength that is not a number belongs to no pixel; fillers stand at the ends.
    known = np.isfinite(wavelength)
    if not known.all():
        notes.append(f"{int((~known).sum())} rows without a wavelength were left out.")
    ivar = _ivar(table, flux, name, notes)
    wavelength, flux, ivar = wavelength[known], flux[known], ivar[known]
    step = np.diff(wavelength)
    if wavelength.size < 2 or not ((step > 0).all() or (step < 0).all()):
        raise SpectrumError(
            f"Expected wavelengths that increase or decrease from row to row in {name}; they "
            f"{'are all missing' if wavelength.size < 2 else 'go up and down'}. Sort the table, "
            "and merge orders that overlap."
        )
    if step[0] < 0:
        wavelength, flux, ivar = wavelength[::-1], flux[::-1], ivar[::-1]
    where = _medium(table, key, medium, notes)
    if where == "air":
        wavelength = air_to_vacuum(wavelength)
    wavelength = wavelength / (1 + rv_kms / SPEED_OF_LIGHT)
    if rv_kms == 0:
        notes.append("Wavelengths were taken to be those at rest.")
    _require_overlap(wavelength, grid, name)
    if not (ivar > 0).any():
        raise SpectrumError(
            f"{name} has no usable pixel: all are masked, not finite, or without a usable error."
        )
    new_ivar: NDArray[Any]
    new, new_ivar = resample(wavelength, flux, ivar, grid)
    on_chip = np.zeros(grid.n_pixels, bool)
    on_chip[grid.chip_pixels] = True
    new_ivar = np.where(on_chip, new_ivar, 0)
    if not (new_ivar > 0).any():
        raise SpectrumError(f"{name} has no usable pixel on the detectors of {grid!r}.")
    star = next((str(table.meta[k]).strip() for k in _ID_KEYS if table.meta.get(k)), "")
    return Spectra(
        grid,
        new,
        new_ivar,
        (star or star_in(name),),
        provenance={
            "file": name,
            "product": "table",
            "flux_unit": table.units[flux_key],
            "medium": where,
            "rv_kms": rv_kms,
            "notes": notes,
        },
    )


def _angstrom(
    wavelength: NDArray[np.float64],
    file_unit: str,
    unit: str | None,
    grid: WavelengthGrid,
    name: str,
    notes: list[str],
) -> NDArray[np.float64]:
    """Return wavelengths in angstrom, by option, by the file's unit, or by a guess."""
    if unit is not None:
        return wavelength / UNITS[unit]
    if file_unit:
        from astropy import units

        try:
            given = units.Unit(file_unit.strip().strip("[]"))
            with np.errstate(divide="ignore"):
                return np.asarray(
                    (wavelength * given).to_value(units.AA, equivalencies=units.spectral())
                )
        except (ValueError, TypeError) as problem:
            raise SpectrumError(
                f"Expected wavelengths in angstrom, nm or um in {name}; found the unit "
                f"{file_unit!r}. Say which it is with unit."
            ) from problem
    possible = [u for u, scale in UNITS.items() if _overlap(wavelength / scale, grid)]
    if len(possible) != 1:
        finite = wavelength[np.isfinite(wavelength)]
        ends = f"{finite.min():g} to {finite.max():g}" if finite.size else "no numbers"
        low, high = grid.wavelength[[0, -1]]
        raise SpectrumError(
            f"The wavelengths in {name}, {ends}, have no unit and meet the grid, {low:.0f} to "
            f"{high:.0f} vacuum angstrom, in {' and in '.join(possible) or 'none'}. Give the unit "
            f"as one of {', '.join(UNITS)}."
        )
    notes.append(f"Wavelengths have no unit; {possible[0]} was guessed from their size.")
    return wavelength / UNITS[possible[0]]


def _overlap(wavelength: NDArray[np.float64], grid: WavelengthGrid) -> bool:
    """Tell whether wavelengths in angstrom meet a grid, in range and in some pixels."""
    low, high = grid.wavelength[[0, -1]]
    inside = wavelength[(wavelength >= low) & (wavelength <= high)]
    return inside.size >= 2 and bool(np.ptp(inside) >= LEAST_OVERLAP * (high - low))


def _require_overlap(wavelength: NDArray[np.float64], grid: WavelengthGrid, name: str) -> None:
    if _overlap(wavelength, grid):
        return
    low, high = grid.wavelength[[0, -1]]
    raise SpectrumError(
        f"Expected wavelengths within {low:.0f} to {high:.0f} vacuum angstrom in {name}; found "
        f"{wavelength[0]:g} to {wavelength[-1]:g} angstrom. Check the unit and the instrument."
    )


def _medium(table: _Columns, key: str, medium: str | None, notes: list[str]) -> str:
    if medium is not None:
        return medium
    if "air" in key:
        return "air"
    if "vac" in key:
        return "vacuum"
    for meta in _MEDIUM_KEYS:
        value = table.meta.get(meta)
        if value is None:
            continue
        text = str(value).strip().lower()
        if meta == "vacuum" and text in ("true", "1", "t", "yes"):
            return "vacuum"
        if meta == "vacuum" and text in ("false", "0", "f", "no"):
            return "air"
        if text.startswith("vac"):
            return "vacuum"
        if text.startswith("air"):
            return "air"
    notes.append("The file does not say air or vacuum; vacuum wavelengths were assumed.")
    return "vacuum"


def _ivar(
    table: _Columns, flux: NDArray[np.float64], name: str, notes: list[str]
) -> NDArray[np.float64]:
    """Return the inverse variance of all pixels, 0 where one must not be used."""
    good = np.isfinite(flux)
    bad_key, good_key = table.first(BAD_NAMES), table.first(GOOD_NAMES)
    if bad_key:
        marked = np.nan_to_num(table.values[bad_key].astype(np.float64), nan=1) != 0
        if marked.shape == flux.shape and marked.mean() > MOST_MASKED:
            raise SpectrumError(
                f"Column {bad_key!r} of {name} marks {marked.mean():.0%} of the pixels as bad, by "
                "not being 0; 0 and 1 seem to be exchanged. Call a column that is 1 at good pixels "
                "'good'."
            )
        good &= ~_fitting(bad_key, marked, flux, name)
    if good_key:
        marked = np.nan_to_num(table.values[good_key].astype(np.float64)) != 0
        good &= _fitting(good_key, marked, flux, name)
    ivar_key, error_key = table.first(IVAR_NAMES), table.first(ERROR_NAMES)
    if ivar_key:
        ivar = _fitting(ivar_key, table.values[ivar_key].astype(np.float64), flux, name)
        _require_positive(ivar_key, ivar[good], name)
        return np.where(good & np.isfinite(ivar) & (ivar > 0), ivar, 0.0)
    if error_key:
        error = _fitting(error_key, table.values[error_key].astype(np.float64), flux, name)
        _require_positive(error_key, error[good], name)
        good &= np.isfinite(error) & (error > 0)
        safe = np.where(good, error, 1.0)
        with np.errstate(over="ignore", under="ignore"):
            ivar = np.where(good, safe**-2.0, 0.0)
        return np.where(np.isfinite(ivar), ivar, 0.0)
    noise = _scatter(flux[good])
    notes.append(
        f"The file has no errors; {noise:.3g} was estimated from the scatter between pixels, for "
        "all of them."
    )
    return np.where(good, noise**-2.0, 0.0) if noise > 0 else np.zeros_like(flux)


def _fitting(key: str, values: NDArray[Any], flux: NDArray[np.float64], name: str) -> NDArray[Any]:
    if values.shape != flux.shape:
        raise SpectrumError(
            f"Expected {flux.size} values in column {key!r} of {name}, one per flux; found shape "
            f"{values.shape}."
        )
    return values


def _require_positive(key: str, values: NDArray[np.float64], name: str) -> None:
    negative = int((values < 0).sum())
    if negative:
        raise SpectrumError(
            f"Errors must not be negative; found {negative} in column {key!r} of {name}. Mark such "
            "pixels with 0."
        )


def _scatter(flux: NDArray[np.float64]) -> float:
    """Return the noise of a row of pixels, from second differences of every other one."""
    if flux.size < 5:
        return 0.0
    second = 2 * flux[2:-2] - flux[:-4] - flux[4:]
    noise = 0.6052697 * float(np.median(np.abs(second)))
    return max(noise, SMALLEST_ERROR * float(np.median(np.abs(flux))))


def table_notes(provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the sentences that a reader left in the provenance of spectra."""
    return tuple(str(note) for note in provenance.get("notes", ()))

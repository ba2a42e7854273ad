"""Read mwmStar and mwmVisit files of SDSS-V: combined spectra, or visits, of one star at rest.

The layout is that of the SDSS data model (DR19 and DR20): HDU 1 to 4 are tables of BOSS/APO,
BOSS/LCO, APOGEE/APO and APOGEE/LCO with a row for each spectrum, or none. APOGEE's are on the
apStar grid, in vacuum and at rest; visits whose ``in_stack`` is false were not shifted to rest.
Files of DR19 have no such column: their ``filetype`` names the product that the visits are from,
and those of apStar files are at rest. ``pixel_flags`` is APOGEE's pixel mask, stored as floats.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..spectra.resample import resample
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APSTAR_GRID, SPEED_OF_LIGHT
from .apvisit import LARGEST_VELOCITY_KMS
from .fits_file import LARGEST_FILE, columns_of, number, product_of, read_fits
from .names import star_in, text_of
from .pixel_mask import bits_of, usable
from .star_formats import STAR_FORMATS, OpenFile, ReadingOptions, StarFile
from .whole_star import plain_star

_STAR_KEYS = ("APOGEEID", "APOGEE_ID", "OBJ")

_OF_VISITS = frozenset(("IN_STACK", "MJD", "VISIT_PK", "RV_VISIT_PK", "V_REL", "DATE_OBS"))
_OF_COADDS = frozenset(("N_VISITS", "N_GOOD_VISITS", "MIN_MJD", "STD_V_RAD"))
"""Columns that only tables of visits have, or only tables of combinations."""


def is_mwmstar(hdus: fits.HDUList) -> bool:
    """Tell whether an open FITS file is laid out as mwmStar and mwmVisit files are."""
    return product_of(hdus)[0] == "mwmStar"


def read_mwmstar(source: str | Path | bytes | BinaryIO, name: str = "") -> Spectra:
    """Read the APOGEE spectra of an mwmStar or mwmVisit file.

    Parameters
    ----------
    source : path, bytes or binary file
        The file, its content, or an open file that is read to its end and not closed.
    name : str, optional
        What to call the file in messages; the file's own name if not given.

    Returns
    -------
    Spectra
        A row for each that has a usable pixel, by the rules for apStar files. Columns: ``hdu``,
        ``kind`` (``coadd`` or ``visit``, as the columns of its table tell), ``visit`` (0 for
        combinations, else from 1 in each table), ``snr``. Spectra of BOSS, another instrument,
        are named in ``provenance["notes"]``.

    Raises
    ------
    SpectrumError
        If the file cannot be read, holds another product, or has no APOGEE spectrum.
    """
    return read_fits(source, _read, name, "mwmStar", LARGEST_FILE)


def _read(hdus: fits.HDUList, name: str, bad_bits: int | None = None) -> Spectra:
    notes: list[str] = []
    parts: list[tuple[NDArray[Any], NDArray[Any], list[str], NDArray[Any], NDArray[Any]]] = []
    named = ""
    for i, hdu in enumerate(hdus[1:], start=1):
        title = hdu.name.upper()
        if not columns_of(hdu) or not len(hdu.data):
            continue
        if not title.startswith("APOGEE"):
            notes.append(
                f"HDU {i} ({title}) holds {len(hdu.data)} spectra of another instrument, which are "
                "not read."
            )
            continue
        visits = _visits(hdu, title, notes)
        flux, ivar = _pixels(hdu, title, name, bad_bits)
        if visits.any():
            flux, ivar = _at_rest(hdu, title, flux, ivar, notes)
        parts.append((flux, ivar, [title] * len(flux), visits, _snr(hdu)))
        named = named or _text(hdu, "obj")
    if not parts:
        more = " " + " ".join(notes) if notes else ""
        raise SpectrumError(
            f"{name} seems to be an SDSS-V mwmStar or mwmVisit file; it holds no spectrum of "
            f"APOGEE, all of whose tables are empty.{more}"
        )
    header = hdus[0].header
    star = _star(header) or named or _said(header.get("SDSS_ID")) or star_in(name)
    titles = [t for part in parts for t in part[2]]
    visit = np.concatenate([p[3] for p in parts])
    return Spectra(
        APSTAR_GRID,
        np.concatenate([p[0] for p in parts]),
        np.concatenate([p[1] for p in parts]),
        (star,) * len(titles),
        columns={
            "hdu": np.array(titles),
            "kind": np.where(visit > 0, "visit", "coadd"),
            "visit": visit,
            "snr": np.concatenate([p[4] for p in parts]),
        },
        provenance={
            "file": name,
            "product": "mwmStar",
            "flux_unit": "1e-17 erg/s/cm^2/A",
            "notes": notes,
        },
    )


def _pixels(
    hdu: Any, title: str, name: str, bad_bits: int | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return flux and inverse variance, 0 where a pixel must not be used."""
    missing = {"FLUX", "IVAR"} - columns_of(hdu)
    if missing:
        raise SpectrumError(
            f"Expected columns flux and ivar in {title} of {name}; {', '.join(sorted(missing))} is "
            "missing."
        )
    flux = np.atleast_2d(np.asarray(hdu.data["flux"], np.float64))
    ivar = np.atleast_2d(np.asarray(hdu.data["ivar"], np.float64))
    n_pixels = APSTAR_GRID.n_pixels
    if flux.shape[-1] != n_pixels or ivar.shape != flux.shape:
        raise SpectrumError(
            f"Expected {n_pixels} pixels of the apStar grid in {title} of {name}; found flux of "
            f"shape {flux.shape} and ivar of shape {ivar.shape}."
        )
    if "WAVELENGTH" in columns_of(hdu):
        wavelength = np.asarray(hdu.data["wavelength"], np.float64)
        # Single precision gives wavelengths to a thousandth of an angstrom.
        if not np.allclose(wavelength, APSTAR_GRID.wavelength, rtol=0, atol=0.004):
            raise SpectrumError(
                f"Expected the wavelengths of the apStar grid in {title} of {name}; found others. "
                "Resample the spectrum first."
            )
    mask = None
    if "PIXEL_FLAGS" in columns_of(hdu):
        mask = np.atleast_2d(bits_of(hdu.data["pixel_flags"]))
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(ivar > 0, np.abs(ivar), np.nan) ** -0.5
    on_chip = np.zeros(n_pixels, bool)
    on_chip[APSTAR_GRID.chip_pixels] = True
    good = on_chip & usable(flux, error, mask, bad_bits)
    return np.where(np.isfinite(flux), flux, 1.0), np.where(good, ivar, 0.0)


def _star(header: Any) -> str:
    """Return the name of the star that a header gives; empty if it gives none."""
    return next((text for k in _STAR_KEYS if (text := _said(header.get(k)))), "")


def _said(value: Any) -> str:
    """Return a header's value as text; empty if it is undefined or stands for none."""
    text = text_of(value) if isinstance(value, str | int) else ""
    return "" if text.lower() in ("", "none", "nan", "-1") else text


def _text(hdu: Any, column: str) -> str:
    """Return the first value of a column of texts; empty if there is no such column."""
    if column.upper() not in columns_of(hdu):
        return ""
    return _said(str(np.ravel(hdu.data[column])[0]).strip())


def _visits(hdu: Any, title: str, notes: list[str]) -> NDArray[np.int64]:
    """Return the number of each row's visit, from 1; 0 for combinations."""
    columns, n = columns_of(hdu), len(hdu.data)
    if columns & _OF_VISITS:
        return np.arange(1, n + 1)
    if columns & _OF_COADDS:
        return np.zeros(n, np.int64)
    what = "combined" if n == 1 else "visits"
    notes.append(
        f"{title} does not say whether its {n} spectra are combined or single visits; as mwmStar "
        f"files have one row a table, {'it is' if n == 1 else 'they are'} taken to be {what}."
    )
    return np.zeros(n, np.int64) if n == 1 else np.arange(1, n + 1)


def _at_rest(
    hdu: Any, title: str, flux: NDArray[Any], ivar: NDArray[Any], notes: list[str]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return spectra at rest: rows left out of the stack are as observed, and are shifted.

    One without a usable velocity stays as it is, and a note says so.
    """
    columns = {c.lower() for c in columns_of(hdu)}
    if "in_stack" not in columns:
        source = _text(hdu, "filetype")
        if not source.lower().startswith("apstar"):
            notes.append(
                f"{title} does not say which of its visits are at rest; they are taken to be, and "
                "a fit finds the velocity that is left."
            )
        return flux, ivar
    flux, ivar = flux.copy(), ivar.copy()
    for row in np.flatnonzero(~np.ravel(hdu.data["in_stack"]).astype(bool)):
        which = f"Row {row + 1} of {title} is not in the stack, so not at rest; "
        velocity = np.nan
        if "v_rad" in columns:
            velocity = number({"V_RAD": float(np.ravel(hdu.data["v_rad"])[row])}, "V_RAD")
        if not abs(velocity) <= LARGEST_VELOCITY_KMS:
            notes.append(which + "it has no usable v_rad, and a fit has to find its velocity.")
            continue
        rest = APSTAR_GRID.wavelength / (1 + velocity / SPEED_OF_LIGHT)
        new, new_ivar = resample(rest, flux[row], ivar[row], APSTAR_GRID)
        flux[row] = np.where(np.isfinite(new), new, 1.0)
        ivar[row] = np.where(np.isfinite(new), new_ivar, 0.0)
        notes.append(which + f"its v_rad of {velocity:.2f} km/s was taken out.")
    return flux, ivar


def _snr(hdu: Any) -> NDArray[np.float64]:
    if "SNR" not in columns_of(hdu):
        return np.full(len(hdu.data), np.nan)
    return np.array([number({"SNR": float(v)}, "SNR") for v in np.ravel(hdu.data["snr"])])


@STAR_FORMATS.register(
    "mwmStar",
    "mwmStar and mwmVisit files of SDSS-V",
    lambda file: file.hdus is not None and is_mwmstar(file.hdus),
    options=("resolution", "bad_bits"),
    stated={"unit": "angstrom", "medium": "vacuum"},
)
def _load(file: OpenFile, options: ReadingOptions) -> StarFile:
    assert file.hdus is not None
    spectra = _read(file.hdus, file.name, options.bad_bits)
    return plain_star("mwmStar", file.name, spectra)

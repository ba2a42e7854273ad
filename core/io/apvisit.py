"""Read apVisit files: one visit to one star, as the three detectors saw it.

The layout is that of Nidever et al. (2015, AJ 150, 173) and Holtzman et al. (2015, AJ 150,
148). HDU 1 is the flux, HDU 2 its error, HDU 3 the pixel mask, HDU 4 the vacuum
wavelength, each with one row per detector, the red one first, and the wavelength
decreasing along a row. Rows have 4096 pixels where two dithered exposures were
combined, else 2048.

Wavelengths are those that were observed. The header gives the velocity relative to
them as ``VRAD``; the heliocentric velocity is ``VHELIO = VRAD + BC``, and its wavelengths
would be others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..spectra.resample import resample
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APSTAR_GRID, SPEED_OF_LIGHT
from .fits_file import (
    LARGEST_FILE,
    columns_of,
    number,
    origin,
    product_of,
    read_fits,
    release_of,
    require_images,
    require_integers,
    rows,
)
from .names import star_in
from .pixel_mask import inverse_variance, usable
from .star_formats import STAR_FORMATS, OpenFile, ReadingOptions, StarFile

LARGEST_VELOCITY_KMS = 1500.0
"""A larger velocity is no star of the Galaxy but a filler or a mistake."""

_PIXELS = (2048, 4096)

_CHIPS = ("red", "green", "blue")


@dataclass(frozen=True)
class ApVisit:
    """The spectrum in one apVisit file.

    Parameters
    ----------
    star : str
        Name of the star.
    spectra : Spectra
        One spectrum on the apStar grid, flux in 1e-17 erg/s/cm^2/A, rest frame, resampled
        by :func:`~spectrabridge.core.spectra.resample.resample`. Columns: ``kind`` (``visit``),
        ``snr``, ``visit_file``.
    velocity : float
        km/s that were taken out of the observed wavelengths.
    vhelio : float
        Heliocentric velocity in km/s from the header, NaN if not given.
    snr : float
        Signal-to-noise ratio from the header.
    release : str
        Data release as guessed from the file names; empty if unknown.
    telescope : str
        Telescope, empty if not given.
    mjd : float
        Day of the observation, NaN if not given.
    dithered : bool
        Whether two dithered exposures were combined, so that pixels are half as wide.
    notes : tuple of str
        What a user should know about the file, one sentence each.
    name : str
        Name of the file.
    """

    star: str
    spectra: Spectra
    velocity: float
    vhelio: float
    snr: float
    release: str
    telescope: str
    mjd: float
    dithered: bool
    notes: tuple[str, ...]
    name: str


def is_apvisit(hdus: fits.HDUList) -> bool:
    """Tell whether an open FITS file is laid out as apVisit files are."""
    return product_of(hdus)[0] == "apVisit"


def read_apvisit(
    source: str | Path | bytes | BinaryIO, name: str = "", rv_kms: float | None = None
) -> ApVisit:
    """Read an apVisit file and bring it to rest and to the apStar grid.

    Parameters
    ----------
    source : path, bytes or binary file
        The file, its content, or an open file that is read to its end and not closed.
        Content compressed by gzip is fine.
    name : str, optional
        What to call the file in messages; the file's own name if not given.
    rv_kms : float, optional
        Velocity of the star relative to the observed wavelengths, in km/s, instead of
        the file's.

    Returns
    -------
    ApVisit
        Detectors are resampled one by one, so that a pixel of the grid is made of pixels
        of one detector only. Input pixels are used by the rules for apStar files (bits of
        the mask, flux, error); a pixel of the grid is usable if at least half of it is
        covered by them and it lies on a detector of the grid. Two dithered exposures are
        interleaved by the pipeline, which leaves neighbours with noise in common and
        errors that are too small: in 2M00242666+5341178, fitted at its own sampling,
        residuals have 1.36 to 1.9 times the quoted variance and correlations of 0.15 to
        0.26 from one pixel to the next. There, averaging is therefore not taken to
        lower the noise.

    Raises
    ------
    SpectrumError
        If there is no such file, it is no FITS file, it is truncated, it holds another
        product, wavelengths are damaged, the velocity is none of a star, or no pixel is usable.
    """
    if rv_kms is not None and not np.isfinite(rv_kms):
        raise SpectrumError(f"Expected a velocity in km/s; found {rv_kms}.")
    return read_fits(source, partial(_read, rv_kms=rv_kms), name, "apVisit", LARGEST_FILE)


def _read(
    hdus: fits.HDUList, name: str, rv_kms: float | None, bad_bits: int | None = None
) -> ApVisit:
    _require_apvisit(hdus, name)
    header = hdus[0].header
    flux, error, mask, wavelength = (rows(hdus[i].data) for i in (1, 2, 3, 4))
    _require_wavelengths(wavelength, name)
    notes: list[str] = []
    velocity = rv_kms if rv_kms is not None else _velocity(hdus, name, notes)
    good = usable(flux, error, mask, bad_bits)
    if not good.any():
        raise SpectrumError(
            f"{name} has no usable pixel: all of its three detectors are masked, zero or not "
            "finite."
        )
    for i in np.flatnonzero(~good.any(axis=1)):
        notes.append(f"The {_CHIPS[i]} detector has no usable pixel.")
    masked = 1 - good.mean()
    if masked > 0.3:
        notes.append(f"{masked:.0%} of the pixels on the detectors are masked.")
    rest = wavelength / (1 + velocity / SPEED_OF_LIGHT)
    merged, ivar = _merge(rest, flux, inverse_variance(error, good))
    if not (ivar > 0).any():
        raise SpectrumError(
            f"{name} has no usable pixel on the apStar grid after {velocity:g} km/s were taken out."
        )
    star = str(header.get("OBJID", "")).strip() or _in_table(hdus, "APOGEE_ID") or star_in(name)
    file = _in_table(hdus, "FILE")
    snr = number(header, "SNR")
    spectra = Spectra(
        APSTAR_GRID,
        merged,
        ivar,
        (star,),
        columns={
            "kind": np.array(["visit"]),
            "snr": np.array([snr]),
            "visit_file": np.array([file or name]),
        },
        provenance={
            "file": name,
            "product": "apVisit",
            "flux_unit": "1e-17 erg/s/cm^2/A",
            "rv_kms": velocity,
        },
    )
    return ApVisit(
        star=star,
        spectra=spectra,
        velocity=velocity,
        vhelio=number(header, "VHELIO"),
        snr=snr,
        release=release_of(name, file),
        telescope=str(header.get("TELESCOP", "")).strip(),
        mjd=number(header, "MJD5"),
        dithered=flux.shape[1] == max(_PIXELS),
        notes=tuple(notes),
        name=name,
    )


def _merge(
    wavelength: NDArray[np.float64], flux: NDArray[np.float64], ivar: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Resample each detector to the apStar grid; where two meet take the better one."""
    n = APSTAR_GRID.n_pixels
    out, out_ivar = np.full(n, np.nan), np.zeros(n)
    for w, f, v in zip(wavelength, flux, ivar, strict=True):
        up = slice(None) if w[0] < w[-1] else slice(None, None, -1)
        new, new_ivar = resample(
            w[up], f[up], v[up], APSTAR_GRID, shared_noise=w.size == max(_PIXELS)
        )
        better = (new_ivar > out_ivar) | (np.isnan(out) & np.isfinite(new))
        out, out_ivar = np.where(better, new, out), np.where(better, new_ivar, out_ivar)
    off = np.ones(n, bool)
    off[APSTAR_GRID.chip_pixels] = False
    out_ivar[off] = 0
    return out, out_ivar


def _velocity(hdus: fits.HDUList, name: str, notes: list[str]) -> float:
    """Return the velocity relative to the observed wavelengths, in km/s."""
    header = hdus[0].header
    velocity = number(header, "VRAD")
    if not np.isfinite(velocity):
        velocity = number({"VREL": _in_table(hdus, "VREL")}, "VREL")
    if not np.isfinite(velocity):
        velocity = number(header, "VHELIO") - number(header, "BC")
        if np.isfinite(velocity):
            notes.append("VRAD is missing from the header; VHELIO - BC was taken for it.")
    if not np.isfinite(velocity):
        notes.append(
            "The file gives no velocity of the star (VRAD, VREL); 0 km/s was taken out, so the "
            "spectrum is as observed. A fit looks for the velocity; else give it as rv_kms."
        )
        return 0.0
    if abs(velocity) > LARGEST_VELOCITY_KMS:
        raise SpectrumError(
            f"Expected a velocity of a star, below {LARGEST_VELOCITY_KMS:g} km/s, as VRAD in the "
            f"header of {name}; found {velocity:g}. Give the right one as rv_kms."
        )
    return velocity


def _in_table(hdus: fits.HDUList, column: str) -> Any:
    """Return a value of the table of velocities; an empty text if it is not there."""
    for hdu in hdus[5:]:
        if column in columns_of(hdu) and len(hdu.data):
            value = hdu.data[column].flat[0]
            return value.strip() if isinstance(value, str) else float(value)
    return ""


def _require_apvisit(hdus: fits.HDUList, name: str) -> None:
    kind, words = product_of(hdus)
    if kind not in ("", "apVisit"):
        raise SpectrumError(f"Expected an apVisit file; {name} seems to be {words}.")
    images = {1: "flux", 2: "error", 3: "mask", 4: "wavelength"}
    shapes = require_images(hdus, name, "apVisit", images)
    if len(set(shapes)) > 1 or shapes[0] not in [(3, n) for n in _PIXELS]:
        raise SpectrumError(
            "Expected flux, error, mask and wavelength of 3 detectors with 2048 or 4096 pixels in "
            f"HDU 1 to 4 of an apVisit file; {name} has {', '.join(map(str, shapes))}"
            f"{origin(hdus)}."
        )
    require_integers(hdus[3], name, "apVisit")


def _require_wavelengths(wavelength: NDArray[np.float64], name: str) -> None:
    step = np.diff(wavelength, axis=1)
    for i, chip in enumerate(_CHIPS):
        w = wavelength[i]
        if not np.isfinite(w).all():
            raise SpectrumError(
                f"Expected finite wavelengths in HDU 4 of {name}; found "
                f"{int((~np.isfinite(w)).sum())} that are not on the {chip} detector."
            )
        if not ((step[i] < 0).all() or (step[i] > 0).all()):
            raise SpectrumError(
                f"Expected wavelengths that decrease along each detector in HDU 4 of {name}; on "
                f"the {chip} one they go up and down."
            )
        if w.max() < 15000 or w.min() > 17100:
            raise SpectrumError(
                "Expected wavelengths in vacuum angstrom, 15100 to 17000, in HDU 4 of an apVisit "
                f"file; {name} has {w.min():g} to {w.max():g} on the {chip} detector. Convert the "
                "unit first."
            )


@STAR_FORMATS.register(
    "apVisit",
    "apVisit FITS files of APOGEE",
    lambda file: file.hdus is not None and is_apvisit(file.hdus),
    options=("rv_kms", "resolution", "bad_bits"),
    stated={"unit": "angstrom", "medium": "vacuum"},
)
def _load(file: OpenFile, options: ReadingOptions) -> StarFile:
    assert file.hdus is not None
    visit = _read(file.hdus, file.name, options.rv_kms, options.bad_bits)
    return StarFile(file.name, visit.star, "apVisit", visit.spectra, notes=visit.notes)

"""Read a spectrum from an image of a FITS file: a row of pixels whose header has the wavelengths.

What IRAF, ESO pipelines and many archives write. Wavelengths follow from CRVAL1, CDELT1 or CD1_1
and CRPIX1: in even steps, or in even steps of their logarithm (DC-FLAG 1 of IRAF, CTYPE1 ending in
-LOG of Greisen et al. 2006, A&A 446, 747, section 4).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..spectra.spectra import Spectra
from .apstar import is_apstar
from .columns import Column, Columns, role_of
from .fits_file import product_of
from .star_formats import STAR_FORMATS, OpenFile, ReadingOptions, StarFile
from .table import is_spectrum_table
from .whole_star import hdu_title, plain_star, read_hdus

_LINEAR = ("", "WAVE", "AWAV", "LINEAR", "LAMBDA", "WAVELENGTH", "WAVELEN")
_LOG10 = ("LOG-LINEAR", "LOGLAM", "LOGWAVE", "LOG10", "LOG")
_APSTAR_KEYS = ("STARFLAG", "NVISITS", "APRED")
"""In the main header of what is or was an apStar file, whose reader says what it lacks."""


def spectral_axis(header: Any, n_pixels: int) -> Column | None:
    """Return the wavelengths of a row of pixels; None if its header does not give them.

    Parameters
    ----------
    header : Header
        Of the image.
    n_pixels : int
        Pixels in a row.

    Returns
    -------
    Column or None
        Wavelengths ``(n_pixels,)`` or their logarithms, as the name of the column says, in the
        unit of CUNIT1.

    Examples
    --------
    >>> from astropy.io.fits import Header
    >>> header = Header({"CTYPE1": "AWAV", "CUNIT1": "nm", "CRVAL1": 1510.0, "CDELT1": 0.02})
    >>> axis = spectral_axis(header, 9000)
    >>> axis.name, axis.unit, axis.description, round(float(axis.values[-1]), 2)
    ('wavelength', 'nm', 'ctype AWAV', 1689.98)
    """
    start, step = _number(header, "CRVAL1"), _number(header, "CD1_1", "CDELT1")
    kind = str(header.get("CTYPE1", "")).strip().upper()
    if start is None or not step:
        return None
    pixel = np.arange(1, n_pixels + 1) - (_number(header, "CRPIX1") or 0.0)
    if "CRPIX1" not in header:
        pixel -= 1
    unit = str(header.get("CUNIT1", "")).strip()
    said = f"ctype {kind}" if kind else ""
    log10 = header.get("DC-FLAG") in (1, "1") or kind in _LOG10
    if kind.endswith("-LOG") and not log10:
        if kind.removesuffix("-LOG") not in _LINEAR or start <= 0:
            return None
        return Column("wavelength", start * np.exp(pixel * step / start), unit, said)
    if log10:
        return Column("log_wavelength", start + pixel * step, unit, said)
    if kind not in _LINEAR:
        return None
    return Column("wavelength", start + pixel * step, unit, said)


def is_spectrum_image(hdus: fits.HDUList) -> bool:
    """Tell whether an open FITS file holds a spectrum as an image, and is of no survey we know."""
    if any(key in hdus[0].header for key in _APSTAR_KEYS) or is_apstar(hdus):
        return False
    kind = product_of(hdus)[0]
    return kind in ("", "other") and not is_spectrum_table(hdus) and bool(_images(hdus))


def read_spectrum_image(hdus: fits.HDUList, name: str, options: ReadingOptions) -> Spectra:
    """Return the spectra in the images of an open FITS file, one for each flux.

    Parameters
    ----------
    hdus : HDUList
        The open file. The first image with wavelengths is the flux; images of as many pixels
        are what their names say: ``ERRS``, ``IVAR``, ``QUAL``. Those that say nothing known are
        named in a note.
    name : str
        What to call the file in messages.
    options : ReadingOptions
        What the file does not say.

    Raises
    ------
    SpectrumError
        As :func:`~spectrabridge.core.io.spectrum_columns.read_columns` does, for the first image
        if none can be read.
    """
    images = _images(hdus)
    nothing = f"{name} holds no image with wavelengths in its header."
    found = read_hdus(images, name, options, [], nothing)
    return replace(found, provenance={**found.provenance, "product": "image"})


def _images(hdus: fits.HDUList) -> list[tuple[str, Columns]]:
    """Return what the file has on each flux, with the name of its HDU."""
    found: list[tuple[str, Columns]] = []
    sizes: list[int] = []
    for i, hdu in enumerate(hdus):
        pixels = _row(hdu)
        if pixels is None:
            continue
        role = role_of(hdu.name) if hdu.name else None
        axis = spectral_axis(hdu.header, pixels.size)
        if role == "flux" or (role is None and not found):
            if axis is None:
                continue
            columns = Columns(noun="image")
            for source in (hdus[0].header, hdu.header):
                columns.meta = {**columns.meta, **{str(k).lower(): v for k, v in source.items()}}
            columns.columns.append(axis)
            columns.add("flux", pixels, hdu.header.get("BUNIT"), str(hdu.name))
            found.append((hdu_title(i, hdu), columns))
            sizes.append(pixels.size)
        elif found and pixels.size == sizes[-1]:
            found[-1][1].add(hdu.name or f"HDU {i}", pixels, hdu.header.get("BUNIT"))
    return found


def _row(hdu: Any) -> NDArray[Any] | None:
    """Return the pixels of an image that is one row; None for all else."""
    if not hdu.is_image or not hdu.shape or int(np.prod(hdu.shape)) != hdu.shape[-1]:
        return None
    data = np.asarray(hdu.data)
    return data.reshape(-1) if data.dtype.kind in "fiu" and data.size > 1 else None


def _number(header: Any, *keys: str) -> float | None:
    """Return the first of some header values that is a number; else None."""
    for key in keys:
        value = header.get(key)
        if isinstance(value, int | float) and np.isfinite(value):
            return float(value)
    return None


@STAR_FORMATS.register(
    "image",
    "FITS images of one spectrum with wavelengths by CRVAL1 and CDELT1",
    lambda file: file.hdus is not None and is_spectrum_image(file.hdus),
    options=("unit", "medium", "rv_kms", "resolution"),
)
def _load(file: OpenFile, options: ReadingOptions) -> StarFile:
    assert file.hdus is not None
    return plain_star("image", file.name, read_spectrum_image(file.hdus, file.name, options))

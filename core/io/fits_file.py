"""Open FITS files that come from anywhere: whole ones, compressed ones, damaged ones.

Everything here is shared by the readers of apStar, aspcapStar and apVisit files. A
file is read whole into memory first, up to a limit, so that it may be an upload, and so
that it may be replaced or deleted once it was read.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..errors import SpectrabridgeError, SpectrumError
from ..files import read_limited, understood, unpacked
from ..files.budget import MAX_STAR_BYTES
from ..files.fits_layout import FITS_START, fits_layout
from ..files.regular import Source
from ..spectra.wavelength import APSTAR_GRID

LARGEST_FILE = MAX_STAR_BYTES
"""Bytes of a file of one star."""

RELEASES = {
    "r3": "DR10",
    "r4": "DR11",
    "r5": "DR12",
    "v603": "DR12",
    "r6": "DR13",
    "r8": "DR14",
    "r12": "DR16",
    "dr17": "DR17",
}
"""Data release behind the version in a file name."""

ASTRA_RELEASES = {"0.6": "DR19", "0.8": "DR20"}
"""Data release behind the version of Astra, the software that writes mwm and astra files."""

T = TypeVar("T")


def read_bytes(
    source: Source, name: str = "", expected: str = "a file", largest: int = LARGEST_FILE
) -> tuple[bytes, str]:
    """Return the content of a file, decompressed if gzip made it, and its name.

    Parameters
    ----------
    source : path, bytes or binary file
        An open file is read to its end and not closed.
    name : str
        What to call the file in messages; its own name if empty.
    expected : str
        What it should be, with an article: ``an apStar FITS file``.
    largest : int
        Most bytes that are read, also after decompression.

    Raises
    ------
    SpectrumError
        If there is no such file, it is a folder, too large or empty, or it is damaged
        gzip.
    """
    content, name = read_limited(source, name, expected, max_bytes=largest)
    return unpacked(content, name, expected, max_bytes=largest), name


def truncated(name: str) -> SpectrumError:
    """Return the error for a file whose end is missing."""
    return SpectrumError(
        f"{name} is truncated or damaged: its FITS structure ends too early. Download it again."
    )


def read_fits(
    source: Source,
    read: Callable[[fits.HDUList, str], T],
    name: str = "",
    product: str = "apStar",
    largest: int = LARGEST_FILE,
) -> T:
    """Open a FITS file, check that it is whole, and hand its HDUs to a function.

    Parameters
    ----------
    source : path, bytes or binary file
        The file or its content, compressed by gzip or not.
    read : callable
        ``read(hdus, name)``. Whatever it raises, other than this package's errors, is
        reported as damage: headers are parsed when first asked for, and one damaged
        byte in them surfaces as any kind of error.
    name : str
        What to call the file in messages; its own name if empty.
    product : str
        What the file should be, for messages: ``apStar``.
    largest : int
        Most bytes.

    Returns
    -------
    object
        What `read` returned.

    Raises
    ------
    SpectrumError
        If the file cannot be read, is no FITS file, is truncated or damaged; and
        whatever `read` raises of this package's errors.
    """
    content, name = read_bytes(source, name, f"an {product} FITS file", largest)
    if not content.startswith(FITS_START):
        raise SpectrumError(
            f"{name} is not a FITS file; expected an {product} FITS file as released by SDSS."
        )
    with warnings.catch_warnings():
        # Damaged files warn and then fail in many ways; what is wrong is found below.
        warnings.simplefilter("ignore")
        end = fits_layout(content, name, max_bytes=4 * largest).end
        if not content[end:].strip(b"\0 "):
            # Blocks of zeros or blanks are padding, which some archives add.
            content = content[:end]
        with understood(name, f"an {product} FITS file"):
            # Only what was walked over: astropy would go on behind a damaged header.
            stream = io.BytesIO(content[:end])
            hdus = fits.open(stream, memmap=False, lazy_load_hdus=False)
        with hdus:
            try:
                _require_whole(hdus, content, name)
                return read(hdus, name)
            except SpectrabridgeError:
                raise
            except Exception as problem:
                raise SpectrumError(
                    f"{name} is damaged: its FITS headers or tables cannot be read. Download it "
                    "again."
                ) from problem


def _require_whole(hdus: fits.HDUList, content: bytes, name: str) -> None:
    ends = [info["datLoc"] + info["datSpan"] for hdu in hdus if (info := hdu.fileinfo())]
    if max(ends) > len(content):
        raise truncated(name)
    # Bytes after the last readable HDU are those of a header that is cut.
    if len(hdus) < 4 and len(content) > max(ends):
        raise truncated(name)


def columns_of(hdu: Any) -> set[str]:
    """Return the names of a table's columns in capitals; none if it is no table."""
    return {c.upper() for c in hdu.columns.names} if isinstance(hdu, fits.BinTableHDU) else set()


def origin(hdus: fits.HDUList) -> str:
    """Name the survey or telescope that headers give, as ``(SURVEY GALAH)``; else empty."""
    for hdu in hdus[:2]:
        for key in ("SURVEY", "TELESCOP", "INSTRUME", "ORIGIN"):
            value = str(hdu.header.get(key, "")).strip()
            if value:
                return f" ({key} {value})"
    return ""


def product_of(hdus: fits.HDUList) -> tuple[str, str]:
    """Say which product a FITS file seems to be.

    Returns
    -------
    kind : str
        ``aspcapStar``, ``apVisit``, ``mwmStar``, ``astraStar``, ``allStar``, ``other``; empty
        if it may be apStar.
    words : str
        The same for a message, with an article; empty if it may be apStar.
    """
    first = hdus[0].header
    names = {hdu.name.upper() for hdu in hdus[1:]}
    columns = [columns_of(hdu) for hdu in hdus]
    if any({"FPARAM", "PARAM"} <= c for c in columns[2:]) or "FERRE" in first:
        return "aspcapStar", "an aspcapStar file (normalised flux and its best fit)"
    if {"BOSS/APO", "APOGEE/APO", "APOGEE/LCO"} & names:
        if any("MODEL_FLUX" in c for c in columns):
            return "astraStar", "an SDSS-V astraStar file (models and labels)"
        if not any({"SDSS_ID", "TEFF"} <= c for c in columns):
            return "mwmStar", "an SDSS-V mwmStar or mwmVisit file"
    if any({"SDSS_ID", "TEFF"} <= c for c in columns):
        return "allStar", "a catalogue of SDSS-V (a table of stars, no spectra)"
    if len(columns) > 1:
        table = columns[1]
        if {"FLUX", "LOGLAM"} <= table:
            return "other", f"an optical SDSS spectrum (spec file){origin(hdus)}"
        if {"APOGEE_ID", "VHELIO_AVG"} <= table:
            return "allStar", "an allStar catalogue (a table of stars, no spectra)"
        if {"APOGEE_ID", "VHELIO"} <= table:
            return "other", "an allVisit catalogue (a table of visits, no spectra)"
    shape: tuple[int, ...] = hdus[1].shape if len(hdus) > 1 and hdus[1].is_image else ()
    if len(shape) == 2 and shape[0] == 3 and shape[1] in (2048, 4096):
        return "apVisit", "an apVisit file (one visit, by detector, not at rest)"
    if "LAMOST" in str(first.get("TELESCOP", "")).upper():
        return "other", "a LAMOST spectrum"
    if first.get("NAXIS", 0) > 0:
        axes = "x".join(str(first.get(f"NAXIS{i + 1}")) for i in range(first["NAXIS"]))
        return "other", (
            f"another product: its first HDU is an image of {axes} pixels{origin(hdus)}"
        )
    if len(hdus) > 1 and isinstance(hdus[1], fits.BinTableHDU):
        some = ", ".join(hdus[1].columns.names[:4])
        return "other", f"another product: HDU 1 is a table with columns {some}{origin(hdus)}"
    return "", ""


def require_images(
    hdus: fits.HDUList, name: str, product: str, images: dict[int, str]
) -> list[tuple[int, ...]]:
    """Return the shapes of the images in some HDUs, or raise a SpectrumError.

    Parameters
    ----------
    hdus : HDUList
        The open file.
    name : str
        Its name, for messages.
    product : str
        What it should be: ``apStar``.
    images : dict
        Number of the HDU to what is in it: ``{1: "flux", 2: "error"}``.
    """
    words = list(images.values())
    last = max(images)
    if len(hdus) <= last:
        raise SpectrumError(
            f"Expected {', '.join(words[:-1])} and {words[-1]} in HDU 1 to {last} of an {product} "
            f"file; {name} ends after HDU {len(hdus) - 1}. It may be truncated."
        )
    shapes = []
    for i, what in images.items():
        hdu = hdus[i]
        if not hdu.is_image or not hdu.header.get("NAXIS"):
            found = "a table" if not hdu.is_image else "empty"
            raise SpectrumError(
                f"Expected an image of the {what} in HDU {i} of an {product} file; in {name} it is "
                f"{found}."
            )
        shapes.append(hdu.shape)
    return shapes


def require_integers(hdu: Any, name: str, product: str) -> None:
    """Raise a SpectrumError unless an image, the mask, holds integers."""
    if hdu.header["BITPIX"] < 0:
        raise SpectrumError(
            f"Expected a mask of integers in HDU 3 of an {product} file; {name} has floats there."
        )


def require_apstar_wavelengths(hdus: fits.HDUList, name: str) -> None:
    """Raise a SpectrumError unless the headers give the wavelengths of the apStar grid."""
    header, n_pixels = hdus[1].header, APSTAR_GRID.n_pixels
    grid = {}
    for key in ("CRVAL1", "CDELT1"):
        value = header.get(key, hdus[0].header.get(key))
        if not isinstance(value, int | float):
            raise SpectrumError(
                f"{name} does not say which wavelengths it has: {key} is missing from its headers."
            )
        grid[key] = float(value)
    reference = float(header.get("CRPIX1", hdus[0].header.get("CRPIX1", 1)))
    start = grid["CRVAL1"] + (1 - reference) * grid["CDELT1"]
    # A hundredth of a pixel at either end of the spectrum.
    last = start + grid["CDELT1"] * (n_pixels - 1)
    if abs(start - 4.179) > 6e-8 or abs(last - (4.179 + 6e-6 * (n_pixels - 1))) > 6e-8:
        raise SpectrumError(
            "Expected the apStar wavelengths (CRVAL1 4.179, CDELT1 6e-06, log10 of angstrom); "
            f"{name} has CRVAL1 {grid['CRVAL1']:g}, CDELT1 {grid['CDELT1']:g}. Resample the "
            "spectrum to the apStar grid first."
        )


def rows(data: NDArray[Any]) -> NDArray[Any]:
    """Return an image as rows in the machine's byte order; floats become float64."""
    out = np.atleast_2d(data)
    return out.astype(np.float64 if out.dtype.kind == "f" else np.int64)


def number(header: Any, *keys: str, largest: float = 99_000) -> float:
    """Return the first of some header values that is a number, not a filler; else NaN."""
    for key in keys:
        value = header.get(key)
        if isinstance(value, int | float) and np.isfinite(value) and -9999 < value < largest:
            return float(value)
    return float("nan")


def release_of(*names: str) -> str:
    """Return the data release as guessed from the first file name that tells; else empty."""
    for text in names:
        found = re.match(r"(?:ap|as|aspcap)(?:Visit|Star)-(r\d+|v\d+|dr\d+)-", text)
        if found:
            return RELEASES.get(found.group(1), "")
        found = re.match(r"(?:mwm|astra)[A-Za-z]+-(\d+\.\d+)\.", text)
        if found:
            return ASTRA_RELEASES.get(found.group(1), "")
    return ""

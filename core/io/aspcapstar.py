"""Read aspcapStar files: one normalised spectrum, the survey's best fit, and its labels.

The layout is that of Garcia Perez et al. (2016, AJ 151, 144) and Holtzman et al. (2018, AJ
156, 125): HDU 1 is the flux over ASPCAP's pseudo-continuum, HDU 2 its error, HDU 3 the best
fit, and a table of one row, HDU 4, holds the labels. There is no pixel mask. ASPCAP has
already used it: where the mask is bad the error is raised, and errors are at least
half a percent. Pixels without data are 0 up to DR14 and may be NaN later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APSTAR_GRID
from .aspcap_labels import calibrated, flag_names, uncalibrated
from .fits_file import (
    LARGEST_FILE,
    columns_of,
    number,
    origin,
    product_of,
    read_fits,
    release_of,
    require_apstar_wavelengths,
    require_images,
    rows,
)
from .names import star_in
from .pixel_mask import inverse_variance, usable
from .star_formats import STAR_FORMATS, OpenFile, ReadingOptions, StarFile


@dataclass(frozen=True)
class AspcapStar:
    """The spectrum and the labels in one aspcapStar file.

    Parameters
    ----------
    star : str
        Name of the star.
    spectra : Spectra
        One spectrum on the apStar grid, flux over ASPCAP's pseudo-continuum, rest frame.
        Columns: ``snr``, ``kind`` (``aspcap``). ``provenance["continuum"]`` is
        ``"aspcap"``.
    model : ndarray, shape ``(8575,)``
        The survey's best fit in the same units, NaN where it has none.
    labels : dict
        The survey's calibrated labels, NaN where unknown; names as in
        :func:`~spectrabridge.core.io.aspcap_labels.calibrated`.
    uncalibrated : dict
        The labels as fitted, which belong to `model`.
    flags : tuple of str
        Bits that are set in ``ASPCAPFLAG``.
    release : str
        Data release as guessed from the file names; empty if unknown.
    vhelio : float
        Mean heliocentric velocity in km/s, already taken out of the wavelengths.
    notes : tuple of str
        What a user should know about the file, one sentence each.
    name : str
        Name of the file.
    """

    star: str
    spectra: Spectra
    model: NDArray[np.float64]
    labels: Mapping[str, float]
    uncalibrated: Mapping[str, float]
    flags: tuple[str, ...]
    release: str
    vhelio: float
    notes: tuple[str, ...]
    name: str


def is_aspcapstar(hdus: fits.HDUList) -> bool:
    """Tell whether an open FITS file is laid out as aspcapStar files are."""
    return product_of(hdus)[0] == "aspcapStar"


def read_aspcapstar(source: str | Path | bytes | BinaryIO, name: str = "") -> AspcapStar:
    """Read an aspcapStar file of data releases 12 to 17.

    Parameters
    ----------
    source : path, bytes or binary file
        The file, its content, or an open file that is read to its end and not closed.
        Content compressed by gzip is fine.
    name : str, optional
        What to call the file in messages; the file's own name if not given.

    Returns
    -------
    AspcapStar
        A pixel is usable (inverse variance above 0) if it lies on a detector, its flux is
        finite and not exactly 0, and its error is finite and positive.

    Raises
    ------
    SpectrumError
        If there is no such file, it is no FITS file, it is truncated, it holds another
        product or other wavelengths, or no pixel is usable.
    """
    return read_fits(source, _read, name, "aspcapStar", LARGEST_FILE)


def _read(hdus: fits.HDUList, name: str) -> AspcapStar:
    _require_aspcapstar(hdus, name)
    flux, error, model = (rows(hdus[i].data)[0] for i in (1, 2, 3))
    on_chip = np.zeros(APSTAR_GRID.n_pixels, bool)
    on_chip[APSTAR_GRID.chip_pixels] = True
    good = on_chip & usable(flux, error)
    if not good.any():
        raise SpectrumError(
            f"{name} has no usable pixel: all of its flux is zero or not finite, or has no error."
        )
    middle = float(np.median(flux[good]))
    if not 0.2 < middle < 5:
        raise SpectrumError(
            f"Expected flux over its continuum, near 1, in HDU 1 of an aspcapStar file; in {name} "
            f"its median is {middle:g}. Open the apStar file of the same star instead."
        )
    notes: list[str] = []
    masked = 1 - good[on_chip].mean()
    if masked > 0.3:
        notes.append(f"{masked:.0%} of the pixels on the detectors have no flux.")
    known = np.isfinite(model) & (model != 0)
    if not known.any():
        notes.append("The file has no best fit of the survey.")
    header, table = hdus[0].header, _table(hdus)
    labels: dict[str, float] = {}
    raw: dict[str, float] = {}
    flags: tuple[str, ...] = ()
    star = files = ""
    snr, vhelio = number(header, "SNR"), number(header, "VHELIO", "VHELIO_AVG")
    if table is None:
        notes.append("The file has no table of labels.")
    else:

        def column(key: str) -> NDArray[Any] | None:
            return _column(table, key)

        symbols = _symbols(hdus)
        labels = {k: float(v[0]) for k, v in calibrated(column, symbols, notes).items()}
        raw = {k: float(v[0]) for k, v in uncalibrated(column, symbols, notes).items()}
        star, files = _text(table, "APOGEE_ID"), _text(table, "FILE")
        flag = column("ASPCAPFLAG")
        if flag is not None:
            flags = flag_names(int(flag.flat[0]))
        # The headers lack these in some releases.
        for key in ("SNR", "VHELIO", "VHELIO_AVG"):
            value = column(key)
            if value is not None and value.dtype.kind == "f" and np.isfinite(value.flat[0]):
                if key == "SNR" and not np.isfinite(snr):
                    snr = float(value.flat[0])
                elif key != "SNR" and not np.isfinite(vhelio):
                    vhelio = float(value.flat[0])
        bad = [f for f in flags if f.endswith("_BAD") or f == "NO_ASPCAP_RESULT"]
        if bad:
            notes.append(f"The survey says not to trust its labels: {', '.join(bad)}.")
        if not any(np.isfinite(v) for v in labels.values()):
            notes.append("The survey gives no calibrated labels for this star.")
    star = star or str(header.get("OBJ", header.get("OBJID", ""))).strip() or star_in(name)
    spectra = Spectra(
        APSTAR_GRID,
        np.where(np.isfinite(flux) & (flux != 0), flux, 1.0),
        inverse_variance(error, good),
        (star,),
        columns={"snr": np.array([snr]), "kind": np.array(["aspcap"])},
        provenance={"file": name, "product": "aspcapStar", "continuum": "aspcap"},
    )
    return AspcapStar(
        star=star,
        spectra=spectra,
        model=np.where(known, model, np.nan),
        labels=labels,
        uncalibrated=raw,
        flags=flags,
        release=release_of(files, name),
        vhelio=vhelio,
        notes=tuple(dict.fromkeys(notes)),
        name=name,
    )


def _require_aspcapstar(hdus: fits.HDUList, name: str) -> None:
    kind, words = product_of(hdus)
    if kind not in ("", "aspcapStar"):
        raise SpectrumError(f"Expected an aspcapStar file; {name} seems to be {words}.")
    images = {1: "flux", 2: "error", 3: "best fit"}
    shapes = require_images(hdus, name, "aspcapStar", images)
    n_pixels = APSTAR_GRID.n_pixels
    if kind == "" and shapes[2][-1] == n_pixels and hdus[3].header["BITPIX"] > 0:
        raise SpectrumError(
            f"Expected an aspcapStar file, with the best fit in HDU 3; {name} has integers there "
            "and seems to be an apStar file."
        )
    flat = [tuple(k for k in shape if k != 1) for shape in shapes]
    if flat != [(n_pixels,)] * 3:
        raise SpectrumError(
            f"Expected {n_pixels} pixels each of flux, error and best fit in an aspcapStar file; "
            f"{name} has {', '.join(map(str, shapes))}{origin(hdus)}."
        )
    require_apstar_wavelengths(hdus, name)


def _table(hdus: fits.HDUList) -> Any:
    """Return the table of labels; None if the file has none."""
    for hdu in hdus[4:]:
        if {"PARAM", "FPARAM"} & columns_of(hdu) and len(hdu.data):
            return hdu
    return None


def _column(table: Any, name: str) -> NDArray[Any] | None:
    """Return a column in the machine's byte order, first axis one row per star."""
    if name not in columns_of(table):
        return None
    values = np.asarray(table.data[name])
    return values.astype(values.dtype.newbyteorder("=")) if values.dtype.kind in "fiu" else values


def _text(table: Any, name: str) -> str:
    values = _column(table, name)
    return "" if values is None else str(values.flat[0]).strip()


def _symbols(hdus: fits.HDUList) -> tuple[str, ...]:
    for hdu in hdus[4:]:
        values = _column(hdu, "ELEM_SYMBOL")
        if values is not None and values.size:
            return tuple(str(v).strip() for v in np.ravel(values))
    return ()


@STAR_FORMATS.register(
    "aspcapStar",
    "aspcapStar FITS files of APOGEE",
    lambda file: file.hdus is not None and is_aspcapstar(file.hdus),
    options=("resolution",),
    stated={"unit": "angstrom", "medium": "vacuum"},
)
def _load(file: OpenFile, options: ReadingOptions) -> StarFile:
    assert file.hdus is not None
    star = _read(file.hdus, file.name)
    return StarFile(
        file.name, star.star, "aspcapStar", star.spectra, star.model, star.labels, star.notes
    )

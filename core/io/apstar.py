"""Read apStar files: the combined APOGEE spectra of one star and its visits.

The layout is that of Holtzman et al. (2015, AJ 150, 148) and changed from release
to release: the images have one row or several, floats of 4 or 8 bytes, masks of 2
or 8, and pixels without data are 0 in DR12 to DR14 and NaN in DR17. HDU 1 is the
flux, HDU 2 its error, HDU 3 the pixel mask; the other HDUs are optional here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APSTAR_GRID
from .fits_file import (
    LARGEST_FILE,
    number,
    origin,
    product_of,
    read_fits,
    release_of,
    require_apstar_wavelengths,
    require_images,
    require_integers,
    rows,
)
from .names import star_in
from .pixel_mask import BAD_BITS, HUGE_ERROR, PIXEL_MASK, inverse_variance, usable
from .star_formats import STAR_FORMATS, OpenFile, ReadingOptions, StarFile

__all__ = [
    "BAD_BITS",
    "HUGE_ERROR",
    "LARGEST_FILE",
    "PIXEL_MASK",
    "ApStar",
    "example_apstar",
    "is_apstar",
    "read_apstar",
]


@dataclass(frozen=True)
class ApStar:
    """The spectra in one apStar file.

    Parameters
    ----------
    star : str
        Name of the star, as in 2M00004994+1621552.
    spectra : Spectra
        Usable rows of the file on the apStar grid, flux in 1e-17 erg/s/cm^2/A, rest
        frame. Columns: ``kind`` (``coadd`` for the combination with weights per
        pixel, ``coadd_global`` for the one with one weight per visit, ``visit``),
        ``visit`` (0 for combinations, else from 1), ``snr`` (from the header, NaN if
        not given), ``row`` (in the images of the file), ``visit_file``.
    n_visits : int
        Visits that were combined, from the header.
    snr : float
        Signal-to-noise ratio per pixel of the combination, from the header.
    release : str
        Data release as guessed from the names of the visit files; empty if unknown.
    telescope : str
        Telescope, empty if not given.
    vhelio : float
        Mean heliocentric velocity in km/s, already taken out of the wavelengths.
    rv_template_teff, rv_template_logg, rv_template_feh : float
        Labels of the template that gave the velocity. Coarse: never use them as
        the labels of the star.
    notes : tuple of str
        What a user should know about the file, one sentence each.
    name : str
        Name of the file.
    """

    star: str
    spectra: Spectra
    n_visits: int
    snr: float
    release: str
    telescope: str
    vhelio: float
    rv_template_teff: float
    rv_template_logg: float
    rv_template_feh: float
    notes: tuple[str, ...]
    name: str

    @property
    def combined(self) -> Spectra:
        """The combination with weights per pixel: a set of one spectrum.

        Where that row is empty the next one that is not takes its place.
        """
        return self.spectra[0]

    @property
    def visits(self) -> Spectra:
        """The single visits; none if the file holds only a combination."""
        return self.spectra[np.flatnonzero(self.spectra.columns["kind"] == "visit")]


def example_apstar() -> Path:
    """Return the path of the example that comes with the package.

    2M19485057+5005279 of data release 17: one visit, signal-to-noise ratio 137, with
    NaN pixels and an empty second row as released.
    """
    name = "apStar-dr17-2M19485057+5005279.fits"
    return Path(__file__).parent.parent / "examples" / name


def read_apstar(source: str | Path | bytes | BinaryIO, name: str = "") -> ApStar:
    """Read an apStar file of data releases 12 to 17.

    Parameters
    ----------
    source : path, bytes or binary file
        The file, its content, or an open file that is read to its end and not closed.
        Content compressed by gzip is fine.
    name : str, optional
        What to call the file in messages; the file's own name if not given.

    Returns
    -------
    ApStar
        All usable rows. A pixel is usable (inverse variance above 0) if it lies on a
        detector, no bit of :data:`BAD_BITS` is set, its flux is finite and not
        exactly 0, and its error is finite, positive and not huge.

    Raises
    ------
    SpectrumError
        If there is no such file, it is no FITS file, it is truncated, it holds
        another product or other wavelengths, or no pixel is usable.
    """
    return read_fits(source, _read, name, "apStar", LARGEST_FILE)


def is_apstar(hdus: fits.HDUList) -> bool:
    """Tell whether an open FITS file is laid out as apStar files are."""
    if product_of(hdus)[0] or len(hdus) < 4:
        return False
    shapes = [hdu.shape if hdu.is_image else () for hdu in hdus[1:4]]
    return len(set(shapes)) == 1 and shapes[0][-1:] == (APSTAR_GRID.n_pixels,)


def _read(hdus: fits.HDUList, name: str, bad_bits: int | None = None) -> ApStar:
    require_apstar(hdus, name)
    header = hdus[0].header
    flux, error, mask = (rows(hdus[i].data) for i in (1, 2, 3))
    n_rows = len(flux)
    good = _good(flux, error, mask, bad_bits)

    notes = []
    kinds = (["coadd", "coadd_global"] + ["visit"] * n_rows)[:n_rows]
    visit = np.maximum(np.arange(n_rows) - 1, 0)
    n_visits = _integer(header, "NVISITS", max(1, n_rows - 2))
    keep = np.asarray(good.any(axis=1))
    if not keep.any():
        raise SpectrumError(
            f"{name} has no usable pixel: all of its {n_rows} spectra are masked, zero or not "
            "finite."
        )
    for row in np.flatnonzero(~keep):
        what = {"coadd": "pixel-weighted combination", "coadd_global": "combination by visit"}
        title = what.get(kinds[row], f"visit {visit[row]}")
        notes.append(f"Row {row} ({title}) has no usable pixel and was left out.")
    if n_rows > 2 and n_rows - 2 != n_visits:
        notes.append(f"The header counts {n_visits} visits, the file holds {n_rows - 2}.")
    if not keep[0]:
        notes.append("The pixel-weighted combination is missing; another row is shown for it.")
    masked = 1 - good[keep][0, APSTAR_GRID.chip_pixels].mean()
    if masked > 0.3:
        notes.append(f"{masked:.0%} of the pixels on the detectors are masked.")

    files = [str(header.get(f"SFILE{i}", "")).strip() for i in range(1, max(n_visits, n_rows) + 1)]
    snr = number(header, "SNR")
    table, visit_snr = _visit_snr(hdus, header, len(files))
    if not table:
        notes.append("The file has no table of radial velocities.")
    row_snr = [snr if v == 0 else visit_snr[v - 1] for v in visit]
    row_file = ["" if v == 0 else files[v - 1] for v in visit]
    star = str(header.get("OBJID", "")).strip() or star_in(name)
    ivar = inverse_variance(error, good)
    spectra = Spectra(
        APSTAR_GRID,
        np.where(good, flux, np.where(np.isfinite(flux), flux, 1.0))[keep],
        ivar[keep],
        (star,) * int(keep.sum()),
        columns={
            "kind": np.array(kinds)[keep],
            "visit": visit[keep],
            "snr": np.array(row_snr, dtype=float)[keep],
            "row": np.flatnonzero(keep),
            "visit_file": np.array(row_file)[keep],
        },
        provenance={"file": name, "product": "apStar", "flux_unit": "1e-17 erg/s/cm^2/A"},
    )
    return ApStar(
        star=star,
        spectra=spectra,
        n_visits=n_visits,
        snr=snr,
        release=release_of(*files, name),
        telescope=str(header.get("TELESCOP", "")).strip(),
        vhelio=number(header, "VHELIO"),
        rv_template_teff=number(header, "RVTEFF", "RV_TEFF"),
        rv_template_logg=number(header, "RVLOGG", "RV_LOGG", largest=10),
        rv_template_feh=number(header, "RVFEH", "RV_FEH", largest=10),
        notes=tuple(notes),
        name=name,
    )


def _good(
    flux: NDArray[np.float64],
    error: NDArray[np.float64],
    mask: NDArray[np.int64],
    bad_bits: int | None,
) -> NDArray[np.bool_]:
    on_chip = np.zeros(APSTAR_GRID.n_pixels, bool)
    on_chip[APSTAR_GRID.chip_pixels] = True
    return on_chip & usable(flux, error, mask, bad_bits)


def _integer(header: fits.Header, key: str, default: int) -> int:
    value = number(header, key)
    return int(value) if np.isfinite(value) and value >= 0 else default


def _visit_snr(hdus: fits.HDUList, header: fits.Header, n: int) -> tuple[bool, list[float]]:
    """Return whether there is a table of velocities, and the S/N of up to `n` visits.

    The header has it up to DR16; DR17 writes 0 there and the truth into the table,
    whose place among the HDUs differs between releases.
    """
    table, column = False, np.zeros(0)
    for hdu in hdus[4:]:
        if isinstance(hdu, fits.BinTableHDU) and "vhelio" in map(str.lower, hdu.columns.names):
            table = True
            if "snr" in hdu.columns.names:
                column = np.ravel(hdu.data["snr"]).astype(float)
            break
    out = []
    for i in range(n):
        value = number(header, f"SNRVIS{i + 1}")
        if not value > 0 and i < column.size:
            value = float(column[i])
        out.append(value if value > 0 else float("nan"))
    return table, out


def require_apstar(hdus: fits.HDUList, name: str) -> None:
    """Raise a SpectrumError that says what the file is, unless it is an apStar file."""
    n_pixels = APSTAR_GRID.n_pixels
    other = product_of(hdus)[1]
    if other:
        raise SpectrumError(
            f"Expected an apStar file; {name} seems to be {other}. Open the apStar file of the "
            "same star instead."
        )
    shapes = require_images(hdus, name, "apStar", {1: "flux", 2: "error", 3: "mask"})
    if shapes[0][-1] != n_pixels or len(shapes[0]) > 2:
        raise SpectrumError(
            f"Expected {n_pixels} pixels per spectrum, as in apStar files; {name} has an image of "
            f"shape {shapes[0]}{origin(hdus)}."
        )
    if len(set(shapes)) > 1:
        raise SpectrumError(
            f"Expected flux, error and mask of one shape; {name} has {', '.join(map(str, shapes))}."
        )
    require_integers(hdus[3], name, "apStar")
    require_apstar_wavelengths(hdus, name)


@STAR_FORMATS.register(
    "apStar",
    "apStar FITS files of APOGEE",
    lambda file: file.hdus is not None and is_apstar(file.hdus),
    options=("resolution", "bad_bits"),
    stated={"unit": "angstrom", "medium": "vacuum"},
)
def _load(file: OpenFile, options: ReadingOptions) -> StarFile:
    assert file.hdus is not None
    star = _read(file.hdus, file.name, options.bad_bits)
    return StarFile(file.name, star.star, "apStar", star.spectra, notes=star.notes)

"""Read apStar files: the combined APOGEE spectra of one star and its visits.

The layout is that of Holtzman et al. (2015, AJ 150, 148) and changed from release
to release: the images have one row or several, floats of 4 or 8 bytes, masks of 2
or 8, and pixels without data are 0 in DR12 to DR14 and NaN in DR17. HDU 1 is the
flux, HDU 2 its error, HDU 3 the pixel mask; the other HDUs are optional here.
"""

from __future__ import annotations

import gzip
import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..spectra import Spectra
from ..wavelength import APSTAR_GRID

PIXEL_MASK: dict[int, tuple[str, bool, str]] = {
    0: ("BADPIX", True, "in the bad pixel map of the detector"),
    1: ("CRPIX", True, "hit by a cosmic ray"),
    2: ("SATPIX", True, "saturated, so the flux is a lower limit"),
    3: ("UNFIXABLE", True, "could not be repaired in the ramp fit"),
    4: ("BADDARK", True, "dark current too high or unstable to subtract"),
    5: ("BADFLAT", True, "response too low or unstable to divide out"),
    6: ("BADERR", True, "the pipeline gave it an error without meaning"),
    7: ("NOSKY", True, "no sky fibre to subtract the sky with"),
    8: ("LITTROW_GHOST", False, "may hold ghost light; the effect is below a percent"),
    9: ("PERSIST_HIGH", False, "strong persistence; a third of the blue chip in places"),
    10: ("PERSIST_MED", False, "medium persistence"),
    11: ("PERSIST_LOW", False, "low persistence"),
    12: ("SIG_SKYLINE", True, "sky emission that outshines the star leaves residuals"),
    13: ("SIG_TELLURIC", False, "strong telluric line; corrected, and its error is larger"),
    14: ("NOT_ENOUGH_PSF", True, "over half of the light that makes the pixel is missing"),
}
"""Bits of the APOGEE pixel mask: name, whether the pixel is unusable, and why.

Names and meanings are those of APOGEE_PIXMASK, data release 12 and after. Bits that
are set on large parts of a detector and only warn (8 to 11, 13) leave a pixel usable.
"""

BAD_BITS = sum(1 << bit for bit, (_, bad, _) in PIXEL_MASK.items() if bad)
"""The unusable bits of :data:`PIXEL_MASK` as one integer."""

HUGE_ERROR = 1e9
"""Errors from here on mean "no information"; the pipelines write 1e10 and above."""

LARGEST_FILE = 500_000_000
"""Bytes; ten times an apStar file of a hundred visits."""

_RELEASES = {
    "r3": "DR10",
    "r4": "DR11",
    "r5": "DR12",
    "r6": "DR13",
    "r8": "DR14",
    "r12": "DR16",
    "dr17": "DR17",
}


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
    content, name = _content(source, name)
    with warnings.catch_warnings():
        # Damaged files warn and then fail in many ways; what is wrong is found below.
        warnings.simplefilter("ignore")
        try:
            hdus = fits.open(io.BytesIO(content), memmap=False, lazy_load_hdus=False)
        except (OSError, ValueError, TypeError, KeyError, IndexError) as problem:
            raise _truncated(name) from problem
        with hdus:
            try:
                return _read(hdus, len(content), name)
            except SpectrumError:
                raise
            except Exception as problem:
                # Headers are parsed when first asked for, and one damaged byte in them
                # surfaces as any kind of error.
                raise SpectrumError(
                    f"{name} is damaged: its FITS headers or tables cannot be read. Download it "
                    "again."
                ) from problem


def _content(source: str | Path | bytes | BinaryIO, name: str) -> tuple[bytes, str]:
    """Return the bytes of a FITS file, decompressed, and the file's name."""
    if isinstance(source, str | Path):
        path = Path(source)
        name = name or path.name
        if not path.exists():
            raise SpectrumError(f"There is no file {path}.")
        if path.is_dir():
            raise SpectrumError(f"Expected an apStar FITS file; {path} is a folder.")
        with path.open("rb") as file:
            return _content(file, name)
    name = name or "the file"
    if isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source)
    else:
        content = source.read(LARGEST_FILE + 1)
    if content[:2] == b"\x1f\x8b":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
                content = packed.read(LARGEST_FILE + 1)
        except (OSError, EOFError) as problem:
            raise _truncated(name) from problem
    if len(content) > LARGEST_FILE:
        raise SpectrumError(
            f"{name} is larger than {LARGEST_FILE // 10**6} MB; apStar files are below 100 MB."
        )
    if not content:
        raise SpectrumError(f"{name} is empty; expected an apStar FITS file.")
    if not content.startswith(b"SIMPLE  ="):
        raise SpectrumError(
            f"{name} is not a FITS file; expected an apStar FITS file as released by SDSS."
        )
    return content, name


def _truncated(name: str) -> SpectrumError:
    return SpectrumError(
        f"{name} is truncated or damaged: its FITS structure ends too early. Download it again."
    )


def _read(hdus: fits.HDUList, size: int, name: str) -> ApStar:
    ends = [info["datLoc"] + info["datSpan"] for hdu in hdus if (info := hdu.fileinfo())]
    if max(ends) > size:
        raise _truncated(name)
    if len(hdus) < 4 and size > max(ends):
        raise _truncated(name)  # bytes after the last readable HDU: a header is cut
    _require_apstar(hdus, name)
    header = hdus[0].header
    flux, error, mask = (_rows(hdus[i].data) for i in (1, 2, 3))
    n_rows = len(flux)
    good = _good(flux, error, mask)

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
    snr = _number(header, "SNR")
    table, visit_snr = _visit_snr(hdus, header, len(files))
    if not table:
        notes.append("The file has no table of radial velocities.")
    row_snr = [snr if v == 0 else visit_snr[v - 1] for v in visit]
    row_file = ["" if v == 0 else files[v - 1] for v in visit]
    star = str(header.get("OBJID", "")).strip() or _star_in(name)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ivar = np.where(good, 1.0 / error**2, 0.0)
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
        release=_release(files, name),
        telescope=str(header.get("TELESCOP", "")).strip(),
        vhelio=_number(header, "VHELIO"),
        rv_template_teff=_number(header, "RVTEFF", "RV_TEFF"),
        rv_template_logg=_number(header, "RVLOGG", "RV_LOGG", largest=10),
        rv_template_feh=_number(header, "RVFEH", "RV_FEH", largest=10),
        notes=tuple(notes),
        name=name,
    )


def _rows(data: NDArray[Any]) -> NDArray[Any]:
    """Return an image as rows in the machine's byte order; floats become float64."""
    rows = np.atleast_2d(data)
    return rows.astype(np.float64 if rows.dtype.kind == "f" else np.int64)


def _good(
    flux: NDArray[np.float64], error: NDArray[np.float64], mask: NDArray[np.int64]
) -> NDArray[np.bool_]:
    on_chip = np.zeros(APSTAR_GRID.n_pixels, bool)
    on_chip[APSTAR_GRID.chip_pixels] = True
    good: NDArray[np.bool_] = (
        on_chip
        & np.isfinite(flux)
        & (flux != 0)
        & np.isfinite(error)
        & (error > 0)
        & (error < HUGE_ERROR)
        & ((mask & BAD_BITS) == 0)
    )
    return good


def _number(header: fits.Header, *keys: str, largest: float = 99_000) -> float:
    """Return the first of some header values that is a number, not a filler; else NaN."""
    for key in keys:
        value = header.get(key)
        if isinstance(value, int | float) and np.isfinite(value) and -9999 < value < largest:
            return float(value)
    return float("nan")


def _integer(header: fits.Header, key: str, default: int) -> int:
    value = _number(header, key)
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
        value = _number(header, f"SNRVIS{i + 1}")
        if not value > 0 and i < column.size:
            value = float(column[i])
        out.append(value if value > 0 else float("nan"))
    return table, out


def _release(files: list[str], name: str) -> str:
    for text in (*files, name):
        found = re.match(r"(?:ap|as)(?:Visit|Star)-(r\d+|dr\d+)-", text)
        if found:
            return _RELEASES.get(found.group(1), "")
    return ""


def _star_in(name: str) -> str:
    found = re.search(r"(?:2M|AP)\d{8}[+-]\d{7}", name)
    return found.group(0) if found else name


def _require_apstar(hdus: fits.HDUList, name: str) -> None:
    """Raise a SpectrumError that says what the file is, unless it is an apStar file."""
    n_pixels = APSTAR_GRID.n_pixels
    other = _other_product(hdus)
    if other:
        raise SpectrumError(
            f"Expected an apStar file; {name} seems to be {other}. Open the apStar file of the "
            "same star instead."
        )
    if len(hdus) < 4:
        raise SpectrumError(
            f"Expected flux, error and mask in HDU 1 to 3 of an apStar file; {name} ends after "
            f"HDU {len(hdus) - 1}. It may be truncated."
        )
    shapes = []
    for i, what in ((1, "flux"), (2, "error"), (3, "mask")):
        hdu = hdus[i]
        if not hdu.is_image or not hdu.header.get("NAXIS"):
            found = "a table" if not hdu.is_image else "empty"
            raise SpectrumError(
                f"Expected an image of the {what} in HDU {i} of an apStar file; in {name} it is "
                f"{found}."
            )
        shapes.append(hdu.shape)
    header = hdus[1].header
    if shapes[0][-1] != n_pixels or len(shapes[0]) > 2:
        raise SpectrumError(
            f"Expected {n_pixels} pixels per spectrum, as in apStar files; {name} has an image of "
            f"shape {shapes[0]}{_origin(hdus)}."
        )
    if len(set(shapes)) > 1:
        raise SpectrumError(
            f"Expected flux, error and mask of one shape; {name} has {', '.join(map(str, shapes))}."
        )
    if hdus[3].header["BITPIX"] < 0:
        raise SpectrumError(
            f"Expected a mask of integers in HDU 3 of an apStar file; {name} has floats there."
        )
    grid = {}
    for key, want in (("CRVAL1", 4.179), ("CDELT1", 6e-6)):
        value = header.get(key, hdus[0].header.get(key))
        if not isinstance(value, int | float):
            raise SpectrumError(
                f"{name} does not say which wavelengths it has: {key} is missing from its headers."
            )
        grid[key] = (float(value), want)
    reference = float(header.get("CRPIX1", hdus[0].header.get("CRPIX1", 1)))
    start = grid["CRVAL1"][0] + (1 - reference) * grid["CDELT1"][0]
    # A hundredth of a pixel at either end of the spectrum.
    last = start + grid["CDELT1"][0] * (n_pixels - 1)
    if abs(start - 4.179) > 6e-8 or abs(last - (4.179 + 6e-6 * (n_pixels - 1))) > 6e-8:
        raise SpectrumError(
            "Expected the apStar wavelengths (CRVAL1 4.179, CDELT1 6e-06, log10 of angstrom); "
            f"{name} has CRVAL1 {grid['CRVAL1'][0]:g}, CDELT1 {grid['CDELT1'][0]:g}. Resample the "
            "spectrum to the apStar grid first."
        )


def _origin(hdus: fits.HDUList) -> str:
    """Name the survey or telescope that headers give, as ``(SURVEY GALAH)``; else empty."""
    for hdu in hdus[:2]:
        for key in ("SURVEY", "TELESCOP", "INSTRUME", "ORIGIN"):
            value = str(hdu.header.get(key, "")).strip()
            if value:
                return f" ({key} {value})"
    return ""


def _other_product(hdus: fits.HDUList) -> str:
    """Say which product the file seems to be, or return an empty text if maybe apStar."""
    first = hdus[0].header
    origin = _origin(hdus)
    names = {hdu.name.upper() for hdu in hdus[1:]}
    columns = [
        {c.upper() for c in hdu.columns.names} if isinstance(hdu, fits.BinTableHDU) else set()
        for hdu in hdus
    ]
    if any({"FPARAM", "PARAM"} <= c for c in columns[2:]) or "FERRE" in first:
        return "an aspcapStar file (normalised flux and its best fit)"
    if {"BOSS/APO", "APOGEE/APO"} & names:
        return "an SDSS-V mwmStar or mwmVisit file"
    if len(columns) > 1 and {"FLUX", "LOGLAM"} <= columns[1]:
        return f"an optical SDSS spectrum (spec file){origin}"
    if len(columns) > 1 and {"APOGEE_ID", "VHELIO_AVG"} <= columns[1]:
        return "an allStar catalogue (a table of stars, no spectra)"
    if len(columns) > 1 and {"APOGEE_ID", "VHELIO"} <= columns[1]:
        return "an allVisit catalogue (a table of visits, no spectra)"
    shape: tuple[int, ...] = hdus[1].shape if len(hdus) > 1 and hdus[1].is_image else ()
    if len(shape) == 2 and shape[0] == 3 and shape[1] in (2048, 4096):
        return "an apVisit file (one visit, by detector, not at rest)"
    telescope = str(first.get("TELESCOP", "")).upper()
    if "LAMOST" in telescope:
        return "a LAMOST spectrum"
    if first.get("NAXIS", 0) > 0:
        axes = "x".join(str(first.get(f"NAXIS{i + 1}")) for i in range(first["NAXIS"]))
        return f"another product: its first HDU is an image of {axes} pixels{origin}"
    if len(hdus) > 1 and isinstance(hdus[1], fits.BinTableHDU):
        some = ", ".join(hdus[1].columns.names[:4])
        return f"another product: HDU 1 is a table with columns {some}{origin}"
    return ""

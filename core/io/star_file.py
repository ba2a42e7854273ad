"""Read a star from a file of any format that is known, told by its content.

The formats are those that the modules of this package register with
:data:`~spectrabridge.core.io.star_formats.STAR_FORMATS`.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from astropy.io import fits

from ..errors import SpectrumError
from . import apstar
from .astrastar import without_observation
from .fits_file import FITS_START, LARGEST_FILE, product_of, read_bytes, read_fits
from .hdf5_arrays import HDF5_START, is_hdf5
from .resolution import resolved
from .spectra_store import is_store
from .star_formats import STAR_FORMATS, OpenFile, ReadingOptions, StarFile, check_options
from .whole_star import on_apstar

__all__ = ["StarFile", "on_apstar", "read_star", "readable"]


def readable() -> str:
    """Return what :func:`read_star` reads, for messages.

    Examples
    --------
    >>> "apVisit FITS files of APOGEE" in readable()
    True
    """
    titles = [f.title for f in STAR_FORMATS]
    return f"{'; '.join(titles[:-1])}; and {titles[-1]}"


def read_star(
    source: str | Path | bytes | BinaryIO,
    name: str = "",
    *,
    unit: str | None = None,
    medium: str | None = None,
    rv_kms: float | None = None,
    resolution: float | None = None,
    bad_bits: int | None = None,
) -> StarFile:
    """Read a star from a file, whatever its format.

    Parameters
    ----------
    source : path, bytes or binary file
        The file, its content, or an open file that is read to its end and not closed.
        The format is told by the content, not by the name.
    name : str, optional
        What to call the file in messages; the file's own name if not given.
    unit : {"angstrom", "nm", "um"}, optional
        Unit of the wavelengths of a file that does not say it.
    medium : {"vacuum", "air"}, optional
        Medium of the wavelengths of a file that does not say it.
    rv_kms : float, optional
        Velocity in km/s to take out of the wavelengths of a table or of arrays, or of an apVisit
        file instead of its own. The other formats are at rest already.
    resolution : float, optional
        Resolution of the spectra if it is higher than that of APOGEE, 22,500, to which they are
        broadened, and the file does not state it.
    bad_bits : int, optional
        Bits of the pixel mask that make a pixel unusable, as one integer, for apStar, apVisit and
        mwmStar files; :data:`~spectrabridge.core.io.pixel_mask.BAD_BITS` if not given.

    Returns
    -------
    StarFile
        All formats alike.

    Raises
    ------
    SpectrumError
        If the file cannot be read, is of no known format, has no usable pixel, or an option does
        not apply to it.

    Examples
    --------
    >>> from spectrabridge.core.io import example_apstar
    >>> star = read_star(example_apstar())
    >>> star.format, star.star
    ('apStar', '2M19485057+5005279')
    """
    options = ReadingOptions(unit, medium, rv_kms, resolution, bad_bits)
    if isinstance(source, str | Path):
        path = Path(source)
        if is_store(path) or is_hdf5(path):
            return _read(OpenFile(name or path.name, path=path), options)
    content, name = read_bytes(source, name, "a file with a spectrum", LARGEST_FILE)
    if content.startswith(FITS_START):
        return read_fits(
            content,
            lambda hdus, name: _read_fits(hdus, name, options),
            name,
            "apStar",
            LARGEST_FILE,
        )
    if content.startswith(HDF5_START):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "spectra.h5"
            path.write_bytes(content)
            return _read(OpenFile(name, path=path), options)
    return _read(OpenFile(name, content), options)


def _read_fits(hdus: fits.HDUList, name: str, options: ReadingOptions) -> StarFile:
    file = OpenFile(name, hdus=hdus)
    if STAR_FORMATS.identify(file) is None:
        kind, words = product_of(hdus)
        if kind == "astraStar":
            raise without_observation(hdus, name)
        if words:
            raise SpectrumError(
                f"{name} seems to be {words}. Files that are read are {readable()}."
            )
        # What it lacks to be an apStar file is told by the reader.
        apstar.require_apstar(hdus, name)
    return _read(file, options)


def _read(file: OpenFile, options: ReadingOptions) -> StarFile:
    """Return the star of an opened file, by the loader of its format."""
    found = STAR_FORMATS.identify(file)
    if found is None:
        # In few words: the message stands in a narrow panel. The Fit page and the manual have more.
        kinds = ", ".join(f.name for f in STAR_FORMATS)
        raise SpectrumError(f"{file.name} is none of the files that are read: {kinds}.")
    check_options(found, file.name, options)
    star = found.load(file, options)
    spectra, notes = resolved(star.spectra, options.resolution, file.name)
    return replace(star, spectra=spectra, notes=(*star.notes, *notes))

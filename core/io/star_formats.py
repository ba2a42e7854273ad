"""What readers of stars take and give, and the registry of their formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..spectra.spectra import Spectra
from ..spectra.wavelength import SPEED_OF_LIGHT, UNITS
from .registry import Format, Registry


@dataclass(frozen=True)
class ReadingOptions:
    """What a person says about a file that the file does not.

    Parameters
    ----------
    unit : {"angstrom", "nm", "um"}, optional
        Unit of the wavelengths.
    medium : {"vacuum", "air"}, optional
        Medium of the wavelengths.
    rv_kms : float, optional
        Velocity in km/s to take out of the wavelengths.
    resolution : float, optional
        Resolution of the spectra, wavelength over full width at half maximum.
    bad_bits : int, optional
        Bits of APOGEE's pixel mask that make a pixel unusable, as one integer.

    Raises
    ------
    SpectrumError
        If a value is none of these.
    """

    unit: str | None = None
    medium: str | None = None
    rv_kms: float | None = None
    resolution: float | None = None
    bad_bits: int | None = None

    def __post_init__(self) -> None:
        if self.unit is not None and self.unit not in UNITS:
            raise SpectrumError(f"Wavelength units are {', '.join(UNITS)}; found {self.unit!r}.")
        if self.medium not in (None, "vacuum", "air"):
            raise SpectrumError(f"The medium is 'vacuum' or 'air'; found {self.medium!r}.")
        rv = self.rv_kms
        if rv is not None and not (np.isfinite(rv) and abs(rv) < SPEED_OF_LIGHT):
            raise SpectrumError(f"Expected a velocity in km/s; found {rv}.")
        if self.resolution is not None and not 1000 <= self.resolution <= 1e7:
            raise SpectrumError(
                "Expected a resolution, wavelength over width, of 1000 or more; found "
                f"{self.resolution:g}."
            )


@dataclass(frozen=True)
class StarFile:
    """A star as a file of any format has it.

    Parameters
    ----------
    name : str
        Name of the file.
    star : str
        Name of the star.
    format : str
        Name of a format of :data:`STAR_FORMATS`.
    spectra : Spectra
        On the apStar grid, at rest; the first row is the one to fit. The flux is not
        normalised unless ``provenance["continuum"]`` says so: ``"aspcap"`` for
        aspcapStar files.
    model : ndarray or None, shape ``(8575,)``
        The survey's best fit to the first row, NaN where it has none.
    labels : dict
        The survey's calibrated labels, NaN where unknown; empty if the file has none.
    notes : tuple of str
        What a user should know about the file, one sentence each.
    is_set : bool
        Whether the rows are stars of their own, not further spectra of the first.
    """

    name: str
    star: str
    format: str
    spectra: Spectra
    model: NDArray[np.float64] | None = None
    labels: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    is_set: bool = False


@dataclass(frozen=True)
class OpenFile:
    """A file whose format is to be told.

    Parameters
    ----------
    name : str
        What to call it in messages.
    content : bytes
        What is in it, unpacked; empty for a folder or a file that is read in parts.
    path : Path, optional
        Where it is, if it is read in parts.
    hdus : HDUList, optional
        The opened FITS file, if it is one.
    """

    name: str
    content: bytes = b""
    path: Path | None = None
    hdus: fits.HDUList | None = None


STAR_FORMATS: Registry[OpenFile, StarFile] = Registry(__package__)
"""Formats of files with stars. A loader is called with the file and the options."""


def check_options(found: Format[OpenFile, StarFile], name: str, options: ReadingOptions) -> None:
    """Raise a SpectrumError if an option does not apply to a format.

    An option that says what all files of the format have is no contradiction.
    """
    for option in fields(options):
        value = getattr(options, option.name)
        if value is None or option.name in found.options:
            continue
        if str(found.stated.get(option.name)) == str(value):
            continue
        if option.name == "bad_bits":
            raise SpectrumError(
                f"{name} is of the format {found.name}, which has no pixel mask of APOGEE; bits of "
                "it cannot be given. Leave that option away, or read this file apart."
            )
        what = {"rv_kms": "a velocity"}.get(option.name, f"the {option.name} {value}")
        stated = ", ".join(f"{k} {v}" for k, v in found.stated.items())
        raise SpectrumError(
            f"{name} is of the format {found.name}, which states {stated} of its wavelengths; "
            f"{what} cannot be given for it. Leave that option away, or read this file apart."
        )

"""Errors and masks of real combined spectra, to observe other spectra with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..files import understood
from ..files.hdf5 import open_hdf5
from ..spectra.wavelength import APOGEE_GRID, WavelengthGrid


@dataclass(frozen=True)
class SurveyErrors:
    """How errors and bad pixels of real combined spectra are spread over the detectors.

    Parameters
    ----------
    profile : array, shape ``(n_pixels,)``
        Error of a pixel relative to the star's median error.
    good : array of bool, shape ``(n_masks, n_pixels)``
        Usable pixels of real spectra.
    """

    profile: NDArray[np.float32]
    good: NDArray[np.bool_]


def read_survey_errors(
    path: str | Path, grid: WavelengthGrid = APOGEE_GRID, most_bad: float = 0.2
) -> SurveyErrors:
    """Read errors and masks of the combined real spectra of the data pack.

    Parameters
    ----------
    path : path
        HDF5 file with ``err``, ``good`` (n, 8575) and ``kind`` (n,).
    grid : WavelengthGrid
        Pixels to keep; a part of the apStar grid.
    most_bad : float
        Spectra with a larger part of bad pixels are not used.

    Raises
    ------
    SpectrumError
        If the file is another one.
    """
    what = "a set of real APOGEE spectra with err, good and kind"
    with open_hdf5(path, what=what) as file, understood(path, what):
        rows = np.flatnonzero(file["kind"].asstr()[:] == "apStar_coadd")
        wavelength = np.asarray(file["wavelength"])
        pixels = np.searchsorted(wavelength, grid.wavelength - 0.01)
        err = np.asarray(file["err"][rows])[:, pixels]
        good = np.asarray(file["good"][rows])[:, pixels].astype(bool)
    usable = 1 - good.mean(axis=1) <= most_bad
    if not usable.any():
        raise SpectrumError(f"{path}: every combined spectrum has over {most_bad:.0%} bad pixels.")
    err, good = err[usable], good[usable]
    masked = np.ma.masked_where(~good, err)
    relative = masked / np.ma.median(masked, axis=1)[:, None]
    profile = np.ma.median(relative, axis=0).filled(1.0)
    return SurveyErrors(np.clip(profile, 0.5, 3.0).astype(np.float32), good)

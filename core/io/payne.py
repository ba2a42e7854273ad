"""Read npz files of spectra as The Payne and its relatives keep them.

The arrays go by many names. Spectra of 7214 or 8575 pixels without wavelengths are on
the pixels of the apStar grid, on its detectors or all of them. Without names, 25 labels
are those of Ting et al. (2019, ApJ 879, 69) in their order, which is that of
:data:`~spectrabridge.core.labels.APOGEE_LABELS`.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..labels.label_set import APOGEE_LABELS
from ..spectra.resample import resample
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APOGEE_GRID, APSTAR_GRID, WavelengthGrid
from .fits_file import LARGEST_FILE, read_bytes

ZIP = b"PK\x03\x04"
"""How an npz file starts."""

FLUX_NAMES = ("spectra", "flux", "spec", "spectrum", "fluxes", "norm_flux")
ERROR_NAMES = (
    *("spec_err", "spectra_err", "err", "error", "errors", "flux_err", "uncertainty"),
    *("uncertainties", "sigma", "spectra_uncertainty"),
)
IVAR_NAMES = ("ivar", "flux_ivar", "inverse_variance", "invvar")
WAVELENGTH_NAMES = ("wavelength", "wavelengths", "wave", "lambda")
ID_NAMES = ("ids", "id", "star_id", "star_ids", "names", "apogee_id")

SMALLEST_ERROR = 0.005
"""Part of the continuum that is assumed for the error of spectra that come without."""

HUGE_ERROR = 100.0
"""Errors from here on, in units of the median flux, mark bad pixels; The Payne writes 999."""

UNKNOWN = -999.0
"""Labels from here down mean "not known"."""


LARGEST_ARRAYS = 4_000_000_000
"""Bytes of all arrays of a file, unpacked."""

_DAMAGE = (
    *(OSError, EOFError, ValueError, KeyError, MemoryError, SyntaxError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


def is_payne(content: bytes) -> bool:
    """Tell whether content is a zip archive that holds an array of spectra."""
    if not content.startswith(ZIP):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(f"{name}.npy" in archive.namelist() for name in FLUX_NAMES)
    except zipfile.BadZipFile:
        return False


def read_payne(
    source: str | Path | bytes | BinaryIO, name: str = "", *, grid: WavelengthGrid | None = None
) -> Spectra:
    """Read an npz file of spectra.

    Parameters
    ----------
    source : path, bytes or binary file
        Arrays: ``spectra`` (or ``flux``, ``spec``) of shape ``(n, n_pixels)`` or
        ``(n_pixels,)``; if given ``wavelength`` ``(n_pixels,)`` in vacuum angstrom at
        rest, ``spec_err`` (or ``err``, ``uncertainty``, ...) or ``ivar``, ``labels`` ``(n,
        n_labels)`` or its transpose with ``label_names``, and ``ids``. Arrays of Python
        objects are refused.
    name : str, optional
        What to call the file in messages; the file's own name if not given.
    grid : WavelengthGrid, optional
        The grid to resample to. If not given, spectra stay on the apStar grid, all of it
        or its detectors, if they are on it, and else are resampled to all of it.

    Returns
    -------
    Spectra
        Labels are those of APOGEE_LABELS, NaN where unknown, if the file has any.
        ``provenance["notes"]`` has a sentence on everything that was assumed.

    Raises
    ------
    SpectrumError
        If the file cannot be read, arrays are missing or do not fit, or wavelengths are
        unknown or do not increase.
    """
    content, name = read_bytes(source, name, "an npz file of spectra", LARGEST_FILE)
    arrays = _arrays(content, name)
    notes: list[str] = []
    flux_name = _first(arrays, FLUX_NAMES)
    if not flux_name:
        raise SpectrumError(
            f"Expected an array of {', '.join(FLUX_NAMES[:3])} in {name}, with wavelength and "
            f"spec_err; found {', '.join(sorted(arrays)[:8]) or 'none'}."
        )
    flux: NDArray[Any] = np.atleast_2d(_numbers(arrays, flux_name, name))
    if flux.ndim != 2 or not flux.size:
        raise SpectrumError(
            f"Expected {flux_name} of shape (n, n_pixels) in {name}; found {flux.shape}."
        )
    ivar = _ivar(arrays, flux, name, notes)
    if not (ivar > 0).any():
        raise SpectrumError(
            f"{name} has no usable pixel: all flux is not finite or has no usable error."
        )
    wavelength = _wavelength(arrays, flux.shape[1], name, notes)
    if wavelength[0] > wavelength[-1]:
        wavelength, flux, ivar = wavelength[::-1], flux[:, ::-1], ivar[:, ::-1]
    own = next((g for g in (APOGEE_GRID, APSTAR_GRID) if _same(wavelength, g)), None)
    target = grid or own or APSTAR_GRID
    if own is None or target != own:
        _require_range(wavelength, target, name)
        flux, ivar = resample(wavelength, flux, ivar, target)
        notes.append(f"The spectra were resampled to {target!r}.")
    off = np.ones(target.n_pixels, bool)
    off[target.chip_pixels] = False
    labels = _labels(arrays, len(flux), name, notes)
    ids_name = _first(arrays, ID_NAMES)
    ids = tuple(str(i) for i in np.ravel(arrays[ids_name])) if ids_name else ()
    if ids and len(ids) != len(flux):
        raise SpectrumError(
            f"Expected {len(flux)} names in {ids_name} of {name}, one per spectrum; found "
            f"{len(ids)}."
        )
    used: NDArray[Any] = np.where(off, 0, ivar)
    return Spectra(
        target,
        flux,
        used,
        ids,
        labels,
        None if labels is None else APOGEE_LABELS,
        provenance={"file": name, "product": "npz", "notes": notes},
    )


def _arrays(content: bytes, name: str) -> dict[str, NDArray]:
    if not content.startswith(ZIP):
        raise SpectrumError(f"{name} is not an npz file; expected spectra written by numpy.savez.")
    out: dict[str, NDArray] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST_ARRAYS:
            raise SpectrumError(
                f"The arrays in {name} take {size / 1e9:.1f} GB; at most "
                f"{LARGEST_ARRAYS / 1e9:g} GB are read at once. Split the file, or write it with "
                "SpectraFile, which is read in parts."
            )
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            wanted = {*FLUX_NAMES, *ERROR_NAMES, *IVAR_NAMES, *WAVELENGTH_NAMES, *ID_NAMES}
            wanted |= {"labels", "label_names", "mask"}
            for key in file.files:
                if key in wanted:
                    try:
                        out[key] = file[key]
                    except ValueError as problem:
                        if "pickle" not in str(problem) and "bject" not in str(problem):
                            raise
                        raise SpectrumError(
                            f"Array {key} of {name} holds Python objects, which are not read "
                            "because loading them can run code. Save it as numbers or plain text."
                        ) from problem
                else:
                    out.setdefault(key, np.zeros(0))
    except _DAMAGE as problem:
        raise SpectrumError(
            f"{name} is truncated or damaged: it cannot be read as an npz file. Download or make "
            "it again."
        ) from problem
    return out


def _first(arrays: dict[str, NDArray], names: tuple[str, ...]) -> str:
    return next((n for n in names if n in arrays), "")


def _numbers(arrays: dict[str, NDArray], key: str, name: str) -> NDArray[np.float64]:
    values = arrays[key]
    if values.dtype.kind not in "fiub":
        raise SpectrumError(f"Expected numbers in {key} of {name}; found {values.dtype}.")
    return values.astype(np.float64)


def _ivar(
    arrays: dict[str, NDArray], flux: NDArray[np.float64], name: str, notes: list[str]
) -> NDArray[np.float64]:
    key = _first(arrays, IVAR_NAMES) or _first(arrays, ERROR_NAMES)
    good = np.isfinite(flux)
    if "mask" in arrays:
        mask = np.atleast_2d(_numbers(arrays, "mask", name))
        if mask.shape[-1:] != flux.shape[-1:] or len(mask) not in (1, len(flux)):
            raise SpectrumError(
                f"Expected mask of the shape of the spectra, {flux.shape}, in {name}; found "
                f"{mask.shape}."
            )
        # Some mark good pixels, some bad ones; most pixels of a useful spectrum are good.
        usual = float((mask != 0).mean() > 0.5)
        good &= (mask != 0) == bool(usual)
        notes.append(
            f"The mask of {name} is {usual:g} at most pixels; these were taken for the good ones."
        )
    middle = float(np.median(np.abs(flux[good]))) if good.any() else 1.0
    if not key:
        notes.append(
            f"{name} has no errors; {SMALLEST_ERROR:g} of the median flux is assumed for all of "
            "its pixels."
        )
        return np.where(good, (SMALLEST_ERROR * (middle or 1.0)) ** -2, 0.0)
    values = np.atleast_2d(_numbers(arrays, key, name))
    if values.shape != flux.shape:
        raise SpectrumError(
            f"Expected {key} of the shape of the spectra, {flux.shape}, in {name}; found "
            f"{values.shape}."
        )
    negative = int((values[good] < 0).sum())
    if negative:
        raise SpectrumError(
            f"Errors must not be negative; found {negative} in {key} of {name}. Mark such pixels "
            "with a large error."
        )
    good &= np.isfinite(values) & (values > 0)
    if key in IVAR_NAMES:
        return np.where(good, values, 0.0)
    good &= values < HUGE_ERROR * middle
    return np.where(good, np.where(good, values, 1.0) ** -2.0, 0.0)


def _wavelength(
    arrays: dict[str, NDArray], n: int, name: str, notes: list[str]
) -> NDArray[np.float64]:
    key = _first(arrays, WAVELENGTH_NAMES)
    if not key:
        grid = {g.n_pixels: g for g in (APOGEE_GRID, APSTAR_GRID)}.get(n)
        if grid is None:
            raise SpectrumError(
                f"Expected an array wavelength in {name}, or spectra of 7214 or 8575 pixels; found "
                f"{n} pixels and {', '.join(sorted(arrays)[:8])}."
            )
        notes.append(
            f"{name} does not say its wavelengths; its {n} pixels were taken for those of the "
            "apStar grid."
        )
        return grid.wavelength
    values = _numbers(arrays, key, name)
    if values.ndim == 2 and (values == values[:1]).all():
        values = values[0]
    if values.shape != (n,):
        raise SpectrumError(
            f"Expected {key} of shape ({n},) in {name}, one per pixel; found {values.shape}."
        )
    step = np.diff(values)
    if n < 2 or not np.isfinite(values).all() or not ((step > 0).all() or (step < 0).all()):
        raise SpectrumError(f"Expected wavelengths in {name} that increase from pixel to pixel.")
    return values


def _same(wavelength: NDArray[np.float64], grid: WavelengthGrid) -> bool:
    """Tell whether wavelengths are a grid's, to a hundredth of a pixel."""
    return wavelength.shape == grid.wavelength.shape and bool(
        np.abs(wavelength - grid.wavelength).max() <= 0.002
    )


def _require_range(wavelength: NDArray[np.float64], grid: WavelengthGrid, name: str) -> None:
    low, high = grid.wavelength[[0, -1]]
    inside = (wavelength >= low) & (wavelength <= high)
    if inside.sum() < 2:
        raise SpectrumError(
            f"Expected wavelengths in vacuum angstrom within {low:.0f} to {high:.0f} in {name}; "
            f"found {wavelength.min():g} to {wavelength.max():g}. Convert the unit first."
        )


def _labels(
    arrays: dict[str, NDArray], n: int, name: str, notes: list[str]
) -> NDArray[np.float64] | None:
    """Return the labels in the order of ours, NaN where unknown; None if there are none."""
    if "labels" not in arrays or arrays["labels"].dtype.kind not in "fiu":
        return None
    values = np.atleast_2d(arrays["labels"].astype(np.float64))
    names = [str(k) for k in np.ravel(arrays["label_names"])] if "label_names" in arrays else []
    k = len(names) or len(APOGEE_LABELS)
    if values.shape == (k, n) and k != n:
        values = values.T
    if values.shape != (n, k):
        notes.append(
            f"The labels of {name} have shape {values.shape}, not one row for each of {n} spectra "
            f"and {k} columns; they are ignored."
        )
        return None
    if not names:
        names = list(APOGEE_LABELS.names)
        notes.append(f"{name} does not name its labels; the 25 of Ting et al. 2019 were assumed.")
    out = np.full((n, len(APOGEE_LABELS)), np.nan)
    for i, label in enumerate(names):
        if label in APOGEE_LABELS:
            out[:, APOGEE_LABELS.index(label)] = values[:, i]
    ignored = [label for label in names if label not in APOGEE_LABELS]
    if ignored:
        notes.append(f"Labels {', '.join(ignored[:8])} of {name} are ignored.")
    out[~np.isfinite(out) | (out <= UNKNOWN)] = np.nan
    teff = out[:, APOGEE_LABELS.index("teff")]
    if np.isfinite(teff).any() and 2 <= float(np.nanmedian(teff)) <= 50:
        teff *= 1000
        notes.append(f"T_eff in {name} is in 1000 K; it was converted to kelvin.")
    return out if np.isfinite(out).any() else None

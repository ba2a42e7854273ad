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
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..files.npz import open_npz, read_array
from ..labels.label_set import APOGEE_LABELS
from ..spectra.spectra import Spectra
from ..spectra.wavelength import WavelengthGrid
from .columns import Columns, role_of
from .fits_file import LARGEST_FILE, read_bytes
from .names import texts_of
from .spectrum_columns import read_columns
from .star_formats import STAR_FORMATS, OpenFile, ReadingOptions, StarFile
from .whole_star import plain_star

ZIP = b"PK\x03\x04"
"""How an npz file starts."""

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
            return any(role_of(name.removesuffix(".npy")) == "flux" for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def read_payne(
    source: str | Path | bytes | BinaryIO,
    name: str = "",
    *,
    grid: WavelengthGrid | None = None,
    options: ReadingOptions | None = None,
) -> Spectra:
    """Read an npz file of spectra.

    Parameters
    ----------
    source : path, bytes or binary file
        Arrays: ``spectra`` (or ``flux``, ``spec``) of shape ``(n, n_pixels)`` or
        ``(n_pixels,)``; if given ``wavelength`` ``(n_pixels,)``, ``spec_err`` (or ``err``,
        ``variance``, ...) or ``ivar``, a mask, ``labels`` ``(n, n_labels)`` or its transpose with
        ``label_names``, and ``ids``. Arrays of Python objects are refused.
    name : str, optional
        What to call the file in messages; the file's own name if not given.
    grid : WavelengthGrid, optional
        The grid to resample to. If not given, spectra stay on the apStar grid, all of it
        or its detectors, if they are on it, and else are resampled to all of it.
    options : ReadingOptions, optional
        What the file does not say of its wavelengths.

    Returns
    -------
    Spectra
        Labels are those of APOGEE_LABELS, NaN where unknown, if the file has any.
        ``provenance["notes"]`` has a sentence on everything that was assumed.

    Raises
    ------
    SpectrumError
        If the file cannot be read, arrays are missing or do not fit, or wavelengths are
        unknown or not in order.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> file = io.BytesIO()
    >>> np.savez(file, spectra=np.ones((2, 7214)), spec_err=np.full((2, 7214), 0.01))
    >>> spectra = read_payne(file.getvalue(), "stars.npz")
    >>> spectra.ids
    ('stars.npz row 0', 'stars.npz row 1')
    """
    content, name = read_bytes(source, name, "an npz file of spectra", LARGEST_FILE)
    arrays = _arrays(content, name)
    table = Columns(noun="array")
    for key, values in arrays.items():
        if key not in ("labels", "label_names"):
            table.add(key, values)
    if table.find("flux") is None:
        raise SpectrumError(
            f"Expected an array of spectra, flux, spec in {name}, with wavelength and spec_err; "
            f"found {', '.join(sorted(arrays)[:8]) or 'none'}."
        )
    table.meta = {
        k.lower(): str(v[()]) for k, v in arrays.items() if v.ndim == 0 and v.dtype.kind in "USbi"
    }
    spectra = read_columns(table, name, options, grid=grid, by_scatter=False)
    notes = list(spectra.provenance["notes"])
    labels = _labels(arrays, len(spectra), name, notes)
    return replace(
        spectra,
        labels=labels,
        label_set=None if labels is None else APOGEE_LABELS,
        provenance={**spectra.provenance, "product": "npz", "notes": notes},
    )


def _arrays(content: bytes, name: str) -> dict[str, NDArray]:
    if not content.startswith(ZIP):
        raise SpectrumError(f"{name} is not an npz file; expected spectra written by numpy.savez.")
    out: dict[str, NDArray] = {}
    with open_npz(content, name, max_bytes=LARGEST_ARRAYS) as file:
        for key in file.files:
            needed = role_of(key) is not None or key in ("labels", "label_names")
            try:
                out[key] = read_array(file, key, name)
            except SpectrumError as problem:
                if needed or "Python objects" not in str(problem):
                    raise
                out[key] = np.zeros(0)  # nothing that a spectrum needs
    return out


def _labels(
    arrays: dict[str, NDArray], n: int, name: str, notes: list[str]
) -> NDArray[np.float64] | None:
    """Return the labels in the order of ours, NaN where unknown; None if there are none."""
    if "labels" not in arrays or arrays["labels"].dtype.kind not in "fiu":
        return None
    values = np.atleast_2d(arrays["labels"].astype(np.float64))
    names = list(texts_of(arrays["label_names"])) if "label_names" in arrays else []
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


@STAR_FORMATS.register(
    "npz",
    "npz files with spectra",
    lambda file: file.content.startswith(ZIP),
    options=("unit", "medium", "rv_kms", "resolution"),
)
def _load(file: OpenFile, options: ReadingOptions) -> StarFile:
    spectra = read_payne(file.content, file.name, options=options)
    return plain_star("npz", file.name, spectra, is_set=True)

"""Which reader a grid needs, and what each is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import GridImportError
from ..labels.label_set import APOGEE_LABELS, LabelSet
from ..spectra.spectra import Spectra
from .columns import read_columns
from .conversion import ImportSettings, finish
from .cubes import read_cube
from .npz import read_payne_grid, read_payne_zero
from .raw_grid import RawGrid, require_file
from .text_folder import read_pykurucz, read_synspec, read_turbospectrum_spectra

Reader = Callable[..., RawGrid]

READERS: dict[str, tuple[str, Reader]] = {
    "payne": ("npz file of spectra and labels", read_payne_grid),
    "payne-zero": ("folder of npz files of Payne Zero", read_payne_zero),
    "turbospectrum": ("folder of Turbospectrum's .spec files", read_turbospectrum_spectra),
    "synspec": ("folder of Synspec or synple spectra: .7 with .17, or columns", read_synspec),
    "pykurucz": ("folder of pykurucz's .spec files", read_pykurucz),
    "fits-cube": ("FITS cube with axis keywords, as SDSS's spectral libraries", read_cube),
    "columns": ("HDF5, FITS or ECSV with a map of columns", read_columns),
}
"""What each format is, and its reader: (path, labels=table) to a :class:`RawGrid`."""


def import_grid(
    path: str | Path,
    format: str | None = None,
    settings: ImportSettings | None = None,
    *,
    table: str | Path | None = None,
    arrays: dict[str, str] | None = None,
    labels: LabelSet = APOGEE_LABELS,
) -> Spectra:
    """Read a grid of another code.

    Parameters
    ----------
    path : path
        File or folder.
    format : str, optional
        A key of :data:`READERS`; told from the path if not given, where that is possible.
    settings : ImportSettings, optional
        What the files do not say.
    table : path, optional
        Labels of a folder's files: a table with a column ``file``.
    arrays : dict, optional
        For ``columns``: names of ``wavelength``, ``flux`` and, if any, ``continuum``.
    labels : LabelSet
        Labels wanted.

    Returns
    -------
    Spectra
        See :func:`~spectrabridge.core.grid_import.finish.finish`.

    Raises
    ------
    GridImportError
        If the format is not known, or the grid cannot be taken over.
    LabelError
        If labels are missing.
    """
    path = require_file(path)
    format = format or _guessed(path)
    if format not in READERS:
        raise GridImportError(f"Formats are {', '.join(READERS)}; found {format!r}.")
    what, read = READERS[format]
    options: dict[str, object] = {}
    if format in ("payne-zero", "turbospectrum", "synspec", "pykurucz"):
        options["table"] = table
    elif table is not None:
        raise GridImportError(
            f"A table of labels goes with a folder of spectra, not with a {what}."
        )
    if format == "columns":
        options["arrays"] = arrays or {}
    raw = read(path, **options)
    return finish(raw, settings, labels, name=path.name, product=what)


def _guessed(path: Path) -> str:
    if path.is_dir():
        raise GridImportError(
            f"{path.name} is a folder; say whose spectra it holds: payne-zero, turbospectrum, "
            "synspec or pykurucz."
        )
    suffix = path.suffix.lower()
    guesses = {".npz": "payne", ".ecsv": "columns", ".h5": "columns", ".hdf5": "columns"}
    if suffix in guesses:
        return guesses[suffix]
    if suffix in (".fits", ".fit", ".gz"):
        return "fits-cube"
    raise GridImportError(
        f"The format of {path.name} cannot be told from its name; say which of "
        f"{', '.join(READERS)} it is."
    )

"""Read a grid of any format that a reader of this package registers."""

from __future__ import annotations

from pathlib import Path

from ..errors import GridImportError
from ..files import understood
from ..labels.label_set import APOGEE_LABELS, LabelSet
from ..spectra.spectra import Spectra
from .conversion import ImportSettings, finish
from .grid_formats import GRID_FORMATS
from .raw_grid import require_file


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
        A name of :data:`~.grid_formats.GRID_FORMATS`; told from the path if not given, where
        that is possible.
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
        See :func:`~spectrabridge.core.grid_import.conversion.finish`.

    Raises
    ------
    GridImportError
        If the format is not known, or the grid cannot be taken over.
    LabelError
        If labels are missing.
    """
    path = require_file(path)
    if format is None:
        known = GRID_FORMATS.identify(path)
        if known is None:
            raise _not_told(path)
    elif format in GRID_FORMATS:
        known = GRID_FORMATS[format]
    else:
        raise GridImportError(f"Formats are {', '.join(GRID_FORMATS.names)}; found {format!r}.")
    options: dict[str, object] = {}
    if "table" in known.options:
        options["table"] = table
    elif table is not None:
        raise GridImportError(
            f"A table of labels goes with a folder of spectra, not with a {known.title}."
        )
    if "arrays" in known.options:
        options["arrays"] = arrays or {}
    elif arrays:
        raise GridImportError(
            f"Names of arrays do not apply to a {known.title}. Leave them away, or give the "
            "format columns."
        )
    # Readers say what is wrong where they can tell; nothing else may come out of a file.
    with understood(path.name, f"a {known.title}", GridImportError):
        raw = known.load(path, **options)
    return finish(raw, settings, labels, name=path.name, product=known.title)


def _not_told(path: Path) -> GridImportError:
    """Return the error for a path whose format cannot be told."""
    if path.is_dir():
        return GridImportError(
            f"{path.name} is a folder; say whose spectra it holds: payne-zero, turbospectrum, "
            "synspec or pykurucz."
        )
    return GridImportError(
        f"The format of {path.name} cannot be told from its name; say which of "
        f"{', '.join(GRID_FORMATS.names)} it is."
    )

"""Stretches of wavelength that a fit uses, or leaves out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from ..errors import FitError
from ..files.tables import read_table
from ..io.cell_text import column_texts
from ..io.column_units import wavelength_unit
from ..io.columns import canonical
from ..io.table_formats import SUFFIXES
from ..spectra.wavelength import UNITS, WavelengthGrid, air_to_vacuum

Use = Literal["include", "exclude"]

MAX_WINDOWS = 10_000
"""Windows of a file; more are refused."""

_NAMES = {
    "use": ("use", "kind", "window", "what", "mode"),
    "low": ("from", "low", "start", "lower", "begin", "min", "wavelow", "wl1", "lambda1"),
    "high": ("to", "high", "stop", "upper", "end", "max", "wavehigh", "wl2", "lambda2"),
}


@dataclass(frozen=True)
class Window:
    """A stretch of wavelength in the rest frame of the star.

    Parameters
    ----------
    use : {"include", "exclude"}
        Whether its pixels are fitted. Where any window includes, pixels in none of those are
        left out; what a window excludes is left out in any case.
    low, high : float
        Ends, vacuum angstrom.

    Raises
    ------
    FitError
        If it is none.
    """

    use: Use
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.use not in get_args(Use):
            raise FitError(f"A window is to include or to exclude; found {self.use!r}.")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and 0 < self.low < self.high):
            raise FitError(
                "Expected a window from a wavelength to a larger one; found "
                f"{self.low:g} to {self.high:g}."
            )


def window_pixels(windows: Sequence[Window], grid: WavelengthGrid) -> NDArray[np.bool_]:
    """Return which pixels of a grid are fitted, shape ``(n_pixels,)``.

    Raises
    ------
    FitError
        If there are none.

    Examples
    --------
    >>> from spectrabridge.core.spectra import APOGEE_GRID
    >>> red = [Window("include", 16470.0, 17000.0), Window("exclude", 16700.0, 16800.0)]
    >>> int(window_pixels(red, APOGEE_GRID).sum()), int(window_pixels([], APOGEE_GRID).sum())
    (1462, 7214)
    """
    wavelength = grid.wavelength
    inside = {
        "include": np.zeros(wavelength.size, bool),
        "exclude": np.zeros(wavelength.size, bool),
    }
    for window in windows:
        inside[window.use] |= (wavelength >= window.low) & (wavelength <= window.high)
    included = inside["include"] if any(w.use == "include" for w in windows) else True
    left: NDArray[np.bool_] = included & ~inside["exclude"]
    if not left.any():
        low, high = wavelength[[0, -1]]
        raise FitError(
            f"The windows leave no pixel to fit of {low:.0f} to {high:.0f} vacuum angstrom. Check "
            "their unit, and which of them include and which exclude."
        )
    return left


def read_windows(path: str | Path) -> tuple[Window, ...]:
    """Return the windows of a table.

    Parameters
    ----------
    path : path
        ECSV, VOTable, FITS or CSV with a row for each window: ``use`` is ``include`` or
        ``exclude``, ``from`` and ``to`` are wavelengths in the rest frame of the star. Their
        unit is that of the columns, angstrom where they say none. Air or vacuum is said by
        ``medium`` in the table's metadata or by a column ``medium``.

    Raises
    ------
    FitError
        If the file is no such table, or does not say air or vacuum.
    """
    path = Path(path)
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise FitError(f"A table of windows ends in {', '.join(SUFFIXES)}; found {path.name!r}.")
    table = read_table(path, kind.astropy, path.name, "a table of windows", error=FitError)
    if not 0 < len(table) <= MAX_WINDOWS:
        raise FitError(
            f"Expected 1 to {MAX_WINDOWS:,} windows, a row each, in {path.name}; found "
            f"{len(table):,}."
        )
    found = {key: _column(table, key, path.name) for key in _NAMES}
    uses = [text.strip().lower() for text in column_texts(table[found["use"]])]
    ends = [_angstrom(table, found[key], path.name) for key in ("low", "high")]
    air = _in_air(table, path.name)
    low, high = (np.where(air, air_to_vacuum(np.where(air, e, 15000.0)), e) for e in ends)
    out = []
    for i, (use, one, other) in enumerate(zip(uses, low, high, strict=True), start=1):
        try:
            out.append(Window(use, float(one), float(other)))  # type: ignore[arg-type]
        except FitError as problem:
            raise FitError(f"Row {i} of {path.name}: {problem}") from problem
    return tuple(out)


def windows_text(windows: Sequence[Window]) -> str:
    """Return windows in words, for the metadata of a table.

    Examples
    --------
    >>> windows_text([Window("exclude", 15700.0, 15712.5)])
    'exclude 15700 to 15712.5; vacuum angstrom, rest frame'
    """
    if not windows:
        return ""
    words = ", ".join(f"{w.use} {w.low:.10g} to {w.high:.10g}" for w in windows)
    return f"{words}; vacuum angstrom, rest frame"


def _column(table: Table, key: str, name: str) -> str:
    """Return the name of the column that holds one end of the windows, or their use."""
    for column in table.colnames:
        if canonical(column) in _NAMES[key]:
            return str(column)
    raise FitError(
        f"Expected columns use, from and to in {name}; found {', '.join(table.colnames[:8])}."
    )


def _angstrom(table: Table, column: str, name: str) -> NDArray[np.float64]:
    """Return wavelengths of a column in angstrom; NaN where there is none."""
    values = table[column]
    if values.dtype.kind not in "fiu":
        raise FitError(f"Expected numbers in column {column} of {name}; found {values.dtype}.")
    plain = np.asarray(np.ma.filled(np.ma.asarray(values, np.float64), np.nan))
    text = str(values.unit or "")
    unit = wavelength_unit(text) if text else "angstrom"
    if not unit:
        raise FitError(f"Column {column} of {name} is in {text!r}; expected {', '.join(UNITS)}.")
    return plain / UNITS[unit]


def _in_air(table: Table, name: str) -> NDArray[np.bool_]:
    """Return which windows are in air."""
    meta = {canonical(str(k)): v for k, v in table.meta.items()}
    column = next((c for c in table.colnames if canonical(c) == "medium"), None)
    if column is not None:
        said = column_texts(table[column])
    else:
        said = [str(meta.get("medium", ""))] * len(table)
    words = [text.strip().lower() for text in said]
    if any(word not in ("air", "vacuum") for word in words):
        found = next(word for word in words if word not in ("air", "vacuum"))
        raise FitError(
            f"{name} must say whether its wavelengths are in air or vacuum: as medium in its "
            f"metadata, or in a column medium; found {found!r}."
        )
    return np.array([word == "air" for word in words])

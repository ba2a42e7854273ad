"""Decisions of an earlier session, read from a table or a vetting file."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units
from astropy.io.votable import parse
from astropy.table import Table

from ..errors import LinesError
from ..files import read_limited
from ..files.fits_layout import open_fits
from ..files.tables import read_table, require_data_inside
from ..io.cell_text import column_texts, unescape, unescape_columns
from ..io.table_writer import FITS_KEYWORDS
from ..spectra.wavelength import UNITS, air_to_vacuum
from .decision import Decision, checked_element, checked_status, checked_time, checked_vetter
from .store import open_vetting

MAX_FILE_BYTES = 200_000_000
"""Size of a table that is read, at most."""

_META = ("content", "bundle", "fingerprint", "medium", "vetters", "spectrabridge", "escaped")
"""Metadata that are looked for in the header of a FITS file."""

_MEDIA = {"wavelength_vacuum": "vacuum", "wavelength_vac": "vacuum", "wavelength_air": "air"}


@dataclass(frozen=True)
class Session:
    """Decisions made elsewhere.

    Parameters
    ----------
    name : str
        Name of the file.
    bundle, fingerprint : str
        What it was about; empty if the file does not say.
    decisions : tuple of Decision
        In vacuum angstrom. Without ids their candidates are empty; without extents `low`
        and `high` are NaN.
    n_open : int
        Rows that say nothing about their feature.
    """

    name: str
    bundle: str
    fingerprint: str
    decisions: tuple[Decision, ...]
    n_open: int = 0


def read_session(
    path: str | Path,
    *,
    unit: str | None = None,
    medium: str | None = None,
    vetter: str | None = None,
) -> Session:
    """Read the decisions of a vetting file, or of a table as ECSV, VOTable or FITS.

    Parameters
    ----------
    path : path
        The file. A table needs columns ``wavelength`` and ``status``; ``id``, ``low``,
        ``high``, ``vetter``, ``element``, ``comment`` and ``decided`` are read if there.
    unit : {"angstrom", "nm", "um"}, optional
        Of wavelengths that have none.
    medium : {"vacuum", "air"}, optional
        Of wavelengths of which it is not said: by the metadata ``medium``, or by a column
        ``wavelength_air`` or ``wavelength_vacuum``.
    vetter : str, optional
        Who decided, if the table does not say.

    Raises
    ------
    LinesError
        If the file is none of these, or leaves open the unit, the medium or the vetter;
        or says something else than what is given.
    """
    path = Path(path).expanduser()
    if unit is not None and unit not in UNITS:
        raise LinesError(f"Wavelength units are {', '.join(UNITS)}; found {unit!r}.")
    if medium not in (None, "vacuum", "air"):
        raise LinesError(f"The medium is 'vacuum' or 'air'; found {medium!r}.")
    content, _ = read_limited(
        path, str(path), "a table of decisions", max_bytes=MAX_FILE_BYTES, error=LinesError
    )
    if content.startswith(b"SQLite format 3\0"):
        return _from_vetting(path)
    table = _read_table(content, path)
    meta = {str(k).lower(): v for k, v in table.meta.items()}
    return _session(table, meta, path, unit, medium, vetter)


def _from_vetting(path: Path) -> Session:
    with open_vetting(path, None, read_only=True) as vetting:
        found = tuple(vetting.everything())
        return Session(path.name, vetting.bundle, vetting.fingerprint, found)


def _read_table(content: bytes, path: Path) -> Table:
    """Return the table of a file, texts as they were typed."""
    start = content.lstrip()[:200]
    try:
        if content.startswith(b"# %ECSV"):
            return _typed(Table.read(content.decode().splitlines(), format="ascii.ecsv"))
        if start.startswith(b"<?xml") or start.upper().startswith(b"<VOTABLE"):
            require_data_inside(content, str(path), LinesError)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                inside = parse(io.BytesIO(content), verify="ignore").get_first_table()
            table = inside.to_table(use_names_over_ids=True)
            table.meta.update({i.name: i.value for i in inside.infos})
            return _typed(table, before=())
        if content.startswith(b"SIMPLE  ="):
            table = read_table(content, "fits", str(path), error=LinesError)
            with open_fits(content, str(path), error=LinesError) as hdus:
                header = hdus[1].header
                words = {key: FITS_KEYWORDS.get(key, key.upper()) for key in _META}
                table.meta = {
                    key: unescape(str(header[word]))
                    for key, word in words.items()
                    if word in header
                }
            return _typed(table)
    except LinesError:
        raise
    except Exception as problem:
        # The parsers of the three formats have no error in common.
        reason = str(problem).strip().splitlines() or [type(problem).__name__]
        raise LinesError(
            f"{path} cannot be read as a table ({reason[0][:200]}). It may be damaged or cut off."
        ) from problem
    raise LinesError(
        f"{path} is neither a vetting file nor a table; expected SQLite, ECSV, VOTable or FITS."
    )


def _typed(table: Table, before: tuple[str, ...] = ("vetter", "comment")) -> Table:
    """Return texts as they were typed, if spectrabridge wrote the table.

    Tables say which columns are escaped; those of version 0.1 do not, and `before` says what
    it always escaped in their format.
    """
    if "spectrabridge" not in table.meta:
        return table
    said = table.meta.get("escaped")
    return unescape_columns(table, before if said is None else str(said).split(", "))


def _texts(table: Table, name: str) -> list[str]:
    return column_texts(table[name]) if name in table.colnames else [""] * len(table)


def _session(
    table: Table,
    meta: dict[str, Any],
    path: Path,
    unit: str | None,
    medium: str | None,
    vetter: str | None,
) -> Session:
    names = [n for n in ("wavelength", *_MEDIA) if n in table.colnames]
    if not names or "status" not in table.colnames:
        raise LinesError(
            f"{path} needs columns wavelength and status; it has {', '.join(table.colnames[:12])}."
        )
    column = names[0]
    where = _agreed(path, "medium", medium, str(meta.get("medium") or _MEDIA.get(column, "")))
    if where not in ("vacuum", "air"):
        raise LinesError(
            f"{path} does not say whether its wavelengths are in vacuum or in air. Which is it? "
            "Say so with medium ('vacuum' or 'air')."
        )
    values = {column: _angstrom(table, column, unit, path)}
    for name in ("low", "high"):
        if name in table.colnames:
            values[name] = _angstrom(table, name, unit, path)
        else:
            values[name] = np.full(len(table), np.nan)
    if where == "air":
        values = {k: air_to_vacuum(v) for k, v in values.items()}
    wrong = ~np.isfinite(values[column]) | (values[column] < 2000)
    if wrong.any():
        raise LinesError(
            f"{path}: row {int(np.flatnonzero(wrong)[0]) + 1} has no wavelength above 2000 "
            "angstrom."
        )
    who = [t.strip() for t in _texts(table, "vetter")]
    texts = {n: _texts(table, n) for n in ("id", "status", "element", "comment", "decided")}
    decisions, n_open = [], 0
    for i in range(len(table)):
        row = {k: v[i].strip() for k, v in texts.items()}
        if not (row["status"] or row["element"] or row["comment"]):
            n_open += 1
            continue
        if not who[i] and vetter is None:
            raise LinesError(f"{path} does not say who decided. Who was it? Say so with vetter.")
        try:
            decisions.append(
                Decision(
                    row["id"],
                    float(values[column][i]),
                    float(values["low"][i]),
                    float(values["high"][i]),
                    checked_vetter(who[i] or str(vetter)),
                    checked_status(row["status"]),
                    checked_element(row["element"]),
                    row["comment"],
                    checked_time(row["decided"]),
                )
            )
        except LinesError as problem:
            raise LinesError(f"{path}, row {i + 1}: {problem}") from problem
    _require_single(decisions, path)
    bundle, fingerprint = (str(meta.get(k) or "") for k in ("bundle", "fingerprint"))
    return Session(path.name, bundle, fingerprint, tuple(decisions), n_open)


def _agreed(path: Path, what: str, given: str | None, stated: str) -> str:
    """Return what is given or stated, which must not contradict each other."""
    if given is not None and stated and given != stated:
        raise LinesError(
            f"{path} says that the {what} is {stated}; {given} was given. Leave it away."
        )
    return given or stated


def _angstrom(table: Table, name: str, unit: str | None, path: Path) -> Any:
    """Return a column of wavelengths in angstrom, NaN where masked."""
    values = np.ma.filled(np.ma.asarray(table[name]).astype(float), np.nan)
    stated = table[name].unit
    if stated is None:
        if unit is None:
            raise LinesError(
                f"{path} gives no unit for {name}. Is it angstrom, nm or um? Say so with unit."
            )
        return values / UNITS[unit]
    try:
        found = (values * units.Unit(stated)).to_value(units.AA)
    except (units.UnitConversionError, ValueError, TypeError) as problem:
        raise LinesError(
            f"{path}: {name} has the unit {stated}; expected angstrom, nm or um."
        ) from problem
    if unit is not None and not np.allclose(found, values / UNITS[unit], equal_nan=True):
        raise LinesError(
            f"{path} says that {name} is in {stated}; {unit} was given. Leave it away."
        )
    return found


def _require_single(decisions: Sequence[Decision], path: Path) -> None:
    seen = set()
    for d in decisions:
        key = (d.candidate, d.vetter)
        if d.candidate and key in seen:
            raise LinesError(f"{path} has two decisions of {d.vetter} about {d.candidate}.")
        seen.add(key)

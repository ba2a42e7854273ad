"""Read allStar catalogues: the labels of all stars of a release, from DR12 to DR20.

Since DR19 the catalogue is called astraAllStarASPCAP: a table of BOSS, which ASPCAP leaves empty,
and one of APOGEE, with columns in small letters (``teff``, ``fe_h``, ``m_h_atm``, ``flag_bad``).
Files of one star, astraStarASPCAP, have the same columns and are read, too. Stars are named by
``obj``, which is the APOGEE id, else by their ``sdss_id``.

A catalogue has one row per star and field, so that a star may be in it more than once; the
row with the highest signal-to-noise ratio is kept. The tables are large (4 GB in DR17), so
files are mapped into memory and only the columns that are needed are read. What the
columns mean is told in :mod:`~spectrabridge.core.io.aspcap_labels`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..errors import LabelError, SpectrumError
from ..files import open_regular, understood
from ..files.fits_layout import FITS_START, open_large_fits
from ..files.numbers import numbers_in_column
from ..files.regular import GZIP_START
from ..files.tables import read_table
from ..labels.label_set import APOGEE_LABELS, LabelSet
from ..spectra.spectra import Spectra
from .aspcap_labels import STAR_BAD, calibrated, known
from .best_rows import best_rows
from .fits_file import columns_of, read_fits, release_of
from .text_table import ECSV_START

LARGEST_PACKED = 300_000_000
"""Bytes of a gzip file that is unpacked in memory; larger ones must be unpacked first."""

COLUMNS = {
    "file": ("FILE", "APSTAR_FILE"),
    "aspcap_file": ("ASPCAP_FILE", "COL1"),
    "telescope": ("TELESCOPE",),
    "field": ("FIELD",),
    "location_id": ("LOCATION_ID",),
    "apstar_id": ("APSTAR_ID",),
    "aspcap_id": ("ASPCAP_ID",),
    "visits": ("VISITS",),
    "sdss_id": ("SDSS_ID",),
    "n_visits": ("NVISITS", "N_VISITS"),
    "snr": ("SNR",),
    "vhelio": ("VHELIO_AVG", "VHELIO", "V_RAD"),
    "vscatter": ("VSCATTER", "STD_V_RAD"),
    "starflag": ("STARFLAG",),
    "aspcapflag": ("ASPCAPFLAG",),
    "ra": ("RA",),
    "dec": ("DEC",),
}
"""Columns of a :class:`Catalogue`, and what they are called in files."""

_LABELS = ("M_H", "ALPHA_M", "VSINI")


@dataclass(frozen=True)
class Catalogue:
    """The labels of many stars.

    Parameters
    ----------
    ids : ndarray of str, shape ``(n_stars,)``
        Names of the stars, as 2M00004994+1621552, each once; ``sdss_id`` where a catalogue of
        DR19 or later has none.
    labels : ndarray, shape ``(n_stars, n_labels)``
        The survey's calibrated labels, NaN where unknown.
    label_set : LabelSet
        What the columns of `labels` are.
    columns : dict
        Other values per star, as far as the file has them: those of :data:`COLUMNS`,
        among them what is needed to find the star's files (``telescope``, ``field``,
        ``location_id``, ``file``), ``bad`` (the survey says not to use the labels:
        STAR_BAD is set in ``aspcapflag``, or ``flag_bad`` since DR19), ``m_h``, ``alpha_m``
        and ``vsini``.
    release : str
        Data release as guessed from the names of files; empty if unknown.
    notes : tuple of str
        What a user should know about the file, one sentence each.
    name : str
        Name of the file.
    """

    ids: NDArray[np.str_]
    labels: NDArray[np.float64]
    label_set: LabelSet
    columns: dict[str, NDArray[Any]]
    release: str
    notes: tuple[str, ...]
    name: str

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Any) -> Catalogue:
        """Return some rows, by slice, numbers or a mask."""
        rows = [rows] if isinstance(rows, int | np.integer) else rows
        return replace(
            self,
            ids=self.ids[rows],
            labels=self.labels[rows],
            columns={k: v[rows] for k, v in self.columns.items()},
        )

    def find(self, ids: Iterable[str]) -> NDArray[np.int64]:
        """Return the rows of some stars, -1 for those that are not in the catalogue."""
        order = np.argsort(self.ids, kind="stable")
        wanted = np.array([str(i).strip() for i in ids], dtype=str)
        if not len(self.ids) or not wanted.size:
            return np.full(wanted.size, -1)
        at = np.minimum(np.searchsorted(self.ids, wanted, sorter=order), len(self.ids) - 1)
        rows = order[at]
        return np.where(self.ids[rows] == wanted, rows, -1)


def is_allstar(hdus: fits.HDUList) -> bool:
    """Tell whether an open FITS file is laid out as allStar catalogues are."""
    return _stars(hdus)[0] is not None


def read_allstar(
    path: str | Path,
    ids: Iterable[str] | None = None,
    label_set: LabelSet = APOGEE_LABELS,
) -> Catalogue:
    """Read a catalogue of stars and their labels.

    Parameters
    ----------
    path : path
        An allStar FITS file of any release from DR12 to DR17, astraAllStarASPCAP of DR19 or
        DR20, astraStarASPCAP of one star, or a CSV or ECSV file with such columns.
    ids : iterable of str, optional
        Which stars to read, in this order; all if not given. Those that are not in
        the catalogue are left out and named in `notes`.
    label_set : LabelSet
        The labels to return. Labels that the survey does not give are NaN.

    Returns
    -------
    Catalogue
        Rows are in the order of the file, or of `ids`.

    Raises
    ------
    SpectrumError
        If the file cannot be read, is truncated, or has no column APOGEE_ID; or if none
        of `ids` is in it.
    LabelError
        If the file has none of the labels.
    """
    path = Path(path)
    wanted = None if ids is None else [str(i).strip() for i in ids]
    with open_regular(path, "an allStar catalogue") as file:
        start = file.read(9)
    if not start:
        raise SpectrumError(f"{path.name} is empty; expected an allStar catalogue.")
    if start.startswith((FITS_START, GZIP_START)):
        return _read_fits(path, wanted, label_set, packed=start.startswith(GZIP_START))
    return _read_text(path, wanted, label_set)


def join_labels(spectra: Spectra, catalogue: Catalogue) -> Spectra:
    """Give spectra the labels that a catalogue has for them, by the names of the stars.

    Parameters
    ----------
    spectra : Spectra
        Not changed. Labels that they already have are kept where the catalogue has none.
    catalogue : Catalogue
        Read by :func:`read_allstar`.

    Returns
    -------
    Spectra
        The same spectra in the same order, with the catalogue's labels, NaN where it
        does not have the star. Columns ``in_catalogue`` and, if the catalogue has flags,
        ``labels_bad`` are added.

    Raises
    ------
    LabelError
        If the spectra have labels of another label set.
    """
    rows = catalogue.find(spectra.ids)
    there = rows >= 0
    labels = np.full((len(spectra), len(catalogue.label_set)), np.nan)
    labels[there] = catalogue.labels[rows[there]]
    if spectra.labels is not None and spectra.label_set is not None:
        if spectra.label_set.names != catalogue.label_set.names:
            raise LabelError(
                f"The spectra have labels {', '.join(spectra.label_set.names)}; expected those of "
                f"the catalogue, {', '.join(catalogue.label_set.names)}. Read the catalogue with "
                "the label set of the spectra."
            )
        labels = np.where(np.isfinite(labels), labels, spectra.labels)
    columns = {**spectra.columns, "in_catalogue": there}
    if "bad" in catalogue.columns and len(catalogue):
        columns["labels_bad"] = there & catalogue.columns["bad"][rows]
    return replace(
        spectra,
        labels=labels,
        label_set=catalogue.label_set,
        columns=columns,
        provenance={**spectra.provenance, "labels": catalogue.name},
    )


def _read_fits(
    path: Path, wanted: list[str] | None, label_set: LabelSet, packed: bool
) -> Catalogue:
    size = path.stat().st_size

    def read(hdus: fits.HDUList, name: str) -> Catalogue:
        stars, others = _stars(hdus)
        if stars is None:
            raise _no_catalogue(hdus, name)
        symbols = _symbols(hdus, stars)
        found = _catalogue(_reader(stars), name, wanted, label_set, symbols)
        said = tuple(
            f"{name} has another table of stars, {hdu.name}, which was not read." for hdu in others
        )
        return replace(found, notes=(*found.notes, *said))

    if packed:
        if size > LARGEST_PACKED:
            raise SpectrumError(
                f"{path.name} is compressed and would have to be unpacked in memory. Unpack it "
                "with gunzip first."
            )
        return read_fits(path, read, product="allStar", largest=20 * LARGEST_PACKED)
    with warnings.catch_warnings():
        # Truncation warns only; it is found below.
        warnings.simplefilter("ignore")
        what = "an allStar FITS catalogue"
        with open_large_fits(path, what) as hdus, understood(path.name, what):
            return read(hdus, path.name)


def _stars(hdus: fits.HDUList) -> tuple[Any, list[Any]]:
    """Return the first table of stars that is not empty, and others; None if there is none."""
    labels = {"PARAM", "FPARAM", "TEFF", "VHELIO_AVG", "FE_H"}
    found = []
    for hdu in hdus[1:]:
        names = columns_of(hdu)
        if {"APOGEE_ID", "SDSS_ID", "SDSS4_APOGEE_ID", "OBJ"} & names and names & labels:
            found.append(hdu)
    full = [hdu for hdu in found if len(hdu.data)] or found[:1]
    return (full[0], full[1:]) if full else (None, [])


def _no_catalogue(hdus: fits.HDUList, name: str) -> SpectrumError:
    found = next((sorted(columns_of(h)) for h in hdus if columns_of(h)), [])
    what = f"a table with columns {', '.join(found[:6])}" if found else "no table"
    return SpectrumError(
        f"Expected an allStar catalogue, a table with columns APOGEE_ID and TEFF or PARAM; {name} "
        f"has {what}."
    )


def _symbols(hdus: fits.HDUList, stars: Any) -> tuple[str, ...]:
    for hdu in hdus[1:]:
        if hdu is not stars and "ELEM_SYMBOL" in columns_of(hdu) and len(hdu.data):
            return tuple(str(v).strip() for v in np.ravel(hdu.data["ELEM_SYMBOL"]))
    return ()


Column = Callable[[str, Any], NDArray[Any] | None]
"""Gives some rows of a column by its name in capitals; None if there is no such column."""


def _reader(hdu: Any) -> Column:
    spelled = {c.upper(): c for c in hdu.columns.names}

    def column(key: str, rows: Any) -> NDArray[Any] | None:
        if key not in spelled:
            return None
        # Only the rows that are kept leave the mapped file.
        values = np.asarray(hdu.data[spelled[key]][rows])
        if values.dtype.kind in "SU":
            return np.char.strip(values.astype(str))
        return values.astype(values.dtype.newbyteorder("="))

    return column


def _read_text(path: Path, wanted: list[str] | None, label_set: LabelSet) -> Catalogue:
    name = path.name
    what = "an allStar catalogue, a FITS or CSV file with columns APOGEE_ID and TEFF"
    with open_regular(path, what) as file:
        ecsv = file.read(len(ECSV_START)) == ECSV_START
    table = read_table(path, "ascii.ecsv" if ecsv else "ascii.csv", name, what)
    spelled = {c.strip().upper(): c for c in table.colnames}
    if not {"APOGEE_ID", "OBJ", "SDSS_ID"} & set(spelled):
        raise SpectrumError(
            f"Expected a column APOGEE_ID in {name}; found {', '.join(table.colnames[:8])[:200]}."
        )

    def column(key: str, rows: Any) -> NDArray[Any] | None:
        if key not in spelled:
            return None
        values: Any = np.ma.asarray(table[spelled[key]])
        if values.dtype.kind in "iuf" and np.ma.is_masked(values):
            values = values.astype(np.float64).filled(np.nan)
        plain = np.asarray(values)[rows]
        return np.char.strip(plain.astype(str)) if plain.dtype.kind in "SUO" else plain

    with understood(name, what):
        return _catalogue(column, name, wanted, label_set, ())


def _names(column: Column) -> NDArray[Any] | None:
    """Return the name of each row's star; None if there is no such column."""
    found = column("APOGEE_ID", slice(None))
    if found is not None:
        return found
    for key in ("OBJ", "SDSS4_APOGEE_ID", "SDSS_ID"):
        other = column(key, slice(None))
        if other is None or other.ndim != 1 or other.dtype.kind not in "Uiu":
            continue
        text = other.astype(str)
        text = np.where(np.isin(np.char.lower(text), ("none", "nan", "-1")), "", text)
        found = text if found is None else np.where(found == "", text, found)
    return found


def _catalogue(
    column: Column,
    name: str,
    wanted: list[str] | None,
    label_set: LabelSet,
    symbols: tuple[str, ...],
) -> Catalogue:
    every = _names(column)
    if every is None or every.dtype.kind != "U":
        raise SpectrumError(
            f"Expected names of stars in column APOGEE_ID of {name}; found numbers."
        )
    if not every.size:
        raise SpectrumError(f"{name} holds no star.")
    notes: list[str] = []
    rows = best_rows(every, column("SNR", slice(None)), wanted, name, notes)
    stars = calibrated(lambda key: column(key, rows), symbols, notes)
    labels = np.full((len(rows), len(label_set)), np.nan)
    found = []
    for key, values in stars.items():
        if key in label_set:
            labels[:, label_set.index(key)] = values
            found.append(key)
    if not found:
        raise LabelError(
            f"Expected columns TEFF, LOGG, FE_H or the arrays PARAM and X_H in {name}; found none "
            "of them."
        )
    missing = [n for n in label_set.names if n not in found]
    if missing:
        notes.append(f"{name} does not give {', '.join(missing)}.")
    columns: dict[str, NDArray[Any]] = {}
    for key, spellings in COLUMNS.items():
        taken = next((v for s in spellings if (v := column(s, rows)) is not None), None)
        if taken is not None and taken.ndim == 1:
            columns[key] = taken
    for key in _LABELS:
        if key in stars:
            columns[key.lower()] = stars[key]
    if "aspcapflag" in columns:
        flags = numbers_in_column(columns["aspcapflag"], "column ASPCAPFLAG", name)
        flag = np.clip(np.nan_to_num(flags), -(2.0**62), 2.0**62).astype(np.int64)
        columns["bad"] = (flag & STAR_BAD) != 0
        if columns["bad"].any():
            notes.append(
                f"The survey says not to use the labels of {int(columns['bad'].sum())} stars "
                "(STAR_BAD)."
            )
    bad = column("FLAG_BAD", rows)
    if bad is not None and bad.dtype.kind == "b":
        columns["bad"] = bad | columns.get("bad", False)
        if bad.any():
            notes.append(
                f"The survey says not to use the labels of {int(bad.sum())} stars (flag_bad)."
            )
    for key in ("snr", "vhelio", "vscatter"):
        if key in columns and columns[key].dtype.kind == "f":
            columns[key] = known(columns[key])
    files = columns.get("file", np.zeros(0, str))
    release = release_of(*(str(f) for f in files[:20]), name)
    return Catalogue(
        every[rows], labels, label_set, columns, release, tuple(dict.fromkeys(notes)), name
    )

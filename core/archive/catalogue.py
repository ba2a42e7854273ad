"""Stars of a local allStar catalogue, by id and by query."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArchiveError
from ..files import understood
from ..files.fits_layout import open_large_fits
from ..files.regular import GZIP_START
from .apogee import ArchiveStar
from .astra import sdss_id_of
from .fits_check import check_fits

FILLER = -9990.0
"""Numbers with a fraction below this stand for "not measured" in allStar (-9999)."""

_ALIASES = {"FE": "FE_H", "ID": "APOGEE_ID"}
_COMPARISON = re.compile(
    r"(?P<name>[A-Za-z_]\w*)\s*(?P<operator><=|>=|==|!=|=|<|>)\s*"
    r"(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<word>[^\s,;&'\"<>=!]+))"
)
_BETWEEN = re.compile(r"\s*(?:,|;|&&?|and\b)?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Comparison:
    """One comparison of a query, such as ``teff<5000``.

    Parameters
    ----------
    name : str
        Column, as written.
    operator : str
        One of ``<``, ``<=``, ``>``, ``>=``, ``=``, ``!=``.
    value : str
        What to compare with, as written.
    """

    name: str
    operator: str
    value: str


def parse_query(query: str) -> tuple[Comparison, ...]:
    """Split a query such as ``teff<5000 logg<3.5 telescope=apo25m``.

    Comparisons stand side by side or are joined by a comma, ``&`` or ``and``; all must
    hold. Text with spaces goes into quotes. Nothing is evaluated as Python.

    Parameters
    ----------
    query : str
        The query.

    Returns
    -------
    tuple of Comparison
        At least one.

    Raises
    ------
    ArchiveError
        If a part of it is no comparison.
    """
    out = []
    rest = query.strip()
    while rest:
        found = _COMPARISON.match(rest)
        if not found:
            hint = "Write comparisons with the column first"
            if re.match(r"or\b|\|", rest, re.IGNORECASE):
                hint = "All comparisons must hold; for either of two, fetch twice"
            raise ArchiveError(
                f"Expected comparisons such as teff<5000 logg<3.5 in the query; found {rest!r}. "
                f"{hint}."
            )
        value = next(v for v in found.group("single", "double", "word") if v is not None)
        operator = "=" if found["operator"] == "==" else found["operator"]
        out.append(Comparison(found["name"], operator, value))
        rest = rest[found.end() :]
        between = _BETWEEN.match(rest)
        rest = rest[between.end() :] if between else rest
    if not out:
        raise ArchiveError("Expected comparisons such as teff<5000 logg<3.5; the query is empty.")
    return tuple(out)


def find_stars(
    catalogue: str | Path,
    ids: Iterable[str] | None = None,
    query: str = "",
    *,
    limit: int | None = None,
    seed: int = 0,
) -> list[ArchiveStar]:
    """Look up stars in a local allStar catalogue.

    Only the columns that are needed are read, by memory map.

    Parameters
    ----------
    catalogue : path
        An allStar or allStarLite FITS file of data release 14 or 17, or astraAllStarASPCAP of
        19 or 20, not compressed.
    ids : iterable of str, optional
        APOGEE ids, or numbers of stars (``sdss_id``) since DR19; all stars if not given. Those
        not in the catalogue are left out.
    query : str, optional
        See :func:`parse_query`; names are columns of the catalogue in any case, and
        ``Fe`` stands for FE_H. Stars without a value (NaN, -9999) never match.
    limit : int, optional
        Take this many of the stars, at random.
    seed : int, optional
        Of that choice.

    Returns
    -------
    list of ArchiveStar
        One entry per star, in the order of `ids` or else of the catalogue. Of a star
        with several rows the one with the highest signal-to-noise ratio that matches is
        taken, commissioning spectra last.

    Raises
    ------
    ArchiveError
        If the catalogue cannot be read or lacks columns, or the query is not valid.
    """
    comparisons = parse_query(query) if query.strip() else ()
    with _opened(Path(catalogue)) as table:
        wanted = None if ids is None else list(dict.fromkeys(i.strip() for i in ids))
        star_ids = table.star_ids(wanted or ())
        keep = star_ids != ""
        if wanted is not None:
            keep &= np.isin(star_ids, wanted)
        for comparison in comparisons:
            keep &= table.matches(comparison)
        rows = np.flatnonzero(keep)
        rows = _one_row_each(table, star_ids[rows], rows)
        if wanted is not None:
            order = {name: i for i, name in enumerate(wanted)}
            rows = np.array(sorted(rows, key=lambda r: order[str(star_ids[r])]), dtype=np.int64)
        if limit is not None and len(rows) > limit:
            rng = np.random.default_rng(seed)
            rows = rows[np.sort(rng.choice(len(rows), limit, replace=False))]
        return table.stars(star_ids, rows)


def _one_row_each(
    table: _Catalogue, star_ids: NDArray[np.str_], rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Choose one row per star: survey before commissioning, then the highest S/N."""
    snr = np.zeros(len(rows))
    for name in ("SNREV", "SNR"):
        if name in table.names:
            snr = np.nan_to_num(table.column(name)[rows].astype(float), nan=-1.0)
            break
    early = np.zeros(len(rows), bool)
    if "FILE" in table.names:
        early = np.char.startswith(table.text("FILE", rows), "apStarC")
    order = np.lexsort((rows, -snr, early, star_ids))
    _, first = np.unique(star_ids[order], return_index=True)
    return np.sort(rows[order[first]])


class _Catalogue:
    """The columns of an open allStar table, by name in capitals."""

    def __init__(self, data: Any, name: str):
        self._data = data
        self._name = name
        self.names = {str(n).upper(): str(n) for n in data.names}

    def column(self, name: str) -> NDArray[Any]:
        """Return a column by its name in any case, or say which there are."""
        key = _ALIASES.get(name.upper(), "") if name.upper() not in self.names else name.upper()
        if key not in self.names:
            near = [n for n in self.names if n.startswith(name.upper() + "_")]
            near += difflib.get_close_matches(name.upper(), self.names, 4, 0.6)
            some = ", ".join(list(dict.fromkeys(near))[:5])
            text = f"near it are {some}" if some else f"it has {', '.join(list(self.names)[:8])}"
            more = "" if some or len(self.names) <= 8 else " and others"
            raise ArchiveError(f"{self._name} has no column {name}; {text}{more}.")
        return np.asarray(self._data.field(self.names[key]))

    def star_ids(self, wanted: Iterable[str] = ()) -> NDArray[np.str_]:
        """Return the name of each row's star; empty where it has none.

        Since DR19 that is ``obj``, the APOGEE id, else the number of the star; of stars that are
        asked for by their number it is the number.
        """
        if "APOGEE_ID" in self.names:
            return self.text("APOGEE_ID")
        numbers = self.column("SDSS_ID").astype(np.int64)
        texts = np.where(numbers > 0, numbers.astype(str), "")
        named = self.text("OBJ") if "OBJ" in self.names else texts
        asked = np.isin(texts, [w for w in wanted if sdss_id_of(w) is not None])
        out: NDArray[np.str_] = np.where((named == "") | asked, texts, named)
        return out

    def text(self, name: str, rows: NDArray[np.int64] | None = None) -> NDArray[np.str_]:
        """Return a column of text without spaces at the ends."""
        values = self.column(name)
        if values.dtype.kind not in "US" or values.ndim != 1:
            raise ArchiveError(f"Expected text in column {name} of {self._name}.")
        out: NDArray[np.str_] = np.char.strip(values if rows is None else values[rows]).astype(str)
        return out

    def matches(self, comparison: Comparison) -> NDArray[np.bool_]:
        """Return which rows fulfil a comparison."""
        name, operator, value = comparison.name, comparison.operator, comparison.value
        values = self.column(name)
        if values.ndim != 1:
            raise ArchiveError(
                f"Column {name} of {self._name} has {values[0].size} values per star; a query "
                "can compare only columns with one."
            )
        if values.dtype.kind in "US":
            if operator not in ("=", "!="):
                raise ArchiveError(f"Column {name} is text; compare it by = or !=, not {operator}.")
            same = self.text(name) == value.strip()
            return np.asarray(same if operator == "=" else ~same)
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not np.isfinite(number) or values.dtype.kind not in "iufb":
            raise ArchiveError(f"Expected a number to compare {name} with; found {value!r}.")
        known = np.ones(len(values), bool)
        if values.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                known = np.isfinite(values) & (values > FILLER)
        with np.errstate(invalid="ignore"):
            holds = {
                "<": np.less,
                "<=": np.less_equal,
                ">": np.greater,
                ">=": np.greater_equal,
                "=": np.equal,
                "!=": np.not_equal,
            }[operator](values, number)
        return np.asarray(holds & known)

    def stars(self, star_ids: NDArray[np.str_], rows: NDArray[np.int64]) -> list[ArchiveStar]:
        """Return rows as stars."""
        if not ({"FIELD", "LOCATION_ID", "SDSS_ID"} & set(self.names)):
            raise ArchiveError(
                f"{self._name} has neither FIELD nor LOCATION_ID, which tell where spectra are. "
                "Take an allStar catalogue as released."
            )
        n = len(rows)
        empty = np.full(n, "")
        fields = self.text("FIELD", rows) if "FIELD" in self.names else empty
        files = self.text("FILE", rows) if "FILE" in self.names else empty
        locations: list[int | None] = [None] * n
        if "LOCATION_ID" in self.names:
            locations = [int(v) for v in self.column("LOCATION_ID")[rows]]
        if "TELESCOPE" in self.names:
            telescopes = self.text("TELESCOPE", rows)
        else:
            # Before DR13 the catalogue had no such column; the 1 m has location 1 there.
            telescopes = np.array(["apo1m" if v == 1 else "apo25m" for v in locations])
        numbers: list[int | None] = [None] * n
        versions = empty
        if "SDSS_ID" in self.names:
            numbers = [int(v) for v in self.column("SDSS_ID")[rows]]
            versions = self._versions(rows)
        return [
            ArchiveStar(str(star_ids[r]), str(t), str(f), v, str(name), number, str(version))
            for r, t, f, v, name, number, version in zip(
                rows, telescopes, fields, locations, files, numbers, versions, strict=True
            )
        ]

    def _versions(self, rows: NDArray[np.int64]) -> NDArray[np.str_]:
        """Return the version of Astra of some rows: the file's name tells it, else a column."""
        found = re.match(r"astraAllStar[A-Za-z]+-(\d+\.\d+\.\d+)", self._name)
        if found:
            return np.full(len(rows), found.group(1))
        return self.text("V_ASTRA", rows) if "V_ASTRA" in self.names else np.full(len(rows), "")


@contextmanager
def _opened(path: Path) -> Iterator[_Catalogue]:
    """Open the table of stars in a catalogue."""
    from astropy.io import fits

    if not path.exists():
        raise ArchiveError(f"There is no catalogue {path}.")
    if path.is_dir():
        raise ArchiveError(f"Expected an allStar FITS file; {path} is a folder.")
    with path.open("rb") as start:
        if start.read(2) == GZIP_START:
            raise ArchiveError(
                f"{path.name} is compressed, and only some columns of it are read. Unpack it with "
                "gunzip and give the unpacked file."
            )
    check_fits(path)  # a map of a file that ends early would fail anywhere
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hdus = open_large_fits(path, "an allStar FITS file", error=ArchiveError)
        # What is asked of the table in the block counts as reading: columns are read there.
        with hdus, understood(path.name, "an allStar catalogue", ArchiveError, "Fetch it again."):
            for hdu in hdus:
                columns = hdu.columns.names if isinstance(hdu, fits.BinTableHDU) else []
                # ASPCAP leaves the table of BOSS empty.
                if {"APOGEE_ID", "SDSS_ID"} & {c.upper() for c in columns} and len(hdu.data):
                    yield _Catalogue(hdu.data, path.name)
                    return
            raise ArchiveError(
                f"Expected an allStar catalogue, a table with the column APOGEE_ID; {path.name} "
                "has none with a star."
            )

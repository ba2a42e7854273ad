"""Where SDSS's public archive keeps the APOGEE spectra of data releases 14 and 17.

Paths are those of the Science Archive Server (SAS), https://data.sdss.org/sas, and were
compared with the path tables that SDSS and others publish:

- DR17, apStar and asStar: ``apStar`` in ``data/dr16.cfg`` of github.com/sdss/tree (which
  ``dr17.cfg`` inherits), ``$APOGEE_REDUX/{apred}/{apstar}/{telescope}/{field}/
  {prefix}Star-{apred}-{obj}.fits`` with apred ``dr17`` and apstar ``stars``; the prefix is
  ``as`` for lco25m and ``ap`` for the telescopes at Apache Point.
- DR17, aspcapStar: ``aspcapStar`` in the same file, ``$APOGEE_ASPCAP/{apred}/{aspcap}/
  {telescope}/{field}/aspcapStar-{apred}-{obj}.fits`` with aspcap ``synspec_rev1``, the
  default analysis of the release (sdss.org/dr17/irspec/spectro_data). It starts with
  ``ap`` at both observatories.
- DR14: ``apStarPath`` and ``aspcapStarPath`` in ``apogee/tools/path.py`` of
  github.com/jobovy/apogee and ``combined_spectra``, ``visit_spectra`` in the downloader of
  github.com/henrysky/astroNN. Folders are location numbers, and field names for apo1m;
  commissioning spectra are called apStarC.
- DR17 of lco25m, as whole addresses: the remote tests of specutils' APOGEE loaders
  (github.com/astropy/specutils) fetch ``dr17/apogee/spectro/redux/dr17/stars/lco25m/
  293-37-C/asStar-dr17-2M03174068-7748459.fits`` and its aspcapStar file in
  ``aspcap/dr17/synspec_rev1/lco25m/293-37-C`` from data.sdss.org/sas.
- Catalogues: ``allStarLite-dr17-synspec_rev1.fits`` beside the aspcapStar folders, and
  ``allStar-l31c.2.fits``, from the same downloader.

An APOGEE id alone names no file: field and telescope come from an allStar catalogue.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from ..errors import ArchiveError
from .download import RemoteFile, check_fits

SERVER = "https://data.sdss.org/sas"
"""SDSS's public Science Archive Server."""

TELESCOPES = ("apo25m", "apo1m", "lco25m")
"""Telescopes of APOGEE: the Sloan telescope, a 1 m at Apache Point, the du Pont at LCO."""

FILLER = -9990.0
"""Numbers with a fraction below this stand for "not measured" in allStar (-9999)."""

_VERSIONS = {"r8": "dr14", "dr17": "dr17"}
_CATALOGUES = {
    "dr14": "dr14/apogee/spectro/redux/r8/stars/l31c/l31c.2/allStar-l31c.2.fits",
    "dr17": "dr17/apogee/spectro/aspcap/dr17/synspec_rev1/allStarLite-dr17-synspec_rev1.fits",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+()\-]*")  # of a star or field, so of a folder
_STAR_FILE = re.compile(r"a[ps]Star(C?)-(r\d+|dr\d+)-.+\.fits")
_ALIASES = {"FE": "FE_H", "ID": "APOGEE_ID"}
_COMPARISON = re.compile(
    r"(?P<name>[A-Za-z_]\w*)\s*(?P<operator><=|>=|==|!=|=|<|>)\s*"
    r"(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<word>[^\s,;&'\"<>=!]+))"
)
_BETWEEN = re.compile(r"\s*(?:,|;|&&?|and\b)?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Star:
    """What tells where the archive keeps a star.

    Parameters
    ----------
    id : str
        APOGEE_ID, such as 2M00004994+1621552.
    telescope : str
        One of :data:`TELESCOPES`.
    field : str, optional
        Name of the field; needed for DR17, and in DR14 for apo1m.
    location : int, optional
        Number of the field, LOCATION_ID; needed for DR14 except for apo1m.
    file : str, optional
        Name of the apStar file, if the catalogue gives it.
    """

    id: str
    telescope: str = "apo25m"
    field: str = ""
    location: int | None = None
    file: str = ""

    @property
    def release(self) -> str:
        """The release that `file` is from: dr14, dr17, or empty if unknown or another."""
        found = _STAR_FILE.fullmatch(self.file)
        return _VERSIONS.get(found.group(2), "") if found else ""

    @property
    def commissioning(self) -> bool:
        """Whether the spectrum was taken before the instrument was in its final state."""
        found = _STAR_FILE.fullmatch(self.file)
        return bool(found and found.group(1))


@dataclass(frozen=True)
class ArchiveFile:
    """A file of the archive.

    Parameters
    ----------
    path : str
        Its path below the server's address.
    star : str, optional
        APOGEE_ID of the star; empty for a catalogue.
    """

    path: str
    star: str = ""

    @property
    def name(self) -> str:
        """Name without folders."""
        return self.path.rpartition("/")[2]

    def url(self, server: str = SERVER) -> str:
        """Return the address on a server; a plus sign is kept, as in SDSS's own links."""
        return f"{server.rstrip('/')}/{quote(self.path, safe='/+')}"

    def remote(self, server: str = SERVER) -> RemoteFile:
        """Return the file as :func:`.download.download` takes it."""
        return RemoteFile(self.url(server), self.name)


def star_file(star: Star, release: str = "dr17", product: str = "apStar") -> ArchiveFile:
    """Say where the archive keeps a spectrum of a star.

    Parameters
    ----------
    star : Star
        The star.
    release : str, optional
        ``dr17`` or ``dr14``.
    product : str, optional
        ``apStar`` (flux, combined and single visits; asStar for lco25m) or
        ``aspcapStar`` (normalised flux and the survey's own fit).

    Returns
    -------
    ArchiveFile
        The path, see the top of this module for its source.

    Raises
    ------
    ArchiveError
        If the star lacks what the path needs, or is of another release.
    """
    _require_release(release)
    if product not in ("apStar", "aspcapStar"):
        raise ArchiveError(f"Expected product apStar or aspcapStar; found {product}.")
    _require_name(star.id, "an APOGEE id such as 2M00004994+1621552")
    if star.telescope not in TELESCOPES:
        raise ArchiveError(
            f"Expected a telescope of {', '.join(TELESCOPES)} for {star.id}; found "
            f"{star.telescope or 'none'}."
        )
    if _STAR_FILE.fullmatch(star.file) and star.release != release:
        raise ArchiveError(
            f"Expected a star of {release}; the catalogue gives {star.file} for {star.id}. Take "
            "the allStar catalogue of the release that is asked for."
        )
    path = _dr17 if release == "dr17" else _dr14
    return ArchiveFile(path(star, product), star.id)


def catalogue_file(release: str = "dr17") -> ArchiveFile:
    """Say where the archive keeps the catalogue of a release.

    Parameters
    ----------
    release : str, optional
        ``dr17`` (allStarLite, a table of 1 GB and more) or ``dr14`` (allStar).
    """
    _require_release(release)
    return ArchiveFile(_CATALOGUES[release])


def _dr17(star: Star, product: str) -> str:
    if not star.field:
        raise ArchiveError(f"{star.id}: DR17 sorts stars by field; give its name, such as N7789.")
    field = _require_name(star.field, "a field name such as N7789")
    if product == "aspcapStar":
        base, name = "aspcap/dr17/synspec_rev1", f"aspcapStar-dr17-{star.id}.fits"
    else:
        prefix = "as" if star.telescope == "lco25m" else "ap"
        base, name = "redux/dr17/stars", _own_name(star) or f"{prefix}Star-dr17-{star.id}.fits"
    return f"dr17/apogee/spectro/{base}/{star.telescope}/{field}/{name}"


def _dr14(star: Star, product: str) -> str:
    if star.telescope == "lco25m":
        raise ArchiveError(f"{star.id}: DR14 has no spectra of lco25m. Ask for dr17.")
    if star.telescope == "apo1m":
        if not star.field:
            raise ArchiveError(
                f"{star.id}: DR14 sorts stars of apo1m by field; give its name, such as hip."
            )
        folder = _require_name(star.field, "a field name such as hip")
    elif star.location is None or star.location < 2:
        raise ArchiveError(
            f"{star.id}: DR14 sorts stars by location; give its number, such as 4424."
        )
    else:
        folder = str(star.location)
    base = "dr14/apogee/spectro/redux/r8/stars"
    if product == "aspcapStar":
        if star.commissioning:
            raise ArchiveError(
                f"{star.id}: DR14 has no aspcapStar file of its commissioning spectrum "
                f"({star.file}). Ask for apStar."
            )
        return f"{base}/l31c/l31c.2/{folder}/aspcapStar-r8-l31c.2-{star.id}.fits"
    name = _own_name(star) or f"apStar-r8-{star.id}.fits"
    return f"{base}/{star.telescope}/{folder}/{name}"


def _own_name(star: Star) -> str:
    """Return the file name of the catalogue if it is one; else an empty text."""
    return star.file if _STAR_FILE.fullmatch(star.file) and _NAME.fullmatch(star.file) else ""


def _require_name(name: str, what: str) -> str:
    """Return a part of a path, or raise an ArchiveError if it could leave its folder."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise ArchiveError(f"Expected {what}; found {name!r}.")
    return name


def _require_release(release: str) -> None:
    if release not in _CATALOGUES:
        raise ArchiveError(f"Expected release dr14 or dr17; found {release}.")


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
) -> list[Star]:
    """Look up stars in a local allStar catalogue.

    Only the columns that are needed are read, by memory map.

    Parameters
    ----------
    catalogue : path
        An allStar or allStarLite FITS file of data release 14 or 17.
    ids : iterable of str, optional
        APOGEE ids; all stars if not given. Those not in the catalogue are left out.
    query : str, optional
        See :func:`parse_query`; names are columns of the catalogue in any case, and
        ``Fe`` stands for FE_H. Stars without a value (NaN, -9999) never match.
    limit : int, optional
        Take this many of the stars, at random.
    seed : int, optional
        Of that choice.

    Returns
    -------
    list of Star
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
        star_ids = table.text("APOGEE_ID")
        keep = star_ids != ""
        wanted = None
        if ids is not None:
            wanted = list(dict.fromkeys(i.strip() for i in ids))
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

    def stars(self, star_ids: NDArray[np.str_], rows: NDArray[np.int64]) -> list[Star]:
        """Return rows as stars."""
        if not ({"FIELD", "LOCATION_ID"} & set(self.names)):
            raise ArchiveError(
                f"{self._name} has neither FIELD nor LOCATION_ID, which tell where spectra are. "
                "Take an allStar catalogue of DR14 or DR17 as released."
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
        return [
            Star(str(star_ids[r]), str(t), str(f), v, str(name))
            for r, t, f, v, name in zip(rows, telescopes, fields, locations, files, strict=True)
        ]


@contextmanager
def _opened(path: Path) -> Iterator[_Catalogue]:
    """Open the table of stars in a catalogue."""
    from astropy.io import fits

    if not path.exists():
        raise ArchiveError(f"There is no catalogue {path}.")
    if path.is_dir():
        raise ArchiveError(f"Expected an allStar FITS file; {path} is a folder.")
    check_fits(path)  # a map of a file that ends early would fail anywhere
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            hdus = fits.open(path, memmap=True)
        except (OSError, ValueError, TypeError, KeyError, IndexError) as problem:
            raise ArchiveError(f"{path.name} cannot be read as FITS. Fetch it again.") from problem
        with hdus:
            for hdu in hdus:
                columns = hdu.columns.names if isinstance(hdu, fits.BinTableHDU) else []
                if "APOGEE_ID" in {c.upper() for c in columns}:
                    yield _Catalogue(hdu.data, path.name)
                    return
            raise ArchiveError(
                f"Expected an allStar catalogue, a table with the column APOGEE_ID; {path.name} "
                "has none."
            )

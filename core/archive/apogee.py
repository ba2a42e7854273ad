"""Where SDSS's public archive keeps the APOGEE spectra of data releases 14, 17, 19 and 20.

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

- DR19 and DR20: see :mod:`.astra`.

An APOGEE id alone names no file: field and telescope come from an allStar catalogue, and since
DR19 the star's number, ``sdss_id``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from ..errors import ArchiveError
from . import astra
from .remote_file import RemoteFile

SERVER = "https://data.sdss.org/sas"
"""SDSS's public Science Archive Server."""

TELESCOPES = ("apo25m", "apo1m", "lco25m")
"""Telescopes of APOGEE: the Sloan telescope, a 1 m at Apache Point, the du Pont at LCO."""

_VERSIONS = {"r8": "dr14", "dr17": "dr17"}
_CATALOGUES = {
    "dr14": "dr14/apogee/spectro/redux/r8/stars/l31c/l31c.2/allStar-l31c.2.fits",
    "dr17": "dr17/apogee/spectro/aspcap/dr17/synspec_rev1/allStarLite-dr17-synspec_rev1.fits",
}
RELEASES = (*_CATALOGUES, *astra.VERSIONS)
"""Releases whose paths are known."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+()\-]*")  # of a star or field, so of a folder
_STAR_FILE = re.compile(r"a[ps]Star(C?)-(r\d+|dr\d+)-.+\.fits")


@dataclass(frozen=True)
class ArchiveStar:
    """What tells where the archive keeps a star.

    Parameters
    ----------
    id : str
        APOGEE_ID, such as 2M00004994+1621552; or ``sdss_id``, such as 60000001.
    telescope : str
        One of :data:`TELESCOPES`.
    field : str, optional
        Name of the field; needed for DR17, and in DR14 for apo1m.
    location : int, optional
        Number of the field, LOCATION_ID; needed for DR14 except for apo1m.
    file : str, optional
        Name of the apStar file, if the catalogue gives it.
    sdss_id : int, optional
        Number of the star in SDSS-V; needed since DR19, unless `id` is that number.
    v_astra : str, optional
        Version of Astra that the catalogue is from, if it is of DR19 or later.
    """

    id: str
    telescope: str = "apo25m"
    field: str = ""
    location: int | None = None
    file: str = ""
    sdss_id: int | None = None
    v_astra: str = ""

    @property
    def release(self) -> str:
        """The release that the catalogue is of; empty if that is unknown or another."""
        for release, version in astra.VERSIONS.items():
            # The last digit counts repairs of one release.
            if self.v_astra.rpartition(".")[0] == version.rpartition(".")[0]:
                return release
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


def default_product(release: str) -> str:
    """Return the product of a release that holds the combined spectrum."""
    return "mwmStar" if release in astra.VERSIONS else "apStar"


def star_file(star: ArchiveStar, release: str = "dr17", product: str = "") -> ArchiveFile:
    """Return where the archive keeps a spectrum of a star.

    Parameters
    ----------
    star : ArchiveStar
        The star.
    release : str, optional
        One of :data:`RELEASES`.
    product : str, optional
        DR14 and DR17: ``apStar`` (flux, combined and single visits; asStar for lco25m) or
        ``aspcapStar`` (normalised flux and the survey's own fit). DR19 and DR20: ``mwmStar``
        (combined), ``mwmVisit`` (single visits) or ``astraStarASPCAP`` (labels and model).
        The first of them if not given.

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
    product = product or default_product(release)
    if star.v_astra and star.release != release:
        raise ArchiveError(
            f"Expected a star of {release}; the catalogue is of Astra {star.v_astra} for "
            f"{star.id}. Take the catalogue of the release that is asked for."
        )
    if release in astra.VERSIONS:
        number = astra.sdss_id_of(star.id) if star.sdss_id is None else star.sdss_id
        if number is None:
            raise ArchiveError(
                f"{star.id}: {release.upper()} sorts stars by number; give its sdss_id, such as "
                "60000001, or the astraAllStarASPCAP catalogue of the release."
            )
        return ArchiveFile(astra.star_path(release, product, number), star.id)
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
    """Return where the archive keeps the catalogue of a release.

    Parameters
    ----------
    release : str, optional
        ``dr17`` (allStarLite, a table of 1 GB and more), ``dr14`` (allStar), ``dr19`` or
        ``dr20`` (astraAllStarASPCAP; that of DR19 is compressed).
    """
    _require_release(release)
    if release in astra.VERSIONS:
        return ArchiveFile(astra.catalogue_path(release))
    return ArchiveFile(_CATALOGUES[release])


def _dr17(star: ArchiveStar, product: str) -> str:
    if not star.field:
        raise ArchiveError(f"{star.id}: DR17 sorts stars by field; give its name, such as N7789.")
    field = _require_name(star.field, "a field name such as N7789")
    if product == "aspcapStar":
        base, name = "aspcap/dr17/synspec_rev1", f"aspcapStar-dr17-{star.id}.fits"
    else:
        prefix = "as" if star.telescope == "lco25m" else "ap"
        base, name = "redux/dr17/stars", _own_name(star) or f"{prefix}Star-dr17-{star.id}.fits"
    return f"dr17/apogee/spectro/{base}/{star.telescope}/{field}/{name}"


def _dr14(star: ArchiveStar, product: str) -> str:
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


def _own_name(star: ArchiveStar) -> str:
    """Return the file name of the catalogue if it is one; else an empty text."""
    return star.file if _STAR_FILE.fullmatch(star.file) and _NAME.fullmatch(star.file) else ""


def _require_name(name: str, what: str) -> str:
    """Return a part of a path, or raise an ArchiveError if it could leave its folder."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise ArchiveError(f"Expected {what}; found {name!r}.")
    return name


def _require_release(release: str) -> None:
    if release not in RELEASES:
        raise ArchiveError(
            f"Expected release {', '.join(RELEASES[:-1])} or {RELEASES[-1]}; found {release}."
        )

"""Where SDSS's public archive keeps the spectra of SDSS-V, data releases 19 and 20.

Paths are those of ``mwmStar``, ``mwmVisit``, ``astraStarASPCAP`` and ``astraAllStarASPCAP`` in
``tree/data/dr19.cfg`` and ``dr20.cfg`` of the PyPI package sdss-tree 4.1.4, the latter of which
takes from the former what it does not say itself; ``$MWM_ASTRA`` is ``spectro/astra`` below the
release. ``@sdss_id_groups|`` is two folders of two digits: the hundreds of the star's number, and
its rest (``sdss_id_groups`` in ``sdss_access/path/path.py`` of sdss-access 3.0.11). Versions of
Astra are those of the SDSS data model's files of each release.
"""

from __future__ import annotations

from ..errors import ArchiveError

VERSIONS = {"dr19": "0.6.0", "dr20": "0.8.1"}
"""Data release to the version of Astra, the software that wrote its files."""

TEMPLATES = {
    "mwmStar": "{v_astra}/spectra/star/{groups}/mwmStar-{v_astra}-{sdss_id}.fits",
    "mwmVisit": "{v_astra}/spectra/visit/{groups}/mwmVisit-{v_astra}-{sdss_id}.fits",
    "astraStarASPCAP": "{v_astra}/results/star/{groups}/astraStarASPCAP-{v_astra}-{sdss_id}.fits",
}
"""Products of one star, and their paths below ``$MWM_ASTRA``."""

# Compressed in the one release, not in the other.
_CATALOGUES = {
    "dr19": "{v_astra}/summary/astraAllStarASPCAP-{v_astra}.fits.gz",
    "dr20": "{v_astra}/summary/astraAllStarASPCAP-{v_astra}.fits",
}

LARGEST_ID = 10**12
"""Numbers of stars are below this; there are some hundred millions."""


def sdss_id_of(star: str) -> int | None:
    """Return a text as the number of a star, ``sdss_id``; None if it is none.

    Examples
    --------
    >>> sdss_id_of("60000001"), sdss_id_of("2M00004994+1621552")
    (60000001, None)
    """
    plain = star.isascii() and star.isdigit() and len(star) <= len(str(LARGEST_ID))
    return int(star) if plain and 0 < int(star) < LARGEST_ID else None


def star_path(release: str, product: str, sdss_id: int) -> str:
    """Return the path of a product of one star, below the server's address.

    Parameters
    ----------
    release : str
        A release of :data:`VERSIONS`.
    product : str
        A product of :data:`TEMPLATES`.
    sdss_id : int
        Number of the star.

    Raises
    ------
    ArchiveError
        If the release has no such product, or the number is none.

    Examples
    --------
    >>> star_path("dr19", "mwmStar", 103020000)
    'dr19/spectro/astra/0.6.0/spectra/star/00/00/mwmStar-0.6.0-103020000.fits'
    """
    if product not in TEMPLATES:
        raise ArchiveError(
            f"{release.upper()} has {', '.join(TEMPLATES)} of a star; found {product}. apStar and "
            "aspcapStar are products of dr14 and dr17."
        )
    if not 0 < sdss_id < LARGEST_ID:
        raise ArchiveError(f"Expected the number of a star, its sdss_id; found {sdss_id}.")
    groups = f"{sdss_id // 100 % 100:02d}/{sdss_id % 100:02d}"
    version = VERSIONS[release]
    path = TEMPLATES[product].format(v_astra=version, groups=groups, sdss_id=sdss_id)
    return f"{release}/spectro/astra/{path}"


def catalogue_path(release: str) -> str:
    """Return the path of the catalogue of a release: astraAllStarASPCAP.

    Examples
    --------
    >>> catalogue_path("dr20")
    'dr20/spectro/astra/0.8.1/summary/astraAllStarASPCAP-0.8.1.fits'
    """
    return f"{release}/spectro/astra/" + _CATALOGUES[release].format(v_astra=VERSIONS[release])

"""Paths in SDSS's archive."""

from __future__ import annotations

import pytest

from spectrabridge.core.archive.apogee import ArchiveStar, catalogue_file, star_file
from spectrabridge.core.errors import ArchiveError

# Addresses as they stand in public code and documentation, one per kind of path.
KNOWN = [
    (
        "https://data.sdss.org/sas/dr17/apogee/spectro/redux/dr17/stars/lco25m/293-37-C/"
        "asStar-dr17-2M03174068-7748459.fits",
        ArchiveStar("2M03174068-7748459", "lco25m", "293-37-C"),
        "dr17",
        "apStar",
    ),
    (
        "https://data.sdss.org/sas/dr17/apogee/spectro/redux/dr17/stars/apo25m/N7789/"
        "apStar-dr17-2M00005414+5522241.fits",
        ArchiveStar("2M00005414+5522241", "apo25m", "N7789"),
        "dr17",
        "apStar",
    ),
    (
        "https://data.sdss.org/sas/dr17/apogee/spectro/aspcap/dr17/synspec_rev1/lco25m/293-37-C/"
        "aspcapStar-dr17-2M03174068-7748459.fits",
        ArchiveStar("2M03174068-7748459", "lco25m", "293-37-C"),
        "dr17",
        "aspcapStar",
    ),
    (
        "https://data.sdss.org/sas/dr14/apogee/spectro/redux/r8/stars/apo25m/4424/"
        "apStar-r8-2M00050083+6349330.fits",
        ArchiveStar("2M00050083+6349330", location=4424),
        "dr14",
        "apStar",
    ),
    (
        "https://data.sdss.org/sas/dr14/apogee/spectro/redux/r8/stars/apo1m/hip/"
        "apStar-r8-2M00050083+6349330.fits",
        ArchiveStar("2M00050083+6349330", "apo1m", "hip", 1),
        "dr14",
        "apStar",
    ),
    (
        "https://data.sdss.org/sas/dr14/apogee/spectro/redux/r8/stars/l31c/l31c.2/4424/"
        "aspcapStar-r8-l31c.2-2M00050083+6349330.fits",
        ArchiveStar("2M00050083+6349330", location=4424),
        "dr14",
        "aspcapStar",
    ),
    (
        "https://data.sdss.org/sas/dr14/apogee/spectro/redux/r8/stars/apo25m/4424/"
        "apStarC-r8-2M00050083+6349330.fits",
        ArchiveStar("2M00050083+6349330", location=4424, file="apStarC-r8-2M00050083+6349330.fits"),
        "dr14",
        "apStar",
    ),
]


@pytest.mark.parametrize(("url", "star", "release", "product"), KNOWN)
def test_addresses(url: str, star: ArchiveStar, release: str, product: str) -> None:
    file = star_file(star, release, product)
    assert file.url() == url
    assert file.name == url.rpartition("/")[2]
    assert file.star == star.id
    mirror = file.remote("http://localhost:8000/mirror/")
    assert mirror.url == url.replace("https://data.sdss.org/sas", "http://localhost:8000/mirror")


def test_catalogue_addresses() -> None:
    assert catalogue_file("dr17").url() == (
        "https://data.sdss.org/sas/dr17/apogee/spectro/aspcap/dr17/synspec_rev1/"
        "allStarLite-dr17-synspec_rev1.fits"
    )
    assert catalogue_file("dr14").name == "allStar-l31c.2.fits"
    with pytest.raises(ArchiveError, match="dr14 or dr17; found dr16"):
        catalogue_file("dr16")


ID = "2M00050083+6349330"


@pytest.mark.parametrize(
    ("star", "release", "product", "part"),
    [
        (ArchiveStar(ID), "dr17", "apStar", "give its name"),
        (ArchiveStar(ID), "dr14", "apStar", "give its number"),
        (ArchiveStar(ID, location=1), "dr14", "apStar", "give its number"),
        (ArchiveStar(ID, "apo1m", location=1), "dr14", "apStar", "give its name"),
        (ArchiveStar(ID, "lco25m", "x", 5000), "dr14", "apStar", "no spectra of lco25m"),
        (ArchiveStar(ID, "keck", "x"), "dr17", "apStar", "found keck"),
        (ArchiveStar(ID, "", "x"), "dr17", "apStar", "found none"),
        (ArchiveStar(ID, "apo25m", "x"), "dr16", "apStar", "dr14 or dr17; found dr16"),
        (ArchiveStar(ID, "apo25m", "x"), "dr17", "apVisit", "found apVisit"),
        (ArchiveStar("../../x", "apo25m", "x"), "dr17", "apStar", "Expected an APOGEE id"),
        (ArchiveStar(ID, "apo25m", "../../x"), "dr17", "apStar", "Expected a field name"),
        (ArchiveStar(ID, "apo25m", "a/b"), "dr17", "apStar", "Expected a field name"),
        (
            ArchiveStar(ID, "apo25m", "x", 5, f"apStar-r12-{ID}.fits"),
            "dr17",
            "apStar",
            "apStar-r12-",
        ),
        (
            ArchiveStar(ID, "apo25m", "x", 5, f"apStar-dr17-{ID}.fits"),
            "dr14",
            "apStar",
            "star of dr14",
        ),
        (
            ArchiveStar(ID, location=5, file=f"apStarC-r8-{ID}.fits"),
            "dr14",
            "aspcapStar",
            "commissioning",
        ),
    ],
)
def test_stars_without_a_path(star: ArchiveStar, release: str, product: str, part: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        star_file(star, release, product)
    assert part in str(caught.value)


def test_fields_with_odd_names_are_quoted() -> None:
    url = star_file(ArchiveStar(ID, "apo1m", "060+00 (MGA)")).url()
    assert "/apo1m/060+00%20%28MGA%29/" in url

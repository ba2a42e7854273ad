"""Paths in SDSS's archive."""

from __future__ import annotations

import importlib.metadata as import_metadata
from pathlib import Path

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
    with pytest.raises(ArchiveError, match="dr19 or dr20; found dr16"):
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
        (ArchiveStar(ID, "apo25m", "x"), "dr16", "apStar", "dr19 or dr20; found dr16"),
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


# SDSS-V. Lines of tree/data/dr19.cfg and dr20.cfg of the PyPI package sdss-tree 4.1.4; dr20.cfg
# takes those of stars from dr19.cfg (base = dr19).
TREE = {
    "mwmStar": (
        "$MWM_ASTRA/{v_astra}/spectra/star/@sdss_id_groups|/mwmStar-{v_astra}-{sdss_id}.fits"
    ),
    "mwmVisit": (
        "$MWM_ASTRA/{v_astra}/spectra/visit/@sdss_id_groups|/mwmVisit-{v_astra}-{sdss_id}.fits"
    ),
    "astraStarASPCAP": (
        "$MWM_ASTRA/{v_astra}/results/star/@sdss_id_groups|/"
        "astraStarASPCAP-{v_astra}-{sdss_id}.fits"
    ),
}
SUMMARIES = {
    "dr19": "$MWM_ASTRA/{v_astra}/summary/astraAllStarASPCAP-{v_astra}.fits.gz",
    "dr20": "$MWM_ASTRA/{v_astra}/summary/astraAllStarASPCAP-{v_astra}.fits",
}


def filled(template: str, release: str, sdss_id: int = 0) -> str:
    """Return a path template of sdss-tree with its values, as sdss-access fills it."""
    text = f"{sdss_id:04d}"
    version = {"dr19": "0.6.0", "dr20": "0.8.1"}[release]
    plain = template.replace("$MWM_ASTRA", f"{release}/spectro/astra")
    plain = plain.replace("@sdss_id_groups|", f"{text[-4:-2]}/{text[-2:]}")
    return plain.format(v_astra=version, sdss_id=sdss_id)


@pytest.mark.parametrize("release", ["dr19", "dr20"])
@pytest.mark.parametrize("product", TREE)
@pytest.mark.parametrize("number", [7, 60000001, 103020000, 54321098])
def test_paths_of_sdss_v_are_those_of_its_tree(release: str, product: str, number: int) -> None:
    file = star_file(ArchiveStar(str(number)), release, product)
    assert file.path == filled(TREE[product], release, number)
    named = star_file(ArchiveStar(ID, sdss_id=number), release, product)
    assert (named.path, named.star) == (file.path, ID)


@pytest.mark.parametrize("release", ["dr19", "dr20"])
def test_catalogues_of_sdss_v(release: str) -> None:
    assert catalogue_file(release).path == filled(SUMMARIES[release], release)
    assert star_file(ArchiveStar("60000001"), release).name.startswith("mwmStar-")


def test_templates_are_those_of_the_installed_tree() -> None:
    try:
        import_metadata.version("sdss-tree")
    except import_metadata.PackageNotFoundError:
        pytest.skip("sdss-tree is not installed; its lines are written above")
    folder = import_metadata.distribution("sdss-tree").locate_file("tree/data")
    lines = {r: Path(str(folder), f"{r}.cfg").read_text().splitlines() for r in SUMMARIES}
    for product, template in TREE.items():
        assert f"{product} = {template}" in lines["dr19"]
        assert not any(line.startswith(f"{product} =") for line in lines["dr20"])
    for release, template in SUMMARIES.items():
        assert f"astraAllStarASPCAP = {template}" in lines[release]
        assert "MWM_ASTRA = %(SPECTRO_ROOT)s/astra" in lines["dr19"]
    assert "base = dr19" in lines["dr20"]


@pytest.mark.parametrize(
    ("star", "release", "product", "part"),
    [
        (ArchiveStar(ID), "dr19", "mwmStar", "give its sdss_id, such as 60000001"),
        (ArchiveStar("0"), "dr19", "mwmStar", "give its sdss_id"),
        (ArchiveStar("\u0667"), "dr19", "mwmStar", "give its sdss_id|Expected an APOGEE id"),
        (ArchiveStar("9" * 40), "dr20", "mwmStar", "give its sdss_id"),
        (ArchiveStar(ID, sdss_id=-1), "dr19", "mwmStar", "found -1"),
        (ArchiveStar("60000001"), "dr19", "apStar", "found apStar"),
        (ArchiveStar(ID, "apo25m", "x"), "dr17", "mwmStar", "found mwmStar"),
        (ArchiveStar(ID, sdss_id=7, v_astra="0.6.0"), "dr20", "mwmStar", "Astra 0.6.0"),
        (ArchiveStar(ID, "apo25m", "x", sdss_id=7, v_astra="0.6.0"), "dr17", "", "Astra 0.6.0"),
    ],
)
def test_stars_of_sdss_v_without_a_path(
    star: ArchiveStar, release: str, product: str, part: str
) -> None:
    with pytest.raises(ArchiveError, match=part):
        star_file(star, release, product)


def test_the_version_of_a_catalogue_tells_its_release() -> None:
    assert ArchiveStar(ID, v_astra="0.6.0").release == "dr19"
    assert ArchiveStar(ID, v_astra="0.8.0").release == "dr20"
    assert ArchiveStar(ID, v_astra="0.5.0").release == ""

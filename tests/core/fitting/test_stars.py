"""Stars from files, with the shipped giants."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.errors import FitError
from spectrabridge.core.fitting.star_fits import UNREADABLE, fit_stars, fitters
from spectrabridge.core.fitting.stars import Reading, first_spectra, read_stars
from spectrabridge.core.io import example_apstar


@pytest.fixture(scope="module")
def ready():
    return fitters(open_bundle("apogee-giants"), ("emulated", "adapted"))


def test_one_bad_file_does_not_take_the_others_with_it(ready, tmp_path: Path):
    (tmp_path / "notes.fits").write_text("not a spectrum")
    files = [tmp_path / "notes.fits", example_apstar(), tmp_path / "gone.fits"]
    stars = read_stars(files)
    assert [bool(s.error) for s in stars] == [True, False, True]
    assert "notes.fits" in stars[0].error and "gone.fits" in stars[2].error
    seen = []
    found = fit_stars(ready, stars, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (6, 6) and [s[0] for s in seen] == sorted(s[0] for s in seen)
    rows = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert [r["file"] for r in rows] == ["notes.fits", example_apstar().name, "gone.fits"]
    for name in ("raw", "adapted"):
        assert rows[0][name]["flags"] == [UNREADABLE]
        assert rows[0][name]["reduced_chi2"] is None
        assert rows[1][name]["reduced_chi2"] > 0
        assert set(rows[1][name]["labels"]) == set(found.fits["adapted"].label_set.names)
    table = found.table()
    assert list(table["flags"])[::2] == [UNREADABLE] * 2
    assert table["teff"].mask.tolist() == [True, False, True]


def test_nothing_given_is_said():
    with pytest.raises(FitError, match="No files"):
        read_stars([])


def test_visits_are_rows_of_their_own_if_asked_for(data_file):
    path = data_file("observed/fits/apStar-r5-2M00004994+1621552.fits")
    stars = read_stars([path], Reading(every_row=True))
    assert len(stars) == len(first_spectra(stars)) == 5
    assert [s.row for s in stars] == [0, 1, 2, 3, 4]
    assert {s.id for s in stars} == {"2M00004994+1621552"}


# Star, file; survey's Teff, log g, [Fe/H]; prototype's reduced chi2, raw and adapted.
GIANTS = {
    "2M00004994+1621552": (
        "apStar-r5-2M00004994+1621552.fits",
        (4705, 2.58, 0.05),
        (31.0, 1.07),
    ),
    "2M00242666+5341178": (
        "apVisit-r13-9518-57729-104.fits",
        (4511, 2.26, -0.08),
        (8.6, 1.2),
    ),
}


@pytest.mark.parametrize("star", GIANTS)
def test_real_giants(ready, data_file, star):
    """Labels of the survey within the tolerances that were asked for, and a good fit."""
    name, survey, (_, prototype) = GIANTS[star]
    found = fit_stars(ready, read_stars([data_file(f"observed/fits/{name}")]))
    raw, adapted = found.fits["emulated"], found.fits["adapted"]
    assert found.stars[0].id == star
    assert adapted.reduced_chi2[0] < prototype
    assert raw.reduced_chi2[0] > 5 * adapted.reduced_chi2[0]
    assert abs(adapted.residual_mean[0]) < 0.05
    assert adapted.residual_std[0] == pytest.approx(1, abs=0.1)
    columns = adapted.label_set.columns(("teff", "logg", "Fe"))
    off = np.abs(adapted.labels[0, columns] - survey)
    assert (off < (120, 0.25, 0.12)).all()
    assert adapted.flags[0] == ()
    assert abs(adapted.velocity[0]) < 1


def test_a_cool_giant(ready, data_file):
    """2M17334253-1654573, 3788 K in the survey, near the edge of what training saw."""
    path = data_file("observed/fits/apStar-r6-2M17334253-1654573.fits")
    found = fit_stars(ready, read_stars([path]))
    assert found.fits["adapted"].reduced_chi2[0] < 4.7
    assert found.fits["emulated"].reduced_chi2[0] > 15
    adapted = found.fits["adapted"]
    teff, logg, iron = adapted.labels[0, adapted.label_set.columns(("teff", "logg", "Fe"))]
    assert abs(teff - 3788) < 120 and abs(logg - 1.08) < 0.25 and abs(iron - 0.01) < 0.12
    assert "extrapolated" in adapted.flags[0]

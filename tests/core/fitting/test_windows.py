"""Windows of a fit: read in any unit and medium, used as they say, refused where they do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from spectrabridge.core.errors import FitError
from spectrabridge.core.fitting import FitSettings, fit_labels
from spectrabridge.core.fitting.windows import Window, read_windows, window_pixels, windows_text
from spectrabridge.core.spectra import APOGEE_GRID, Spectra
from spectrabridge.core.spectra.wavelength import vacuum_to_air

ROWS = {"use": ["include", "exclude"], "from": [15200.0, 15300.0], "to": [15500.0, 15310.0]}
WANTED = (Window("include", 15200.0, 15500.0), Window("exclude", 15300.0, 15310.0))


def written(path: Path, rows: dict[str, object], unit: str = "", **meta: str) -> Path:
    table = Table(rows, meta=meta)
    for name in ("from", "to"):
        if unit and name in table.colnames:
            table[name].unit = unit
    kinds = {".ecsv": "ascii.ecsv", ".csv": "ascii.csv", ".fits": "fits", ".vot": "votable"}
    table.write(path, format=kinds[path.suffix])
    return path


@pytest.mark.parametrize("name", ["w.ecsv", "w.csv", "w.fits", "w.vot"])
def test_windows_of_every_format_are_read(tmp_path: Path, name: str) -> None:
    rows = ROWS | {"medium": ["vacuum", "vacuum"]}
    assert read_windows(written(tmp_path / name, rows)) == WANTED


def test_air_and_other_units_become_vacuum_angstrom(tmp_path: Path) -> None:
    air = {key: vacuum_to_air(np.array(ROWS[key])) / 10 for key in ("from", "to")}
    path = written(tmp_path / "w.ecsv", ROWS | air, "nm", medium="air")
    for found, wanted in zip(read_windows(path), WANTED, strict=True):
        assert found.use == wanted.use
        assert found.low == pytest.approx(wanted.low, abs=1e-4)
        assert found.high == pytest.approx(wanted.high, abs=1e-4)


def test_each_row_may_have_a_medium_of_its_own(tmp_path: Path) -> None:
    rows = ROWS | {"medium": ["vacuum", "AIR"]}
    first, second = read_windows(written(tmp_path / "w.csv", rows))
    assert first == WANTED[0]
    assert second.low - WANTED[1].low == pytest.approx(4.18, abs=0.05)


@pytest.mark.parametrize(
    ("rows", "meta", "sentence"),
    [
        (ROWS, {}, "in air or vacuum"),
        (ROWS, {"medium": "water"}, "in air or vacuum.*'water'"),
        ({"from": [1.0], "to": [2.0]}, {"medium": "air"}, "columns use, from and to"),
        (ROWS | {"use": ["include", "maybe"]}, {"medium": "air"}, "Row 2 of w.ecsv: .*'maybe'"),
        (ROWS | {"to": [15100.0, 15310.0]}, {"medium": "air"}, "Row 1 of w.ecsv: .* to a larger"),
        (ROWS | {"to": [np.nan, 15310.0]}, {"medium": "air"}, "Row 1 of w.ecsv: .* to a larger"),
        (ROWS | {"to": ["a", "b"]}, {"medium": "air"}, "Expected numbers in column to"),
        ({k: v[:0] for k, v in ROWS.items()}, {"medium": "air"}, "a row each, in w.ecsv; found 0"),
    ],
)
def test_what_says_too_little_is_refused(
    tmp_path: Path, rows: dict[str, object], meta: dict[str, str], sentence: str
) -> None:
    with pytest.raises(FitError, match=sentence):
        read_windows(written(tmp_path / "w.ecsv", rows, **meta))


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_text("include 1 2\n", "utf-8")
    with pytest.raises(FitError, match=r"ends in .ecsv, .vot"):
        read_windows(tmp_path / "w.txt")
    with pytest.raises(FitError, match=r"expected angstrom, nm, um"):
        read_windows(written(tmp_path / "w.ecsv", ROWS, "K", medium="air"))
    (tmp_path / "x.fits").write_bytes(b"no")
    with pytest.raises(FitError, match="not a FITS file"):
        read_windows(tmp_path / "x.fits")


def test_pixels_are_those_of_the_windows() -> None:
    wavelength = APOGEE_GRID.wavelength
    used = window_pixels(WANTED, APOGEE_GRID)
    inside = (wavelength >= 15200) & (wavelength <= 15500)
    left_out = (wavelength >= 15300) & (wavelength <= 15310)
    assert (used == (inside & ~left_out)).all()
    assert (window_pixels(WANTED[1:], APOGEE_GRID) == ~left_out).all()
    assert window_pixels((), APOGEE_GRID).all()
    with pytest.raises(FitError, match="leave no pixel to fit of 15168 to 16937"):
        window_pixels([Window("include", 1520.0, 1550.0)], APOGEE_GRID)
    with pytest.raises(FitError, match="leave no pixel"):
        window_pixels([Window("exclude", 1.0, 1e6)], APOGEE_GRID)
    assert windows_text(WANTED).startswith("include 15200 to 15500, exclude 15300 to 15310;")


def test_what_is_excluded_has_no_part_in_a_fit(fit_bundle, observe) -> None:
    stars = observe(6, sigma=0.01, seed=5).spectra
    grid = fit_bundle.model.grid
    start, stop = grid.n_pixels // 3, grid.n_pixels // 3 + grid.n_pixels // 10
    flux = stars.flux.copy()
    flux[:, start:stop] *= 0.8
    spoiled = Spectra(grid, flux, stars.ivar, stars.ids, provenance=stars.provenance)
    step = 0.25 * (grid.wavelength[1] - grid.wavelength[0])
    ends = grid.wavelength[start] - step, grid.wavelength[stop - 1] + step
    plain = FitSettings(floor=0.0, search=0.0, widening=1.0)
    masked = FitSettings(floor=0.0, search=0.0, widening=1.0, windows=(Window("exclude", *ends),))
    clean = fit_labels(fit_bundle, stars, masked)
    bad = fit_labels(fit_bundle, spoiled, masked)
    assert (bad.n_pixels == grid.n_pixels - (stop - start)).all()
    assert np.allclose(bad.labels, clean.labels, rtol=1e-4, atol=1e-4)
    assert np.allclose(bad.reduced_chi2, clean.reduced_chi2, rtol=1e-3)
    assert not any("few_pixels" in flags for flags in bad.flags)
    assert (fit_labels(fit_bundle, spoiled, plain).reduced_chi2 > 3 * bad.reduced_chi2).all()
    assert np.isnan(bad.residual[:, start:stop]).all()


def test_windows_with_fewer_pixels_than_labels_fit_nothing(fit_bundle, observe) -> None:
    grid = fit_bundle.model.grid
    few = Window("include", float(grid.wavelength[10]), float(grid.wavelength[20]))
    found = fit_labels(fit_bundle, observe(2).spectra, FitSettings(search=0.0, windows=(few,)))
    assert not found.fitted.any()
    assert all("not_fitted" in flags for flags in found.flags)

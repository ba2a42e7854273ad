"""The Fit page, with the shipped bundle: files in; rows, figures and tables out."""

import io
import warnings

import numpy as np
import pytest
from astropy.table import Table
from star_files import KINDS, content_of

from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.fitting import FitSettings
from spectrabridge.core.io.apstar import example_apstar
from spectrabridge.core.io.cell_text import column_texts
from spectrabridge.core.io.table_formats import FORMATS
from spectrabridge.explorer.fit.page import FitPage
from spectrabridge.explorer.fit.residual_counts import EDGES, ResidualCounts, Spread
from spectrabridge.explorer.fit.star_view import EVERY, ONE
from spectrabridge.explorer.fit.tables import error, fits_bytes, label_rows, number, star_columns
from spectrabridge.explorer.session.fitted_star import (
    FitPlan,
    fit_batch,
    fitters_of,
    read_file,
    shown_labels,
)
from spectrabridge.explorer.session.star_fitting import StarFitting
from spectrabridge.explorer.state.view_state import ViewState

NAME = example_apstar().name
PLAN = FitPlan(settings=FitSettings(iterations=3, chunk=4))


@pytest.fixture(scope="module")
def bundle():
    return open_bundle("apogee-giants")


@pytest.fixture(scope="module")
def content():
    return example_apstar().read_bytes()


@pytest.fixture(scope="module")
def fitted(bundle, content):
    """The example star, fitted once for all tests."""
    return fit_batch(fitters_of(bundle, PLAN), read_file(NAME, content))[0]


@pytest.fixture
def page(bundle, fitted, monkeypatch):
    """A page that knows the fit of the example star already."""

    def fit(self, plan, stars):
        from dataclasses import replace

        kinds = {k: v for k, v in fitted.fits.items() if k in plan.kinds}
        return [replace(s, stage="fitted", fits=kinds, shown=fitted.shown) for s in stars]

    monkeypatch.setattr(StarFitting, "fit", fit)
    page = FitPage(bundle)
    yield page
    page.close()


def texts(row):
    return [cell[0] for cell in row["cells"]]


def test_the_fit_of_the_example_star_is_real(fitted, bundle):
    assert fitted.stage == "fitted"
    assert set(fitted.fits) == {"emulated", "adapted"}
    raw, adapted = fitted.fits["emulated"], fitted.fits["adapted"]
    assert adapted.reduced_chi2[0] < raw.reduced_chi2[0]
    assert fitted.shown.grid == bundle.model.grid


def test_two_files_make_two_rows_and_the_broken_one_says_why(page, content):
    page.receive(NAME, content)
    page.receive("notes.txt", b"no star")
    good, bad = page.table.rows
    assert texts(good)[0] == "2M19485057+5005279"
    assert "\u00b1" in texts(good)[1]
    assert texts(bad)[0] == "notes.txt"
    assert "unreadable" in texts(bad)
    assert bad["mark"] == "bad"
    sentence = next(c[2] for c in bad["cells"] if c[0] == "unreadable")
    assert sentence.startswith("notes.txt is none of the files that are read")
    assert "1 fitted, 1 unreadable" in page.progress.object


def test_the_first_star_is_chosen_and_the_choice_changes_the_figure(page, content):
    page.receive("notes.txt", b"no star")
    assert "notes.txt is none of the files" in page.view.notice.object
    page.receive(NAME, content)
    page.receive("again.fits", content)
    star = page.queue.stars["again.fits#0"]
    page.state.fitted = f"{NAME}#0"
    figure = page.view.figure
    assert np.isfinite(figure.source.data["adapted"]).any()
    assert page.view.one_box.visible
    assert not page.view.notice.visible
    # A star without the raw fit: its curve goes.
    star.fits.pop("emulated")
    page.table.chosen = "again.fits#0"
    assert page.state.fitted == "again.fits#0"
    assert not np.isfinite(figure.source.data["emulated"]).any()
    assert np.isfinite(figure.source.data["residual_adapted"]).any()
    page.table.chosen = "notes.txt#0"
    assert page.view.notice.visible
    assert not page.view.one_box.visible
    assert page.label_table.rows == []


def test_labels_of_the_chosen_star_stand_in_the_second_table(page, content, bundle):
    page.receive(NAME, content)
    rows = page.label_table.rows
    assert [r["key"] for r in rows] == list(bundle.model.labels.names)
    best = page.star.best
    assert texts(rows[0])[2].startswith(f"{best.labels[0, 0]:.0f} \u00b1")


def test_survey_labels_get_columns_and_a_difference_in_sigma(fitted, bundle):
    from dataclasses import replace

    teff = float(fitted.best.labels[0, 0])
    width = float(fitted.best.errors[0, 0])
    star = replace(fitted, star=replace(fitted.star, survey={"teff": teff - 2 * width}))
    row = label_rows(star, bundle.model.labels)[0]
    assert texts(row)[3:] == [f"{teff - 2 * width:.0f}", "2.0"]
    with_survey = star_columns(bundle.model.labels, survey=True)
    assert len(with_survey) - len(star_columns(bundle.model.labels, survey=False)) == 3


def test_flags_are_explained(page, content, fitted):
    page.receive(NAME, content)
    flags = fitted.best.flags[0]
    assert flags, "three iterations are too few"
    cell = page.table.rows[0]["cells"][-3]
    assert cell[0] == ", ".join(f.replace("_", " ") for f in flags)
    assert "not converged: the fit was still moving when it was stopped" in cell[2]


def test_a_file_of_the_same_name_replaces_its_rows_in_place(page, content):
    page.receive(NAME, content)
    page.receive("b.fits", content)
    page.receive(NAME, b"damaged")
    assert [r["key"] for r in page.table.rows] == [f"{NAME}#0", "b.fits#0"]
    assert page.queue.stars[f"{NAME}#0"].stage == "unreadable"
    page.receive(NAME, content)
    assert page.queue.stars[f"{NAME}#0"].stage == "fitted"


def test_options_make_the_plan(page, content):
    page.options.choices["spectra"].value = "adapted"
    page.options.choices["prior"].value = "none"
    page.options.choices["floor"].value = "0.01"
    page.options.choices["split"].value = "fitted"
    page.options.choices["starts"].value = "3"
    plan = page.options.plan
    assert plan.kinds == ("adapted",)
    s = plan.settings
    assert (s.prior, s.floor, s.split, s.starts) == ("none", 0.01, "fitted", 3)
    page.receive(NAME, content)
    assert set(page.star.fits) == {"adapted"}
    page.options.choices["spectra"].value = "both"
    page.fit_again()
    assert set(page.star.fits) == {"emulated", "adapted"}


def test_held_labels_go_into_the_plan_and_nonsense_is_refused(page):
    held = page.options.held
    held.text = "v_macro=4, [Fe/H] = -0.5"
    assert held.problem == ""
    assert page.options.plan.settings.fixed == {"vmacro": 4.0, "Fe": -0.5}
    held.text = "vmacro=fast"
    assert "found 'vmacro=fast'" in held.problem
    assert held.problem.endswith("Still held: vmacro=4, Fe=-0.5.")
    assert page.options.plan.settings.fixed == {"vmacro": 4.0, "Fe": -0.5}
    held.text = ""
    assert held.problem == ""
    assert page.options.plan.settings.fixed == {}


def test_all_stars_are_pooled(page, content):
    for name in ("a.fits", "b.fits"):
        page.receive(name, content)
    page.view.mode = EVERY
    density = page.view.density
    one = Spread.of(page.star.best.residual[0])
    assert density.counts["adapted"].n_stars == 2
    pooled = density.counts["adapted"].spread
    assert pooled.n == 2 * one.n
    assert (pooled.mean, pooled.std) == pytest.approx((one.mean, one.std))
    page.state.fitted = "a.fits#0"
    page.receive("a.fits", b"damaged")
    assert density.counts["adapted"].n_stars == 1
    page.view.mode = ONE
    assert page.view.notice.visible, "the chosen star is the damaged one now"
    page.table.chosen = "b.fits#0"
    assert page.view.one_box.visible


@pytest.mark.parametrize("name", FORMATS)
def test_exported_tables_are_read_back(page, content, bundle, name):
    page.receive(NAME, content)
    page.receive("notes.txt", b"no star")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # units that VOTable does not know
        table = Table.read(io.BytesIO(page._download(name).read()), format=FORMATS[name].astropy)
    assert [str(s) for s in table["id"]] == ["2M19485057+5005279", "notes.txt"]
    best = page.queue.stars[f"{NAME}#0"].best
    assert float(table["teff"][0]) == pytest.approx(best.labels[0, 0])
    assert "raw_teff" in table.colnames
    assert str(table["flags"][1]) == "unreadable"
    assert "none of the files" in str(table["notes"][1])


@pytest.mark.parametrize("name", FORMATS)
def test_strange_file_names_survive_in_every_format(page, content, name, hostile_texts, read_back):
    files = [t for t in hostile_texts if t]
    for file in files:
        page.receive(file, content)
    table = read_back(page._download(name).read(), name)
    assert column_texts(table["file"]) == files
    assert column_texts(table["remarks"]) == [s.best.remarks[0] for s in page.queue.stars.values()]


def test_a_table_of_unreadable_files_can_be_saved(bundle):
    stars = read_file("notes.txt", b"no star")
    table = Table.read(fits_bytes(stars, bundle.model, "ECSV").decode(), format="ascii.ecsv")
    assert len(table) == 1


def test_show_in_spectrum_shows_the_labels_of_the_star(content, page):
    shown = []
    page._on_show = lambda: shown.append(dict(page.state.labels))
    page.receive(NAME, content)
    page.state.show(page.state.reference)
    page._show_on_spectrum()
    assert shown == [shown_labels(page.star)]
    page.state.undo()
    assert page.state.labels["teff"] == page.state.reference[0]


def test_the_page_follows_unit_theme_and_chip(bundle, content, page):
    page.receive(NAME, content)
    page.view.mode = EVERY
    page.state.unit = "nm"
    assert 1500 < page.view.figure.source.data["x"][0] < 1530
    assert page.view.density.sources["adapted"].data["x"][0] < 1530
    page.state.chip = bundle.model.grid.chips[1].name
    assert 1580 < page.view.wavelengths.range.start < 1650
    page.state.dark = True
    assert page.view.figure.lines["observed"].glyph.line_color == "#ffffff"


def test_files_that_do_not_arrive_get_a_row(page):
    page.drop.take_message({"name": "big.fits", "size": 10**10, "problem": "large"})
    assert texts(page.table.rows[0])[0] == "big.fits"
    assert "larger than 100 MB" in page.queue.stars["big.fits#0"].problem


# ----------------------------------------------------------------------------- numbers


def test_numbers_and_errors_are_short():
    assert number(-0.516, 2) == "\u22120.52"
    assert number(-0.001, 2) == "0.00"
    assert number(float("nan"), 2) == ""
    assert error(0.0, 2) == "held"
    assert error(0.004, 2) == "\u00b10.004"
    assert error(12.3, 0) == "\u00b112"


def test_counts_of_residuals(bundle):
    rng = np.random.default_rng(0)
    grid = bundle.model.grid
    residual = rng.standard_normal(grid.n_pixels).astype(np.float32)
    residual[:50] = np.nan
    residual[50] = 99
    counts = ResidualCounts(grid)
    counts.add(residual)
    spread = counts.spread
    assert spread.n == grid.n_pixels - 50
    assert spread.density == pytest.approx(Spread.of(residual).density)
    assert (spread.density * np.diff(EDGES)).sum() == pytest.approx(1, abs=1e-3)
    assert counts.image.max() == pytest.approx(1)
    counts.add(residual, -1)
    assert counts.counts.sum() == 0
    assert counts.spread.n == 0


def test_the_state_names_the_first_page(model):
    # That there is a page of another name is asked by the explorer, see test_app.py.
    assert ViewState(model.labels, model.reference).page == "spectrum"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_becomes_rows(page, data_file, kind):
    name, content, words = content_of(kind, data_file)
    page.receive(name, content)
    stars = list(page.queue.stars.values())
    assert len(stars) == (2 if "2 stars" in words else 1)
    assert [s.stage for s in stars] == ["fitted"] * len(stars)
    assert all(s.star.file == name and len(s.star.spectra) >= 1 for s in stars)

"""The Lines page without a browser: decisions, order, words, files."""

import io
import re
import zipfile
from dataclasses import dataclass

import numpy as np
import pytest
from astropy.table import Table
from fake import FakeBundle

from spectrabridge.core.errors import LinesError
from spectrabridge.core.fitting.stars import Star
from spectrabridge.core.io.cell_text import column_texts
from spectrabridge.core.io.table_formats import FORMATS
from spectrabridge.core.linelist.shipped import shipped_lines
from spectrabridge.core.lines import Answer, Candidate, Candidates, NearLine, attached
from spectrabridge.core.lines.candidate import candidate_id
from spectrabridge.core.spectra import Spectra
from spectrabridge.core.vetting import open_vetting
from spectrabridge.explorer.computed.derivatives import DerivativeCache
from spectrabridge.explorer.lines import vetting_session
from spectrabridge.explorer.lines.candidate_table import Filters, candidate_rows, next_open
from spectrabridge.explorer.lines.measured_star import MeasuredStar
from spectrabridge.explorer.lines.page import LinesPage
from spectrabridge.explorer.lines.reference_star import (
    StarLines,
    columns_by_element,
    top_elements,
    window_of,
)
from spectrabridge.explorer.publication.missing_lines import line_figure
from spectrabridge.explorer.session.open_stars import OpenStars
from spectrabridge.explorer.session.star_fitting import StarFitting
from spectrabridge.explorer.widgets.data_table import arranged

PRINT = "0123456789abcdef"


@dataclass
class LinesBundle(FakeBundle):
    """What the page reads of a bundle."""

    name: str = "toy"
    fingerprint: str = PRINT

    @property
    def labels(self):
        return self.model.labels

    @property
    def grid(self):
        return self.model.grid

    def attached(self, name):
        return None


def toy(model, n=12):
    """Candidates at hidden lines of the toy model."""
    wave = model.grid.wavelength
    depth = model.hidden.sum(1)
    rows, at = [], 0
    for k in range(n):
        at += 500
        peak = at + int(np.argmax(depth[at : at + 80]))
        rows.append(
            Candidate(
                candidate_id(PRINT, wave[peak]),
                float(wave[peak]),
                float(wave[peak - 3]),
                float(wave[peak + 3]),
                peak - 3,
                peak + 4,
                peak,
                ("missing", "too weak")[k % 2],
                0.1,
                0.3,
                0.2 - 0.01 * k,
                0.1,
                0.3,
                30.0,
                float((7 * k) % 12),
                (Answer(("Fe", "Si", "CN")[k % 3], 0.8), Answer("Mg", 0.2)),
                (NearLine("Fe 1", float(wave[peak]) + 0.05, -1.0, 4.0, 0.5),) if k else (),
            )
        )
    return Candidates("toy", PRINT, {"teff": 4750.0}, {}, tuple(rows))


@pytest.fixture(scope="module")
def candidates(model):
    return toy(model)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "v.sqlite"


@pytest.fixture
def page(model, state, candidates, file):
    state.vetter = "ann"
    page = LinesPage(LinesBundle(model=model), state, None, file, candidates)
    yield page
    page.close()


def stored(file, candidates, vetter="ann"):
    with open_vetting(file, candidates, read_only=True) as vetting:
        return vetting.decisions(vetter)


def decide(page, candidate, status, **texts):
    page.receive({"do": "decide", "id": candidate.id, "status": status, **texts})


# ---------------------------------------------------------------------- deciding


def test_a_verdict_is_in_the_file_and_the_page_goes_on(page, candidates, file):
    assert page.state.feature == candidates[0].id
    decide(page, candidates[0], "accepted")
    found = stored(file, candidates)[candidates[0].id]
    assert (found.status, found.element) == ("accepted", "Fe")
    assert page.state.feature == candidates[1].id
    assert page.panel.candidate["id"] == candidates[1].id
    assert page.bar.done == [1, 12]


def test_a_late_key_counts_for_what_was_on_the_screen(page, candidates, file):
    page.state.feature = candidates[5].id
    decide(page, candidates[2], "rejected")
    assert list(stored(file, candidates)) == [candidates[2].id]
    assert page.state.feature == candidates[5].id


def test_what_cannot_be_kept_is_said_and_the_page_stays(page, candidates, file):
    moved = file.with_name("elsewhere")
    file.rename(moved)
    decide(page, candidates[0], "accepted", comment="words")
    assert "moved, deleted or replaced" in page.panel.problem
    assert page.state.feature == candidates[0].id
    assert page.panel.stored == []
    moved.rename(file)
    decide(page, candidates[0], "accepted", comment="words")
    assert page.panel.problem == ""
    assert page.panel.stored[0] == candidates[0].id
    assert stored(file, candidates)[candidates[0].id].comment == "words"


def test_answers_elements_and_comments_stay_with_the_candidate(page, candidates, file):
    here = candidates[0]
    page.receive({"do": "choose", "id": here.id, "answer": 1})
    page.receive({"do": "keep", "id": here.id, "comment": "blended"})
    assert page.state.feature == here.id
    assert page.panel.candidate["element"] == "Mg"
    assert page.panel.candidate["status"] == ""
    page.receive({"do": "keep", "id": here.id, "element": "Qq"})
    assert "no element 'Qq'" in page.panel.problem
    decide(page, here, "accepted")
    found = stored(file, candidates)[here.id]
    assert (found.status, found.element, found.comment) == ("accepted", "Mg", "blended")


def test_undo_goes_back_to_what_was_undone(page, candidates, file):
    decide(page, candidates[0], "rejected")
    decide(page, candidates[1], "unsure")
    page.receive({"do": "undo"})
    assert page.state.feature == candidates[1].id
    assert list(stored(file, candidates)) == [candidates[0].id]
    assert page.panel.said.startswith("Undone: unsure at 1")
    assert page.panel.said.endswith(", now open.")
    page.receive({"do": "undo"})
    assert page.panel.said.startswith("Undone: rejected at 1")
    page.receive({"do": "undo"})
    assert "Nothing that was said on this page is left to undo" in page.panel.problem
    page.receive({"do": "undo"})
    assert "nothing to undo for ann" in page.panel.problem


def test_what_was_said_before_is_undone_when_asked_twice(model, state, candidates, file):
    state.vetter = "ann"
    for status in ("accepted", "unsure"):
        page = LinesPage(LinesBundle(model=model), state, None, file, candidates)
        decide(page, candidates[0], status, comment="a blend")
        page.close()
    page = LinesPage(LinesBundle(model=model), state, None, file, candidates)
    page.receive({"do": "undo"})
    assert "Undo once more takes back what ann said before" in page.panel.problem
    assert stored(file, candidates)[candidates[0].id].status == "unsure"
    page.receive({"do": "undo"})
    assert page.panel.problem == ""
    assert page.panel.said.startswith("Undone: unsure at 1")
    assert page.panel.said.endswith(", now accepted.")
    assert stored(file, candidates)[candidates[0].id].status == "accepted"
    # Something new comes first again.
    decide(page, candidates[1], "rejected")
    assert page.panel.said == ""
    page.receive({"do": "undo"})
    page.receive({"do": "undo"})
    assert "left to undo" in page.panel.problem
    assert list(stored(file, candidates)) == [candidates[0].id]
    page.close()


def test_a_filter_goes_to_its_first_match(page, candidates):
    page.state.feature = candidates[0].id
    other = next(c for c in candidates if c.kind != candidates[0].kind)
    page.bar.kind = other.kind
    assert page.state.feature == other.id == page.panel.candidate["id"]
    page.bar.kind = ""
    assert page.state.feature == other.id, "it stays where it is in the table"
    page.bar.least = 1e9
    assert page.order == [] and page.state.feature == other.id


@pytest.mark.parametrize("message", [{"do": "decide", "status": "accepted"}, {"do": "dance"}])
def test_messages_without_a_known_candidate_change_nothing(page, candidates, file, message):
    page.receive({**message, "id": "not-there"})
    assert page.panel.problem
    assert stored(file, candidates) == {}


# --------------------------------------------------------------- order and filters


def test_moves_follow_the_table_as_it_is_sorted_and_filtered(page, candidates):
    page.view.table.sorting = [6, -1]  # significance, the largest first
    order = sorted(candidates, key=lambda c: -c.significance)
    page.state.feature = order[0].id
    page.move(1)
    assert page.state.feature == order[1].id
    decide(page, order[1], "accepted")
    assert page.state.feature == order[2].id
    page.bar.kind = "missing"
    kept = [c.id for c in order if c.kind == "missing"]
    assert page.order == kept
    page.state.feature = kept[-1]
    page.move(5)
    assert page.state.feature == kept[-1]
    page.bar.least = 4.0
    assert page.order == [i for i in kept if page.verdicts.by_id[i].significance >= 4]


def test_a_row_that_leaves_the_table_leaves_its_place_to_the_next(page, candidates):
    page.bar.status = "open"
    page.state.feature = candidates[3].id
    decide(page, candidates[3], "rejected")
    assert page.state.feature == candidates[4].id
    assert candidates[3].id not in page.order
    page.state.feature = candidates[3].id
    page.move(1)
    assert page.state.feature in {candidates[4].id, candidates[5].id}


def test_the_next_open_one_is_found_round_the_end(page, candidates):
    order = [c.id for c in candidates]
    assert next_open(order, {}, len(order) - 1) == order[0]
    for c in candidates[:-1]:
        decide(page, c, "accepted")
    assert page.state.feature == candidates[-1].id
    decide(page, candidates[-1], "accepted")
    assert page.state.feature == candidates[-1].id, "all are decided: it stays"
    assert next_open(order, page.verdicts.decisions, 3) is None


def test_python_sorts_as_the_browser_does(candidates):
    rows = candidate_rows(candidates, {}, Filters(), "angstrom", "vacuum")
    for column in range(8):
        assert all(
            row["cells"][column][1] is None or float(row["cells"][column][1]) is not None
            for row in rows
        )
    near = [row["key"] for row in arranged(rows, [6, -1])]
    assert near[-1] == candidates[0].id, "what has no value comes last, in both directions"
    kinds = [row["cells"][3][0] for row in arranged(rows, [3, 1])]
    assert kinds == sorted(kinds)


def test_wavelengths_follow_unit_and_medium(page, candidates):
    page.state.param.update(unit="nm", medium="air")
    row = page.view.table.rows[0]
    assert row["cells"][0][0] == f"{candidates[0].air / 10:.3f}"
    assert page.panel.candidate["title"].startswith(f"{candidates[0].air / 10:.3f} nm")
    shown = page.view.figure.chosen.data
    assert shown["low"][0] == pytest.approx(candidates[0].low / 10, rel=1e-3)
    assert shown["low"][0] < candidates[0].low / 10


def test_a_decision_sends_one_row(page, candidates):
    table = page.view.table
    sent = []
    table.param.watch(lambda *events: sent.extend(e.name for e in events), ["rows", "changed"])
    decide(page, candidates[0], "accepted")
    decide(page, candidates[1], "rejected")
    assert sent == ["changed", "changed"]
    assert [row["key"] for row in table.changed] == [candidates[0].id, candidates[1].id]
    assert [row["cells"][-1][0] for row in table.rows[:3]] == ["accepted", "rejected", "open"]
    page.bar.kind = "missing"
    assert table.changed == []
    assert sent[2:] in (["rows", "changed"], ["changed", "rows"])


# ------------------------------------------------------------- vetters and files


def test_each_vetter_has_decisions_of_their_own(page, candidates, file):
    for c in candidates[:4]:
        decide(page, c, "accepted")
    page.bar.vetter = "bob"
    assert page.state.vetter == "bob"
    assert page.bar.done == [0, 12]
    for c, status in zip(candidates[:4], "aara", strict=True):
        decide(page, c, {"a": "accepted", "r": "rejected"}[status])
    assert "With ann: \u03ba" in page.panel.note
    assert "(3 of 4 alike)" in page.panel.note
    assert page.bar.vetters == ["ann", "bob"]
    page.state.vetter = "ann"
    assert page.bar.done == [4, 12]
    assert page.state.feature == candidates[4].id
    assert len(stored(file, candidates, "bob")) == 4


def test_decisions_made_elsewhere_appear(page, candidates, file):
    page.state.page = "lines"
    with open_vetting(file, candidates) as other:
        other.decide(candidates[7], "ann", status="rejected")
    page._look()
    assert page.bar.done == [1, 12]
    row = next(r for r in page.view.table.rows if r["key"] == candidates[7].id)
    assert row["cells"][-1][0] == "rejected"


def test_the_default_file_is_made_at_the_first_decision(
    model, state, candidates, monkeypatch, file
):
    monkeypatch.setattr(vetting_session, "default_vetting_path", lambda bundle: file)
    page = LinesPage(LinesBundle(model=model), state, candidates=candidates)
    page.move(1)
    page.receive({"do": "undo"})
    assert not file.exists()
    assert all(download.disabled for download in page.exports.downloads)
    decide(page, candidates[1], "accepted")
    assert len(stored(file, candidates, state.vetter)) == 1
    page.close()


def test_the_file_of_another_bundle_is_refused_and_left_alone(model, state, candidates, file):
    with open_vetting(file, ("other", "f" * 16)):
        pass
    before = file.read_bytes()
    page = LinesPage(LinesBundle(model=model), state, None, file, candidates)
    assert "about bundle other" in page.panel.problem
    decide(page, candidates[0], "accepted")
    assert "about bundle other" in page.panel.problem
    assert page.state.feature == candidates[0].id
    assert file.read_bytes() == before
    page.close()


@pytest.mark.parametrize("name", FORMATS)
def test_strange_texts_leave_the_page_in_every_format(page, candidates, name, read_back):
    said = '\u00c5ngstr\u00f6m "1"\ta tab\nand a line \\n'
    decide(page, candidates[1], "accepted", comment=said)
    table = read_back(page.exports.content(name.lower()).read(), name)
    assert len(table) == len(candidates)
    assert column_texts(table["comment"])[:3] == ["", said, ""]


def test_decisions_leave_as_tables_and_line_lists(page, candidates):
    decide(page, candidates[1], "accepted", element="Fe")
    decide(page, candidates[2], "accepted", element="unknown")
    table = Table.read(page.exports.content("ecsv").read().decode(), format="ascii.ecsv")
    assert len(table) == len(candidates)
    assert list(table["status"][1:3]) == ["accepted", "accepted"]
    with zipfile.ZipFile(io.BytesIO(page.exports.content("moog").read())) as file:
        names = file.namelist()
        assert "26.0" in file.read(names[0]).decode()
        assert "unknown" in file.read(names[1]).decode()
    page.exports.send()
    assert "hub" in page.exports.said.object
    report = page.exports.content("html").read().decode()
    assert report.count("<svg") == 2


# ------------------------------------------------------- candidates found, or not


def test_without_candidates_it_says_so_and_finds_them(model, state, candidates, monkeypatch, file):
    monkeypatch.setattr(attached, "_found", {})
    page = LinesPage(LinesBundle(model=model), state, vetting=file)
    assert page.view is None
    assert "no table of candidate features" in page.search.words.object
    monkeypatch.setattr(attached, "find_candidates", lambda bundle, progress: 1 / 0)
    page.search.run()
    assert "ZeroDivisionError" in page.search.words.object
    monkeypatch.setattr(attached, "find_candidates", lambda bundle, progress: candidates)
    page.search.run()
    assert len(page.order) == len(candidates)
    # Other pages of this process have them at once.
    other = LinesPage(LinesBundle(model=model), state, vetting=file)
    assert len(other.order) == len(candidates)
    page.close()
    other.close()


# ------------------------------------------------------------------------ figures


def test_the_window_holds_the_feature_and_its_surroundings(candidates):
    c = candidates[0]
    low, high = window_of(c)
    assert high - low == pytest.approx(6)
    wide = Candidate(**{**c.__dict__, "low": c.wavelength - 4, "high": c.wavelength + 4})
    low, high = window_of(wide)
    assert high - low == pytest.approx(24)


def test_derivatives_are_those_of_the_answers(page, model, candidates):
    page.start()
    drawn = page.view.figure.chosen.data["elements"][0].split(",")
    assert drawn[0] == "Fe"
    assert set(page.view.figure.slopes.data) == {"x", *model.labels.elements}
    cn = candidates[2]
    found = DerivativeCache(model).get(model.reference)
    assert top_elements(cn, found, columns_by_element(model.labels))[:2] == ["C", "N"]


def test_show_in_spectrum_goes_to_the_window(page, candidates):
    page.state.feature = candidates[3].id
    page.view.show_in_spectrum()
    assert page.state.page == "spectrum"
    assert page.state.window == window_of(candidates[3])


def test_known_lines_are_those_a_star_may_show():
    lines = StarLines.of(shipped_lines(), 15950, 15980, 4750)
    assert 15950 <= lines.wavelength.min() <= lines.wavelength.max() <= 15980
    assert "Si I" in lines.names
    assert lines.elements[lines.names.index("CN")] == ""
    near = np.abs(lines.wavelength - 15964.42) < 0.1
    assert lines.names[lines.species[near][np.argmax(lines.strength[near])]] == "Si I"


def test_the_paper_figure_has_four_panels(model, candidates):
    low = candidates[0].wavelength - 20
    figure = line_figure(LinesBundle(model=model), candidates, low, low + 60)
    panels = list(figure)
    assert len(panels) == 4
    assert {e.label for e in panels[3]} == {"Mg", "Si", "Fe", "C"}
    assert {"Fe", "truth \u2212 emulated"} <= {e.label for e in panels[2]}
    with pytest.raises(LinesError, match="no abundance of Xx"):
        line_figure(LinesBundle(model=model), candidates, low, low + 60, elements=("Xx",))
    with pytest.raises(LinesError, match="No pixel"):
        line_figure(LinesBundle(model=model), candidates, 1000, 1100)


# ---------------------------------------------------------------------- observed stars


def test_a_candidate_is_measured_on_the_star_that_is_open(model, state, candidates, file):
    grid = model.grid
    one = candidates[0]
    middle = 0.5 * (one.low + one.high)
    depth, sigma = 0.4, (one.high - one.low) / 8
    flux = 1 - depth * np.exp(-0.5 * ((grid.wavelength - middle) / sigma) ** 2)
    spectra = Spectra(
        grid,
        flux[None],
        np.full((1, grid.n_pixels), 100.0**2),
        ("Arcturus",),
        provenance={"continuum": {"window": 0}},
    )
    stars = OpenStars(state, pytest.fail)
    bundle = LinesBundle(model=model)
    fitting = StarFitting(bundle, state, stars, later=True)  # nothing is fitted before the start
    page = LinesPage(bundle, state, None, file, candidates, fitting=fitting)
    page.state.feature = one.id
    shown = page.view.figure
    assert not np.isfinite(shown.full.data["observed"]).any()
    assert ["observed"] not in [curve[:1] for curve in page.view.legend.curves]
    stars.add(Star("Arcturus", "arcturus.fits", spectra, ("S/N 100",)))
    (said,) = [fact for fact in page.panel.candidate["facts"] if fact.startswith("observed")]
    found = re.fullmatch(
        r"observed: depth (\d\.\d+) \u00b1 0\.0\d+, EW (\d+) \u00b1 \d+ m\u00c5",
        said,
    )
    assert found is not None, said
    assert float(found[1]) == pytest.approx(depth, abs=0.06)
    assert float(found[2]) == pytest.approx(1000 * depth * sigma * np.sqrt(2 * np.pi), rel=0.1)
    assert np.nanmin(shown.full.data["observed"]) == pytest.approx(flux.min(), abs=0.01)
    assert ["observed"] in [curve[:1] for curve in page.view.legend.curves]
    drawn = shown.full.data["observed"]
    fitting.changed += 1
    assert shown.full.data["observed"] is drawn, "the same star is not drawn again"
    state.star = ""
    assert not np.isfinite(shown.full.data["observed"]).any()
    assert not [fact for fact in page.panel.candidate["facts"] if fact.startswith("observed")]
    page.close()


def test_a_star_with_bad_pixels_there_says_so(model, state, candidates, file):
    grid, one = model.grid, candidates[0]
    ivar = np.where((grid.wavelength > one.low) & (grid.wavelength < one.high), 0.0, 1e4)
    spectra = Spectra(grid, np.ones((1, grid.n_pixels)), ivar[None], ("x",))
    measured = MeasuredStar(spectra)
    assert "are bad: nothing can be measured there" in measured.words(one)
    assert np.isnan(measured.flux[one.pixels][1:-1]).all()

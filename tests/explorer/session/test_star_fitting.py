"""Stars are fitted as they are opened, and all views are kept on one of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake import FakeBundle
from star_files import many_stars

from spectrabridge.core.fitting.result import LabelFits
from spectrabridge.core.fitting.settings import FitSettings
from spectrabridge.core.io import example_apstar
from spectrabridge.explorer.session.fit_words import chi2_words, plain_flags, short_flags, star_line
from spectrabridge.explorer.session.open_stars import OpenStars
from spectrabridge.explorer.session.star_fitting import StarFitting
from spectrabridge.explorer.state.view_state import ViewState

STAR = "2M19485057+5005279"


class Fits:
    """Fits that are known beforehand: the temperature counts up from 4001 K."""

    def __init__(self, model):
        self.model = model
        self.flags: tuple[str, ...] = ()
        self.fitted: list[str] = []

    def __call__(self, plan, stars):
        return [self._one(star) for star in stars]

    def _one(self, star):
        self.fitted.append(star.key)
        labels = self.model.labels.mapping(self.model.reference) | {
            "teff": 4000.4 + len(self.fitted)
        }
        fits = {}
        for kind, chi2 in (("emulated", 11.93), ("adapted", 1.466)):
            none = LabelFits.empty(
                (star.star.id,),
                self.model.labels,
                FitSettings(spectrum=kind),
                self.model.grid.n_pixels,
            )
            values = self.model.labels.array(labels)[None]
            fits[kind] = replace(
                none,
                labels=values if "not_fitted" not in self.flags else none.labels,
                errors=np.ones_like(values),
                chi2=np.array([np.nan if "not_fitted" in self.flags else chi2]),
                reduced_chi2=np.array([chi2]),
                model=np.ones((1, self.model.grid.n_pixels), np.float32),
                flags=[self.flags],
            )
        shown = star.star.normalised(self.model.grid)
        return replace(star, stage="fitted", fits=fits, shown=shown)


@pytest.fixture
def fits(model, monkeypatch):
    made = Fits(model)
    monkeypatch.setattr(StarFitting, "fit", lambda self, plan, stars: made(plan, stars))
    return made


@pytest.fixture
def fitting(state, model, fits):
    stars = OpenStars(state, lambda problem: None)
    return StarFitting(FakeBundle(model=model), state, stars)


@pytest.fixture
def content():
    return example_apstar().read_bytes()


def test_an_opened_star_is_fitted_and_the_sliders_go_to_its_labels(fitting, state, content):
    before = dict(state.labels)
    fitting.stars.receive("a.fits", content)
    assert state.fitted == fitting.key == "a.fits#0"
    assert state.labels["teff"] == 4001
    assert state.undoable == f"the fit of {STAR}"
    state.undo()
    assert state.labels == before
    assert state.undoable == ""


def test_a_fit_without_labels_says_so_and_leaves_the_sliders(fitting, state, fits, content):
    fits.flags = ("not_fitted",)
    before = dict(state.labels)
    fitting.stars.receive("a.fits", content)
    assert state.labels == before and state.undoable == ""
    line = star_line(fitting.star)
    assert line.startswith(f"{STAR} has no fit: too few usable pixels.")
    assert line.endswith("The sliders stay where they are.")
    assert fitting.laid_over(fitting.bundle.model.grid) is not None, "it is shown all the same"


def test_a_bundle_that_cannot_fit_says_why(state, model, content):
    fitting = StarFitting(FakeBundle(model=model), state, OpenStars(state, lambda problem: None))
    before = dict(state.labels)
    fitting.stars.receive("a.fits", content)
    assert fitting.star.stage == "failed"
    assert fitting.star.problem in star_line(fitting.star)
    assert state.labels == before


def test_flags_are_told_in_plain_words(fitting, fits, content):
    fits.flags = ("at_bound", "bad_chi2")
    fitting.stars.receive("a.fits", content)
    star = fitting.star
    assert star_line(star) == (
        f"{STAR}: reduced \u03c7\u00b2 11.9 emulated \u2192 1.47 adapted, S/N 141, "
        "a label at its limit, poor fit"
    )
    assert chi2_words(star) == "11.9 \u2192 1.47"
    assert plain_flags(star) == "a label at its limit, poor fit"
    assert short_flags(star) == "2 flags"


def test_of_files_that_come_together_the_first_that_can_be_read_is_shown(fitting, state, content):
    for name, source in (("no.txt", b"no star"), ("a.fits", content), ("b.fits", content)):
        fitting.stars.receive(name, source, batch="one drop")
    assert state.star == "a.fits"
    assert list(fitting.fits) == ["no.txt#0", "a.fits#0", "b.fits#0"]
    assert fitting.fits["b.fits#0"].fitted, "the others are fitted as well"
    assert state.labels["teff"] == 4001
    fitting.stars.receive("c.fits", content, batch="another drop")
    assert state.star == "c.fits"


def test_a_star_chosen_on_the_fit_page_is_the_star_everywhere(fitting, state):
    fitting.stars.receive("set.h5", many_stars(3))
    assert state.labels["teff"] == 4001
    state.fitted = "set.h5#2"
    assert (state.star, state.row) == ("set.h5", 2)
    assert state.labels["teff"] == 4003
    state.row = 1
    assert state.fitted == "set.h5#1"
    assert state.labels["teff"] == 4002
    state.star = ""
    assert fitting.star is None
    assert state.labels["teff"] == 4002, "the sliders stay when the star is taken away"


def test_what_cannot_be_read_can_be_looked_at_on_the_fit_page(fitting, state, content):
    fitting.stars.receive("a.fits", content)
    fitting.stars.receive("no.txt", b"no star")
    state.fitted = "no.txt#0"
    fitting.stars.receive("c.txt", b"no star")
    assert state.fitted == "no.txt#0", "nothing takes it away"
    assert state.star == "a.fits"


def test_a_visit_is_fitted_when_it_is_chosen(fitting, state, fits, data_file):
    path = data_file("observed/fits/apStar-r5-2M00004994+1621552.fits")
    fitting.stars.receive("a.fits", path)
    assert fits.fitted == ["a.fits#0"]
    state.row = 3
    assert fits.fitted == ["a.fits#0", "a.fits#3"]
    assert fitting.star.star.title().startswith("visit")
    state.row = 0
    assert fits.fitted == ["a.fits#0", "a.fits#3"], "it has its fit"


def test_the_same_spectrum_is_laid_over_until_another_is_chosen(fitting, content, model):
    fitting.stars.receive("a.fits", content)
    shown = fitting.laid_over(model.grid)
    assert fitting.laid_over(model.grid) is shown
    # The continuum of the fit, which is 1 here, against the model at its labels.
    plain = model.adapt(fitting.star.best.labels[0])[0]
    raw = fitting.star.shown.flux[0]
    good = shown.good[0]
    ratio = raw[good] / shown.flux[0][good]
    assert np.std(ratio) < np.std(1 / plain[good]), "smooth: lines stay in the spectrum"


def test_another_bundle_fits_all_again_and_the_sliders_follow(fitting, state, model, content):
    fitting.stars.receive("a.fits", content)
    new = ViewState(model.labels, model.reference, star="a.fits", labels=dict(state.labels))
    fitting.stars.state = new
    fitting.use(FakeBundle("other", model=model), new)
    assert new.fitted == "a.fits#0"
    assert new.labels["teff"] == 4002
    new.move("teff", 4500.0)
    newer = ViewState(model.labels, model.reference, star="a.fits", labels=dict(new.labels))
    fitting.stars.state = newer
    fitting.use(FakeBundle("third", model=model), newer)
    assert newer.labels["teff"] == 4500, "who has moved them keeps them"


def test_a_file_of_a_link_moves_no_sliders_once(fitting, state, content):
    fitting.hold("a.fits")
    fitting.stars.receive("a.fits", content)
    assert fitting.star.fitted
    assert state.labels["teff"] == 4750
    fitting.stars.receive("b.fits", content)
    assert state.labels["teff"] == 4002
    state.star = "a.fits"
    assert state.labels["teff"] == 4001


def test_clear_closes_all_stars(fitting, state, content):
    fitting.stars.receive("a.fits", content)
    fitting.clear()
    assert fitting.stars.files == {} and fitting.fits == {}
    assert state.star == "" and fitting.star is None


def test_a_damaged_file_of_the_same_name_takes_its_star_away(fitting, state, content):
    fitting.stars.receive("a.fits", content)
    fitting.stars.receive("a.fits", b"damaged")
    assert fitting.stars.files == {}
    assert state.star == ""
    assert fitting.fits["a.fits#0"].stage == "unreadable"


def test_nothing_is_fitted_before_a_page_is_there(state, model, fits, content):
    fitting = StarFitting(
        FakeBundle(model=model), state, OpenStars(state, lambda problem: None), later=True
    )
    fitting.stars.receive("a.fits", content)
    assert fits.fitted == []
    fitting.start(lambda function: function())
    assert fitting.queue is not None
    fitting.close()

"""One door for stars: files of every kind come in, and the state says which spectrum is meant."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.table import Table
from star_files import KINDS, content_of, many_stars

from spectrabridge.core.errors import GridError
from spectrabridge.core.io import example_apstar
from spectrabridge.core.spectra import APSTAR_GRID, Spectra, WavelengthGrid
from spectrabridge.explorer.session import open_stars
from spectrabridge.explorer.session.open_stars import OpenStars


@pytest.fixture
def told():
    return []


@pytest.fixture
def stars(state, told):
    return OpenStars(state, told.append)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_opens_and_says_what_was_read(
    stars, state, model, told, kind, data_file
):
    name, content, words = content_of(kind, data_file)
    stars.receive(name, content)
    assert told == []
    assert state.star == name
    spectra = stars.laid_over(model.grid)
    assert spectra.grid == model.grid and len(spectra) == 1
    good = spectra.good[0]
    assert good.mean() > 0.5
    assert np.median(spectra.flux[0][good]) == pytest.approx(1, abs=0.1)
    assert stars.files[name].notes[0] == f"Read as {words}."


def test_a_file_that_cannot_be_read_gives_the_sentence_of_its_reader(stars, state, told):
    stars.receive("notes.txt", b"a shopping list")
    (problem,) = told
    assert str(problem).startswith("notes.txt is none of the files that are read: apStar")
    assert stars.files == {} and state.star == ""
    here = []
    stars.receive("notes.txt", b"again", here.append)
    assert len(here) == len(told) == 1


def test_the_row_of_a_set_is_chosen_by_the_state(stars, state, model):
    stars.receive("set.h5", many_stars(5))
    file = stars.files["set.h5"]
    assert [title.split(",")[0] for title in file.titles] == [f"star {i}" for i in range(5)]
    assert stars.title == "star 0"
    state.row = 3
    assert stars.title == "star 3"
    third = stars.laid_over(model.grid)
    assert stars.laid_over(model.grid) is third, "kept until another is chosen"
    assert third.ids == ("star 3",)
    state.row = 99
    assert stars.title == "star 4"


def test_more_spectra_than_are_kept_are_told(stars, monkeypatch):
    monkeypatch.setattr(open_stars, "MAX_SPECTRA", 3)
    stars.receive("set.h5", many_stars(5))
    file = stars.files["set.h5"]
    assert len(file.spectra) == len(file.titles) == len(file.stars) == 3
    assert file.notes[0] == "Read as file of spectra: 5 stars."
    assert file.notes[-1].startswith("The first 3 spectra")


def test_a_star_of_another_instrument_is_refused_in_words(stars):
    stars.receive("a.fits", example_apstar().read_bytes())
    other = WavelengthGrid(np.linspace(15200.0, 16000.0, 500))
    with pytest.raises(GridError, match=r"the spectrum in a\.fits"):
        stars.laid_over(other)


def test_files_that_were_opened_are_counted(stars):
    heard = []
    stars.param.watch(lambda event: heard.append(list(stars.files)), "opened")
    stars.receive("a.fits", example_apstar().read_bytes())
    stars.receive("a.txt", b"no star")
    stars.receive("b.fits", example_apstar().read_bytes())
    assert heard == [["a.fits"], ["a.fits", "b.fits"]]


def test_a_store_is_opened_from_a_path(stars, tmp_path):
    pytest.importorskip("zarr")
    from spectrabridge.core.io.spectra_store import SpectraStore

    flux = np.ones((2, APSTAR_GRID.n_pixels))
    spectra = Spectra(APSTAR_GRID, flux, 1e4 * flux, ids=("first", "second"))
    with SpectraStore.create(tmp_path / "stars.zarr", spectra) as store:
        store.append(spectra)
    stars.receive("stars.zarr", tmp_path / "stars.zarr")
    assert [star.id for star in stars.files["stars.zarr"].stars] == ["first", "second"]


def test_tables_written_by_anybody_are_read(stars, told):
    table = Table({"wavelength": APSTAR_GRID.wavelength, "flux": np.ones(APSTAR_GRID.n_pixels)})
    text = io.StringIO()
    table.write(text, format="ascii.csv")
    stars.receive("mine.csv", text.getvalue().encode())
    assert told == []
    assert any("vacuum" in note or "error" in note for note in stars.files["mine.csv"].notes)

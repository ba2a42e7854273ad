"""New stars come to stand where stars like them are."""

import numpy as np
import pytest
import torch

from spectrabridge.core.embedding import PANELS, Placer, placement, read_embedding, write_embedding


@pytest.fixture(scope="module")
def placer(giants, small):
    # From a file, so that the points of the stars are computed anew.
    return Placer(giants, read_embedding(write_embedding(small), giants))


def test_twins_stand_beside_their_stars(placer, small):
    rows = np.arange(0, 120, 10)
    found = placer.place(torch.tensor(small.stars.coefficients[rows]))
    for key in PANELS:
        there = small.panels[key][120 + rows]
        off = np.linalg.norm(found.panels[key] - there, axis=1)
        size = np.ptp(small.panels[key], axis=0).max()
        assert np.median(off) < 0.02 * size
        assert (found.nearest[key] == 120 + rows).mean() > 0.9
    assert not found.far.any()


def test_an_adapted_spectrum_stands_among_stars_with_its_labels(giants, placer, small):
    row = 17
    flux = torch.tensor(giants.model.adapt(small.stars.synthetic_labels[row]))
    found = placer(flux)
    off = np.linalg.norm(small.panels["latents"] - found.panels["latents"][0], axis=1)
    assert np.argsort(off).tolist().index(row) < 12


def test_a_spectrum_like_no_star_is_told(placer, giants):
    flux = torch.ones(1, giants.model.grid.n_pixels)
    assert placer(flux).far.all()


def test_bad_pixels_do_not_move_a_star(placer, giants, small):
    obs = giants.model.adapter.obs
    flux = obs.decode(torch.tensor(small.stars.coefficients[5:6]))
    ivar = torch.full_like(flux, 1e4)
    whole = placer(flux, ivar)
    spoiled, ivar = flux.clone(), ivar.clone()
    spoiled[:, 1000:1200], ivar[:, 1000:1200] = 50.0, 0.0
    found = placer(spoiled, ivar)
    size = np.ptp(small.panels["latents"], axis=0).max()
    off = np.linalg.norm(found.panels["latents"] - whole.panels["latents"])
    assert off < 0.1 * size


def test_what_was_prepared_is_not_computed_again_for_a_star(placer, small, monkeypatch):
    placer.prepare()

    def again(*_):
        pytest.fail("the neighbours of the map's own stars were looked for again")

    monkeypatch.setattr(placement, "_Neighbours", again)
    star = torch.tensor(small.stars.coefficients[:1])
    first, second = placer.place(star), placer.place(star)
    for key in PANELS:
        np.testing.assert_allclose(first.panels[key], second.panels[key])

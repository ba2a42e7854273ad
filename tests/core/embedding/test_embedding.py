"""Maps: what is on them, that seeds fix them, and what they say about the domains."""

import numpy as np
import pytest

from spectrabridge.core.domains import observed_file
from spectrabridge.core.domains.observed_file import ObservedFile
from spectrabridge.core.embedding import (
    PANELS,
    make_embedding,
    stars_of_bundle,
    stars_of_spectra,
)
from spectrabridge.core.embedding.map_stars import drawn_like
from spectrabridge.core.errors import EmbeddingError, GridError
from spectrabridge.core.evaluation import mixing
from spectrabridge.core.evaluation.round_trips import make_passages
from spectrabridge.core.spectra import APSTAR_GRID, Spectra

from .conftest import QUICK


def test_a_map_has_three_panels_of_both_domains(small):
    assert list(small.panels) == list(PANELS) == ["spectra", "adapted", "latents"]
    assert len(small) == 240
    for coordinates in small.panels.values():
        assert coordinates.shape == (240, 2)
        assert np.isfinite(coordinates).all()
        np.testing.assert_allclose(coordinates.max(0), -coordinates.min(0), rtol=1e-5)
    assert (small.stars.domain == np.repeat([0, 1], 120)).all()
    assert small.stars.ids[0] == "synthetic 1"
    assert small.stars.ids[120] == "observed 1"
    assert small.row("observed 7") == 126
    assert small.row("nobody") is None
    assert np.isnan(small.chi2[:120]).all()
    # Networks bring observed spectra back to about their noise.
    assert 0.1 < np.median(small.chi2[120:]) < 3


def test_domains_are_apart_before_and_mixed_after_adaptation(small):
    m = small.mixing
    for key in ("purity", "purity_on_map"):
        assert m["spectra"][key] > 0.9
        assert m["adapted"][key] < 0.6
        assert m["latents"][key] < 0.6
    assert all(0 < kl < 3 for kl in small.kl.values())


def test_mixing_of_latents_is_that_of_the_evaluation(giants, small):
    sample = giants.sample
    passages = make_passages(giants.model.adapter, giants.model.emulator, sample, most=120)
    expected = mixing(passages)["latents"]
    for key in ("purity", "accuracy", "auc"):
        assert small.mixing["latents"][key] == pytest.approx(expected[key], abs=0.02)


def test_a_seed_gives_the_same_map_and_another_seed_another(giants, small):
    again = make_embedding(giants, stars_of_bundle(giants, 240, seed=3), QUICK)
    for key in PANELS:
        np.testing.assert_array_equal(again.panels[key], small.panels[key])
    few = stars_of_bundle(giants, 60)
    one = make_embedding(giants, few, QUICK)
    from dataclasses import replace

    other = make_embedding(giants, few, replace(QUICK, seed=1))
    assert not np.allclose(one.panels["spectra"], other.panels["spectra"])


def test_progress_is_told_and_can_stop_the_work(giants):
    class StopError(Exception):
        pass

    told = []

    def report(what, done, total):
        told.append((what, done / total))
        if what == PANELS["spectra"] and done >= 50:
            raise StopError

    with pytest.raises(StopError):
        make_embedding(giants, stars_of_bundle(giants, 80), QUICK, report)
    assert told[0] == ("spectra", 1.0)
    assert told[-1][0] == PANELS["spectra"]


def test_more_stars_than_are_kept_are_drawn_like_them(giants):
    stars = stars_of_bundle(giants, 1200, seed=4)
    kept = giants.sample
    assert (stars.n_each, stars.n_kept) == (600, 400)
    np.testing.assert_array_equal(stars.synthetic_labels[:400], kept.synthetic_labels)
    np.testing.assert_array_equal(stars.coefficients[:400], kept.observed)
    drawn, known = stars.synthetic_labels[400:], stars.synthetic_labels[:400]
    np.testing.assert_allclose(drawn.mean(0), known.mean(0), atol=0.35 * known.std(0).max())
    spread = drawn[:, :4].std(0) / known[:, :4].std(0)
    assert ((spread > 0.75) & (spread < 1.3)).all()
    # Drawn observations are as far from the networks' reconstructions as real ones.
    again = stars_of_bundle(giants, 1200, seed=4)
    np.testing.assert_array_equal(again.coefficients, stars.coefficients)
    assert not np.array_equal(stars_of_bundle(giants, 1200, 5).coefficients, stars.coefficients)


def test_draws_keep_mean_and_covariance():
    rng = np.random.default_rng(0)
    population = rng.standard_normal((300, 3)) @ np.array([[1, 0.8, 0], [0, 0.6, 0], [0, 0, 2.0]])
    drawn = drawn_like(population.astype(np.float32), 20_000, seed=1)
    np.testing.assert_allclose(drawn.mean(0), population.mean(0), atol=0.05)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(population.T), atol=0.12)
    assert (drawn >= population.min(0) - 1e-6).all()
    assert (drawn <= population.max(0) + 1e-6).all()


@pytest.mark.parametrize("n", [10, 300_000])
def test_absurd_numbers_are_refused(giants, n):
    with pytest.raises(EmbeddingError, match=f"40 to 250000 stars.*found {n}"):
        stars_of_bundle(giants, n)


def test_own_spectra_keep_their_names_and_labels(giants):
    model = giants.model
    labels = giants.sample.synthetic_labels[:30].numpy().astype(float)
    labels[3:, 5] = np.nan
    flux = np.asarray(model.adapt(giants.sample.synthetic_labels[:30].numpy()))
    ivar = np.full(flux.shape, 80.0**2, np.float32)
    ivar[:, ::7] = 0
    ids = tuple(f"2M{i:04d}" for i in range(30))
    own = Spectra(model.grid, flux, ivar, ids, labels, model.labels)
    stars, _ = stars_of_spectra(giants, own, seed=2)
    assert stars.observed_ids == ids
    assert stars.recipe == {}
    np.testing.assert_allclose(stars.snr, 80, rtol=0.1)
    assert np.isnan(stars.observed_labels[3, 5])
    assert np.isfinite(stars.synthetic_labels).all()
    assert stars.noise == pytest.approx(1 / 80, rel=0.01)
    with pytest.raises(EmbeddingError, match="found 38"):
        stars_of_spectra(giants, own[:19])
    with pytest.raises(GridError):
        stars_of_spectra(giants, Spectra(APSTAR_GRID, np.ones((30, APSTAR_GRID.n_pixels))))


def test_a_file_gives_the_map_that_its_spectra_give(giants, tmp_path, monkeypatch):
    model = giants.model
    labels = giants.sample.synthetic_labels[:40].numpy().astype(float)
    flux = np.asarray(model.adapt(giants.sample.synthetic_labels[:40].numpy()))
    ivar = np.full(flux.shape, 80.0**2, np.float32)
    made = {"continuum": {"routine": "none"}}
    own = Spectra(model.grid, flux, ivar, labels=labels, label_set=model.labels, provenance=made)
    own.save(tmp_path / "own.h5")
    monkeypatch.setattr(observed_file, "ROWS_AT_ONCE", 9)
    file = ObservedFile(tmp_path / "own.h5", model.complete_emulator)
    (whole, _), (parts, notes) = stars_of_spectra(giants, own), stars_of_spectra(giants, file)
    np.testing.assert_allclose(parts.coefficients, whole.coefficients, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(parts.observed_labels, whole.observed_labels)
    np.testing.assert_array_equal(parts.synthetic_labels, whole.synthetic_labels)
    assert (parts.observed_ids, parts.noise) == (whole.observed_ids, whole.noise)
    assert notes == ()

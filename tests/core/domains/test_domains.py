"""Pairs of domains: drawn by seed, test stars kept apart, found again from a bundle."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from spectrabridge.core.adaptation.result import TrainingResult
from spectrabridge.core.bundle import Bundle
from spectrabridge.core.bundle.writing import write_bundle
from spectrabridge.core.domains import apogee_giants, apogee_stars, mock_lines, tuned_gf
from spectrabridge.core.domains.domains import N_SAMPLE, Domains, HeldOut
from spectrabridge.core.domains.mock_lines import MockSurvey, mock_domains, reference_giant
from spectrabridge.core.domains.registry import build_domains, domains_of, experiments
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.emulator.hidden_lines import Experiment, HiddenLines, hidden_pixels
from spectrabridge.core.errors import BundleError, SpectrumError, TrainingError

from ..conftest import TOY_TRAINING

SURVEY = MockSurvey(n_stars=900, snr=50)
BRIEF = dataclasses.replace(
    TOY_TRAINING, iterations=2, batch=16, members=1, n_basis=16, pool=200, validation=20
)


@pytest.fixture(scope="module")
def domains(toy_emulator: Emulator, toy_experiment: Experiment) -> Domains:
    return mock_domains(toy_emulator, toy_experiment, SURVEY)


def shared_rows(a: torch.Tensor, b: torch.Tensor) -> int:
    """How many rows of `a` are also in `b`."""
    rows = {tuple(r) for r in b.tolist()}
    return sum(tuple(r) in rows for r in a.tolist())


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------------- what is drawn


def test_draws_are_those_of_their_seed(domains: Domains) -> None:
    first = domains.draw(20, generator(3))
    assert first.shape == (20, 640)
    assert torch.equal(domains.draw(20, generator(3)), first)
    assert not torch.equal(domains.draw(20, generator(4)), first)


def test_domains_are_those_of_their_seed(
    domains: Domains, toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    again = mock_domains(toy_emulator, toy_experiment, SURVEY)
    assert torch.equal(again.observed, domains.observed)
    assert again.held_out is not None and domains.held_out is not None
    assert torch.equal(again.held_out.flux, domains.held_out.flux)
    other = mock_domains(toy_emulator, toy_experiment, dataclasses.replace(SURVEY, seed=2))
    assert not torch.equal(other.observed, domains.observed)
    # Stars for scores are the same whatever was trained on.
    assert torch.equal(other.test_labels, domains.test_labels)
    assert torch.equal(other.held_out.labels, domains.held_out.labels)


def test_synthetic_spectra_lack_the_hidden_lines_and_observed_ones_do_not(
    domains: Domains, toy_experiment: Experiment
) -> None:
    hidden = torch.tensor(hidden_pixels(toy_experiment.features, 640))
    assert (domains.draw(50, generator(1))[:, hidden] == 1).all()
    assert domains.observed[:, hidden].mean() < 0.97
    assert domains.noise == 1 / 50


def test_scored_stars_are_in_no_training_set(domains: Domains) -> None:
    assert domains.held_out is not None and domains.held_out.labels is not None
    assert domains.test_labels is not None
    assert shared_rows(domains.held_out.flux, domains.observed) == 0
    seen = domains.draw_labels(900, generator(SURVEY.seed))  # as the observed stars are drawn
    clean = domains.emulator(seen)
    assert (domains.observed - clean).std() < 1.05 / 50  # they are indeed these
    for labels in (domains.test_labels, domains.held_out.labels):
        assert shared_rows(labels, seen) == 0
    assert shared_rows(domains.test_labels, domains.held_out.labels) == 0
    for seed in range(3):
        assert shared_rows(domains.test_labels, domains.draw_labels(900, generator(seed))) == 0


def test_a_trainer_takes_steps_on_them(domains: Domains) -> None:
    kept = domains.observed.clone()
    result = domains.trainer(BRIEF).run()
    assert result.iterations == 2
    assert torch.equal(domains.observed, kept)
    assert result.adapter.adapt(domains.draw(3, generator(0))).isfinite().all()


# ---------------------------------------------------------------------- what is kept


@pytest.fixture(scope="module")
def adapter(domains: Domains):
    return domains.trainer(BRIEF).adapter()


def test_the_sample_is_the_held_out_stars_in_their_order(domains: Domains, adapter) -> None:
    sample = domains.sample(adapter)
    assert sample is not None and domains.held_out is not None
    assert len(sample.observed) == len(domains.held_out.flux) == N_SAMPLE
    assert torch.equal(sample.observed_labels, domains.held_out.labels)
    assert torch.equal(sample.test_labels, domains.test_labels)
    assert len(sample.synthetic_labels) == N_SAMPLE
    assert sample.noise == domains.noise
    # Errors that are the same everywhere draw all stars alike to the mean.
    ivar = torch.full_like(domains.held_out.flux, 50.0**2)
    alike = adapter.obs.encode(domains.held_out.flux, ivar)
    assert torch.allclose(sample.observed, alike, atol=1e-4)
    error = adapter.obs.decode(sample.observed) - domains.emulator(sample.observed_labels)
    assert error.std() < 0.02
    assert torch.allclose(sample.truth(domains.truth), domains.truth(domains.test_labels))
    again = domains.sample(adapter)
    assert torch.equal(again.synthetic_labels, sample.synthetic_labels)


def test_fewer_stars_are_all_kept(domains: Domains, adapter) -> None:
    held = HeldOut(domains.held_out.flux[:30], labels=domains.held_out.labels[:30])
    sample = dataclasses.replace(domains, held_out=held, test_labels=None).sample(adapter)
    assert len(sample.observed) == len(sample.observed_labels) == 30
    assert sample.test_labels is None
    assert sample.test_truth is None


def test_no_more_than_the_promised_number_is_kept(domains: Domains, adapter) -> None:
    held = HeldOut(domains.observed)
    sample = dataclasses.replace(domains, held_out=held).sample(adapter)
    assert len(sample.observed) == N_SAMPLE
    assert sample.observed_labels is None


def test_bad_pixels_of_held_out_stars_do_not_count(domains: Domains, adapter) -> None:
    flux = domains.held_out.flux[:40]
    ivar = torch.full_like(flux, 50.0**2)
    ivar[:, 100:150] = 0
    clean = adapter.obs.encode(flux, ivar)
    ruined = torch.where(ivar > 0, flux, torch.tensor(9.0))
    sample = dataclasses.replace(domains, held_out=HeldOut(ruined, ivar)).sample(adapter)
    assert torch.allclose(sample.observed, clean, atol=1e-3)


def test_an_exact_truth_is_kept_beside_its_emulator(domains: Domains, adapter) -> None:
    shallow = 0.9 * domains.truth(domains.test_labels) + 0.1
    sample = dataclasses.replace(domains, test_truth=shallow).sample(adapter)
    assert (sample.truth(domains.truth) - shallow).square().mean().sqrt() < 2e-3
    assert (sample.truth(domains.truth) - domains.truth(domains.test_labels)).std() > 5e-3


def test_without_held_out_stars_there_is_no_sample(domains: Domains, adapter) -> None:
    assert dataclasses.replace(domains, held_out=None).sample(adapter) is None


# ---------------------------------------------------------------------- by name


def test_what_an_experiment_needs_is_asked_for(toy_emulator: Emulator, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="tuned-gf needs an emulator of the tuned grid"):
        build_domains("tuned-gf", toy_emulator)
    with pytest.raises(TrainingError, match=r"apogee-giants needs the empirical model.*--data"):
        build_domains("apogee-giants", toy_emulator)
    with pytest.raises(SpectrumError, match=r"lacks observed/empirical_giants\.npz, labels/.*csv"):
        build_domains("apogee-giants", toy_emulator, data=tmp_path)
    known = "apogee-giants, apogee-stars, mock-lines, tuned-gf"
    with pytest.raises(TrainingError, match=rf"{known}.*'andromeda'"):
        build_domains("andromeda", toy_emulator)


def test_every_experiment_is_found_by_name(
    toy_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def remember(name: str, result: int) -> Callable:
        return lambda *given: asked.append((name, *given)) or result

    monkeypatch.setattr(mock_lines, "mock_experiment", lambda e: "features")
    monkeypatch.setattr(mock_lines, "mock_domains", remember("mock-lines", 1))
    monkeypatch.setattr(tuned_gf, "tuned_domains", remember("tuned-gf", 2))
    monkeypatch.setattr(apogee_giants, "read_domains", remember("apogee-giants", 3))
    monkeypatch.setattr(apogee_stars, "star_domains", remember("apogee-stars", 4))
    other = Emulator(toy_emulator.labels, toy_emulator.grid, hidden=(4,), n_basis=4)
    names = ("mock-lines", "tuned-gf", "apogee-giants", "apogee-stars")
    assert set(names) == set(experiments())
    built = [build_domains(n, toy_emulator, truth=other, data=tmp_path) for n in names]
    assert built == [1, 2, 3, 4]
    assert asked == [
        ("mock-lines", toy_emulator, "features"),
        ("tuned-gf", toy_emulator, other),
        ("apogee-giants", tmp_path, toy_emulator),
        ("apogee-stars", tmp_path, toy_emulator),
    ]


# ---------------------------------------------------------------------- from a bundle


@pytest.fixture
def write(
    toy_emulator: Emulator, toy_adaptation: TrainingResult, tmp_path: Path
) -> Callable[..., Bundle]:
    def bundle(**changes: object) -> Bundle:
        return write_bundle(
            tmp_path / "b",
            **{
                "name": "mine",
                "title": "x",
                "description": "x",
                "emulator": toy_emulator,
                "adapter": toy_adaptation.adapter,
                "reference": reference_giant(toy_emulator.labels),
            }
            | changes,
        )

    return bundle


def test_a_masked_line_bundle_gives_its_own_hidden_lines(
    toy_bundle: Bundle, toy_experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mock_lines, "MockSurvey", lambda: SURVEY)
    again = domains_of(toy_bundle)
    assert again.name == "mock-lines"
    assert isinstance(again.synthetic, HiddenLines)
    wanted = torch.tensor(hidden_pixels(toy_experiment.features, 640))
    assert torch.equal(again.synthetic.hidden, wanted)
    assert again.experiment == toy_experiment
    assert again.emulator is toy_bundle.model.complete_emulator
    assert not isinstance(again.truth, HiddenLines)
    assert len(again.observed) == 900


@pytest.mark.parametrize("provenance", [{}, {"experiment": "own"}, {"experiment": 5}])
def test_a_bundle_of_own_spectra_cannot_be_trained_again(
    write: Callable[..., Bundle], provenance: dict
) -> None:
    with pytest.raises(BundleError, match=r"mine was trained on spectra that are not in the"):
        domains_of(write(provenance=provenance))


def test_other_experiments_are_built_with_the_bundle_s_emulators(
    write: Callable[..., Bundle], toy_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuned_gf, "tuned_domains", lambda emulator, truth: (emulator, truth))
    bundle = write(truth=toy_emulator, provenance={"experiment": "tuned-gf"})
    assert domains_of(bundle) == (bundle.model.emulator, bundle.model.truth_emulator)
    bundle = write(provenance={"experiment": "apogee-giants"})
    with pytest.raises(TrainingError, match="--data"):
        domains_of(bundle)

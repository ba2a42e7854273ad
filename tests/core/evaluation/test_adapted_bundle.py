"""From domains to a bundle: what a notebook gets is what the command writes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from spectrabridge.apps.cli import main
from spectrabridge.core.adaptation.callbacks import Step
from spectrabridge.core.adaptation.settings import PRESETS, AdaptationTraining
from spectrabridge.core.bundle import Bundle, open_bundle, verify_bundle
from spectrabridge.core.bundle.emulator_source import read_emulator
from spectrabridge.core.bundle.training_record import first_training, further_training
from spectrabridge.core.domains import mock_lines
from spectrabridge.core.domains.mock_lines import MockSurvey
from spectrabridge.core.domains.registry import build_domains
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.errors import BundleError
from spectrabridge.core.evaluation import adapted_bundle
from spectrabridge.core.evaluation.adapted_bundle import adapt_and_store, checkpoint_of

BRIEF = AdaptationTraining(
    iterations=12,
    batch=32,
    members=2,
    n_basis=16,
    hidden=16,
    n_shared=8,
    pool=200,
    refresh=4,
    validation=60,
    critics_from=2,
    critics_full=4,
    check_every=6,
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the survey, the default training and the evaluation be short."""
    monkeypatch.setattr(mock_lines, "MockSurvey", lambda: MockSurvey(n_stars=400))
    monkeypatch.setitem(PRESETS, "basis", BRIEF)
    monkeypatch.setattr(
        adapted_bundle, "evaluate_bundle", lambda bundle, progress: {"gap_ratio": 0.5}
    )


@pytest.fixture
def emulator_folder(toy_emulator: Emulator, tmp_path: Path) -> Path:
    toy_emulator.save(tmp_path / "emulator", {"note": "of a toy"})
    return tmp_path / "emulator"


def run(*words: object) -> str:
    result = CliRunner().invoke(main, [str(w) for w in words])
    assert result.exit_code == 0, result.output
    return result.stdout


def _same_weights(one: Bundle, other: Bundle) -> bool:
    ours, theirs = one.model.adapter.tensors(), other.model.adapter.tensors()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_the_function_and_the_command_write_the_same_bundle(
    emulator_folder: Path, tmp_path: Path
) -> None:
    emulator, report = read_emulator(emulator_folder)
    domains = build_domains("mock-lines", emulator)
    said: list[str] = []
    made = adapt_and_store(
        domains,
        tmp_path / "called",
        BRIEF,
        name="toy",
        say=said.append,
        provenance={"emulator_report": report},
    )
    out = tmp_path / "typed"
    words = ("train-adaptation", emulator_folder, "--experiment", "mock-lines", "--out", out)
    printed = json.loads(run(*words, "--name", "toy", "--json"))
    typed = open_bundle(out)
    assert verify_bundle(out) == verify_bundle(made.bundle.path) == []
    assert _same_weights(made.bundle, typed)
    assert typed.fingerprint == made.bundle.fingerprint
    ours, theirs = made.bundle.provenance, typed.provenance
    same = ("experiment", "training", "observed", "emulator_report", "seeds_kept", "iterations")
    assert {k: ours[k] for k in same} == {k: theirs[k] for k in same}
    assert ours["emulator_report"] == {"note": "of a toy"}
    assert {h["iteration"] for h in ours["history"]} == {6.0, 12.0}
    assert made.bundle.metrics == typed.metrics == {"gap_ratio": 0.5}
    assert made.figures["gap_ratio"] == printed["gap_ratio"] == 0.5
    assert not checkpoint_of(out).exists()
    assert first_training(typed).iterations == 12


class StopAfter:
    """Stops the training after a step."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def after_step(self, step: Step) -> None:
        step.stopping = step.iteration == self.iteration


def test_an_interrupted_call_goes_on_where_it_stopped(
    toy_emulator: Emulator, tmp_path: Path
) -> None:
    domains = build_domains("mock-lines", toy_emulator)
    whole = adapt_and_store(domains, tmp_path / "whole", BRIEF)
    out = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        adapt_and_store(domains, out, BRIEF, callbacks=[StopAfter(5)])
    assert checkpoint_of(out).exists() and not (out / "bundle.json").exists()
    said: list[str] = []
    later = adapt_and_store(domains, out, BRIEF, say=said.append)
    assert any(sentence.startswith("Going on from step 5") for sentence in said)
    assert _same_weights(whole.bundle, later.bundle)
    assert not checkpoint_of(out).exists()


def test_networks_are_trained_further_with_their_own_sizes(
    toy_emulator: Emulator, tmp_path: Path
) -> None:
    domains = build_domains("mock-lines", toy_emulator)
    first = adapt_and_store(domains, tmp_path / "first", BRIEF).bundle
    changed = dataclasses.replace(AdaptationTraining(), iterations=6, pool=200, validation=60)
    training = further_training(first, changed)
    assert (training.n_basis, training.members, training.iterations) == (
        16,
        first.model.n_members,
        6,
    )
    second = adapt_and_store(domains, tmp_path / "second", training, further=first).bundle
    assert second.provenance["started_from"]["fingerprint"] == first.fingerprint
    assert second.model.adapter.network.seeds == first.model.adapter.network.seeds
    assert not _same_weights(first, second)
    assert first_training(second).iterations == 12


def test_a_folder_of_something_else_is_refused_before_the_training(
    toy_emulator: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    domains = build_domains("mock-lines", toy_emulator)
    never = StopAfter(1)
    with pytest.raises(BundleError, match="is no bundle"):
        adapt_and_store(domains, tmp_path, BRIEF, callbacks=[never])
    assert (tmp_path / "thesis.tex").exists()

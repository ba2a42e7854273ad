"""What spectrabridge 0.1 wrote still opens, and is still worth the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from spectrabridge.core.adaptation.checkpoint import read_checkpoint
from spectrabridge.core.adaptation.settings import AdaptationTraining
from spectrabridge.core.adaptation.training import AdaptationTrainer
from spectrabridge.core.bundle import open_bundle, verify_bundle
from spectrabridge.core.domains.mock_lines import MockSurvey, mock_domains
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.lines.attached import candidates_of
from spectrabridge.core.vetting import open_vetting
from spectrabridge.explorer.pages import PAGES
from spectrabridge.explorer.share import url


@pytest.fixture(scope="module")
def folder(tests_data: Path) -> Path:
    return tests_data / "written_by_0_1"


@pytest.fixture
def new_trainer(folder: Path) -> Callable[[], AdaptationTrainer]:
    """Make the trainer that wrote the checkpoint, as it was before its first step."""
    _, state = read_checkpoint(folder / "training.checkpoint.safetensors")
    training = AdaptationTraining.of(state["training"])
    emulator = Emulator.load(folder / "emulator")
    experiment = open_bundle(folder / "bundle").experiment
    assert experiment is not None
    domains = mock_domains(emulator, experiment, MockSurvey(n_stars=150))
    return lambda: domains.trainer(training)


def test_the_bundle_opens_and_adapts_as_it_did(folder: Path) -> None:
    assert verify_bundle(folder / "bundle") == []
    bundle = open_bundle(folder / "bundle")
    kept = json.loads((folder / "spectrum.json").read_text(encoding="utf-8"))
    assert bundle.fingerprint == kept["fingerprint"]
    adapted = bundle.model.adapt(bundle.model.reference)[0, ::8]
    np.testing.assert_allclose(adapted, kept["adapted"], atol=2e-5)
    assert bundle.experiment is not None and bundle.experiment.features
    assert bundle.provenance["training"]["members"] == bundle.model.n_members == 2


def test_the_emulator_folder_opens(folder: Path) -> None:
    emulator = Emulator.load(folder / "emulator")
    # That of the bundle has been rounded to be stored.
    stored = open_bundle(folder / "bundle").model.complete_emulator
    star = torch.tensor(emulator.labels.array(emulator.labels.low)[None]).float()
    assert torch.allclose(emulator(star), stored(star), atol=5e-3)
    assert emulator.continuum == "pseudo"


def test_the_interrupted_training_goes_on_to_the_same_end(
    folder: Path, new_trainer: Callable[[], AdaptationTrainer]
) -> None:
    trainer = new_trainer()
    trainer.resume(folder / "training.checkpoint.safetensors")
    assert trainer.iteration == 45
    result = trainer.run()
    history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    assert [h["iteration"] for h in result.history] == [h["iteration"] for h in history]
    for ours, theirs in zip(result.history, history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)
    model = open_bundle(folder / "bundle").model
    flux = model.emulate(torch.tensor(model.reference[None]).float())
    assert torch.allclose(result.adapter.adapt(flux), model.adapter.adapt(flux), atol=2e-3)


def test_the_training_from_its_start_is_that_of_0_1(
    folder: Path, new_trainer: Callable[[], AdaptationTrainer]
) -> None:
    """The same seeds give the same draws, starting weights and steps."""
    history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    for ours, theirs in zip(new_trainer().run().history, history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


def test_decisions_and_candidates_are_read(folder: Path, tmp_path: Path) -> None:
    bundle = open_bundle(folder / "bundle")
    found = candidates_of(bundle)
    assert found is not None and len(found) > 2
    assert found.fingerprint == bundle.fingerprint
    path = shutil.copy(folder / "vetting.sqlite", tmp_path)
    with open_vetting(path, found) as vetting:
        first, second = list(found)[:2]
        assert set(vetting.vetters()) == {"Ångström", "Mina"}
        said = vetting.decisions("Ångström")
        assert (said[first.id].status, said[first.id].comment) == ("accepted", "seen in Arcturus")
        assert said[second.id].status == "rejected"
        assert vetting.decide(first, "Mina", status="unsure").status == "unsure"


def test_the_link_brings_its_view_back(folder: Path) -> None:
    bundle = open_bundle(folder / "bundle")
    arguments = url.parse((folder / "link.txt").read_text(encoding="utf-8").strip())
    chosen, said = url.bundle_asked(arguments, {bundle.name: str(bundle.path)})
    assert (chosen, said) == (str(bundle.path), [])
    labels = bundle.labels
    reference = labels.mapping(bundle.model.reference)
    settings, said = url.read(arguments, labels, reference, bundle.grid, PAGES)
    assert said == []
    assert settings["page"] == "derivatives" and settings["medium"] == "air"
    assert settings["labels"]["teff"] == 4321 and settings["labels"]["Mg"] == 0.2
    assert settings["window"] == (15140.0, 15150.5)
    assert settings["star"] == "example"

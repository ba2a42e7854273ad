"""From a grid to an emulator folder: what a notebook gets is what the command writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from spectrabridge.apps.cli import main
from spectrabridge.core.emulator import Emulator, EmulatorTraining
from spectrabridge.core.emulator.scoring import train_and_store
from spectrabridge.core.errors import BundleError
from spectrabridge.core.spectra import Spectra

BRIEF = EmulatorTraining(steps=40, hidden=(16, 16, 16), n_basis=12, confine=False, seed=3)


def test_the_function_and_the_command_write_the_same_emulator(
    toy_spectra: Spectra, tmp_path: Path
) -> None:
    toy_spectra.save(tmp_path / "grid.h5")
    stages: list[tuple[str, int, int]] = []
    report = train_and_store(
        tmp_path / "grid.h5",
        tmp_path / "called",
        BRIEF,
        continuum="true",
        progress=lambda stage, step, steps, figures: stages.append((stage, step, steps)),
        provenance={"why": "a test"},
    )
    words = ["train-emulator", tmp_path / "grid.h5", "--out", tmp_path / "typed", "--json"]
    words += ["--steps", 40, "--hidden", 16, "--n-basis", 12, "--seed", 3, "--no-confine"]
    words += ["--continuum", "true", "--no-yardstick"]
    result = CliRunner().invoke(main, [str(w) for w in words])
    assert result.exit_code == 0, result.output
    called, typed = Emulator.load(tmp_path / "called"), Emulator.load(tmp_path / "typed")
    ours, theirs = called.state_dict(), typed.state_dict()
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)
    printed = json.loads(result.stdout)
    assert printed["median_abs_error"] == report.figures["median_abs_error"]
    kept = json.loads((tmp_path / "called" / "emulator.json").read_text(encoding="utf-8"))
    assert (kept["report"]["grid"], kept["report"]["why"]) == ("grid.h5", "a test")
    assert stages[-1] == ("basis emulator", 40, 40)


def test_the_yardstick_is_a_stage_of_its_own(toy_spectra: Spectra) -> None:
    stages: list[str] = []
    report = train_and_store(
        toy_spectra,
        training=BRIEF,
        continuum="true",
        yardstick=True,
        progress=lambda stage, *rest: stages.append(stage),
    )
    assert list(dict.fromkeys(stages)) == ["basis emulator", "payne yardstick"]
    assert report.figures["payne_over_basis"] > 0
    assert "grid" not in report.figures


def test_a_folder_of_something_else_is_refused_before_the_training(
    toy_spectra: Spectra, tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(BundleError, match="is no emulator"):
        train_and_store(toy_spectra, tmp_path, BRIEF, progress=_never)


def _never(*given: object) -> None:
    raise AssertionError("the training began")

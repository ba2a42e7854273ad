"""The command line: exit codes, one clear line for errors, JSON that can be parsed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from spectrabridge.apps.cli import main
from spectrabridge.core.bundle import open_bundle, verify_bundle
from spectrabridge.core.emulator import Emulator, EmulatorTraining, train_emulator
from spectrabridge.core.labels import APOGEE_LABELS, draws
from spectrabridge.core.spectra import APSTAR_GRID, Spectra
from spectrabridge.core.version import __version__


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(w) for w in words])


def fails(result: Result, *parts: str) -> None:
    """Assert exit code 1 and one line on stderr that holds these parts."""
    assert result.exit_code == 1, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("spectrabridge: ")]
    assert len(lines) == 1
    assert "Traceback" not in result.output + result.stderr
    for part in parts:
        assert part in lines[0]


@pytest.fixture(scope="module")
def grid_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grid on the apStar pixels in which every label does something."""
    import torch

    rng = np.random.default_rng(0)
    labels = draws.giant_branch(400, torch.Generator().manual_seed(0)).numpy().astype(float)
    scaled = (labels - APOGEE_LABELS.low) / (APOGEE_LABELS.high - APOGEE_LABELS.low)
    pixel = np.arange(8575)
    tau = np.zeros((400, 8575))
    for k in range(25):
        for centre in rng.integers(330, 8300, 12):
            line = np.exp(-0.5 * ((pixel - centre) / 4.0) ** 2)
            tau += (0.05 + 0.4 * scaled[:, k, None]) * line
    path = tmp_path_factory.mktemp("grid") / "grid.npz"
    np.savez(
        path,
        labels=labels,
        label_names=np.array(APOGEE_LABELS.names),
        wavelength=APSTAR_GRID.wavelength,
        flux=np.exp(-tau).astype("f4"),
        kind=np.arange(400) % 2,
    )
    return path


@pytest.fixture(scope="module")
def emulator_folder(grid_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with np.load(grid_file) as file:
        spectra = Spectra(
            APSTAR_GRID, file["flux"], labels=file["labels"], label_set=APOGEE_LABELS
        ).on_chips()
    training = EmulatorTraining(steps=300, hidden=(32,), n_basis=30)
    folder = tmp_path_factory.mktemp("emulator") / "e"
    train_emulator(spectra, training, continuum="pseudo").save(folder)
    return folder


def test_version_and_help() -> None:
    assert __version__ in run("--version").output
    for verb in ("train-emulator", "train-adaptation", "evaluate", "bundles", "serve"):
        result = run(verb, "--help")
        assert result.exit_code == 0
        assert "Usage" in result.output


@pytest.mark.parametrize(
    "words",
    [
        ["fly"],
        ["evaluate"],
        ["evaluate", "mock-lines", "--members", "2"],
        ["evaluate", "mock-lines", "--data", "."],
        ["evaluate", "mock-lines", "--report", "/no/such/folder/page.html"],
        ["evaluate", "mock-lines", "--ablations", "--mask", __file__],
        ["train-emulator", "/no/such/file.npz"],
        ["evaluate", "mock-lines", "--threads", "0"],
        ["serve", "--port", "99999"],
    ],
)
def test_wrong_usage_exits_with_2(words: list[str]) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert "Error" in result.stderr


def test_train_emulator_reports_every_figure_and_writes_an_emulator(
    grid_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "e"
    result = run("train-emulator", grid_file, "--steps", "400", "--json", "--out", out)
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert 0 < figures["median_abs_error"] < figures["mean_abs_error"] < 0.05
    assert figures["train_seconds"] > 0
    assert figures["payne"]["median_abs_error"] > 0
    for part in (figures, figures["payne"]):
        assert {"median_abs_error", "mean_abs_error"} == set(part["box"])
    emulator = Emulator.load(out)
    assert emulator.continuum == "pseudo"
    assert emulator.grid.n_pixels == 7214
    stored = json.loads((out / "emulator.json").read_text())["report"]
    assert stored["median_abs_error"] == figures["median_abs_error"]
    assert "/" not in stored["command"]


def test_train_emulator_takes_sizes_and_steps(grid_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "e"
    words = ["train-emulator", grid_file, "--steps", "5", "--no-yardstick", "--json", "--out", out]
    result = run(*words, "--n-basis", "12", "--hidden", "24", "--seed", "3")
    assert result.exit_code == 0, result.stderr
    training = json.loads(result.stdout)["training"]
    assert (training["n_basis"], training["steps"], training["seed"]) == (12, 5, 3)
    assert training["hidden"] == [24, 24, 24]
    emulator = Emulator.load(out)
    assert (emulator.n_basis, emulator.hidden) == (12, (24, 24, 24))
    assert "payne" not in json.loads(result.stdout)
    for option in (["--n-basis", "3"], ["--hidden", "7"], ["--steps", "0"], ["--seconds", "0"]):
        assert run(*words, *option).exit_code == 2
    result = run(*words[:-2], "--architecture", "payne", "--hidden", "16")
    assert json.loads(result.stdout)["training"]["hidden"] == [16, 16]


def test_train_emulator_refuses_what_is_no_grid(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"not a zip file")
    fails(run("train-emulator", tmp_path / "a.npz"), "a.npz")
    np.savez(tmp_path / "b.npz", flux=np.zeros((3, 8575)))
    fails(run("train-emulator", tmp_path / "b.npz"), "b.npz", "labels")


def test_bundles_list_info_verify(tmp_path: Path) -> None:
    listed = json.loads(run("bundles", "list", "--json").stdout)
    assert "mock-lines" in {b["name"] for b in listed}
    assert sum(b["default"] for b in listed) == 1
    info = run("bundles", "info", "mock-lines")
    assert info.exit_code == 0
    assert "fingerprint" in info.output
    assert "train_seconds" in info.output
    assert json.loads(run("bundles", "info", "mock-lines", "--json").stdout)["fingerprint"]
    assert run("bundles", "verify", "mock-lines").exit_code == 0


def test_a_damaged_bundle_is_said_to_be_damaged(tmp_path: Path) -> None:
    import shutil

    from spectrabridge.core.bundle.bundle import SHIPPED

    copy = Path(shutil.copytree(SHIPPED / "mock-lines", tmp_path / "m"))
    with (copy / "emulator.safetensors").open("ab") as file:
        file.write(b"x")
    fails(run("bundles", "verify", copy), "SHA-256", "emulator.safetensors")
    result = run("bundles", "verify", copy, "--json")
    assert json.loads(result.stdout)["ok"] is False
    assert result.exit_code == 1
    fails(run("evaluate", copy, "--stars", "50"), "SHA-256")
    fails(run("bundles", "info", "no-such-bundle"), "no-such-bundle", "mock-lines")


def test_evaluate_prints_the_promised_keys_and_writes_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run("evaluate", "mock-lines", "--stars", "60", "--json", "--report", page)
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    for key in (
        "masked_r2",
        "unmasked_r2",
        "derivative_r2",
        "attribution_agreement",
        "gap_ratio",
        "label_bias",
        "label_floor",
        "weak_elements",
        "warnings",
        "train_seconds",
        "train_device",
        "fingerprint",
    ):
        assert key in figures
    assert "plots" not in figures
    assert figures["train_device"] == "cpu"
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert figures["fingerprint"] in text


def test_evaluate_trains_ablations_lists_and_keeps_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = []

    def train(domains: str, training: Any, **rest: Any) -> list[dict]:
        seen.append((domains, training.members, training.iterations, training.batch))
        assert 0 < training.critics_from < training.critics_full < training.iterations
        rest["progress"]("full", 10, 10, {"cycle": 1.0})
        for variant, left in (("full", 0.1), ("no critics", 0.5)):
            rest["done"]({"variant": variant, "gap_ratio": left})
        return []

    monkeypatch.setattr(
        "spectrabridge.core.evaluation.full_evaluation.domains_of",
        lambda bundle, data: f"{bundle.name} {data}",
    )
    monkeypatch.setattr("spectrabridge.core.evaluation.full_evaluation.train_ablations", train)
    copy = tmp_path / "mock-lines"
    shutil.copytree(open_bundle("mock-lines").path, copy)
    words = ["evaluate", copy, "--ablations", "--members", "2", "--iterations", "10", "--store"]
    result = run(*words, "--data", tmp_path, "--stars", "50", "--json")
    assert result.exit_code == 0, result.stderr
    assert seen == [(f"mock-lines {tmp_path}", 2, 10, 256)]
    table = [
        {"variant": "full", "gap_ratio": 0.1},
        {"variant": "no critics", "gap_ratio": 0.5},
    ]
    assert json.loads(result.stdout)["ablations"] == table
    kept = open_bundle(copy)
    assert kept.metrics["ablations"] == table
    assert kept.metrics["gap_ratio"] == open_bundle("mock-lines").metrics["gap_ratio"]
    assert verify_bundle(copy) == []


def test_evaluate_with_the_paper_s_mask_retrains(data_file: Callable[[str], Path]) -> None:
    mask = data_file("paper/mock_missing_lines.npz")
    short = ["--members", "1", "--iterations", "10", "--stars", "60", "--json"]
    result = run("evaluate", "mock-lines", "--mask", mask, *short)
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["n_features"] == 415
    assert figures["mask"] == "mock_missing_lines.npz"
    assert figures["train_seconds"] > 0
    assert figures["masked_r2"] < 0.99  # ten steps do not make an adaptation


def test_train_adaptation_needs_one_observed_domain(emulator_folder: Path, tmp_path: Path) -> None:
    result = run("train-adaptation", emulator_folder, "--out", tmp_path / "b")
    assert result.exit_code == 2
    assert "--experiment" in result.stderr
    fails(
        run("train-adaptation", tmp_path, "--experiment", "mock-lines", "--out", tmp_path / "b"),
        "no emulator",
    )
    (tmp_path / "thesis.tex").write_text("years of work")
    fails(
        run("train-adaptation", emulator_folder, "--experiment", "mock-lines", "--out", tmp_path),
        "is no bundle",
    )
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["--experiment", "mock-lines", "--observed", __file__], "--experiment and --observed"),
        (["--experiment", "mock-lines", "--truth", "mock-lines"], "--truth"),
        (["--experiment", "apogee-giants", "--truth", "mock-lines"], "--truth"),
        (["--observed", __file__, "--truth", "mock-lines"], "--truth"),
        (["--experiment", "mock-lines", "--data", "."], "--data"),
        (["--experiment", "tuned-gf", "--data", "."], "--data"),
        (["--observed", __file__, "--data", "."], "--data"),
        (["--experiment", "mock-lines", "--limit", "5"], "--limit"),
        (["--experiment", "mock-lines", "--column", "teff=T"], "--column"),
        (["--experiment", "tuned-gf", "--giant-branch"], "--giant-branch"),
        (["--observed", __file__, "--column", "teff"], "LABEL=NAME"),
        (["--observed", __file__, "--limit", "0"], "--limit"),
        (["--observed", "/no/such/file.h5"], "--observed"),
        (["--experiment", "andromeda"], "--experiment"),
        (["--experiment", "mock-lines", "--preset", "huge"], "--preset"),
        (["--experiment", "mock-lines", "--iterations", "9"], "--iterations"),
        (["--experiment", "mock-lines", "--members", "0"], "--members"),
        (["--experiment", "mock-lines", "--keep", "0"], "--keep"),
    ],
)
def test_options_that_do_not_belong_together_exit_with_2(
    words: list[str], option: str, tmp_path: Path
) -> None:
    result = run("train-adaptation", "mock-lines", "--out", tmp_path / "b", *words)
    assert result.exit_code == 2
    assert option in result.stderr
    assert not (tmp_path / "b").exists()


def test_experiments_say_what_they_need(emulator_folder: Path, tmp_path: Path) -> None:
    words = ["train-adaptation", emulator_folder, "--out", tmp_path / "b", "--experiment"]
    fails(run(*words, "tuned-gf"), "tuned-gf needs an emulator of the tuned grid", "--truth")
    fails(run(*words, "tuned-gf", "--truth", tmp_path), "no emulator that can be read")
    fails(run(*words, "apogee-giants"), "apogee-giants needs", "--data")
    fails(run(*words, "apogee-giants", "--data", tmp_path), "lacks observed/empirical_giants.npz")
    assert not (tmp_path / "b").exists()


def test_a_bundle_s_own_emulator_is_taken_not_its_truth(
    emulator_folder: Path, tmp_path: Path
) -> None:
    from spectrabridge.core.bundle import open_bundle
    from spectrabridge.core.bundle.emulator_source import read_emulator
    from spectrabridge.core.bundle.writing import write_bundle
    from spectrabridge.core.emulator.hidden_lines import HiddenLines

    model = open_bundle("mock-lines").model
    complete, _ = read_emulator("mock-lines")
    assert not isinstance(complete, HiddenLines)
    own = Emulator.load(emulator_folder)
    write_bundle(
        tmp_path / "b",
        name="b",
        title="x",
        description="x",
        emulator=own,
        adapter=model.adapter,
        reference=own.labels.array(dict(model.labels.mapping(model.reference))),
        truth=complete,
        provenance={"emulator_report": {"steps": 300}},
    )
    taken, report = read_emulator(str(tmp_path / "b"))
    assert taken.n_basis == own.n_basis != complete.n_basis
    assert report == {"steps": 300}


def test_the_convolutions_of_the_paper_are_a_preset(
    grid_file: Path, emulator_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from spectrabridge.core.adaptation import settings

    small = replace(settings.SMALL_CONV, batch=2, pool=60, refresh=2, validation=10)
    monkeypatch.setitem(settings.PRESETS, "conv-small", small)
    observed = _own_spectra(grid_file, tmp_path / "mine.h5", 60)
    words = ["train-adaptation", emulator_folder, "--observed", observed, "--seed", "4"]
    words += ["--preset", "conv-small", "--iterations", "10", "--out", tmp_path / "b", "--json"]
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    info = json.loads(run("bundles", "info", tmp_path / "b", "--json").stdout)
    training = info["provenance"]["training"]
    assert (training["backbone"], training["iterations"], training["seed"]) == ("conv", 10, 4)
    assert training["n_shared"] == settings.SMALL_CONV.n_shared
    assert run("bundles", "verify", tmp_path / "b").exit_code == 0


def test_networks_of_a_bundle_are_trained_further_and_the_best_are_kept(
    grid_file: Path, emulator_folder: Path, tmp_path: Path
) -> None:
    observed = _own_spectra(grid_file, tmp_path / "mine.h5")
    words = ["train-adaptation", emulator_folder, "--observed", observed, "--json"]
    words += ["--iterations", "10", "--setting", "hidden=32", "--n-basis", "12"]
    first = run(*words, "--members", "3", "--keep", "2", "--out", tmp_path / "first")
    assert first.exit_code == 0, first.stderr
    begun = open_bundle(tmp_path / "first")
    made = begun.provenance
    assert made["seeds_trained"] == [0, 1, 2] and len(made["seeds_kept"]) == 2
    assert begun.model.adapter.network.seeds == made["seeds_kept"]
    worst = max(range(3), key=lambda i: made["scores_without_truth"][i])
    assert worst not in made["seeds_kept"]
    assert f"The network of seed {worst} is left out" in first.stderr

    words = [*words[:5], "--further", tmp_path / "first", "--iterations", "10"]
    further = run(*words, "--out", tmp_path / "second")
    assert further.exit_code == 0, further.stderr
    later = open_bundle(tmp_path / "second")
    assert later.model.adapter.network.seeds == made["seeds_kept"]
    assert later.model.adapter.network.shape == begun.model.adapter.network.shape
    earlier = later.provenance["started_from"]
    assert earlier["fingerprint"] == begun.fingerprint
    assert earlier["command"] == made["command"]
    assert later.provenance["training"]["unbiased_matching"]


def _own_spectra(grid_file: Path, path: Path, n: int = 300) -> Path:
    rng = np.random.default_rng(1)
    with np.load(grid_file) as file:
        flux = file["flux"][:n] * 1234 + rng.normal(0, 10, (n, 8575))
    ivar = np.where(rng.random(flux.shape) < 0.1, 0, 1e-2)
    Spectra(APSTAR_GRID, flux, ivar).save(path)
    return path


def test_train_adaptation_on_own_spectra(
    grid_file: Path, emulator_folder: Path, tmp_path: Path
) -> None:
    observed = _own_spectra(grid_file, tmp_path / "mine.h5")
    out = tmp_path / "mine"
    words = ["train-adaptation", emulator_folder, "--observed", observed, "--out", out]
    result = run(*words, "--members", "1", "--iterations", "10", "--json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["train_device"] == "cpu"
    info = json.loads(run("bundles", "info", out, "--json").stdout)
    assert "mine.h5" in info["description"]
    assert info["provenance"]["observed"] == {"file": "mine.h5", "n_stars": 300}
    evaluated = run("evaluate", out, "--seeds")
    assert evaluated.exit_code == 0, evaluated.stderr
    assert "No truth is known" in evaluated.stdout
    fails(run("evaluate", out, "--mask", __file__), "hides no lines")
    fails(run("evaluate", out, "--ablations"), "cannot be trained again")
    _own_spectra(grid_file, tmp_path / "few.h5", 30)
    again = run(*words, "--members", "1", "--iterations", "10")
    assert again.exit_code == 2 and "--overwrite" in again.stderr
    words = [*words, "--overwrite"]
    words[3] = tmp_path / "few.h5"
    fails(run(*words), "at least", "found 30")
    (tmp_path / "bad.h5").write_text("no")
    words[3] = tmp_path / "bad.h5"
    fails(run(*words), "bad.h5", "HDF5")


def test_a_bundle_s_emulator_can_be_adapted_to_own_spectra(grid_file: Path, tmp_path: Path) -> None:
    observed = _own_spectra(grid_file, tmp_path / "mine.h5", 100)
    words = ["train-adaptation", "mock-lines", "--observed", observed, "--out", tmp_path / "b"]
    short = ["--members", "1", "--iterations", "10", "--n-basis", "32", "--json"]
    fails(run(*words, *short[:4]), "at least 202", "--n-basis")
    result = run(*words, *short)
    assert result.exit_code == 0, result.stderr
    assert run("bundles", "verify", tmp_path / "b").exit_code == 0


def test_observed_spectra_without_errors_are_refused(grid_file: Path, tmp_path: Path) -> None:
    with np.load(grid_file) as file:
        Spectra(APSTAR_GRID, file["flux"][:210]).save(tmp_path / "bare.h5")
    words = ["train-adaptation", "mock-lines", "--observed", tmp_path / "bare.h5"]
    fails(run(*words, "--out", tmp_path / "b"), "inverse", "Give ivar")


def test_a_grid_of_box_draws_alone_is_scored_too(grid_file: Path, tmp_path: Path) -> None:
    with np.load(grid_file) as file:
        arrays = dict(file) | {"kind": np.zeros(400, int)}
    np.savez(tmp_path / "box.npz", **arrays)
    result = run("train-emulator", tmp_path / "box.npz", "--steps", "50", "--json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["box"]["median_abs_error"] > 0
    assert "median_abs_error" not in figures


def test_serve_refuses_files_before_it_starts(tmp_path: Path) -> None:
    (tmp_path / "a.fits").write_text("no")
    fails(
        run("serve", tmp_path / "a.fits", "--port", "0"),
        "a.fits is none of the files that are read",
    )
    fails(run("serve", "andromeda", "--port", "0"), "no bundle 'andromeda'")


@pytest.mark.slow
@pytest.mark.timeout(1800)  # of a machine that does much else
def test_ctrl_c_leaves_a_state_and_the_same_command_goes_on(
    emulator_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mock"
    words = [sys.executable, "-m", "spectrabridge.apps.cli", "train-adaptation"]
    words += [str(emulator_folder), "--experiment", "mock-lines", "--out", str(out)]
    words += ["--members", "1", "--iterations", "400", "--json"]
    start = {"cwd": tmp_path, "env": os.environ | {"OMP_NUM_THREADS": "1"}, "text": True}
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, **start)
    assert process.stderr is not None
    seen = ""
    while "critic" not in seen and process.poll() is None:
        seen += process.stderr.read(80)
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate()
    assert process.returncode == 1
    assert "Give the same command again" in rest
    checkpoint = tmp_path / "mock.checkpoint.safetensors"
    assert checkpoint.exists()
    again = subprocess.run(words, capture_output=True, check=False, **start)
    assert again.returncode == 0, again.stderr
    assert "Going on from step" in again.stderr
    assert "masked_r2" in json.loads(again.stdout)
    assert not checkpoint.exists()

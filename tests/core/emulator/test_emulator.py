"""Emulators learn, survive a round trip through files, and refuse what they cannot use."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from spectrabridge.core.emulator import Emulator, EmulatorTraining, train_emulator
from spectrabridge.core.emulator.payne_weights import read_payne_npz
from spectrabridge.core.emulator.scoring import hold_out, train_and_score
from spectrabridge.core.emulator.training import PAYNE_TRAINING
from spectrabridge.core.errors import BundleError, LabelError, SpectrumError, TrainingError
from spectrabridge.core.labels import APOGEE_LABELS
from spectrabridge.core.spectra import Spectra

SHORT = EmulatorTraining(steps=60, hidden=(16,), n_basis=8)


def test_held_out_errors_are_far_below_the_signal(toy_spectra: Spectra) -> None:
    training = EmulatorTraining(steps=1500, hidden=(96, 96), n_basis=40)
    report = train_and_score(toy_spectra, training)
    signal = float(toy_spectra.flux.std(axis=0).mean())
    assert report.figures["median_abs_error"] < 0.05 * signal
    assert report.figures["n_held_out"] == 80
    assert report.figures["box"]["median_abs_error"] > report.figures["median_abs_error"]


def test_held_out_spectra_are_a_seeded_tenth_of_each_kind() -> None:
    kind = np.repeat([0, 1], [100, 300])
    held = hold_out(kind, seed=4)
    assert held[kind == 0].sum() == 10
    assert held[kind == 1].sum() == 30
    assert (held == hold_out(kind, seed=4)).all()
    assert (held != hold_out(kind, seed=5)).any()


def test_same_seed_same_emulator_and_the_caller_keeps_its_random_state(
    toy_spectra: Spectra,
) -> None:
    torch.manual_seed(77)
    expected = torch.rand(3)
    torch.manual_seed(77)
    first = train_emulator(toy_spectra, SHORT)
    assert torch.equal(torch.rand(3), expected)
    second = train_emulator(toy_spectra, SHORT)
    other = train_emulator(toy_spectra, dataclasses.replace(SHORT, seed=1))
    star = torch.tensor(toy_spectra.labels[:2], dtype=torch.float32)
    assert torch.equal(first(star), second(star))
    assert not torch.equal(first(star), other(star))


def test_saved_emulator_gives_the_same_flux(tmp_path: Path, toy_emulator: Emulator) -> None:
    toy_emulator.save(tmp_path / "e", {"note": "kept"})
    back = Emulator.load(tmp_path / "e")
    star = torch.tensor(APOGEE_LABELS.low + 0.4 * (APOGEE_LABELS.high - APOGEE_LABELS.low))[None]
    assert torch.equal(back(star.float()), toy_emulator(star.float()))
    assert back.grid == toy_emulator.grid
    assert json.loads((tmp_path / "e" / "emulator.json").read_text())["report"] == {"note": "kept"}


def test_gradients_agree_with_finite_differences(toy_emulator: Emulator) -> None:
    double = toy_emulator.double()
    star = torch.tensor([4750.0, 2.5, 1.5, *[0.0] * 20, 15.0, 4.0], dtype=torch.float64)
    slope = torch.func.jacfwd(lambda y: double(y[None])[0])(star)
    for column, step in ((0, 1.0), (7, 1e-3), (18, 1e-3), (23, 1e-2)):
        shift = torch.zeros_like(star)
        shift[column] = step
        difference = (double((star + shift)[None]) - double((star - shift)[None]))[0] / (2 * step)
        assert torch.allclose(slope[:, column], difference, rtol=1e-3, atol=1e-7)
    toy_emulator.float()


def test_damaged_missing_and_newer_files_are_named(tmp_path: Path, toy_emulator: Emulator) -> None:
    with pytest.raises(BundleError, match="no emulator"):
        Emulator.load(tmp_path / "nothing")
    folder = tmp_path / "e"
    toy_emulator.save(folder)
    weights = folder / "emulator.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleError, match="damaged"):
        Emulator.load(folder)
    weights.write_bytes(whole)
    data = json.loads((folder / "emulator.json").read_text())
    (folder / "emulator.json").write_text(json.dumps(data | {"schema": 9}))
    with pytest.raises(BundleError, match="version 9"):
        Emulator.load(folder)


@pytest.mark.parametrize("kind", ["no labels", "nan label", "bad pixel", "few"])
def test_unusable_training_sets_are_refused(toy_spectra: Spectra, kind: str) -> None:
    s = toy_spectra
    labels, ivar = s.labels.copy(), np.ones_like(s.flux)
    labels[3, 2] = np.nan
    ivar[5, 7] = 0
    broken = {
        "no labels": Spectra(s.grid, s.flux),
        "nan label": Spectra(s.grid, s.flux, labels=labels, label_set=s.label_set),
        "bad pixel": Spectra(s.grid, s.flux, ivar, labels=s.labels, label_set=s.label_set),
        "few": s[:10],
    }[kind]
    message = {"no labels": "needs labels", "nan label": "row 3", "bad pixel": "row 5"}
    with pytest.raises(TrainingError, match=message.get(kind, "at least 20")):
        train_emulator(broken, SHORT)


def test_time_limit_ends_training(toy_spectra: Spectra) -> None:
    steps: list[int] = []
    limited = dataclasses.replace(PAYNE_TRAINING, seconds=0.3, steps=10**6, hidden=(16, 16))
    train_emulator(toy_spectra, limited, progress=lambda step, n, figures: steps.append(step))
    assert steps[0] == 0
    assert steps[-2] < 10**5


# ---------------------------------------------------------------- The Payne's files


def _payne_arrays(grid_pixels: int, kilo: bool = False) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    low, high = APOGEE_LABELS.low.copy(), APOGEE_LABELS.high.copy()
    if kilo:
        low[0], high[0] = low[0] / 1000, high[0] / 1000
    return {
        "w_array_0": rng.normal(size=(30, 25)),
        "w_array_1": rng.normal(size=(30, 30)) / 5,
        "w_array_2": rng.normal(size=(grid_pixels, 30)) / 50,
        "b_array_0": rng.normal(size=30),
        "b_array_1": rng.normal(size=30),
        "b_array_2": rng.normal(size=grid_pixels),
        "x_min": low,
        "x_max": high,
    }


def _payne_flux(a: dict[str, np.ndarray], labels: np.ndarray) -> np.ndarray:
    """The Payne's published arithmetic (Ting et al. 2019, eq. 4), in plain numpy."""
    x = (labels - a["x_min"]) / (a["x_max"] - a["x_min"]) - 0.5
    for i in (0, 1):
        x = a[f"w_array_{i}"] @ x + a[f"b_array_{i}"]
        x = np.where(x > 0, x, 0.01 * x)
    return a["w_array_2"] @ x + a["b_array_2"]


@pytest.mark.parametrize("kilo", [False, True])
def test_payne_weight_file_round_trip(tmp_path: Path, toy_spectra: Spectra, kilo: bool) -> None:
    arrays = _payne_arrays(toy_spectra.grid.n_pixels, kilo)
    np.savez(tmp_path / "payne.npz", **arrays)
    emulator = read_payne_npz(tmp_path / "payne.npz", grid=toy_spectra.grid)
    labels = toy_spectra.labels[7]
    scaled = labels / np.where(np.arange(25) == 0, 1000, 1) if kilo else labels
    flux = emulator(torch.tensor(labels, dtype=torch.float32)[None])[0].numpy()
    assert np.allclose(flux, _payne_flux(arrays, scaled), atol=2e-5)
    emulator.save(tmp_path / "again")
    again = Emulator.load(tmp_path / "again")
    assert again.architecture == "payne"
    assert np.array_equal(again(torch.tensor(labels[None]).float())[0].numpy(), flux)


def test_payne_files_of_other_shapes_are_refused(tmp_path: Path, toy_spectra: Spectra) -> None:
    arrays = _payne_arrays(100)
    np.savez(tmp_path / "short.npz", **arrays)
    with pytest.raises(LabelError, match=r"640 pixels.*has 100"):
        read_payne_npz(tmp_path / "short.npz", grid=toy_spectra.grid)
    del arrays["x_max"]
    np.savez(tmp_path / "part.npz", **arrays)
    with pytest.raises(SpectrumError, match="missing x_max"):
        read_payne_npz(tmp_path / "part.npz", grid=toy_spectra.grid)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(SpectrumError, match="cannot be read"):
        read_payne_npz(tmp_path / "text.npz", grid=toy_spectra.grid)


def test_what_lies_outside_is_told_in_the_terms_of_the_network(toy_emulator: Emulator) -> None:
    star = APOGEE_LABELS.array([4700, 2.5, 1.6, *[-0.1] * 20, 15, 4])
    assert toy_emulator.extrapolations(star) == []
    poor = star.copy()
    poor[APOGEE_LABELS.index("Fe")] = -1.2
    # Every [X/H] on its own was trained; [X/Fe] = 1.1 was not.
    found = {e.title: e for e in toy_emulator.extrapolations(poor)}
    assert len(found) == 19
    assert found["[Mg/Fe]"].value == pytest.approx(1.1, abs=1e-4)
    assert found["[Mg/Fe]"].high < 0.5
    together = star.copy()
    together[APOGEE_LABELS.element_columns()] = -1.2
    assert toy_emulator.extrapolations(together) == []
    odd = star.copy()
    odd[[0, 23]] = 6200, 200
    teff, ratio = toy_emulator.extrapolations(odd)
    assert str(teff).startswith("T_eff 6200 (trained ")
    assert ratio.value == pytest.approx(200, rel=1e-3)
    assert ratio.high == pytest.approx(90, rel=0.05)


def test_labels_that_do_not_vary_are_refused(toy_spectra: Spectra) -> None:
    s = toy_spectra
    labels = s.labels.copy()
    labels[:, 23] = 20
    same = Spectra(s.grid, s.flux, labels=labels, label_set=s.label_set)
    with pytest.raises(TrainingError, match="constant: c12c13"):
        train_emulator(same, SHORT)


def test_other_folders_are_not_written_into(tmp_path: Path, toy_emulator: Emulator) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match="no emulator; nothing was changed"):
        toy_emulator.save(tmp_path)
    toy_emulator.save(tmp_path / "e")
    toy_emulator.save(tmp_path / "e")
    (tmp_path / "e" / "bundle.json").write_text("{}")
    with pytest.raises(BundleError):
        toy_emulator.save(tmp_path / "e")

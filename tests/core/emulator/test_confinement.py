"""Rare elements act on their own lines only, electrons are electrons, and nothing else is lost."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from spectrabridge.core.emulator import Emulator, EmulatorTraining, train_emulator
from spectrabridge.core.emulator.element_lines import OwnLines, own_lines
from spectrabridge.core.emulator.scoring import absolute_errors
from spectrabridge.core.labels import APOGEE_LABELS, draws
from spectrabridge.core.spectra import APOGEE_GRID, Chip, Spectra, WavelengthGrid

FIRST, LAST = 3000, 3900
"""Pixels of the APOGEE grid around 16,000 angstrom: lines of eleven rare elements."""

GRID = WavelengthGrid(APOGEE_GRID.wavelength[FIRST:LAST], (Chip("all", 0, LAST - FIRST),), "piece")

TRAINING = EmulatorTraining(steps=1500, hidden=(64, 64), n_basis=50, first=1.0)


def listed_physics(labels: np.ndarray, own: list[OwnLines]) -> np.ndarray:
    """Spectra whose rare elements have one line at the middle of each stretch of own pixels.

    All other elements have a broad feature each, and the electrons of rare ones weaken it.
    """
    pixel = np.arange(GRID.n_pixels)
    iron = APOGEE_LABELS.index("Fe")
    tau = np.zeros((len(labels), GRID.n_pixels))
    given = sum(o.electrons * labels[:, APOGEE_LABELS.index(o.element)] for o in own)
    given = given / sum(o.electrons for o in own)
    rare = {o.element for o in own}
    warm = (labels[:, 0] - 4700) / 1000
    for k, element in enumerate(APOGEE_LABELS.elements):
        if element in rare:
            continue
        amount = labels[:, APOGEE_LABELS.index(element)]
        bump = np.exp(-0.5 * ((pixel - 20 - 42 * k) / 12) ** 2)
        tau += (0.2 * 10 ** (0.4 * amount - 0.3 * warm - 0.1 * given))[:, None] * bump
    for one in own:
        amount = labels[:, APOGEE_LABELS.index(one.element)]
        edges = np.flatnonzero(np.diff(np.concatenate([[0], one.pixels, [0]])))
        for start, stop in edges.reshape(-1, 2):
            line = np.exp(-0.5 * ((pixel - (start + stop - 1) / 2) / 2) ** 2)
            tau += (0.1 * 10 ** (0.6 * amount - 0.2 * labels[:, iron] - warm))[:, None] * line
    return np.exp(-tau).astype(np.float32)


@pytest.fixture(scope="module")
def own() -> list[OwnLines]:
    return own_lines(APOGEE_LABELS, GRID)


@pytest.fixture(scope="module")
def listed(own: list[OwnLines]) -> Spectra:
    labels = draws.box(1300, torch.Generator().manual_seed(2)).numpy().astype(float)
    return Spectra(GRID, listed_physics(labels, own), labels=labels, label_set=APOGEE_LABELS)


@pytest.fixture(scope="module")
def confined(listed: Spectra) -> Emulator:
    return train_emulator(listed[:1200], TRAINING)


@pytest.fixture(scope="module")
def leaky(listed: Spectra) -> Emulator:
    return train_emulator(listed[:1200], dataclasses.replace(TRAINING, confine=False))


def slopes(emulator: Emulator) -> np.ndarray:
    star = torch.tensor(APOGEE_LABELS.array(dict.fromkeys(APOGEE_LABELS.names, 0.0)))
    star[:3] = torch.tensor([4700.0, 2.5, 1.5])
    star[-2:] = torch.tensor([20.0, 4.0])
    return emulator.slopes(star.float()[None])[1][0].numpy()


def test_elements_without_electrons_act_on_their_lines_and_nowhere_else(
    own: list[OwnLines], confined: Emulator, leaky: Emulator
) -> None:
    silent = [one for one in own if one.electrons == 0]
    assert len(silent) >= 3
    for one in silent:
        column = APOGEE_LABELS.index(one.element)
        ours, theirs = slopes(confined)[column], slopes(leaky)[column]
        assert np.abs(ours[~one.pixels]).max() < 1e-4 * np.abs(ours).max()
        assert np.abs(theirs[~one.pixels]).max() > 0.01 * np.abs(theirs).max()
        assert np.abs(ours[one.pixels]).max() > 0.05


def test_electrons_of_all_elements_act_alike(own: list[OwnLines], confined: Emulator) -> None:
    donors = [one for one in own if one.electrons > 0]
    assert len(donors) >= 3
    away = ~np.any([one.pixels for one in donors], axis=0)
    most = max(one.electrons for one in donors)
    slope = slopes(confined)
    alike = [slope[APOGEE_LABELS.index(one.element)][away] * most / one.electrons for one in donors]
    size = np.abs(alike[0]).max()
    assert size > 1e-3
    for other in alike[1:]:
        np.testing.assert_allclose(other, alike[0], atol=0.03 * size)


def test_derivatives_come_nearer_to_the_truth(
    own: list[OwnLines], listed: Spectra, confined: Emulator, leaky: Emulator
) -> None:
    star = np.array([4700.0, 2.5, 1.5, *[0.0] * 20, 20.0, 4.0])
    better = []
    for one in own:
        column = APOGEE_LABELS.index(one.element)
        rows = np.stack([star, star])
        rows[:, column] += (-0.05, 0.05)
        truth = np.diff(listed_physics(rows, own).astype(float), axis=0)[0] / 0.1
        correlation = [
            np.corrcoef(slopes(emulator)[column], truth)[0, 1] for emulator in (confined, leaky)
        ]
        assert correlation[0] > 0.98, one.element
        better.append(correlation[0] > correlation[1])
    assert np.mean(better) > 0.8
    errors = [absolute_errors(e, listed[1200:])["mean_abs_error"] for e in (confined, leaky)]
    assert errors[0] < 1.1 * errors[1]


def test_saved_and_loaded_it_is_the_same_emulator(confined: Emulator, tmp_path: Path) -> None:
    confined.save(tmp_path / "e")
    np.testing.assert_allclose(slopes(Emulator.load(tmp_path / "e")), slopes(confined), atol=1e-4)


def test_spectra_with_lines_elsewhere_are_left_alone(toy_spectra: Spectra) -> None:
    training = EmulatorTraining(steps=400, hidden=(48,), n_basis=30)
    plain = train_emulator(toy_spectra, dataclasses.replace(training, confine=False))
    tried = train_emulator(toy_spectra, training)
    assert own_lines(APOGEE_LABELS, toy_spectra.grid)
    star = torch.tensor(toy_spectra.labels[:3], dtype=torch.float32)
    assert torch.equal(plain(star), tried(star))

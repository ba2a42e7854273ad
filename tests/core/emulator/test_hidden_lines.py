"""Features, the choice of which to hide, and the paper's own mask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from spectrabridge.core.domains.mock_lines import reference_giant
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.emulator.hidden_lines import (
    Experiment,
    Feature,
    HiddenLines,
    abundance_change,
    find_features,
    hidden_pixels,
    hide_some,
    read_paper_mask,
)
from spectrabridge.core.errors import SpectrumError
from spectrabridge.core.labels import APOGEE_LABELS


def test_a_feature_is_a_run_below_the_threshold_with_a_deep_pixel() -> None:
    change = np.zeros((2, 40))
    change[0, 5:9] = [-0.002, -0.006, -0.006, -0.0011]
    change[0, 20:23] = -0.004  # nowhere deep enough
    change[1, 0:2] = -0.01  # at the edge
    change[1, 38:40] = -0.01
    found = find_features(change, ["Fe", "C"])
    assert [(f.element, f.start, f.stop) for f in found] == [
        ("Fe", 5, 9),
        ("C", 0, 2),
        ("C", 38, 40),
    ]
    assert found[0].depth == pytest.approx(-0.006)


def test_features_do_not_cross_chips() -> None:
    change = np.zeros((1, 40))
    change[0, 15:25] = -0.01
    spans = [(f.start, f.stop) for f in find_features(change, ["Fe"], breaks=[20])]
    assert spans == [(15, 20), (20, 25)]


def test_hiding_takes_the_same_part_of_every_element() -> None:
    features = [Feature("Fe", i, i + 1, -0.01) for i in range(100)]
    features += [Feature("Mg", 200 + i, 201 + i, -0.01) for i in range(10)]
    chosen = hide_some(features, 0.3, seed=3)
    assert sum(f.hidden for f in chosen if f.element == "Fe") == 30
    assert sum(f.hidden for f in chosen if f.element == "Mg") == 3
    assert chosen == hide_some(features, 0.3, seed=3)
    assert chosen != hide_some(features, 0.3, seed=4)
    assert not any(f.hidden for f in features)


def test_hidden_pixels_are_at_the_continuum_and_the_rest_is_untouched(
    toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    mask = hidden_pixels(toy_experiment.features, 640)
    star = torch.tensor(reference_giant(), dtype=torch.float32)[None]
    whole, part = toy_emulator(star)[0], HiddenLines(toy_emulator, mask)(star)[0]
    assert (part[torch.tensor(mask)] == 1).all()
    assert torch.equal(part[~torch.tensor(mask)], whole[~torch.tensor(mask)])


def test_experiment_has_about_as_many_features_as_asked_for(
    toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    assert abs(len(toy_experiment.features) - 70) <= 7
    assert Experiment.from_json(toy_experiment.to_json()) == toy_experiment
    elements, change = abundance_change(toy_emulator, reference_giant())
    for f in toy_experiment.features:
        row = change[elements.index(f.element), f.pixels]
        assert row.min() == pytest.approx(f.depth)


def test_the_paper_s_mask_gives_its_415_features(data_file: Callable[[str], Path]) -> None:
    path = data_file("paper/mock_missing_lines.npz")
    features = read_paper_mask(path, APOGEE_LABELS, 7214)
    assert len(features) == 415
    count = {e: sum(f.element == e for f in features) for e in ("C", "N", "Fe", "Mg", "Na")}
    assert count == {"C": 142, "N": 93, "Fe": 124, "Mg": 13, "Na": 0}
    # All but a few of the 1,177 masked pixels belong to a feature that is hidden as a whole.
    assert 1150 <= hidden_pixels(features, 7214).sum() <= 1177


def test_other_files_are_no_mask(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", total_mask=np.zeros(7214))
    with pytest.raises(SpectrumError, match="gradient_spec_array"):
        read_paper_mask(tmp_path / "a.npz", APOGEE_LABELS, 7214)
    np.savez(
        tmp_path / "b.npz",
        total_mask=np.zeros(90),
        gradient_spec_array=np.zeros((20, 90)),
        element_index=np.arange(3, 23),
    )
    with pytest.raises(SpectrumError, match="7214 pixels"):
        read_paper_mask(tmp_path / "b.npz", APOGEE_LABELS, 7214)

"""Draws stay inside the trained range and look like giants."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectrabridge.core.errors import LabelError
from spectrabridge.core.labels import APOGEE_LABELS, LabelSet, draws


@pytest.mark.parametrize("draw", [draws.giant_branch, draws.box])
def test_draws_stay_inside_and_repeat(draw: draws.Draw) -> None:
    first = draw(2000, torch.Generator().manual_seed(1))
    again = draw(2000, torch.Generator().manual_seed(1))
    assert torch.equal(first, again)
    assert not APOGEE_LABELS.outside(first.numpy(), tolerance=1e-5).any()


def test_giants_follow_the_branch() -> None:
    y = draws.giant_branch(5000, torch.Generator().manual_seed(1)).numpy()
    at = APOGEE_LABELS.index
    assert np.corrcoef(y[:, at("teff")], y[:, at("logg")])[0, 1] > 0.7
    over_iron = y[:, at("Mg")] - y[:, at("Fe")]
    assert np.corrcoef(over_iron, y[:, at("Fe")])[0, 1] < -0.3
    ratio = np.log(y[:, at("c12c13")])
    assert abs(np.median(ratio) - np.log(np.sqrt(5 * 90))) < 0.1


def test_box_labels_are_independent() -> None:
    y = draws.box(5000, torch.Generator().manual_seed(1)).numpy()
    assert abs(np.corrcoef(y[:, 0], y[:, 1])[0, 1]) < 0.05


def test_other_label_sets_are_refused() -> None:
    few = LabelSet(APOGEE_LABELS.labels[:3])
    with pytest.raises(LabelError, match="25 labels"):
        draws.giant_branch(5, torch.Generator(), few)

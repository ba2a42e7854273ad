"""Draws over the whole diagram: where giants and dwarfs lie, and what they are made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectrabridge.core.errors import LabelError
from spectrabridge.core.labels import APOGEE_LABELS, LabelSet
from spectrabridge.core.labels.diagram_draws import (
    DWARF_LOGG,
    DWARF_TEFF,
    SHARES,
    STAR_LABELS,
    whole_diagram,
)


@pytest.fixture(scope="module")
def stars() -> np.ndarray:
    return whole_diagram(6000, torch.Generator().manual_seed(4)).double().numpy()


def column(stars: np.ndarray, name: str) -> np.ndarray:
    return stars[:, STAR_LABELS.index(name)]


def test_all_of_the_diagram_is_drawn_and_nothing_outside(stars: np.ndarray) -> None:
    assert (stars >= np.array(STAR_LABELS.low) - 1e-4).all()
    assert (stars <= np.array(STAR_LABELS.high) + 1e-4).all()
    teff, logg = column(stars, "teff"), column(stars, "logg")
    for low in range(3500, 6500, 500):
        here = (teff >= low) & (teff < low + 500)
        assert here.mean() > 0.08
        assert (logg[here] > 4.2).mean() > 0.1, "dwarfs of every temperature"
    assert ((teff < 4000) & (logg < 1.5)).mean() > 0.05, "cool giants"
    assert sum(SHARES.values()) == pytest.approx(1)


def test_dwarfs_lie_on_the_main_sequence(stars: np.ndarray) -> None:
    teff, logg = column(stars, "teff"), column(stars, "logg")
    cool = (teff < 4500) & (logg > 4.3)
    off = logg[cool] - np.interp(teff[cool], DWARF_TEFF, DWARF_LOGG)
    assert abs(np.median(off)) < 0.03
    assert np.percentile(np.abs(off), 68) < 0.15


def test_only_giants_have_dredged_up_carbon(stars: np.ndarray) -> None:
    iron, logg = column(stars, "Fe"), column(stars, "logg")
    change = column(stars, "N") - column(stars, "C")
    solar = np.abs(iron) < 0.2
    assert np.median(change[solar & (logg < 3)]) > 0.15
    assert abs(np.median(change[solar & (logg > 4.2)])) < 0.05


def test_other_labels_are_refused() -> None:
    with pytest.raises(LabelError, match="25 labels"):
        whole_diagram(3, torch.Generator(), LabelSet(APOGEE_LABELS.labels[:3]))

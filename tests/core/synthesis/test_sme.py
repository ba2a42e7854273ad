from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from spectrabridge.apps.cli import main
from spectrabridge.core.errors import LineListError, SynthesisError
from spectrabridge.core.labels import APOGEE_LABELS, LabelSet
from spectrabridge.core.linelist import LineList, read_lines, shipped_lines, write_vald
from spectrabridge.core.linelist.isotopes import ISOTOPE_FRACTION
from spectrabridge.core.spectra import APSTAR_GRID, WavelengthGrid
from spectrabridge.core.synthesis import SmeSimulator
from spectrabridge.core.synthesis.grid_plan import GridPlan
from spectrabridge.core.synthesis.grid_run import make_grid
from spectrabridge.core.synthesis.pruning import prune, pruning_error
from spectrabridge.core.synthesis.sme import SmeLines

GIANT = {"teff": 4750.0, "logg": 2.5, "vturb": 1.5, "c12c13": 20.0, "vmacro": 4.0}

WAVE = APSTAR_GRID.wavelength
PART = WavelengthGrid(WAVE[(WAVE > 15735) & (WAVE < 15790)])


@pytest.fixture(scope="module")
def simulator(pysme: None, tmp_path_factory: pytest.TempPathFactory) -> SmeSimulator:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("scratch"))  # the library writes a log
        yield SmeSimulator(PART)  # type: ignore[misc]


def star(**changes: float) -> np.ndarray:
    return APOGEE_LABELS.array(dict.fromkeys(APOGEE_LABELS.names, 0.0) | GIANT | changes)


def test_lines_become_arrays_of_the_library() -> None:
    lines = shipped_lines().between(15740, 15760)
    found = SmeLines.of(lines, 20.0)
    assert len(found) == len(lines)
    atomic = found["atomic"]
    np.testing.assert_array_equal(atomic[:, 2], lines.wl_vac)
    atoms = lines.isotopologue == ""
    np.testing.assert_array_equal(atomic[atoms, 4], lines.loggf[atoms])
    heavy = lines.isotopologue == "013014"
    fraction = ISOTOPE_FRACTION["N"][14] / 21
    np.testing.assert_allclose(atomic[heavy, 4], lines.loggf[heavy] + np.log10(fraction))
    hydrogen = SmeLines.of(shipped_lines().of("H 1"), 20.0)
    assert set(hydrogen["atomic"][:, 6]) == {4.0}
    some = found[np.arange(len(found)) < 3]
    assert len(some) == 3
    assert (some["ionization"] == atomic[:3, 1]).all()


def test_lines_that_cannot_be_computed_are_refused() -> None:
    lines = shipped_lines().between(15740, 15741)
    with pytest.raises(LineListError, match="have no log gf"):
        SmeLines.of(replace(lines, loggf=np.full(len(lines), np.nan)), 20.0)
    hydrogen = shipped_lines().of("H 1")
    with pytest.raises(LineListError, match="principal quantum numbers"):
        SmeLines.of(replace(hydrogen, h_n_up=np.zeros(len(hydrogen), np.int16)), 20.0)


def test_without_the_extra_the_message_has_the_install_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [n for n in sys.modules if n == "pysme" or n.startswith("pysme.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pysme", None)
    with pytest.raises(SynthesisError, match=r"pip install 'spectrabridge\[synthesis\]'"):
        SmeSimulator(PART)
    result = CliRunner().invoke(main, ["make-grid", "--n", "2", "--out", str(tmp_path / "a.h5")])
    assert result.exit_code == 1
    assert "spectrabridge[synthesis]" in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_giant_is_the_one_of_the_prototype(
    simulator: SmeSimulator, data_file: Callable[[str], Path]
) -> None:
    path = data_file("lines").parent.parent / "reference" / "synthesis" / "k_giant.npz"
    if not path.exists():
        pytest.skip("needs the reference spectrum")
    pixels = np.searchsorted(WAVE, PART.wavelength)
    with np.load(path) as file:
        want = file["flux"][pixels]
    flux = simulator(star())
    assert np.sqrt(((flux - want) ** 2).mean()) < 0.002
    assert flux.min() < 0.75


def test_labels_change_the_lines_that_they_should(simulator: SmeSimulator) -> None:
    base = simulator(star())
    np.testing.assert_array_equal(base, simulator(star()))
    more = simulator(star(Mg=0.3)) - base
    # Mg I at 15753.3 and 15770.1 angstrom in vacuum.
    where = PART.wavelength[more.argmin()]
    assert abs(where - np.array([15745.0, 15753.3, 15770.1])).min() < 1.0
    assert more.min() < -0.02
    poor = simulator(star(**dict.fromkeys(APOGEE_LABELS.elements, -1.0)))
    assert poor.mean() > base.mean() + 0.02
    assert simulator(star(vmacro=8.0)).min() > base.min()
    # [Mg/H] of +0.3 in a star of [Fe/H] -0.5 is counted once.
    mixture = simulator._mixture(-0.5, {"Mg": 0.3})
    assert mixture["Mg"] == pytest.approx(simulator._mixture(0.0, {})["Mg"] - 0.2, abs=1e-6)


def test_stars_and_lines_out_of_reach(simulator: SmeSimulator) -> None:
    assert "Teff" in simulator.outside(star(teff=3000.0))
    with pytest.raises(SynthesisError, match="cannot be computed: Teff is 3000"):
        simulator(star(teff=3000.0))
    optical = WavelengthGrid(np.linspace(5000, 5010, 100))
    with pytest.raises(SynthesisError, match="None of the 37864 lines"):
        SmeSimulator(optical)
    few = LabelSet(tuple(label for label in APOGEE_LABELS if label.name != "logg"))
    with pytest.raises(SynthesisError, match="missing: logg"):
        SmeSimulator(PART, few)


def test_few_labels_will_do(simulator: SmeSimulator) -> None:
    few = LabelSet(tuple(k for k in APOGEE_LABELS if k.name in ("teff", "logg", "Fe")))
    flux = SmeSimulator(PART, few)([4750.0, 2.5, 0.0])
    np.testing.assert_allclose(flux, simulator(star()), atol=1e-12)


def test_pruning_says_what_it_costs(simulator: SmeSimulator) -> None:
    pruned = prune(simulator, 1e-3)
    error = pruning_error(simulator, pruned)
    assert error["kept"] < 0.7 * error["lines"]
    assert error["flux_max"] < 5e-4
    assert len(simulator.lines) == error["lines"]
    with pytest.raises(SynthesisError, match="between 0 and 1"):
        prune(simulator, 2.0)


def test_a_list_written_and_read_gives_the_same_spectrum(
    simulator: SmeSimulator, tmp_path: Path
) -> None:
    lines = shipped_lines().between(PART.wavelength[0] - 25, PART.wavelength[-1] + 25)
    write_vald(lines, tmp_path / "lines.vald", medium="vacuum")
    back = read_lines(tmp_path / "lines.vald")
    assert isinstance(back, LineList)
    flux = SmeSimulator(PART, lines=back, hydrogen=False)(star())
    want = SmeSimulator(PART, hydrogen=False)(star())
    # Digits of the format: 1e-4 angstrom, 1e-3 in log gf.
    np.testing.assert_allclose(flux, want, atol=2e-3)


def test_the_reader_of_pysme_takes_what_is_written(pysme: None, tmp_path: Path) -> None:
    from pysme.linelist.vald import ValdFile

    lines = shipped_lines().between(15740, 15750)
    write_vald(lines, tmp_path / "lines.vald", medium="vacuum")
    found = ValdFile(str(tmp_path / "lines.vald"))
    assert len(found) == len(lines)
    np.testing.assert_allclose(np.sort(found["wlcent"]), lines.wl_vac, atol=1e-4)
    assert found.medium == "vac"


@pytest.mark.slow
def test_processes_and_resuming_give_the_same_file(pysme: None, tmp_path: Path) -> None:
    plan = GridPlan(n=4, range=(15740.0, 15750.0), seed=1)
    make_grid(plan, tmp_path / "two.h5", processes=2)

    def stop(done: int, *_: Any) -> None:
        if done >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_grid(plan, tmp_path / "cut.h5", processes=2, progress=stop)
    make_grid(plan, tmp_path / "cut.h5", processes=2)
    assert (tmp_path / "cut.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

from spectrabridge.core.errors import LabelError, SpectrumError, SynthesisError
from spectrabridge.core.io.grid import read_grid
from spectrabridge.core.labels import APOGEE_LABELS
from spectrabridge.core.spectra import Spectra
from spectrabridge.core.synthesis.grid_plan import GridPlan
from spectrabridge.core.synthesis.grid_run import make_grid, parts_folder
from spectrabridge.core.synthesis.label_draws import ListedStars, RandomStars
from spectrabridge.core.synthesis.pruning import prune

PLAN = GridPlan(n=40, range=(15700.0, 15720.0), seed=3)

Fake = Callable[[], list[Any]]


def test_stars_follow_from_seed_and_number_alone() -> None:
    stars, again = RandomStars("mixed", 5), RandomStars("mixed", 5)
    late = again(17)
    for i in range(30):
        kind, labels = stars(i)
        assert labels.shape == (25,)
        assert not APOGEE_LABELS.outside(labels, 1e-6).any()
        if i == 17:
            assert kind == late[0]
            np.testing.assert_array_equal(labels, late[1])
    assert not np.array_equal(stars(0)[1], stars(1)[1])
    assert not np.array_equal(stars(0)[1], RandomStars("mixed", 6)(0)[1])
    kinds = [stars(i)[0] for i in range(200)]
    assert 0.5 < np.mean(kinds) < 0.7
    assert {RandomStars("box", 1)(i)[0] for i in range(5)} == {0}
    with pytest.raises(SynthesisError, match="found 'sphere'"):
        RandomStars("sphere")


def test_lists_are_taken_as_they_are_and_catalogues_completed(tmp_path: Path) -> None:
    stars = RandomStars("giants", 0)
    table = Table(rows=[tuple(stars(i)[1]) for i in range(4)], names=APOGEE_LABELS.names)
    table.write(tmp_path / "all.ecsv", format="ascii.ecsv")
    listed = ListedStars(tmp_path / "all.ecsv")
    np.testing.assert_allclose(listed(2)[1], stars(2)[1])
    with pytest.raises(SynthesisError, match="row 5 is none"):
        listed(4)
    table["Fe"][1] = -9999
    table.write(tmp_path / "gap.csv", format="ascii.csv")
    with pytest.raises(SynthesisError, match=r"1 rows .* \(rows 2\)"):
        ListedStars(tmp_path / "gap.csv")

    few = Table({"TEFF": [4500.0, 4800.0], "LOGG": [1.5, 2.5], "FE_H": [-0.5, 0.1]})
    few.write(tmp_path / "few.csv", format="ascii.csv")
    with pytest.raises(LabelError, match="missing: vturb, C"):
        ListedStars(tmp_path / "few.csv")
    drawn = ListedStars(tmp_path / "few.csv", seed=1)
    seen = set()
    for i in range(20):
        kind, labels = drawn(i)
        values = APOGEE_LABELS.mapping(labels)
        seen.add(values["teff"])
        assert kind == 1
        assert (values["logg"], values["Fe"]) == {4500.0: (1.5, -0.5), 4800.0: (2.5, 0.1)}[
            values["teff"]
        ]
        assert abs(values["Mg"] - values["Fe"]) < 0.5
        np.testing.assert_array_equal(labels, drawn(i)[1])
    assert seen == {4500.0, 4800.0}
    with pytest.raises(SynthesisError, match="no file"):
        ListedStars(tmp_path / "none.csv")
    (tmp_path / "labels.txt").write_text("teff logg")
    with pytest.raises(SynthesisError, match="Tables of labels are"):
        ListedStars(tmp_path / "labels.txt")


def test_the_same_plan_gives_the_same_file(fake: Fake, tmp_path: Path) -> None:
    reports = [make_grid(PLAN, tmp_path / f"{name}.h5") for name in "ab"]
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert not parts_folder(tmp_path / "a.h5").exists()
    make_grid(replace(PLAN, seed=4), tmp_path / "c.h5")
    assert (tmp_path / "a.h5").read_bytes() != (tmp_path / "c.h5").read_bytes()
    # The failures of the stand-in are recorded and stop nothing.
    report = reports[0]
    assert report.n_made + report.n_failed == 40
    assert report.n_failed > 0
    spectra = Spectra.load(report.path)
    assert len(spectra) == report.n_made
    assert set(report.failures.values()) <= {"too cool", "no usable flux"}
    assert spectra.provenance["failures"] == {str(k): v for k, v in report.failures.items()}
    assert spectra.provenance["continuum"] == "true"
    stars = PLAN.stars()
    for row, index in enumerate(spectra.columns["index"]):
        np.testing.assert_array_equal(spectra.labels[row], stars(int(index))[1])


def test_an_interrupted_grid_goes_on_to_the_same_file(fake: Fake, tmp_path: Path) -> None:
    whole = make_grid(PLAN, tmp_path / "whole.h5")
    out = tmp_path / "cut.h5"

    def stop(done: int, total: int, failed: int) -> None:
        if done == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_grid(PLAN, out, progress=stop)
    assert not out.exists()
    before = sum(f.n_calls for f in fake())
    # A kill in the middle of writing leaves half a part, which has another name.
    (parts_folder(out) / "0000030.flux.77.partial").write_bytes(b"half")
    told: list[tuple[int, int, int]] = []
    make_grid(PLAN, out, progress=lambda *state: told.append(state))
    assert told[0][0] == 15
    assert told[-1][:2] == (40, 40)
    assert sum(f.n_calls for f in fake()) - before <= 25
    assert out.read_bytes() == whole.path.read_bytes()


def test_parts_of_another_grid_are_left_alone(fake: Fake, tmp_path: Path) -> None:
    out = tmp_path / "grid.h5"

    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_grid(PLAN, out, progress=stop)
    with pytest.raises(SynthesisError, match=r"parts of a grid with other seed"):
        make_grid(replace(PLAN, seed=9), out)
    other = tmp_path / "other.h5"
    parts_folder(other).mkdir()
    (parts_folder(other) / "thesis.tex").write_text("mine")
    with pytest.raises(SynthesisError, match="nothing was changed"):
        make_grid(PLAN, other)
    assert (parts_folder(other) / "thesis.tex").exists()


def test_a_full_disk_loses_nothing(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_grid(PLAN, tmp_path / "whole.h5")
    out = tmp_path / "full.h5"
    write = Path.write_bytes
    left = [12]

    def limited(self: Path, content: Any) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", limited)
    with pytest.raises(SynthesisError, match=r"No space left on device.*go on"):
        make_grid(PLAN, out)
    monkeypatch.setattr(Path, "write_bytes", write)
    make_grid(PLAN, out)
    assert out.read_bytes() == whole.path.read_bytes()


def test_a_disk_too_full_for_the_whole_keeps_the_parts(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spectrabridge.core.synthesis import grid_run

    out = tmp_path / "grid.h5"
    with monkeypatch.context() as patch:
        patch.setattr(grid_run, "_free", lambda path: 100_000)
        with pytest.raises(SynthesisError, match=r"0.1 MB are free.*kept in .*parts"):
            make_grid(PLAN, out)
    assert not out.exists()
    assert not list(tmp_path.glob("*.partial"))
    before = sum(one.n_calls for one in fake())
    make_grid(PLAN, out)
    assert sum(one.n_calls for one in fake()) == before
    assert out.exists()


def test_what_cannot_work_leaves_no_parts_behind(fake: Fake, tmp_path: Path) -> None:
    out = tmp_path / "grid.h5"
    with pytest.raises(SynthesisError, match="pixels"):
        make_grid(replace(PLAN, range=(15700.0, 15701.0)), out)
    assert not parts_folder(out).exists()
    make_grid(PLAN, out)


def test_the_rate_is_that_of_the_processor(fake: Fake, tmp_path: Path) -> None:
    report = make_grid(PLAN, tmp_path / "grid.h5")
    assert 0 < report.processor_seconds < 5
    outside = sum("too cool" in reason for reason in report.failures.values())
    assert report.n_computed == report.n_asked - outside


def test_a_grid_is_read_as_one_and_trains(fake: Fake, tmp_path: Path) -> None:
    from spectrabridge.core.emulator import EmulatorTraining
    from spectrabridge.core.emulator.scoring import train_and_score

    make_grid(PLAN, tmp_path / "grid.h5")
    spectra = read_grid(tmp_path / "grid.h5")
    assert spectra.label_set is not None
    assert spectra.label_set.names == APOGEE_LABELS.names
    assert "kind" in spectra.columns
    report = train_and_score(
        spectra, EmulatorTraining(steps=30, n_basis=4, hidden=(8,)), seed=0, continuum="true"
    )
    assert report.emulator.grid == spectra.grid
    bare = Spectra(spectra.grid, spectra.flux)
    bare.save(tmp_path / "bare.h5")
    with pytest.raises(LabelError, match="without labels"):
        read_grid(tmp_path / "bare.h5")
    flux = spectra.flux.copy()
    flux[2, 5] = np.nan
    replace(spectra, flux=flux).save(tmp_path / "nan.h5")
    with pytest.raises(SpectrumError, match="not finite in 1 of"):
        read_grid(tmp_path / "nan.h5")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n": None}, "how many spectra"),
        ({"range": (15700.0, 15701.0)}, "holds 4 pixels|holds 5 pixels"),
        ({"draw": "sphere"}, "found 'sphere'"),
        ({"draw": "catalogue"}, "needs the table"),
    ],
)
def test_plans_that_make_no_sense(
    fake: Fake, change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(SynthesisError, match=words):
        make_grid(replace(PLAN, **change), tmp_path / "grid.h5")


def test_pixels_of_ones_own_reach_anywhere(fake: Fake, tmp_path: Path) -> None:
    plan = replace(PLAN, n=25, range=(6000.0, 6020.0), pixel=5.0)
    make_grid(plan, tmp_path / "grid.h5")
    wave = read_grid(tmp_path / "grid.h5").grid.wavelength
    assert wave[0] == pytest.approx(6000.0)
    assert 6019.8 < wave[-1] <= 6020.0
    np.testing.assert_allclose(np.diff(wave) / wave[:-1] * 299_792.458, 5.0, rtol=1e-6)
    with pytest.raises(SynthesisError, match=r"0 pixels .* lower end first"):
        make_grid(replace(plan, range=(6020.0, 6000.0)), tmp_path / "other.h5")


def test_pruning_needs_the_stars_it_looks_at() -> None:
    warm = SimpleNamespace(
        lines=[1, 2], atmospheres=SimpleNamespace(outside=lambda *star: f"Teff is {star[0]:.0f}")
    )
    with pytest.raises(SynthesisError, match=r"Pruning looks at .* Teff is 3800.* without it"):
        prune(warm, 1e-3)  # type: ignore[arg-type]


def test_nothing_but_failures_is_an_error(fake: Fake, tmp_path: Path) -> None:
    table = Table(rows=[tuple(RandomStars("box", 0)(0)[1])], names=APOGEE_LABELS.names)
    table["teff"] = 3800.0
    table.write(tmp_path / "cool.ecsv", format="ascii.ecsv")
    plan = replace(PLAN, n=None, draw="list", table=str(tmp_path / "cool.ecsv"))
    with pytest.raises(SynthesisError, match=r"Not one of 1 spectra .* too cool"):
        make_grid(plan, tmp_path / "grid.h5")


def test_dask_gives_the_same_file(fake: Fake, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    whole = make_grid(PLAN, tmp_path / "whole.h5")
    # Workers in this process, because the stand-in exists here only.
    with distributed.Client(
        processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None
    ) as client:
        make_grid(PLAN, tmp_path / "dask.h5", client=client)
    assert (tmp_path / "dask.h5").read_bytes() == whole.path.read_bytes()


def test_the_command_resumes_and_prints_the_rate(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from spectrabridge.apps.make_grid import make_grid_command
    from spectrabridge.core.synthesis import sme

    monkeypatch.setattr(sme, "require_pysme", lambda: None)
    monkeypatch.setattr(sme, "work_in_scratch_folder", lambda: None)
    out = tmp_path / "grid.h5"
    words = ["--out", str(out), "--n", "12", "--range", "15700", "15720", "--seed", "3"]

    def stop(done: int, *_: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_grid(replace(PLAN, n=12), out, progress=stop)
    done = CliRunner().invoke(make_grid_command, [*words, "--json"])
    assert done.exit_code == 0, done.output
    assert '"spectra_per_core_hour"' in done.output
    make_grid(replace(PLAN, n=12), tmp_path / "whole.h5")
    assert out.read_bytes() == (tmp_path / "whole.h5").read_bytes()
    again = CliRunner().invoke(make_grid_command, words)
    assert again.exit_code == 2
    assert "--overwrite" in again.output
    no_table = CliRunner().invoke(
        make_grid_command, ["--out", str(tmp_path / "b.h5"), "--draw", "list"]
    )
    assert "needs --table" in no_table.output


def test_a_damaged_part_is_named(fake: Fake, tmp_path: Path) -> None:
    out = tmp_path / "grid.h5"

    def stop(done: int, *_: int) -> None:
        if done == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_grid(PLAN, out, progress=stop)
    part = sorted(parts_folder(out).glob("*.flux"))[0]
    whole = part.read_bytes()
    for content in (whole[:-4], whole + b"1234"):
        part.write_bytes(content)
        with pytest.raises(SynthesisError, match=rf"{part.name} is damaged\. Delete it and give"):
            make_grid(PLAN, out)
    part.unlink()
    assert make_grid(PLAN, out).n_made > 0

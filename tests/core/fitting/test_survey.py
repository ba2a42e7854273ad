from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from spectrabridge.core.bundle import Bundle
from spectrabridge.core.errors import FitError, SpectrumError
from spectrabridge.core.fitting import FitSettings, fit_labels
from spectrabridge.core.fitting import survey as survey_module
from spectrabridge.core.fitting.survey import (
    Survey,
    count_stars,
    forget_parts,
    parts_folder,
    run_survey,
)
from spectrabridge.core.io.spectra_store import SpectraStore

SETTINGS = FitSettings(floor=0.0, search=0.0, fixed={"vmacro": 4.0})


@pytest.fixture
def stars(observe, tmp_path: Path) -> Path:
    path = tmp_path / "stars.h5"
    observe(90).spectra.save(path)
    return path


def survey_of(bundle: Bundle, path: Path, chunk: int = 20, **changes) -> Survey:
    settings = {"kinds": ("adapted",), "settings": SETTINGS, "chunk": chunk} | changes
    return Survey(str(bundle.path), (str(path),), **settings)


def test_tasks_make_the_table_of_one_fit(fit_bundle, stars, observe, tmp_path):
    out = tmp_path / "labels.ecsv"
    told = []
    table = run_survey(
        survey_of(fit_bundle, stars), out, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(0, 90), (20, 90), (40, 90), (60, 90), (80, 90), (90, 90)]
    whole = fit_labels(fit_bundle, observe(90).spectra, SETTINGS)
    assert list(table["id"]) == list(whole.ids)
    assert table["row"].tolist() == list(range(90))
    # Stars in other company take steps that differ in the last bits, and in the toy temperature
    # and abundances look the same, so that single stars end a little elsewhere on a flat floor.
    off = np.abs((np.asarray(table["teff"]) - whole.labels[:, 0]) / whole.errors[:, 0])
    assert np.median(off) < 0.05 and off.max() < 1
    assert table["vmacro_err"].tolist() == [0.0] * 90
    forget_parts(out)
    assert not parts_folder(out).exists()


def test_a_zarr_store_is_a_survey_too(fit_bundle, stars, observe, tmp_path):
    pytest.importorskip("zarr", reason="needs zarr, of the extra [scale]")
    spectra = observe(90).spectra
    path = tmp_path / "stars.zarr"
    SpectraStore.create(path, spectra).append(spectra)
    assert count_stars([path, stars]) == 180
    table = run_survey(survey_of(fit_bundle, path), tmp_path / "a.fits")
    same = run_survey(survey_of(fit_bundle, stars), tmp_path / "b.fits")
    assert list(table["id"]) == list(spectra.ids)
    assert np.array_equal(table["teff"], same["teff"])
    # Spectra that are added make it another survey.
    SpectraStore(zarr_group(path), path).append(spectra[:3])
    with pytest.raises(FitError, match="other sources"):
        run_survey(survey_of(fit_bundle, path), tmp_path / "a.fits")


def zarr_group(path: Path):
    import zarr

    return zarr.open_group(store=str(path), mode="a")


def test_a_rerun_does_only_what_is_missing(fit_bundle, stars, tmp_path, monkeypatch):
    out = tmp_path / "labels.fits"
    survey = survey_of(fit_bundle, stars)
    done = []
    real = survey_module.fit_task

    def interrupted(survey, task):
        if task.number == 2:
            raise KeyboardInterrupt
        done.append(task.number)
        return real(survey, task)

    monkeypatch.setattr(survey_module, "fit_task", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_survey(survey, out)
    assert done == [0, 1]
    # A file that a killed process left half written is no part.
    (parts_folder(out) / "000002.99.partial").write_bytes(b"SIMPLE")
    monkeypatch.setattr(survey_module, "fit_task", lambda s, t: done.append(t.number) or real(s, t))
    table = run_survey(survey, out)
    assert done == [0, 1, 2, 3, 4]
    assert list(table["id"]) == [f"star{i}" for i in range(90)]


def test_parts_of_another_survey_are_refused(fit_bundle, stars, tmp_path):
    out = tmp_path / "labels.fits"
    run_survey(survey_of(fit_bundle, stars), out)
    with pytest.raises(FitError, match="other chunk"):
        run_survey(survey_of(fit_bundle, stars, chunk=30), out)
    with pytest.raises(FitError, match="other settings"):
        run_survey(survey_of(fit_bundle, stars, settings=FitSettings()), out)
    stars.touch()
    with pytest.raises(FitError, match="other sources"):
        run_survey(survey_of(fit_bundle, stars), out)
    (parts_folder(out) / "plan.json").write_text("{")
    with pytest.raises(FitError, match="is damaged"):
        run_survey(survey_of(fit_bundle, stars), out)
    foreign = tmp_path / "x.fits.parts"
    foreign.mkdir()
    (foreign / "precious.txt").write_text("mine")
    with pytest.raises(FitError, match="other files"):
        run_survey(survey_of(fit_bundle, stars), tmp_path / "x.fits")
    forget_parts(tmp_path / "x.fits")
    assert (foreign / "precious.txt").read_text() == "mine"


def test_damaged_and_empty_sets(fit_bundle, stars, tmp_path, observe, monkeypatch):
    with pytest.raises(FitError, match="nothing to fit"):
        Survey(str(fit_bundle.path), ()).tasks()
    assert count_stars([stars, tmp_path / "gone.fits"]) == 91
    # What cannot be read is flagged, and the rest is fitted.
    cut, few = tmp_path / "cut.h5", tmp_path / "few.h5"
    cut.write_bytes(stars.read_bytes()[:2000])
    observe(4).spectra.save(few)
    assert count_stars([cut, few]) == 5
    tasks = Survey("toy", (str(cut), str(few)), chunk=2).tasks()
    assert [(t.files, t.rows) for t in tasks] == [
        ((str(cut),), None),
        ((str(few),), (0, 2)),
        ((str(few),), (2, 4)),
    ]
    real = survey_module.open_set

    def damaged(name):
        file = real(name)
        if Path(name) == few:
            read = type(file).__getitem__

            class Damaged(type(file)):
                def __getitem__(self, rows):
                    if rows.start == 2:
                        raise SpectrumError("few.h5 is damaged: spectra 2 to 3 cannot be read.")
                    return read(self, rows)

            file.__class__ = Damaged
        return file

    monkeypatch.setattr("spectrabridge.core.io.spectra_set.open_set", damaged)
    table = run_survey(survey_of(fit_bundle, few, chunk=2), tmp_path / "o.ecsv")
    flags = [str(f) for f in table["flags"]]
    assert [f == "unreadable" for f in flags] == [False, False, True, True]
    assert list(table["id"]) == ["star0", "star1", "few.h5 2", "few.h5 3"]
    assert "few.h5 is damaged" in table["notes"][3]
    assert not np.isfinite(np.ma.filled(table["teff"], np.nan)[2:]).any()


def test_a_full_disk_leaves_no_part_behind(fit_bundle, stars, tmp_path, monkeypatch):
    write = Path.write_bytes

    def full(self, content):
        if content[:6] != b"SIMPLE":
            return write(self, content)
        write(self, b"SIMPLE")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FitError, match="No space left on device"):
        run_survey(survey_of(fit_bundle, stars), tmp_path / "o.ecsv")
    assert [p.name for p in parts_folder(tmp_path / "o.ecsv").iterdir()] == ["plan.json"]


DRIVER = """
import sys, json
from pathlib import Path
from spectrabridge.core.fitting import FitSettings
from spectrabridge.core.fitting.survey import Survey, run_survey
from spectrabridge.core.resumable_run import dask_client
if __name__ == "__main__":
    bundle, stars, out = sys.argv[1:]
    settings = FitSettings(floor=0.0, search=0.0, fixed={"vmacro": 4.0})
    survey = Survey(bundle, (stars,), ("adapted",), settings, chunk=100)
    with dask_client(workers=2) as client:
        pids = client.run(lambda: __import__("os").getpid())
        print(json.dumps(list(pids.values())), flush=True)
        table = run_survey(
            survey, out, client=client, progress=lambda a, b: print(a, flush=True)
        )
    table.write(out, format="fits")
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_workers_and_a_killed_driver_lose_nothing(fit_bundle, observe, tmp_path):
    """2,000 stars on two workers: one is killed half way, then the driver; all come out once."""
    stars, out = tmp_path / "stars.h5", tmp_path / "labels.fits"
    made = observe(2000)
    made.spectra.save(stars)
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    command = [sys.executable, str(script), str(fit_bundle.path), str(stars), str(out)]

    def start() -> tuple[subprocess.Popen, list[int]]:
        driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert driver.stdout is not None
        return driver, json.loads(driver.stdout.readline())

    def until(driver: subprocess.Popen, n: int) -> int:
        assert driver.stdout is not None
        for line in driver.stdout:
            if int(line) >= n:
                return int(line)
        raise AssertionError("the driver ended too early")

    driver, workers = start()
    until(driver, 300)
    os.kill(workers[0], signal.SIGKILL)
    until(driver, 1000)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    for pid in workers:
        _gone(pid)
    kept = sorted(p.name for p in parts_folder(out).glob("*.fits"))
    assert 10 <= len(kept) < 20 and not out.exists()

    driver, _ = start()
    assert driver.stdout is not None
    first = int(driver.stdout.readline())
    assert first == 100 * len(kept)  # what was done is not done again
    driver.stdout.read()
    assert driver.wait() == 0
    table = Table.read(out, character_as_bytes=False)
    assert list(table["id"]) == [f"star{i}" for i in range(2000)]
    some = np.arange(0, 2000, 97)
    alone = fit_labels(fit_bundle, made.spectra[some], SETTINGS)
    off = np.abs((np.asarray(table["Mg"])[some] - alone.labels[:, 7]) / alone.errors[:, 7])
    assert np.median(off) < 0.05


def _gone(pid: int) -> None:
    """Wait until a worker whose nanny died has ended too."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except OSError:
            return
        time.sleep(0.2)


def test_a_damaged_part_is_named(fit_bundle, stars, tmp_path):
    out = tmp_path / "labels.fits"
    survey = survey_of(fit_bundle, stars, chunk=45)
    run_survey(survey, out)
    part = sorted(parts_folder(out).glob("*.fits"))[0]
    for content in (b"", b"junk", part.read_bytes()[:3000]):
        part.write_bytes(content)
        with pytest.raises(FitError, match=rf"{part.name} is damaged\. Delete it and give the"):
            run_survey(survey, out)
    part.unlink()
    assert len(run_survey(survey, out)) > 0

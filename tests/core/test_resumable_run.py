"""Runs that go on: their folder of parts, and their workers."""

from __future__ import annotations

import json
import math
import os
from functools import partial
from pathlib import Path

import pytest

from spectrabridge.core.errors import FitError, RunError, SynthesisError
from spectrabridge.core.resumable_run import PartsFolder, compute_tasks, dask_client

PLAN = {"seed": 3, "range": (1.0, 2.0), "settings": {"degree": 4}, "fingerprint": "ab"}


@pytest.fixture
def parts(tmp_path: Path) -> PartsFolder:
    made = PartsFolder.beside(tmp_path / "grid.h5", "grid", SynthesisError)
    made.begin(PLAN)
    return made


def test_the_same_plan_goes_on_and_another_is_refused(parts: PartsFolder) -> None:
    parts.write("0000001.flux", b"1234")
    parts.begin(PLAN)
    assert "0000001.flux" in parts and (parts / "0000001.flux").read_bytes() == b"1234"
    with pytest.raises(SynthesisError, match=r"a grid with other seed, range\. Give the same"):
        parts.begin(PLAN | {"seed": 4, "range": (1.0, 3.0), "fingerprint": "cd"})
    with pytest.raises(SynthesisError, match=r"a grid with other input files"):
        parts.begin(PLAN | {"fingerprint": "cd"})
    (parts / "plan.json").write_text('{"seed": 3')
    with pytest.raises(SynthesisError, match=r"plan\.json is damaged"):
        parts.begin(PLAN)
    assert "0000001.flux" in parts


def test_a_plan_of_an_older_version_lacks_settings_that_are_new(parts: PartsFolder) -> None:
    new = PLAN | {"settings": {"degree": 4, "resolution": None}}
    parts.begin(new, {"settings": {"degree": 1, "resolution": None}})
    with pytest.raises(SynthesisError, match="other settings"):
        parts.begin(new, {"settings": {"degree": 4, "resolution": 22500}})
    with pytest.raises(SynthesisError, match="other settings"):
        parts.begin(new)


def test_the_files_of_others_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "grid.h5.parts"
    folder.mkdir()
    # What a killed process was writing is nobody's.
    (folder / ".0000001.ab12.partial").write_bytes(b"half")
    (folder / "thesis.tex").write_text("mine")
    parts = PartsFolder.beside(tmp_path / "grid.h5", "grid", SynthesisError)
    with pytest.raises(SynthesisError, match="nothing was changed there"):
        parts.begin(PLAN)
    parts.remove()
    assert (folder / "thesis.tex").read_text() == "mine"
    (folder / "thesis.tex").unlink()
    parts.begin(PLAN)
    assert json.loads((folder / "plan.json").read_text())["range"] == [1.0, 2.0]
    parts.remove()
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "grid.h5.parts").write_text("a file")
    with pytest.raises(RunError, match=r"grid\.h5\.parts cannot be made: "):
        PartsFolder.beside(tmp_path / "grid.h5").begin(PLAN)


def test_tasks_are_computed_in_turn_and_only_when_asked_for() -> None:
    seen: list[int] = []

    def compute(task: int) -> int:
        seen.append(task)
        return task**2

    results = compute_tasks(compute, [3, 1, 2])
    assert next(results) == (3, 9) and seen == [3]
    assert list(results) == [(1, 1), (2, 4)]
    assert list(compute_tasks(compute, [])) == []


@pytest.mark.slow
def test_processes_work_in_a_folder_of_their_own() -> None:
    tasks = list(range(7))
    found = dict(compute_tasks(partial(math.pow, 2), tasks, processes=2))
    assert found == {n: 2.0**n for n in tasks}
    (_, folder), _ = compute_tasks(os.path.abspath, [".", "."], processes=2)
    assert Path(folder) != Path.cwd() and "spectrabridge-" in folder
    with pytest.raises(SynthesisError, match="A worker process died"):
        list(compute_tasks(os._exit, [1, 1], processes=2, error=SynthesisError))


def test_dask_tells_which_task_failed() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None
    ) as client:
        found = dict(compute_tasks(math.sqrt, [4.0, 9.0, 16.0], client=client))
        assert found == {4.0: 2.0, 9.0: 3.0, 16.0: 4.0}
        with pytest.raises(FitError, match=r"Star -1 failed on the workers: .*What is done is"):
            list(
                compute_tasks(
                    math.sqrt, [-1], client=client, error=FitError, describe="Star {}".format
                )
            )


def test_a_scheduler_that_does_not_answer() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(RunError, match="does not answer"), dask_client("tcp://127.0.0.1:9"):
        pass

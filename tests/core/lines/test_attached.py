"""Candidates from a notebook are those that the command finds and keeps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from spectrabridge.apps.cli import main
from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.errors import BundleError, SpectrabridgeError
from spectrabridge.core.lines import LineSettings
from spectrabridge.core.lines.attached import candidates_of, find_and_store


@pytest.fixture
def toy(tests_data: Path, tmp_path: Path) -> Path:
    """A copy of a bundle of 160 pixels, in which everything is found quickly."""
    return Path(shutil.copytree(tests_data / "written_by_0_1" / "bundle", tmp_path / "toy"))


def test_the_function_and_the_command_keep_the_same_candidates(toy: Path, tmp_path: Path) -> None:
    typed = Path(shutil.copytree(toy, tmp_path / "typed"))
    found = find_and_store(open_bundle(toy), LineSettings(3, 0.002, 0.5, 1), store=True)
    words = ["lines", str(typed), "--store", "--json", "--stars", "3", "--seed", "1"]
    words += ["--least-depth", "0.002", "--least-significance", "0.5"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert len(found) > 0
    for folder in (toy, typed):
        kept = candidates_of(open_bundle(folder))
        assert kept is not None and [c.id for c in kept] == [c.id for c in found]
    assert (
        json.loads(result.stdout)["candidates"]
        == json.loads(json.dumps(found.to_json()))["candidates"]
    )


def test_what_cannot_work_fails_before_the_work(toy: Path, tmp_path: Path) -> None:
    def never(done: int, total: int) -> None:
        raise AssertionError("the work began")

    packed = open_bundle(shutil.make_archive(str(tmp_path / "packed"), "zip", toy))
    with pytest.raises(BundleError, match="unpack it"):
        find_and_store(packed, store=True, progress=never)
    (tmp_path / "list.txt").write_text("no lines", encoding="utf-8")
    with pytest.raises(SpectrabridgeError, match=r"list\.txt"):
        find_and_store(open_bundle(toy), lines=tmp_path / "list.txt", progress=never)

"""The folder of an emulator: one emulator at a time, and damage said with file and key."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from spectrabridge.core import listed_files
from spectrabridge.core.bundle.emulator_source import read_emulator
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.errors import BundleError


@pytest.fixture
def folder(tmp_path: Path, toy_emulator: Emulator) -> Path:
    toy_emulator.save(tmp_path / "e", {"note": "first"})
    return tmp_path / "e"


def other(emulator: Emulator) -> Emulator:
    """Return an emulator of the same sizes with other weights."""
    tensors = {k: v + 0.125 for k, v in emulator.state_dict().items()}
    return Emulator.rebuild(emulator.description(), emulator.labels, emulator.grid, tensors)


def same(a: Emulator, b: Emulator) -> bool:
    theirs = b.state_dict()
    return all(torch.equal(v, theirs[k]) for k, v in a.state_dict().items())


def test_an_emulator_is_replaced_whole(folder: Path, toy_emulator: Emulator) -> None:
    (folder / "notes.txt").write_text("mine")
    new = other(toy_emulator)
    new.save(folder, {"note": "second"})
    found, report = read_emulator(folder)
    assert same(found, new)
    assert report == {"note": "second"}
    assert len(list(folder.glob("emulator*"))) == 2
    assert (folder / "notes.txt").exists()


@pytest.mark.parametrize("step", [0, 1])
def test_a_stop_between_the_two_files_leaves_the_old_emulator(
    folder: Path, toy_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    whole, written = listed_files.write_whole, []

    def stop(path: Path, content: bytes) -> None:
        if len(written) == step:
            raise KeyboardInterrupt
        written.append(path)
        whole(path, content)

    monkeypatch.setattr(listed_files, "write_whole", stop)
    with pytest.raises(KeyboardInterrupt):
        other(toy_emulator).save(folder, {"note": "second"})
    found, report = read_emulator(folder)
    assert same(found, toy_emulator)
    assert report == {"note": "first"}


def test_weights_of_another_emulator_are_refused(folder: Path, toy_emulator: Emulator) -> None:
    other(toy_emulator).save(folder.parent / "other")
    shutil.copy(folder.parent / "other" / "emulator.safetensors", folder)
    with pytest.raises(BundleError, match=r"emulator\.safetensors is missing or damaged: its SHA"):
        Emulator.load(folder)


def test_folders_of_0_1_list_no_files(folder: Path, toy_emulator: Emulator) -> None:
    main = folder / "emulator.json"
    data = json.loads(main.read_text("utf-8"))
    del data["files"]
    main.write_text(json.dumps(data), "utf-8")
    assert same(Emulator.load(folder), toy_emulator)
    other(toy_emulator).save(folder)
    assert same(Emulator.load(folder), other(toy_emulator))
    assert not (folder / "emulator.safetensors").exists()
    main.unlink()  # as a kill of 0.1 before the description was written
    for path in folder.glob("emulator.*.safetensors"):
        path.rename(folder / "emulator.safetensors")
    toy_emulator.save(folder)
    assert same(Emulator.load(folder), toy_emulator)


def put(*keys: Any, value: object) -> Callable[[dict[str, Any]], None]:
    def change(data: Any) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.pop("labels"), "labels is missing"),
        (put("schema", value="1"), "schema: expected a whole number, found text"),
        (put("schema", value=10**30), "schema: expected a whole number of at most"),
        (put("labels", 0, "low", value=math.nan), r"labels\[0\]\.low: expected a finite number"),
        (put("labels", 1, value=None), r"labels\[1\]: expected an object"),
        (put("grid", "runs", value=[1]), r"grid\.runs\[0\]: expected an object"),
        (put("grid", "log10_step", value=10**400), r"grid\.log10_step: expected a finite"),
        (put("grid", "chips", value=[["a", 0]]), r"grid\.chips\[0\]: expected 3 values, found 2"),
        (put("emulator", value=[]), "emulator: expected an object"),
        (put("emulator", "hidden", value=[64, "x"]), r"emulator\.hidden\[1\]: expected a whole"),
        (put("emulator", "n_basis", value=True), r"emulator\.n_basis: expected a whole number"),
        (put("emulator", "architecture", value="x"), r"emulator\.architecture: expected one of"),
        (put("report", value="good"), "report: expected an object"),
        (put("files", value={}), r"files\.emulator\.safetensors is missing"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(
    folder: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    main = folder / "emulator.json"
    data = json.loads(main.read_text("utf-8"))
    change(data)
    main.write_text(json.dumps(data), "utf-8")
    with pytest.raises(BundleError, match=words) as caught:
        read_emulator(folder)
    assert str(main) in str(caught.value)


@pytest.mark.parametrize("content", ["", "[", "[]", "7", "[" * 100_000, '{"a":' * 3_000])
def test_a_main_file_that_is_none_is_refused(folder: Path, content: str) -> None:
    (folder / "emulator.json").write_text(content, "utf-8")
    with pytest.raises(BundleError, match=r"emulator\.json"):
        read_emulator(folder)

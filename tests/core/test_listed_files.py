"""Folders whose main file lists the others: old or new, never a mixture."""

from __future__ import annotations

from pathlib import Path

import pytest

from spectrabridge.core import listed_files as module
from spectrabridge.core.errors import BundleError
from spectrabridge.core.files.typed_json import parsed
from spectrabridge.core.listed_files import (
    alone_in,
    create_folder,
    replace_files,
    require_entries,
    stored_name,
)

OLD = {"a.bin": b"old a", "b.bin": b"old b"}
NEW = {"a.bin": b"new a", "b.bin": b"new b"}


def main(folder: Path) -> dict:
    return parsed((folder / "main.json").read_bytes(), "main.json")


def contents(folder: Path) -> dict[str, bytes]:
    """Return what a reader finds, file by file."""
    listed = main(folder)["files"]
    return {name: (folder / stored_name(name, e)).read_bytes() for name, e in listed.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "kept"
    create_folder(path, "main.json", {"n": 1}, OLD)
    return path


def test_a_new_folder_has_plain_names_and_a_replaced_one_hashes(folder: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == ["a.bin", "b.bin", "main.json"]
    (folder / "notes.txt").write_text("mine")
    replace_files(folder, "main.json", {"n": 2}, NEW, main(folder))
    assert contents(folder) == NEW
    assert main(folder)["n"] == 2
    assert (folder / "notes.txt").exists()
    assert len(list(folder.iterdir())) == 4


@pytest.mark.parametrize("step", range(3))
def test_whoever_reads_after_a_stop_finds_all_old_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    whole = module.write_whole
    written: list[Path] = []

    def stop(path: Path, content: bytes) -> None:
        if len(written) == step:
            raise KeyboardInterrupt
        written.append(path)
        whole(path, content)

    monkeypatch.setattr(module, "write_whole", stop)
    with pytest.raises(KeyboardInterrupt):
        replace_files(folder, "main.json", {"n": 2}, NEW, main(folder))
    assert contents(folder) == OLD
    monkeypatch.undo()
    replace_files(folder, "main.json", {"n": 2}, NEW, main(folder))
    assert contents(folder) == NEW
    assert len(list(folder.iterdir())) == 3  # what was left over is gone


def test_a_new_folder_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(path: Path, content: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_whole", stop)
    with pytest.raises(KeyboardInterrupt):
        create_folder(tmp_path / "kept", "main.json", {}, OLD)
    assert list(tmp_path.iterdir()) == []


def test_two_writers_wait_for_each_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.1)
    with (
        alone_in(folder),
        pytest.raises(BundleError, match="Another process has been writing"),
        alone_in(folder, BundleError),
    ):
        pass
    assert [p.name for p in folder.parent.iterdir()] == ["kept"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "files: expected an object"),
        ({"a": None}, r"files\.a: expected an object"),
        ({"a": {"sha256": "0"}}, r"files\.a\.bytes is missing"),
        ({"a": {"sha256": 5, "bytes": 1}}, r"files\.a\.sha256: expected text"),
        ({"a": {"sha256": "0", "bytes": 1e9}}, r"files\.a\.bytes: expected a whole number"),
        ({"a": {"sha256": "0", "bytes": 1, "file": "../x"}}, r"files\.a: file names are plain"),
        ({"..": {"sha256": "0", "bytes": 1}}, "file names are plain"),
    ],
)
def test_entries_that_are_none_are_named(files: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        require_entries(files)

"""Writing of bundles: whole after a kill at any moment, and nothing of other writers is lost."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spectrabridge.core import listed_files
from spectrabridge.core.bundle import Bundle, read_bundle, verify_bundle
from spectrabridge.core.bundle.writing import attach, store_metrics, write_bundle
from spectrabridge.core.errors import BundleError, OutputError


@pytest.fixture
def folder(tests_data: Path, tmp_path: Path) -> Path:
    """A copy of a bundle that 0.1 wrote, alone in a folder."""
    copy = tmp_path / "place" / "bundle"
    shutil.copytree(tests_data / "written_by_0_1" / "bundle", copy)
    return copy


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def arguments(bundle: Bundle, **changed: Any) -> dict[str, Any]:
    """Return what `write_bundle` needs to write the same weights again."""
    model = bundle.model
    return {
        "name": bundle.name,
        "title": bundle.title,
        "description": bundle.description,
        "emulator": model.complete_emulator,
        "adapter": model.adapter,
        "reference": model.reference,
        "experiment": bundle.experiment,
    } | changed


def test_what_is_attached_carries_its_hash(folder: Path) -> None:
    before = names(folder)
    attach(read_bundle(folder), "candidates.json.gz", b"one")
    first = hashlib.sha256(b"one").hexdigest()[:12]
    assert set(names(folder)) - set(before) == {f"candidates.{first}.json.gz"}
    bundle = attach(read_bundle(folder), "candidates.json.gz", b"two")
    second = hashlib.sha256(b"two").hexdigest()[:12]
    assert set(names(folder)) - set(before) == {f"candidates.{second}.json.gz"}
    assert bundle.attached("candidates.json.gz") == b"two"
    assert names(folder.parent) == [folder.name]  # no lock is left


def test_an_open_bundle_finds_what_was_attached_anew(folder: Path) -> None:
    opened = attach(read_bundle(folder), "x.json", b"old")
    attach(read_bundle(folder), "x.json", b"new")
    assert opened.attached("x.json") == b"new"


def test_two_openers_lose_nothing(folder: Path) -> None:
    opened = read_bundle(folder)  # `evaluate --ablations --store` begins
    attach(read_bundle(folder), "candidates.json.gz", b"x")  # meanwhile `lines --store` ends
    store_metrics(read_bundle(folder), {"rms": 2.0})
    store_metrics(opened, {"ablations": [1, 2]})
    assert attach(opened, "embedding.safetensors", b"y").metrics == {"rms": 2, "ablations": [1, 2]}
    now = read_bundle(folder)
    assert now.attached("candidates.json.gz") == b"x"
    assert now.attached("embedding.safetensors") == b"y"
    assert now.fingerprint == opened.fingerprint


def test_nothing_is_stored_in_a_bundle_of_other_weights(folder: Path, tmp_path: Path) -> None:
    opened = read_bundle(folder)
    write_bundle(folder, **arguments(opened, title="Trained anew"))
    for store in (
        lambda: attach(opened, "x.json", b"of the old weights"),
        lambda: store_metrics(opened, {"rms": 1.0}),
    ):
        with pytest.raises(BundleError, match="trained anew"):
            store()
    assert read_bundle(folder).data["attached"] == {}
    assert verify_bundle(folder) == []


def test_a_bundle_written_over_another_one_leaves_nothing_of_it(folder: Path) -> None:
    (folder / "notes.txt").write_text("of somebody", encoding="utf-8")
    old = attach(read_bundle(folder), "x.json", b"{}")
    new = write_bundle(folder, **arguments(old, experiment=None, title="New"))
    assert verify_bundle(folder) == []
    assert new.attached("x.json") is None
    assert new.fingerprint != old.fingerprint
    stored = {entry["file"] for entry in new.data["files"].values()}
    assert set(names(folder)) == stored | {"bundle.json", "notes.txt"}
    again = write_bundle(folder, **arguments(new, title="New"))
    assert again.fingerprint == new.fingerprint


def test_the_name_of_a_file_is_no_part_of_the_fingerprint(folder: Path, tmp_path: Path) -> None:
    old = read_bundle(folder)
    again = write_bundle(folder, **arguments(old, title="Other"))
    fresh = write_bundle(tmp_path / "elsewhere", **arguments(old, title="Other"))
    assert "file" not in fresh.data["files"]["emulator.safetensors"]
    assert "file" in again.data["files"]["emulator.safetensors"]
    assert again.fingerprint == fresh.fingerprint


@pytest.mark.parametrize("place", ["new", "old"])
@pytest.mark.parametrize("number", range(4))
def test_a_full_disk_leaves_what_was_there(
    folder: Path, tmp_path: Path, place: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = attach(read_bundle(folder), "x.json", b"{}")
    given = arguments(bundle, title="New")
    target = folder if place == "old" else tmp_path / "new" / "bundle"
    written: list[Path] = []

    def write(path: Path, content: bytes, overwrite: bool = True) -> None:
        written.append(Path(path))
        if len(written) > number:
            raise OutputError(f"{path} cannot be written: {os.strerror(errno.ENOSPC)}. Make room.")
        Path(path).write_bytes(content)

    monkeypatch.setattr(listed_files, "write_whole", write)
    with pytest.raises(OutputError, match="No space left"):
        write_bundle(target, **given)
    if place == "new":
        assert names(target.parent) == []
    else:
        monkeypatch.undo()
        assert read_bundle(folder).title == bundle.title
        assert verify_bundle(folder) == []
        write_bundle(folder, **given)  # and the next one clears what the first had written
        stored = {entry["file"] for entry in read_bundle(folder).data["files"].values()}
        assert set(names(folder)) == stored | {"bundle.json"}


def test_a_lock_that_is_held_is_waited_for_and_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spectrabridge.core.file_lock import locked

    monkeypatch.setattr(listed_files, "LOCK_SECONDS", 0.1)
    with (
        locked(folder.parent / f".{folder.name}.lock", 1),
        pytest.raises(BundleError, match="Another process has been writing"),
    ):
        attach(read_bundle(folder), "x.json", b"{}")


ATTACH = """
import os, sys
from spectrabridge.core.bundle import read_bundle
from spectrabridge.core.bundle.writing import attach
bundle = read_bundle(sys.argv[1])
print("ready", flush=True)
for i in range(10**9):
    attach(bundle, sys.argv[2], str(i).encode() * 50_000)
    print(i, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
def test_kills_of_two_writers_leave_a_bundle_with_what_was_acknowledged(folder: Path) -> None:
    for _ in range(3):
        words = [sys.executable, "-c", ATTACH, str(folder)]
        pipe = subprocess.PIPE
        both = [
            subprocess.Popen([*words, name], stdout=pipe, text=True) for name in ("a.json", "b")
        ]
        said = []
        for process in both:
            assert process.stdout is not None
            for _ in range(4):
                process.stdout.readline()
        for process in both:
            process.kill()
        for process in both:
            rest = process.communicate()[0].split()
            said.append(int(rest[-1]) if rest else 2)
        bundle = read_bundle(folder)
        for name, least in zip(("a.json", "b"), said, strict=True):
            content = bundle.attached(name)
            assert content is not None
            number = int(content[: len(content) // 50_000])
            assert content == str(number).encode() * 50_000
            assert number >= least
        assert verify_bundle(folder) == []
    bundle = attach(bundle, "a.json", b"last")
    listed = {**bundle.data["files"], **bundle.data["attached"]}
    kept = {"bundle.json"} | {entry.get("file", name) for name, entry in listed.items()}
    assert set(names(folder)) == kept


def test_damaged_entries_are_said_in_a_sentence(folder: Path) -> None:
    main = folder / "bundle.json"
    data = json.loads(main.read_text(encoding="utf-8"))
    for entry in (None, 5, [], {"sha256": "0"}, {"sha256": "0", "bytes": 1, "file": 7}):
        main.write_text(json.dumps(data | {"attached": {"x.json": entry}}), encoding="utf-8")
        with pytest.raises(BundleError, match=r"bundle.json: attached\.x\.json"):
            read_bundle(folder)
    for name in ("../secret", "/etc/hostname", "", ".", "a\\0b"):
        entry = {"sha256": "0" * 64, "bytes": 1, "file": name}
        main.write_text(json.dumps(data | {"attached": {"x.json": entry}}), encoding="utf-8")
        with pytest.raises(BundleError):
            read_bundle(folder).attached("x.json")

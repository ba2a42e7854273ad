"""Bundles: what is written can be read, and damage is named, never loaded."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spectrabridge.core import bundle as bundle_module
from spectrabridge.core.bundle import (
    Bundle,
    list_bundles,
    open_bundle,
    read_bundle,
    store_metrics,
    verify_bundle,
    write_bundle,
)
from spectrabridge.core.errors import BundleError


@pytest.fixture
def copy(toy_bundle: Bundle, tmp_path: Path) -> Path:
    """A copy of the toy bundle to damage."""
    return Path(shutil.copytree(toy_bundle.path, tmp_path / "toy"))


def _edit(folder: Path, **changes: object) -> None:
    data = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(data | changes))


def test_a_stored_model_gives_nearly_the_same_spectra(toy_bundle: Bundle, toy_adaptation) -> None:
    """Matrices are stored in half precision; that must not show."""
    import torch

    model = toy_bundle.model
    flux = torch.tensor(model.emulate(model.reference))
    before = toy_adaptation.adapter.adapt(flux).numpy()
    assert np.abs(model.adapt(model.reference) - before).max() < 2e-3
    assert verify_bundle(toy_bundle.path) == []


def test_a_zip_file_is_as_good_as_a_folder(toy_bundle: Bundle, tmp_path: Path) -> None:
    for prefix in ("", "toy/"):
        path = tmp_path / f"b{len(prefix)}.zip"
        with zipfile.ZipFile(path, "w") as file:
            for part in toy_bundle.path.iterdir():
                file.write(part, prefix + part.name)
        packed = open_bundle(path)
        assert packed.fingerprint == toy_bundle.fingerprint
        reference = toy_bundle.model.reference
        assert np.array_equal(packed.model.adapt(reference), toy_bundle.model.adapt(reference))


def test_a_changed_file_is_refused(copy: Path) -> None:
    weights = copy / "adaptation.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BundleError, match=r"adaptation.safetensors is not the file .*SHA-256"):
        _ = read_bundle(copy).model
    assert "SHA-256" in verify_bundle(copy)[0]


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "features.json").unlink()
    with pytest.raises(BundleError, match=r"features.json is missing"):
        _ = read_bundle(copy).model


def test_a_newer_schema_asks_for_an_update(copy: Path) -> None:
    _edit(copy, schema=99)
    with pytest.raises(BundleError, match=r"layout 99.*reads up to 1.*Update"):
        read_bundle(copy)


@pytest.mark.parametrize("content", ["", "[1, 2]", "{not json", '{"name": "x"}'])
def test_a_broken_main_file_is_refused(copy: Path, content: str) -> None:
    (copy / "bundle.json").write_text(content)
    with pytest.raises(BundleError, match=r"bundle\.json"):
        read_bundle(copy)


def test_missing_entries_are_named(copy: Path) -> None:
    data = json.loads((copy / "bundle.json").read_text())
    del data["reference"], data["emulator"]
    (copy / "bundle.json").write_text(json.dumps(data))
    with pytest.raises(BundleError, match="lacks reference, emulator"):
        read_bundle(copy)


def test_weights_of_other_sizes_are_refused(copy: Path) -> None:
    data = json.loads((copy / "bundle.json").read_text())
    _edit(copy, emulator=data["emulator"] | {"hidden": [7]})
    with pytest.raises(BundleError, match="emulator's weights do not fit"):
        _ = read_bundle(copy).model


def test_a_bundle_cannot_reach_outside_its_folder(copy: Path) -> None:
    (copy.parent / "secret.json").write_text("{}")
    data = json.loads((copy / "bundle.json").read_text())
    data["files"]["../secret.json"] = {"sha256": "0" * 64, "bytes": 2}
    _edit(copy, files=data["files"], experiment="../secret.json")
    with pytest.raises(BundleError, match="plain"):
        _ = read_bundle(copy).model


def test_what_is_no_bundle_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(BundleError, match="folder or a zip file"):
        open_bundle(tmp_path / "text.zip")
    with pytest.raises(BundleError, match=r"bundle\.json is missing"):
        open_bundle(tmp_path)
    with pytest.raises(BundleError, match=r"no bundle 'andromeda'.*mock-lines"):
        open_bundle("andromeda")


def test_only_bundles_are_overwritten(
    tmp_path: Path, make_toy_bundle: Callable[[], Bundle], toy_bundle: Bundle
) -> None:
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter.tex").write_text("years of work")
    model = toy_bundle.model
    arguments = {
        "name": "x",
        "title": "x",
        "description": "x",
        "emulator": model.truth_emulator,
        "adapter": model.adapter,
        "reference": model.reference,
    }
    with pytest.raises(BundleError, match="is no bundle"):
        write_bundle(thesis, **arguments)
    assert (thesis / "chapter.tex").read_text() == "years of work"
    write_bundle(tmp_path / "b", **arguments)
    assert write_bundle(tmp_path / "b", **arguments | {"name": "y"}).name == "y"


def test_figures_are_stored_and_leave_the_fingerprint(
    make_toy_bundle: Callable[[], Bundle],
) -> None:
    bundle = make_toy_bundle()
    again = store_metrics(bundle, {"masked_r2": 0.5})
    assert again.metrics == {"masked_r2": 0.5}
    assert again.fingerprint == bundle.fingerprint
    assert verify_bundle(again.path) == []


def test_own_bundles_are_found_by_name(
    copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bundle_module, "user_bundles", lambda: tmp_path)
    assert {"toy", "mock-lines"} <= {b.name for b in list_bundles()}
    assert open_bundle("toy").path == copy


def test_unknown_devices_are_refused() -> None:
    with pytest.raises(BundleError, match="device"):
        open_bundle("mock-lines", device="abacus")


def _set(*keys: str, value: object):
    def change(data: dict) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("files", value=None),
        _set("files", "features.json", "bytes", value="many"),
        _set("schema", value=-5),
        _set("schema", value=True),
        _set("reference", value={"teff": "hot"}),
        _set("labels", value=[{"name": "x"}]),
        _set("labels", value=3),
        _set("provenance", value="mine"),
        _set("adaptation", "seeds", value=["a"]),
        _set("adaptation", "seeds", value=list(range(500_000))),
        _set("adaptation", "shape", "hidden", value=10**7),
        _set("adaptation", "shape", "n_split", value=3),
        _set("adaptation", "shape", "activation", value="eval"),
        _set("emulator", "hidden", value=[10**9]),
        _set("emulator", "n_basis", value=10**9),
        _set("grid", "runs", value=[{"log10_start": 4.18, "n_pixels": 10**12}]),
        _set("grid", "chips", value=[["a", 0, 10**9]]),
        _set("experiment", value=5),
    ],
)
def test_malformed_contents_are_refused_in_words(copy: Path, change) -> None:
    """A stranger's bundle must not end in a traceback, nor take all memory first."""
    data = json.loads((copy / "bundle.json").read_text())
    change(data)
    (copy / "bundle.json").write_text(json.dumps(data))
    problems = verify_bundle(copy)
    assert len(problems) >= 1
    with pytest.raises(BundleError):
        _ = read_bundle(copy).model


def test_damaged_and_encrypted_zip_files_are_refused(toy_bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for part in toy_bundle.path.iterdir():
            file.write(part, part.name)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(25):
        content = bytearray(whole)
        for place in rng.integers(0, len(whole), 20):
            content[place] ^= 0xFF
        path.write_bytes(content)
        assert verify_bundle(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleError):
        open_bundle(path)


def test_deeply_nested_json_is_refused(copy: Path) -> None:
    (copy / "bundle.json").write_text("[" * 200_000)
    with pytest.raises(BundleError):
        read_bundle(copy)


def test_notes_beside_a_bundle_survive_retraining(make_toy_bundle: Callable[[], Bundle]) -> None:
    bundle = make_toy_bundle()
    (bundle.path / "my_notes.txt").write_text("keep")
    model = bundle.model
    write_bundle(
        bundle.path,
        name="again",
        title="x",
        description="x",
        emulator=model.truth_emulator,
        adapter=model.adapter,
        reference=model.reference,
    )
    assert (bundle.path / "my_notes.txt").read_text() == "keep"
    assert verify_bundle(bundle.path) == []
    assert sorted(f.name for f in bundle.path.iterdir() if f.name.startswith(".")) == []


def test_a_name_with_two_meanings_is_asked_about(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy.rename(copy.parent / "mock-lines")
    monkeypatch.chdir(copy.parent)
    with pytest.raises(BundleError, match=r"\./mock-lines"):
        open_bundle("mock-lines")
    assert open_bundle("./mock-lines").name == "toy"

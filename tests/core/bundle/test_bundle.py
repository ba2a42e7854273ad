"""Bundles: what is written can be read, and damage is named, never loaded."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from spectrabridge.core.adaptation.result import TrainingResult
from spectrabridge.core.bundle import (
    Bundle,
    Sample,
    list_bundles,
    open_bundle,
    read_bundle,
    verify_bundle,
)
from spectrabridge.core.bundle import bundle as bundle_module
from spectrabridge.core.bundle.sample import log_components
from spectrabridge.core.bundle.training_record import first_training
from spectrabridge.core.bundle.writing import attach, store_metrics, write_bundle
from spectrabridge.core.domains.mock_lines import reference_giant
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.errors import BundleError
from spectrabridge.core.labels import draws


@pytest.fixture
def copy(toy_bundle: Bundle, tmp_path: Path) -> Path:
    """A copy of the toy bundle to damage."""
    return Path(shutil.copytree(toy_bundle.path, tmp_path / "toy"))


def _edit(folder: Path, **changes: object) -> None:
    data = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(data | changes))


def test_a_stored_model_gives_nearly_the_same_spectra(toy_bundle: Bundle, toy_adaptation) -> None:
    """Matrices are stored in half precision; that must not show."""
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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("name", value=None), r"bundle\.json: name: expected text, found null"),
        (_set("files", value=[]), r"bundle\.json: files: expected an object"),
        (_set("files", "features.json", value=7), r"bundle\.json: files\.features\.json: expected"),
        (_set("reference", "teff", value=float("nan")), r"reference\.teff: expected a finite"),
        (_set("attached", value="x"), r"bundle\.json: attached: expected an object"),
        (_set("emulator", "hidden", value="64"), r"emulator\.hidden: expected a list, found text"),
        (_set("emulator", "n_basis", value=10**30), r"emulator\.n_basis: expected a whole number"),
        (_set("adaptation", "seeds", value=[0, True]), r"adaptation\.seeds\[1\]: expected a whole"),
        (_set("adaptation", "shape", "hidden", value=1.5), r"adaptation\.shape\.hidden: expected"),
        (_set("adaptation", "shape", "new", value=1), r"adaptation\.shape\.new is not known"),
        (_set("labels", value={}), r"labels: expected a list, found an object"),
        (_set("grid", "name", value=3), r"grid\.name: expected text"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(copy: Path, change, words: str) -> None:
    data = json.loads((copy / "bundle.json").read_text())
    change(data)
    (copy / "bundle.json").write_text(json.dumps(data))
    with pytest.raises(BundleError, match=words) as caught:
        _ = read_bundle(copy).model
    assert str(copy) in str(caught.value)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"training": []}, r"provenance\.training: expected an object"),
        ({"training": {"batch": "x"}}, r"provenance\.training\.batch: expected a whole number"),
        ({"training": {"learning_rate": None}}, r"provenance\.training\.learning_rate: expected"),
        ({"started_from": 3}, r"provenance\.started_from: expected an object"),
        (
            {"started_from": {"training": {"conv": {"strides": 1}}}},
            r"provenance\.started_from\.training\.conv",
        ),
    ],
)
def test_a_record_of_training_that_is_none_is_named(copy: Path, record, words: str) -> None:
    data = json.loads((copy / "bundle.json").read_text())
    data["provenance"] = record
    (copy / "bundle.json").write_text(json.dumps(data))
    with pytest.raises(BundleError, match=words):
        first_training(read_bundle(copy))


def test_settings_that_are_gone_are_left_out(copy: Path) -> None:
    data = json.loads((copy / "bundle.json").read_text())
    data["provenance"] = {"training": {"batch": 64, "older": 1}}
    (copy / "bundle.json").write_text(json.dumps(data))
    assert first_training(read_bundle(copy)).batch == 64


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


# ---------------------------------------------------------------------- stars and a truth kept


@pytest.fixture(scope="module")
def kept(toy_emulator: Emulator) -> Sample:
    """A sample with everything, for the toy's adaptation."""
    labels = draws.giant_branch(90, torch.Generator().manual_seed(4))
    generator = torch.Generator().manual_seed(5)
    exact = toy_emulator(labels[50:]) * (1 - 0.01 * torch.rand(40, 640, generator=generator))
    truth = log_components(exact, toy_emulator)
    # Enough stars that their spectra are stored in half precision.
    observed = 2 * torch.randn(200, 32, generator=generator)
    seen = draws.giant_branch(200, generator)
    return Sample(labels[:50], observed, seen, labels[50:], truth, 0.0123)


@pytest.fixture
def write_kept(
    toy_emulator: Emulator, toy_adaptation: TrainingResult, tmp_path: Path
) -> Callable[[Sample], Bundle]:
    def write(sample: Sample) -> Bundle:
        return write_bundle(
            tmp_path / "kept",
            name="kept",
            title="A toy",
            description="With stars and a truth.",
            emulator=toy_emulator,
            adapter=toy_adaptation.adapter,
            reference=reference_giant(toy_emulator.labels),
            truth=toy_emulator,
            sample=sample,
        )

    return write


def test_kept_stars_come_back_with_exact_labels(
    write_kept: Callable[[Sample], Bundle], kept: Sample, toy_emulator: Emulator
) -> None:
    bundle = write_kept(kept)
    assert verify_bundle(bundle.path) == []
    stored = bundle.tensors("sample.safetensors")
    assert stored["observed"].dtype == torch.float16
    sample = bundle.sample
    assert sample is not None
    for name in ("synthetic_labels", "observed_labels", "test_labels"):
        assert torch.equal(getattr(sample, name), getattr(kept, name))
    assert (sample.observed - kept.observed).abs().max() < 2e-3 * kept.observed.abs().max()
    assert sample.noise == pytest.approx(0.0123)
    truth = bundle.model.truth_emulator
    assert truth is not None
    before = kept.truth(toy_emulator)
    assert (sample.truth(truth) - before).abs().max() < 5e-3
    assert (sample.truth(truth) - before).square().mean().sqrt() < 1e-3


def test_a_stored_truth_is_not_the_emulator(
    write_kept: Callable[[Sample], Bundle], kept: Sample
) -> None:
    model = write_kept(kept).model
    assert model.has_truth
    assert np.abs(model.truth(model.reference) - model.emulate(model.reference)).max() < 1e-6
    assert model.truth_emulator is not model.emulator


def test_absurd_spectra_are_kept_finite(
    write_kept: Callable[[Sample], Bundle], kept: Sample
) -> None:
    observed = kept.observed.clone()
    observed[3, 4] = 1e9
    sample = write_kept(dataclasses.replace(kept, observed=observed)).sample
    assert sample is not None
    assert sample.observed[3, 4] > 6e4


def test_bundles_without_stars_or_truth_say_so(toy_bundle: Bundle) -> None:
    assert toy_bundle.sample is None
    assert open_bundle("mock-lines").model.has_truth
    assert "truth" not in toy_bundle.data


def _replace_sample(bundle: Bundle, content: bytes) -> Bundle:
    """Put another sample file into a bundle, and its hash into bundle.json."""
    (bundle.path / "sample.safetensors").write_bytes(content)
    files = dict(bundle.data["files"])
    files["sample.safetensors"] = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    _edit(bundle.path, files=files)
    return read_bundle(bundle.path)


def test_damaged_stars_are_refused(write_kept: Callable[[Sample], Bundle], kept: Sample) -> None:
    bundle = write_kept(kept)
    file = bundle.path / "sample.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-4] + b"abcd")
    with pytest.raises(BundleError, match=r"sample.safetensors is not the file .*SHA-256"):
        _ = read_bundle(bundle.path).sample
    for content in (b"", b"text", whole[:500], whole[:-8]):
        with pytest.raises(BundleError, match=r"not a safetensors file|is empty; expected"):
            _ = _replace_sample(bundle, content).sample
    file.unlink()
    with pytest.raises(BundleError, match=r"sample\.safetensors is missing"):
        _ = read_bundle(bundle.path).sample


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"synthetic_labels": torch.zeros(50, 24)}, "25 columns"),
        ({"observed": torch.zeros(7, 32)}, "7 rows of observed and 200"),
        ({"observed": torch.zeros(200, 31)}, "31 coefficients; the adaptation has 32"),
        ({"observed": torch.full((200, 32), torch.nan)}, "not finite"),
        ({"test_truth": torch.zeros(40, 3, 3)}, "per star"),
        ({"noise": torch.zeros(0)}, "noise"),
        ({"noise": torch.zeros(2, 2)}, "noise"),
    ],
)
def test_stars_of_a_stranger_that_do_not_fit_are_refused(
    write_kept: Callable[[Sample], Bundle], kept: Sample, changes: dict, words: str
) -> None:
    content = safetensors.torch.save(kept.tensors() | changes)
    with pytest.raises(BundleError, match=words):
        _ = _replace_sample(write_kept(kept), content).sample


@pytest.mark.parametrize(
    "change",
    [
        _set("truth", value=3),
        _set("truth", "n_basis", value=10**9),
        _set("truth", "hidden", value=[7]),
        _set("truth", "architecture", value="eval"),
    ],
)
def test_a_malformed_truth_is_refused(
    write_kept: Callable[[Sample], Bundle], kept: Sample, change
) -> None:
    folder = write_kept(kept).path
    data = json.loads((folder / "bundle.json").read_text())
    change(data)
    (folder / "bundle.json").write_text(json.dumps(data))
    with pytest.raises(BundleError):
        _ = read_bundle(folder).model
    assert verify_bundle(folder)


def test_what_is_attached_leaves_the_fingerprint_alone_and_is_checked(copy: Path) -> None:
    bundle = read_bundle(copy)
    assert bundle.attached("lines.json") is None
    again = attach(bundle, "lines.json", b"{}")
    assert again.attached("lines.json") == b"{}"
    assert again.fingerprint == bundle.fingerprint
    (stored,) = again.path.glob("lines.*.json")
    stored.write_bytes(b"[]")
    with pytest.raises(BundleError, match="not the file that was packed"):
        again.attached("lines.json")
    assert any("lines.json" in problem for problem in verify_bundle(again.path))
    with pytest.raises(BundleError, match="Nothing can be attached"):
        attach(bundle, "emulator.safetensors", b"")

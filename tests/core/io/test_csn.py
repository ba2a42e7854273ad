"""The paper's training sets, written here in small."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spectrabridge.core.errors import SpectrumError
from spectrabridge.core.io.csn import SMALLEST_ERROR, is_csn, read_csn
from spectrabridge.core.labels import APOGEE_LABELS
from spectrabridge.core.spectra import APOGEE_GRID, APSTAR_GRID, WavelengthGrid

SIZES = {"train": 30, "valid": 12, "test": 9}
P = APOGEE_GRID.n_pixels
Make = Callable[..., Path]


def content(n_pixels: int = P) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    low, high = APOGEE_LABELS.low, APOGEE_LABELS.high
    out: dict[str, np.ndarray] = {}
    for name, n in SIZES.items():
        out[f"spectra {name}"] = (1 - 0.3 * rng.random((n, n_pixels))).astype("f4")
        out[f"spectra_err {name}"] = (0.01 + 0.01 * rng.random((n, n_pixels))).astype("f4")
        out[f"spectra_msk {name}"] = (rng.random((n, n_pixels)) < 0.9).astype("i4")
        out[f"labels {name}"] = low + (high - low) * rng.random((n, 25))
    return out


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a file, with some datasets changed and those that are None left out."""

    def write(name: str = "csn_apogee.h5", n_pixels: int = P, **changes: Any) -> Path:
        arrays = content(n_pixels) | {k.replace("__", " "): v for k, v in changes.items()}
        with h5py.File(tmp_path / name, "w") as file:
            for key, value in arrays.items():
                if value is not None:
                    file[key] = value
        return tmp_path / name

    return write


def refuse(path: Path, words: str, **options: Any) -> None:
    with pytest.raises(SpectrumError, match=words) as caught:
        read_csn(path, **options)
    assert str(caught.value).endswith(".")


def test_train_and_valid_are_read_and_test_is_left_out(make: Make) -> None:
    want = content()
    spectra = read_csn(make())
    assert spectra.grid == APOGEE_GRID
    assert len(spectra) == 42
    assert spectra.columns["set"].tolist() == ["train"] * 30 + ["valid"] * 12
    assert spectra.ids[0] == "train-0"
    assert spectra.ids[-1] == "valid-11"
    for name, here in (("train", slice(0, 30)), ("valid", slice(30, 42))):
        np.testing.assert_array_equal(spectra.flux[here], want[f"spectra {name}"])
        np.testing.assert_allclose(spectra.labels[here], want[f"labels {name}"])
        # 1 in the mask is a good pixel.
        np.testing.assert_array_equal(spectra.good[here], want[f"spectra_msk {name}"] == 1)
        good = spectra.good[here]
        np.testing.assert_allclose(
            1 / np.sqrt(spectra.ivar[here][good]), want[f"spectra_err {name}"][good], rtol=1e-5
        )
    assert spectra.label_set.names == APOGEE_LABELS.names
    assert spectra.provenance["sets"] == {"train": 30, "valid": 12}
    assert spectra.provenance["notes"] == []
    # Theirs is another continuum, so it must not pass for ours.
    assert "continuum" not in spectra.provenance


def test_the_test_set_is_read_when_asked_for(make: Make) -> None:
    assert len(read_csn(make(), sets=("train", "test"))) == 39


def test_a_file_survives_the_round_trip_through_ours(make: Make, tmp_path: Path) -> None:
    spectra = read_csn(make())
    spectra.save(tmp_path / "ours.h5")
    again = type(spectra).load(tmp_path / "ours.h5")
    np.testing.assert_array_equal(again.flux, spectra.flux)
    np.testing.assert_array_equal(again.columns["set"], spectra.columns["set"])
    assert again.provenance == spectra.provenance


@pytest.mark.parametrize("chunk", [1, 7, 512])
def test_a_limit_draws_the_same_rows_for_one_seed(make: Make, chunk: int) -> None:
    path = make()
    whole = read_csn(path)
    some = read_csn(path, limit=10, seed=3, chunk=chunk)
    assert len(some) == 10
    assert len(set(some.ids)) == 10
    rows = [whole.ids.index(i) for i in some.ids]
    assert rows == sorted(rows)
    assert rows != list(range(10))
    np.testing.assert_array_equal(some.flux, whole.flux[rows])
    np.testing.assert_array_equal(some.ivar, whole.ivar[rows])
    np.testing.assert_array_equal(some.labels, whole.labels[rows])
    assert read_csn(path, limit=10, seed=3).ids == some.ids
    assert read_csn(path, limit=10, seed=4).ids != some.ids
    assert len(read_csn(path, limit=1000)) == 42


def test_a_limit_below_one_is_refused(make: Make) -> None:
    refuse(make(), "at least 1 spectrum", limit=0)


@pytest.mark.parametrize("zero", [False, True])
def test_without_errors_those_of_the_authors_code_are_assumed(make: Make, zero: bool) -> None:
    errors = {
        f"spectra_err__{k}": np.zeros((n, P), "f4") if zero else None for k, n in SIZES.items()
    }
    spectra = read_csn(make("csn_kurucz.h5", **errors))
    assert np.allclose(spectra.ivar[spectra.good], SMALLEST_ERROR**-2)
    assert any("no errors" in n for n in spectra.provenance["notes"])


def test_errors_have_a_floor_and_pixels_without_one_are_bad(make: Make) -> None:
    want = content()
    error = want["spectra_err train"].copy()
    mask = want["spectra_msk train"].copy()
    mask[0, :4] = 1
    error[0, :4] = 0.001, 0, np.nan, np.inf
    flux = want["spectra train"].copy()
    mask[1, 0], flux[1, 0] = 1, np.nan
    path = make(spectra_err__train=error, spectra__train=flux, spectra_msk__train=mask)
    spectra = read_csn(path)
    assert spectra.ivar[0, 0] == pytest.approx(SMALLEST_ERROR**-2)
    assert (spectra.ivar[0, 1:4] == 0).all()
    assert spectra.ivar[1, 0] == 0
    assert "4 pixels" in spectra.provenance["notes"][0]


def test_without_a_mask_all_pixels_are_good(make: Make) -> None:
    spectra = read_csn(make(spectra_msk__train=None))
    assert spectra.good[:30].all()
    assert not spectra.good[30:].all()
    assert any("'spectra_msk train'" in n for n in spectra.provenance["notes"])


def test_temperatures_in_thousands_are_converted(make: Make) -> None:
    want = content()["labels train"]
    labels = {f"labels {k}": content()[f"labels {k}"] for k in SIZES}
    for value in labels.values():
        value[:, 0] /= 1000
    spectra = read_csn(make(**labels))
    np.testing.assert_allclose(spectra.labels[:30], want)
    assert any("1000 K" in n for n in spectra.provenance["notes"])


def test_unknown_labels_are_nan(make: Make) -> None:
    labels = content()["labels train"]
    labels[2, 5] = -9999
    labels[3, 6] = np.nan
    spectra = read_csn(make(labels__train=labels))
    assert np.argwhere(np.isnan(spectra.labels)).tolist() == [[2, 5], [3, 6]]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.ones((30, 4)), "not the paper's 25"),
        (np.full((30, 25), 0.1), "no effective temperature"),
    ],
)
def test_labels_of_another_kind_are_ignored_in_words(
    make: Make, labels: np.ndarray, words: str
) -> None:
    spectra = read_csn(make(labels__train=labels))
    assert np.isnan(spectra.labels[:30]).all()
    assert np.isfinite(spectra.labels[30:]).all()
    assert any(words in n and "ignored" in n for n in spectra.provenance["notes"])


def test_a_file_without_labels_has_none(make: Make) -> None:
    spectra = read_csn(make(**{f"labels {k}": None for k in SIZES}))
    assert spectra.labels is None
    assert spectra.label_set is None


def test_other_spellings_and_columns(make: Make) -> None:
    arrays = content()
    changes: dict[str, Any] = {k.replace("valid", "val"): v for k, v in arrays.items()}
    changes |= {k: None for k in arrays if "valid" in k}
    changes["snr train"] = np.arange(30.0)
    spectra = read_csn(make(**changes))
    assert spectra.columns["set"][-1] == "val"
    np.testing.assert_array_equal(spectra.columns["snr"][:30], np.arange(30))
    assert np.isnan(spectra.columns["snr"][30:]).all()


def test_a_file_with_a_training_set_alone_is_read(make: Make) -> None:
    changes = {f"{k} valid": None for k in ("spectra", "spectra_err", "spectra_msk", "labels")}
    assert len(read_csn(make(**changes))) == 30


def test_grids_are_told_by_the_number_of_pixels_or_given(make: Make) -> None:
    assert read_csn(make("wide.h5", 8575), limit=3).grid == APSTAR_GRID
    toy = WavelengthGrid.log_linear(4.18, 6e-6, 40)
    path = make("toy.h5", 40)
    assert read_csn(path, grid=toy).grid == toy
    refuse(path, "7214 or 8575 pixels.*Spectra.save")
    refuse(make(), "shape \\(n, 40\\)", grid=toy)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spectra__train": None}, "'spectra train'"),
        ({"spectra_err__train": np.ones((30, 5))}, "'spectra_err train' of the shape"),
        ({"spectra_msk__valid": np.ones((11, P))}, "'spectra_msk valid' of the shape"),
        ({"spectra__valid": np.ones((12, 5))}, "'spectra valid' of shape"),
        ({"labels__train": np.ones((29, 25))}, "30 rows"),
        ({"spectra_msk__train": np.full((30, P), 4)}, "found 4.*bit masks"),
        ({"spectra_msk__train": np.zeros((30, P))}, "exchanged.*1 - mask"),
        ({"spectra_err__train": np.full((30, P), -1.0)}, "must not be negative.*row 0"),
        (
            {f"{k}__{s}": np.ones((0, P)) for k in ("spectra", "spectra_err", "spectra_msk")
             for s in ("train", "valid")}
            | {f"labels__{s}": None for s in ("train", "valid")},
            "holds no spectrum",
        ),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_refused(
    make: Make, changes: dict[str, np.ndarray | None], words: str
) -> None:
    refuse(make(**changes), words)


def test_sets_that_are_not_there_are_refused(make: Make) -> None:
    refuse(make(), "none of the sets cluster", sets=("cluster",))


def test_files_that_cannot_be_read_are_refused(make: Make, tmp_path: Path) -> None:
    refuse(tmp_path / "nothing.h5", "There is no file")
    path = make()
    path.write_bytes(path.read_bytes()[:5000])
    refuse(path, "HDF5.*truncated|damaged")


def test_they_are_told_by_their_content(make: Make, tmp_path: Path) -> None:
    with h5py.File(make("anything.h5"), "r") as file:
        assert is_csn(file)
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        assert not is_csn(file)

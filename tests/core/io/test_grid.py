"""Synthetic grids in npz files."""

import numpy as np
import pytest

from spectrabridge.core.errors import LabelError, SpectrumError
from spectrabridge.core.io import read_grid
from spectrabridge.core.labels import APOGEE_LABELS
from spectrabridge.core.spectra import APSTAR_GRID, vacuum_to_air

N = APSTAR_GRID.n_pixels


def content(n=6):
    rng = np.random.default_rng(0)
    low, high = APOGEE_LABELS.low, APOGEE_LABELS.high
    return {
        "labels": low + (high - low) * rng.random((n, 25)),
        "label_names": np.array(APOGEE_LABELS.names),
        "label_units": np.array([label.unit for label in APOGEE_LABELS]),
        "wavelength": APSTAR_GRID.wavelength.copy(),
        "flux": rng.random((n, N)).astype(np.float32),
        "kind": np.arange(n) % 2,
    }


@pytest.fixture
def save(tmp_path):
    def write(**changes):
        arrays = {k: v for k, v in (content() | changes).items() if v is not None}
        np.savez(tmp_path / "grid.npz", **arrays)
        return tmp_path / "grid.npz"

    return write


def refuse(path, words, kind=SpectrumError):
    with pytest.raises(kind, match=words) as caught:
        read_grid(path)
    assert str(caught.value).endswith(".")


def test_a_grid_is_read_as_it_is(save):
    want = content()
    grid = read_grid(save())
    assert grid.grid == APSTAR_GRID
    np.testing.assert_array_equal(grid.flux, want["flux"])
    np.testing.assert_array_equal(grid.labels, want["labels"])
    np.testing.assert_array_equal(grid.columns["kind"], want["kind"])
    assert (grid.ivar == 1).all()
    assert grid.provenance["file"] == "grid.npz"


def test_ranges_are_those_of_the_data(save):
    grid = read_grid(save())
    np.testing.assert_array_equal(grid.label_set.low, grid.labels.min(axis=0))
    np.testing.assert_array_equal(grid.label_set.high, grid.labels.max(axis=0))
    assert not grid.label_set.outside(grid.labels).any()
    assert grid.label_set.names == APOGEE_LABELS.names


def test_columns_in_another_order_and_spelling_are_sorted(save):
    want = content()
    order = np.random.default_rng(1).permutation(25)
    names = [f"[{n}/H]" if len(n) <= 2 else n.upper() for n in APOGEE_LABELS.names]
    path = save(
        labels=want["labels"][:, order],
        label_names=np.array(names)[order],
        label_units=want["label_units"][order],
    )
    np.testing.assert_array_equal(read_grid(path).labels, want["labels"])


def test_units_and_kind_are_optional(save):
    grid = read_grid(save(label_units=None, kind=None))
    assert "kind" not in grid.columns


def test_known_spellings_of_units_pass_and_others_do_not(save):
    units = content()["label_units"].astype("U20")
    units[0], units[1], units[2], units[5], units[23] = "Kelvin", "cgs", "km/s", "dex [X/H]", "1"
    read_grid(save(label_units=units))
    units[2] = "m/s"
    refuse(save(label_units=units), "vturb in 'm/s', expected 'km s-1'", LabelError)


def test_files_that_are_no_npz(tmp_path):
    refuse(tmp_path / "absent.npz", "There is no file")
    (tmp_path / "text.npz").write_text("flux")
    refuse(tmp_path / "text.npz", "cannot be read as an npz file")
    np.save(tmp_path / "one.npy", np.ones(3))
    refuse(tmp_path / "one.npy", "cannot be read as an npz file")


def test_a_truncated_file(save, tmp_path):
    whole = save().read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    refuse(tmp_path / "cut.npz", "damaged, or of another kind")


def test_a_damaged_array(save, tmp_path):
    whole = bytearray(save().read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    (tmp_path / "bad.npz").write_bytes(whole)
    refuse(tmp_path / "bad.npz", "Array flux of bad.npz .* damaged")


def test_missing_arrays_are_named(save):
    refuse(save(flux=None, label_names=None), "missing: label_names, flux")


def test_objects_are_not_loaded(save):
    path = save(label_names=np.array(list(APOGEE_LABELS.names), dtype=object))
    refuse(path, "label_names of grid.npz holds Python objects")


def test_other_wavelengths(save):
    wave = APSTAR_GRID.wavelength
    refuse(save(wavelength=wave[:7214]), r"Expected the 8575 wavelengths.*\(7214,\)")
    refuse(save(wavelength=wave[::-1]), "must increase")
    refuse(save(wavelength=vacuum_to_air(wave)), "air wavelengths; convert them to vacuum")
    refuse(save(wavelength=wave / 10), "nanometres")
    refuse(save(wavelength=wave + 0.1), "15100.90 to 16999.91. Resample")
    read_grid(save(wavelength=wave.astype(np.float32)))


def test_other_shapes(save):
    want = content()
    refuse(save(flux=want["flux"][:, :7214]), r"shape \(6, 8575\).*\(6, 7214\)")
    refuse(save(flux=want["flux"][:5]), r"found \(5, 8575\)")
    refuse(save(labels=want["labels"][:, :24]), "one column of labels", LabelError)
    refuse(save(kind=np.zeros(3)), "6 values of kind")
    empty = {"labels": want["labels"][:0], "flux": want["flux"][:0], "kind": np.zeros(0)}
    refuse(save(**empty), "holds no spectrum")


def test_other_label_names(save):
    names = content()["label_names"].astype("U8")
    names[18] = "metals"
    refuse(save(label_names=names), "missing: Fe", LabelError)


def test_rows_that_are_not_finite_are_named(save):
    flux = content()["flux"]
    flux[2, 10] = np.nan
    flux[5, 11] = np.inf
    refuse(save(flux=flux), r"2 of 6 rows \(counted from 0: 2, 5\)")
    labels = content()["labels"]
    labels[1, 1] = np.nan
    refuse(save(labels=labels), "Values of labels", LabelError)


def test_the_grid_of_the_data_pack(data_file):
    grid = read_grid(data_file("grid/sme_giants_tuned_8575.npz"))
    assert len(grid) == 580
    assert set(np.unique(grid.columns["kind"])) <= {0, 1}
    assert grid.label_set["teff"].low >= 3800
    assert grid.flux.max() <= 1.02


def test_arrays_of_other_kinds_are_said(save):
    refuse(save(label_names=np.array("teff")), "Expected a row of names as label_names of grid")
    refuse(save(label_units=np.array(5)), "Expected a row of names as label_units of grid")
    refuse(save(label_units=np.array(["K"])), "has 1 units for 25 labels", LabelError)
    refuse(save(labels=np.array(7.0)), "Expected flux of shape")
    refuse(save(labels=np.full((6, 25), "x")), "Expected numbers as labels of grid.npz; found text")
    refuse(save(flux=np.full((6, N), b"1")), "Expected numbers as flux of grid.npz; found text")
    refuse(save(wavelength=np.full(N, "x")), "Expected numbers as wavelength of grid.npz")

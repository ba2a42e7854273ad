"""Sets of spectra in memory and in files."""

import h5py
import numpy as np
import pytest

from spectrabridge.core.errors import GridError, SpectrumError
from spectrabridge.core.labels import APOGEE_LABELS
from spectrabridge.core.spectra import (
    APOGEE_GRID,
    APSTAR_GRID,
    Chip,
    Spectra,
    SpectraFile,
    WavelengthGrid,
)

GRID = WavelengthGrid(np.linspace(16000, 16030, 31), [Chip("a", 2, 14), Chip("b", 16, 30)], "tiny")


def some(n=5, seed=0, labels=True):
    rng = np.random.default_rng(seed)
    span = APOGEE_LABELS.high - APOGEE_LABELS.low
    values = APOGEE_LABELS.low + span * rng.random((n, len(APOGEE_LABELS)))
    values[0, 3] = np.nan
    return Spectra(
        GRID,
        rng.random((n, GRID.n_pixels)),
        rng.random((n, GRID.n_pixels)),
        [f"star {seed}-{i}" for i in range(n)],
        values if labels else None,
        APOGEE_LABELS if labels else None,
        {"snr": rng.random(n), "kind": np.array(["coadd", "visit"] * n)[:n]},
        {"survey": "none"},
    )


def assert_same(a, b):
    assert a.grid == b.grid
    np.testing.assert_array_equal(a.flux, b.flux)
    np.testing.assert_array_equal(a.ivar, b.ivar)
    assert a.ids == b.ids
    assert (a.labels is None) == (b.labels is None)
    if a.labels is not None:
        np.testing.assert_array_equal(a.labels, b.labels)
        assert a.label_set == b.label_set
    assert set(a.columns) == set(b.columns)
    for name in a.columns:
        np.testing.assert_array_equal(a.columns[name], b.columns[name])
    assert a.provenance == b.provenance


def test_one_spectrum_becomes_a_set_of_one():
    one = Spectra(GRID, np.ones(31))
    assert len(one) == 1
    assert one.flux.shape == one.ivar.shape == (1, 31)
    assert one.flux.dtype == one.ivar.dtype == np.float32
    assert one.ids == ("0",)


def test_not_finite_pixels_are_unusable_and_harmless():
    flux = np.full((2, 31), 2.0)
    ivar = np.full((2, 31), 4.0)
    flux[0, 3], flux[1, 5], ivar[0, 7], ivar[1, 9] = np.nan, np.inf, np.nan, np.inf
    s = Spectra(GRID, flux, ivar)
    for row, pixel in ((0, 3), (1, 5), (0, 7), (1, 9)):
        assert s.ivar[row, pixel] == 0
        assert not s.good[row, pixel]
    assert s.good.sum() == 2 * 31 - 4
    assert np.isfinite(s.ivar * s.flux).all()
    np.testing.assert_allclose(s.snr, 4.0)


def test_snr_without_a_usable_pixel_is_unknown():
    assert np.isnan(Spectra(GRID, np.ones(31), np.zeros(31)).snr[0])


def test_arrays_of_the_caller_are_untouched():
    flux, ivar = np.ones((1, 31), np.float32), np.ones((1, 31), np.float32)
    snr = np.ones(1)
    flux[0, 0] = np.nan
    s = Spectra(GRID, flux, ivar, columns={"snr": snr})
    assert np.isnan(flux[0, 0]) and ivar[0, 0] == 1
    s.flux[0, 1] = s.ivar[0, 1] = s.columns["snr"][0] = 7
    assert flux[0, 1] == ivar[0, 1] == snr[0] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"flux": np.ones((2, 30))}, r"flux of shape \(n_stars, 31\)"),
        ({"flux": np.ones((1, 2, 31))}, "flux of shape"),
        ({"ivar": np.ones((3, 31))}, "shape of the flux"),
        ({"ivar": -np.ones((2, 31))}, "must not be negative"),
        ({"ids": ("a",)}, "Expected 2 ids"),
        ({"labels": np.ones((2, 25))}, "without a label set"),
        ({"labels": np.ones((2, 3)), "label_set": APOGEE_LABELS}, "Expected labels of shape"),
        ({"columns": {"snr": np.ones(3)}}, "2 values in column 'snr'"),
    ],
)
def test_what_does_not_fit_is_refused(change, words):
    with pytest.raises(SpectrumError, match=words):
        Spectra(**({"grid": GRID, "flux": np.ones((2, 31))} | change))


def test_rows_by_integer_slice_list_and_mask():
    s = some()
    assert s[-1].ids == ("star 0-4",)
    assert s[1:3].ids == ("star 0-1", "star 0-2")
    picked = s[[3, 0]]
    assert picked.ids == ("star 0-3", "star 0-0")
    np.testing.assert_array_equal(picked.flux, s.flux[[3, 0]])
    np.testing.assert_array_equal(picked.labels, s.labels[[3, 0]])
    np.testing.assert_array_equal(picked.columns["snr"], s.columns["snr"][[3, 0]])
    assert s[s.columns["kind"] == "visit"].ids == ("star 0-1", "star 0-3")
    with pytest.raises(IndexError):
        s[5]


def test_on_chips_keeps_the_right_pixels():
    s = Spectra(APSTAR_GRID, np.arange(8575.0))
    on = s.on_chips()
    assert on.grid == APOGEE_GRID
    np.testing.assert_array_equal(on.flux[0, [0, 2919, 2920]], [322, 3241, 3648])
    assert on.on_chips() is on


@pytest.mark.parametrize("labels", [True, False])
def test_file_round_trip(tmp_path, labels):
    s = some(labels=labels)
    s.save(tmp_path / "s.h5")
    assert_same(Spectra.load(tmp_path / "s.h5"), s)


def test_appending_and_reading_in_chunks(tmp_path):
    parts = [some(4, 1), some(3, 2), some(6, 3)]
    with SpectraFile.create(tmp_path / "s.h5", GRID, APOGEE_LABELS, {"survey": "none"}) as file:
        for part in parts:
            file.append(part)
        assert len(file) == 13
    with SpectraFile.open(tmp_path / "s.h5") as file:
        assert_same(file[4:7], parts[1])
        chunks = list(file.chunks(5))
    assert [len(c) for c in chunks] == [5, 5, 3]
    np.testing.assert_array_equal(
        np.concatenate([c.flux for c in chunks]), np.concatenate([p.flux for p in parts])
    )
    assert [i for c in chunks for i in c.ids] == [i for p in parts for i in p.ids]


def test_a_long_text_appended_later_is_not_cut(tmp_path):
    with SpectraFile.create(tmp_path / "s.h5", GRID) as file:
        file.append(Spectra(GRID, np.ones(31), columns={"kind": np.array(["a"])}))
        file.append(Spectra(GRID, np.ones(31), columns={"kind": np.array(["a longer word"])}))
        assert list(file[:].columns["kind"]) == ["a", "a longer word"]


def test_append_refuses_another_grid_labels_or_columns(tmp_path):
    with SpectraFile.create(tmp_path / "s.h5", GRID, APOGEE_LABELS) as file:
        with pytest.raises(GridError):
            file.append(Spectra(APSTAR_GRID, np.ones(8575)))
        with pytest.raises(SpectrumError, match="labels of the file"):
            file.append(some(labels=False))
        file.append(some())
        bare = some(2, 1)
        bare = Spectra(GRID, bare.flux, labels=bare.labels, label_set=APOGEE_LABELS)
        with pytest.raises(SpectrumError, match="Expected columns"):
            file.append(bare)
        assert len(file) == 5


def test_files_that_cannot_be_read_say_why(tmp_path):
    good = tmp_path / "s.h5"
    some().save(good)
    content = good.read_bytes()
    cut = tmp_path / "cut.h5"
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(SpectrumError, match="truncated"):
        Spectra.load(cut)
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(SpectrumError, match="cannot be read as HDF5"):
        Spectra.load(tmp_path / "text.h5")
    with pytest.raises(SpectrumError, match="There is no file"):
        Spectra.load(tmp_path / "absent.h5")
    with h5py.File(tmp_path / "other.h5", "w") as h:
        h["flux"] = np.ones(3)
    with pytest.raises(SpectrumError, match="missing ivar, ids"):
        Spectra.load(tmp_path / "other.h5")
    with h5py.File(good, "a") as h:
        h.attrs["schema"] = 99
    with pytest.raises(SpectrumError, match=r"version 99.*Update"):
        Spectra.load(good)


def test_a_failed_save_leaves_the_old_file(tmp_path):
    grid = WavelengthGrid([15000.0, 15001.0, 15002.0])
    path = tmp_path / "s.h5"
    Spectra(grid, np.ones((5, 3))).save(path)
    with pytest.raises(SpectrumError, match="Provenance"):
        Spectra(grid, np.ones((2, 3)), provenance={"n": np.int64(3)}).save(path)
    assert len(Spectra.load(path)) == 5
    assert [f.name for f in tmp_path.iterdir()] == ["s.h5"]


def test_steps_are_refused_rather_than_ignored(tmp_path):
    grid = WavelengthGrid([15000.0, 15001.0, 15002.0])
    Spectra(grid, np.ones((5, 3))).save(tmp_path / "s.h5")
    with SpectraFile.open(tmp_path / "s.h5") as file:
        with pytest.raises(SpectrumError, match="step of 2"):
            file[::2]
        assert len(file[3:1]) == 0

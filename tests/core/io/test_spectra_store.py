"""Spectra in zarr stores."""

import shutil

import numpy as np
import pytest

from spectrabridge.core.errors import GridError, SpectrumError
from spectrabridge.core.io.spectra_store import SpectraStore, is_set, open_set
from spectrabridge.core.labels import APOGEE_LABELS
from spectrabridge.core.spectra import Spectra, SpectraFile, WavelengthGrid

zarr = pytest.importorskip("zarr", reason="needs zarr, of the extra [scale]")

GRID = WavelengthGrid(np.linspace(15200.0, 15300.0, 50))


def spectra(n=150, seed=0):
    rng = np.random.default_rng(seed)
    return Spectra(
        GRID,
        rng.random((n, 50)),
        rng.random((n, 50)) * 1e4,
        tuple(f"étoile-{seed}-{i}" for i in range(n)),
        rng.random((n, len(APOGEE_LABELS))),
        APOGEE_LABELS,
        {"snr": rng.random(n), "field": np.array([f"N{i}" for i in range(n)])},
        {"survey": "toy"},
    )


@pytest.fixture
def store(tmp_path):
    made = SpectraStore.create(tmp_path / "set.zarr", spectra())
    made.append(spectra())
    made.append(spectra(20, 1))
    return tmp_path / "set.zarr"


def test_what_was_written_is_read(store):
    first, second = spectra(), spectra(20, 1)
    with open_set(store) as found:
        assert is_set(store) and len(found) == 170
        part = found[140:160]
    assert part.grid == GRID and part.provenance == {"survey": "toy"}
    np.testing.assert_array_equal(part.flux, np.concatenate([first.flux[140:], second.flux[:10]]))
    np.testing.assert_array_equal(part.ivar[10:], second.ivar[:10])
    np.testing.assert_array_equal(part.labels[:10], first.labels[140:])
    assert part.ids == first.ids[140:] + second.ids[:10]
    assert part.label_set.names == APOGEE_LABELS.names
    assert part.columns["field"].tolist() == [
        *first.columns["field"][140:],
        *(f"N{i}" for i in range(10)),
    ]
    with open_set(store) as found:
        assert [len(c) for c in found.chunks(64)] == [64, 64, 42]


def test_hdf5_and_zarr_give_the_same(store, tmp_path):
    spectra().save(tmp_path / "set.h5")
    with open_set(tmp_path / "set.h5") as a, open_set(store) as b:
        assert isinstance(a, SpectraFile) and isinstance(b, SpectraStore)
        x, y = a[3:9], b[3:9]
    np.testing.assert_array_equal(x.flux, y.flux)
    np.testing.assert_array_equal(x.labels, y.labels)
    assert x.ids == y.ids


def test_a_missing_chunk_is_not_read_as_zeros(store):
    shutil.rmtree(store / "flux" / "c" / "1")
    with open_set(store) as found:
        assert len(found[:64]) == 64
        with pytest.raises(
            SpectrumError, match=r"chunk 1 of flux is missing \(spectra 64 to 127\)"
        ):
            found[60:70]


def test_a_damaged_chunk_is_told(store):
    (store / "ivar" / "c" / "0" / "0").write_bytes(b"no spectra")
    with open_set(store) as found, pytest.raises(SpectrumError, match="spectra 0 to 9 cannot be"):
        found[:10]


def test_other_folders_are_refused(store, tmp_path):
    with pytest.raises(SpectrumError, match="There is no store"):
        SpectraStore.open(tmp_path / "none.zarr")
    assert not is_set(tmp_path)
    zarr.create_group(store=str(tmp_path / "other.zarr"))
    with pytest.raises(SpectrumError, match="missing flux, ivar, ids"):
        open_set(tmp_path / "other.zarr")
    (store / "zarr.json").write_text("{")
    with pytest.raises(SpectrumError, match="cannot be read as a store of spectra, a zarr group"):
        open_set(store)


def test_a_newer_layout_is_refused(store):
    zarr.open_group(store=str(store), mode="a").attrs["schema"] = 99
    with pytest.raises(SpectrumError, match="layout version 99"):
        open_set(store)


def test_what_does_not_fit_is_refused(store):
    made = SpectraStore(zarr.open_group(store=str(store), mode="a"), store)
    plain = Spectra(GRID, np.ones((2, 50)))
    with pytest.raises(SpectrumError, match="labels of the store"):
        made.append(plain)
    with pytest.raises(GridError):
        made.append(Spectra(WavelengthGrid(np.linspace(1.0, 2.0, 50)), np.ones((2, 50))))
    with pytest.raises(SpectrumError, match="exists"):
        SpectraStore.create(store, plain)
    assert len(made) == 170


@pytest.mark.parametrize("name", ["ids", "ivar", "flux"])
def test_an_append_that_is_cut_leaves_what_was_there(tmp_path, monkeypatch, name):
    import zarr

    some = spectra(5)
    store = SpectraStore.create(tmp_path / "s.zarr", some, chunk=4)
    store.append(some)
    whole = zarr.Array.__setitem__

    def stop(array, rows, values):
        if array.name == f"/{name}":  # resized already
            raise KeyboardInterrupt
        whole(array, rows, values)

    monkeypatch.setattr(zarr.Array, "__setitem__", stop)
    with pytest.raises(KeyboardInterrupt):
        store.append(spectra(7, seed=1))
    monkeypatch.undo()
    for found in (store, SpectraStore.open(tmp_path / "s.zarr")):
        assert len(found) == 5
        np.testing.assert_array_equal(found[:].flux, some.flux)
        assert found[:].ids == some.ids
    store.append(spectra(2, seed=2))
    found = SpectraStore.open(tmp_path / "s.zarr")[:]
    np.testing.assert_array_equal(found.flux, np.concatenate([some.flux, spectra(2, seed=2).flux]))


def test_a_store_is_made_whole_or_not_at_all(tmp_path, monkeypatch):
    module = "spectrabridge.core.io.spectra_store._make"
    with monkeypatch.context() as patch:
        patch.setattr(module, lambda *a: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            SpectraStore.create(tmp_path / "s.zarr", spectra(2))
    assert not (tmp_path / "s.zarr").exists()
    SpectraStore.create(tmp_path / "s.zarr", spectra(2))
    assert [p.name for p in tmp_path.iterdir()] == ["s.zarr"]


@pytest.mark.parametrize("value", ["x", -1, 10**6, True, None])
def test_a_length_that_is_none_is_refused(store, value):
    import zarr

    group = zarr.open_group(str(store), mode="r+")
    group.attrs["n_spectra"] = value
    with pytest.raises(SpectrumError, match="rows of flux as n_spectra"):
        SpectraStore.open(store)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("array", ["ids", "columns/field"])
def test_more_texts_than_a_chunk_holds_are_refused_before_room_is_made(store, array):
    numcodecs = pytest.importorskip("numcodecs")
    (path,) = (store / array / "c").iterdir()
    zstd = numcodecs.Zstd()
    texts = bytearray(zstd.decode(path.read_bytes()))
    assert int.from_bytes(texts[:4], "little") >= 170
    texts[:4] = (4_000_000_000).to_bytes(4, "little")
    path.write_bytes(zstd.encode(bytes(texts)))
    with open_set(store) as found, pytest.raises(SpectrumError, match=r"declares 4,000,000,000 t"):
        found[0:4]

"""Stars that are read in a process of their own are those that are read here."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from spectrabridge.core.errors import SpectrumError
from spectrabridge.core.files.child_process import ProcessLimits
from spectrabridge.core.fitting.stars import read_stars
from spectrabridge.core.io import example_apstar
from spectrabridge.core.io.read_apart import read_star_apart
from spectrabridge.core.io.star_file import read_star
from spectrabridge.core.labels.label_set import APOGEE_LABELS
from spectrabridge.core.spectra.spectra import Spectra
from spectrabridge.core.spectra.wavelength import APSTAR_GRID

LIMITS = ProcessLimits(cpu_seconds=20, wall_seconds=120.0)


def a_set() -> Spectra:
    flux = np.random.default_rng(1).normal(1.0, 0.01, (3, APSTAR_GRID.n_pixels))
    labels = np.tile([label.low for label in APOGEE_LABELS], (3, 1))
    columns = {"field": np.array(["M\u00fcnchen", "b", "c"])}
    ids = ("first", "zw\u00f6lf", "third")
    return Spectra(APSTAR_GRID, flux, np.full(flux.shape, 1e4), ids, labels, APOGEE_LABELS, columns)


@pytest.mark.parametrize("kind", ["apStar", "set"])
def test_the_same_star_comes_back(tmp_path: Path, kind: str) -> None:
    path = Path(example_apstar())
    if kind == "set":
        path = tmp_path / "set.h5"
        a_set().save(path)
    here, there = (
        read(path.read_bytes(), path.name)
        for read in (read_star, lambda *a: read_star_apart(*a, LIMITS))
    )
    assert (here.name, here.star, here.format) == (there.name, there.star, there.format)
    assert (here.notes, dict(here.labels)) == (there.notes, dict(there.labels))
    assert here.spectra.grid == there.spectra.grid
    assert here.spectra.ids == there.spectra.ids
    assert here.spectra.provenance == there.spectra.provenance
    assert here.spectra.label_set == there.spectra.label_set
    np.testing.assert_array_equal(here.spectra.flux, there.spectra.flux)
    np.testing.assert_array_equal(here.spectra.ivar, there.spectra.ivar)
    for name, column in here.spectra.columns.items():
        assert column.tolist() == there.spectra.columns[name].tolist()


def test_sentences_and_options_come_through() -> None:
    with pytest.raises(SpectrumError, match=r"star\.txt is none of"):
        read_star_apart(b"no star", "star.txt", LIMITS)
    with pytest.raises(SpectrumError, match="Wavelength units are"):
        read_star_apart(b"no star", "star.txt", LIMITS, unit="parsec")


def test_another_file_of_the_machine_is_not_read(tmp_path: Path) -> None:
    secret, path = tmp_path / "secret", tmp_path / "x.h5"
    secret.write_text("SECRET of the server")
    a_set().save(path)
    with h5py.File(path, "a") as file:
        del file["ids"]
        file.create_dataset("ids", (3,), "S6", external=[(str(secret), 0, 18)])
    with pytest.raises(SpectrumError, match=r"x\.h5 is refused: the data of 'ids' lie in another"):
        read_star_apart(path.read_bytes(), "x.h5", LIMITS)


def test_a_small_file_that_would_be_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    a_set().save(path)
    with h5py.File(path, "a") as file:
        for name in ("flux", "ivar", "ids", "columns/field", "labels"):
            file[name].resize(100_000, axis=0)
    with pytest.raises(SpectrumError, match=r"more than (200 times|the 4 GB)"):
        read_star_apart(path.read_bytes(), "x.h5", LIMITS)


def test_content_is_read_apart_where_it_is_asked_for() -> None:
    name, content = "star.fits", Path(example_apstar()).read_bytes()
    (here,), (there,) = (read_stars([(name, content)], apart=apart) for apart in (False, True))
    assert (here.id, here.notes) == (there.id, there.notes)
    (bad,) = read_stars([("x", b"no star")], apart=True)
    assert "is none of" in bad.error

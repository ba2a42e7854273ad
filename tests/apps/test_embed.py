"""``spectrabridge embed``: maps made, printed, kept, refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from spectrabridge.apps.embed import embed_command
from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.bundle.bundle import SHIPPED
from spectrabridge.core.embedding import PANELS, read_embedding, stored_embedding
from spectrabridge.core.errors import EmbeddingError, SpectrumError
from spectrabridge.core.spectra import Spectra


def run(*words: object) -> Result:
    return CliRunner().invoke(embed_command, [str(w) for w in words])


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A copy of a shipped bundle that may be written to."""
    return Path(shutil.copytree(SHIPPED / "mock-lines", tmp_path / "mock"))


def test_a_map_is_made_printed_and_kept(own: Path, tmp_path: Path) -> None:
    out = tmp_path / "map.safetensors"
    done = run(own, "--n", 60, "--seed", 5, "--store", "--out", out, "--json")
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures["n_stars"] == 60
    assert set(figures["kl"]) == set(figures["mixing"]) == set(PANELS)
    assert set(figures["mixing"]["latents"]) == {"purity", "accuracy", "auc", "purity_on_map"}
    assert figures["seconds"] > 0
    bundle = open_bundle(own)
    kept = stored_embedding(bundle)
    assert kept is not None
    assert len(kept) == 60
    assert kept.info["settings"]["seed"] == 5
    assert "/" not in kept.info["command"]
    same = read_embedding(out.read_bytes(), bundle)
    np.testing.assert_array_equal(same.panels["latents"], kept.panels["latents"])
    # What else is attached stays.
    assert set(open_bundle("mock-lines").data["attached"]) <= set(bundle.data["attached"])


def test_own_spectra_are_mapped_under_their_names(tmp_path: Path) -> None:
    model = open_bundle("apogee-giants").model
    sample = open_bundle("apogee-giants").sample
    assert sample is not None
    flux = model.adapt(sample.synthetic_labels[:30].numpy())
    ids = tuple(f"2M{i:04d}" for i in range(30))
    provenance = {"continuum": "normalised"}
    own = Spectra(model.grid, flux, np.full(flux.shape, 1e4), ids, provenance=provenance)
    own.save(tmp_path / "own.h5")
    out = tmp_path / "map.safetensors"
    done = run("apogee-giants", "--spectra", tmp_path / "own.h5", "--out", out)
    assert done.exit_code == 0, done.output
    assert "purity" in done.stdout
    back = read_embedding(out.read_bytes(), open_bundle("apogee-giants"))
    assert back.stars.observed_ids == ids
    assert back.features is not None


def test_nothing_kept_is_said() -> None:
    done = run("mock-lines", "--n", 40)
    assert done.exit_code == 0
    assert "Nothing was kept" in done.stderr


def test_what_cannot_work_fails_before_the_work(own: Path, tmp_path: Path) -> None:
    zipped = shutil.make_archive(str(tmp_path / "packed"), "zip", own)
    refused = run(zipped, "--store")
    assert isinstance(refused.exception, EmbeddingError)
    assert "unpack it" in str(refused.exception)
    (tmp_path / "notes.txt").write_text("no spectra")
    refused = run("mock-lines", "--spectra", tmp_path / "notes.txt")
    assert isinstance(refused.exception, SpectrumError)
    assert run("mock-lines", "--n", 300_000).exit_code == 2
    assert run("mock-lines", "--out", tmp_path / "no" / "map.safetensors").exit_code == 2

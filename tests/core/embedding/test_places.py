"""All spectra of a file on a map that has some of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.table import Table
from click.testing import CliRunner

from spectrabridge.apps.embed import embed_command
from spectrabridge.core.bundle import Bundle
from spectrabridge.core.domains.observed_file import ObservedFile
from spectrabridge.core.embedding import Embedding, TsneSettings
from spectrabridge.core.embedding.placement import Placer
from spectrabridge.core.embedding.places import place_file
from spectrabridge.core.embedding.stored_map import embed_bundle
from spectrabridge.core.spectra import Spectra, normalise

EMPTY = 7


@pytest.fixture(scope="module")
def counts(giants: Bundle) -> Spectra:
    """Forty adapted giants in counts, one without a usable pixel."""
    labels = giants.sample.synthetic_labels[:40]
    rng = np.random.default_rng(1)
    flux = giants.model.adapt(labels).numpy()
    flux = 1000 * (flux + 0.01 * rng.standard_normal(flux.shape))
    ivar = np.full_like(flux, 0.01)
    ivar[EMPTY] = 0
    ids = tuple(f"star{i}" for i in range(40))
    return Spectra(giants.grid, flux, ivar, ids, labels.numpy(), giants.labels)


@pytest.fixture(scope="module")
def path(counts: Spectra, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stars") / "stars.h5"
    counts.save(out)
    return out


def test_all_of_a_file_are_placed(
    giants: Bundle, small: Embedding, counts: Spectra, path: Path
) -> None:
    told: list[tuple[int, int]] = []
    file = ObservedFile(path, giants.model.complete_emulator)
    table = place_file(giants, small, file, lambda *step: told.append(step))
    assert list(table["id"]) == list(counts.ids) and told == [(40, 40)]
    one = normalise(counts)[3]
    alone = Placer(giants, small)(torch.tensor(one.flux), torch.tensor(one.ivar))
    for key, places in alone.panels.items():
        found = [table[f"{key}_x"][3], table[f"{key}_y"][3]]
        np.testing.assert_allclose(found, places[0], atol=1e-2)
        assert table[f"{key}_nearest"][3] == small.stars.ids[alone.nearest[key][0]]
        assert np.isnan(table[f"{key}_x"][EMPTY]) and table[f"{key}_nearest"][EMPTY] == ""
        assert np.isfinite(np.delete(np.asarray(table[f"{key}_distance"]), EMPTY)).all()


def test_a_map_of_some_comes_with_places_of_all(giants: Bundle, path: Path, tmp_path: Path) -> None:
    out = tmp_path / "places.fits"
    settings = TsneSettings(early_iterations=20, iterations=20)
    made = embed_bundle(giants, 40, spectra=path, settings=settings, places=out)
    assert len(made.embedding) == 40
    assert len(Table.read(out)) == 40
    result = CliRunner().invoke(embed_command, ["mock-lines", "--places", str(tmp_path / "p.csv")])
    assert result.exit_code == 2 and "--places needs --spectra" in result.output

"""A map from a notebook is the one that the command makes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from spectrabridge.apps.embed import embed_command
from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.bundle.bundle import SHIPPED
from spectrabridge.core.embedding import TsneSettings, read_embedding, stored_embedding
from spectrabridge.core.embedding.stored_map import embed_bundle
from spectrabridge.core.errors import EmbeddingError


def test_the_function_and_the_command_make_the_same_map(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(SHIPPED / "mock-lines", tmp_path / "mock"))
    told: list[str] = []
    made = embed_bundle(
        open_bundle(copy),
        40,
        settings=TsneSettings(seed=3),
        store=True,
        report=lambda what, done, total: told.append(what),
    )
    out = tmp_path / "map.safetensors"
    words = ["mock-lines", "--n", "40", "--seed", "3", "--out", str(out)]
    result = CliRunner().invoke(embed_command, words)
    assert result.exit_code == 0, result.output
    typed = read_embedding(out.read_bytes(), open_bundle("mock-lines"))
    stored = stored_embedding(open_bundle(copy))
    assert stored is not None
    for key, places in typed.panels.items():
        np.testing.assert_array_equal(places, stored.panels[key])
    assert stored_embedding(made.bundle) is not None
    assert made.notes == () and len(made.embedding) == 40
    assert told[0] == "spectra" and made.n_bytes > 0


def test_a_map_cannot_be_stored_in_a_zip_file(tmp_path: Path) -> None:
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", SHIPPED / "mock-lines")

    def never(what: str, done: int, total: int) -> None:
        raise AssertionError("the work began")

    with pytest.raises(EmbeddingError, match="unpack it"):
        embed_bundle(open_bundle(packed), 40, store=True, report=never)

"""``spectrabridge lines``: tables, figures, and wrong usage."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from astropy.table import Table
from click.testing import CliRunner

from spectrabridge.apps.cli import main
from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.bundle.bundle import SHIPPED
from spectrabridge.core.io.cell_text import column_texts
from spectrabridge.core.io.table_formats import FORMATS
from spectrabridge.core.lines import CANDIDATES, Candidates


def run(*words: object):
    return CliRunner().invoke(main, ["lines", *map(str, words)])


@pytest.mark.parametrize(
    "suffix, format",
    [(".ecsv", "ascii.ecsv"), (".vot", "votable"), (".fits", "fits"), (".csv", "ascii.csv")],
)
def test_it_writes_a_table_that_others_can_read(tmp_path: Path, suffix: str, format: str) -> None:
    path = tmp_path / f"lines{suffix}"
    assert run("mock-lines", "--stars", 2, "--out", path).exit_code == 0
    table = Table.read(path, format=format)
    assert len(table) > 100
    assert str(table["wavelength"].unit) == ("None" if suffix == ".csv" else "Angstrom")
    assert {"missing"} <= set(table["kind"].astype(str))


@pytest.mark.parametrize("name", FORMATS)
def test_strange_texts_survive(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, hostile_texts: Any, read_back: Any
) -> None:
    kept = Candidates.loads(open_bundle("mock-lines").attached(CANDIDATES))
    rows = tuple(replace(c, id=t) for c, t in zip(kept, hostile_texts, strict=False))
    strange = replace(kept, rows=rows)
    monkeypatch.setattr(
        "spectrabridge.core.lines.attached.find_candidates", lambda *_, **__: strange
    )
    path = tmp_path / f"lines{FORMATS[name].suffix}"
    assert run("mock-lines", "--out", path).exit_code == 0
    assert column_texts(read_back(path.read_bytes(), name)["id"]) == list(hostile_texts)


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "lines.ecsv"
    path.write_text("mine")
    again = run("mock-lines", "--stars", 2, "--out", path)
    assert again.exit_code == 2 and "--overwrite" in again.stderr
    assert path.read_text() == "mine"
    assert run("mock-lines", "--stars", 2, "--out", path, "--overwrite").exit_code == 0
    assert len(Table.read(path, format="ascii.ecsv")) > 100
    assert [file.name for file in tmp_path.iterdir()] == ["lines.ecsv"]


def test_json_has_counts_and_every_candidate() -> None:
    result = run("mock-lines", "--stars", 2, "--json")
    found = json.loads(result.stdout)
    assert found["n_candidates"] == len(found["candidates"])
    assert found["n_near_known"] + found["n_without_known"] == found["n_candidates"]


def test_candidates_are_kept_in_the_bundle(tmp_path: Path) -> None:
    copy = shutil.copytree(SHIPPED / "mock-lines", tmp_path / "copy")
    before = open_bundle(copy)
    assert run(copy, "--stars", 2, "--least-depth", 0.2, "--store").exit_code == 0
    after = open_bundle(copy)
    kept = Candidates.loads(after.attached(CANDIDATES))
    assert after.fingerprint == before.fingerprint == kept.fingerprint
    assert kept.settings["least_depth"] == 0.2
    assert len(kept) < len(Candidates.loads(open_bundle("mock-lines").attached(CANDIDATES)))


def test_a_zip_file_keeps_nothing(tmp_path: Path) -> None:
    packed = tmp_path / "lines.zip"
    with zipfile.ZipFile(packed, "w") as file:
        for part in (SHIPPED / "mock-lines").iterdir():
            file.write(part, part.name)
    result = run(packed, "--stars", 1, "--store")
    assert result.exit_code == 1
    assert "unpack it" in result.stderr


def test_a_person_sees_the_most_significant_ones() -> None:
    result = run("mock-lines", "--stars", 2)
    assert "the 20 most significant" in result.stdout
    assert "Si" in result.stdout


@pytest.mark.parametrize(
    "words, says",
    [
        (["--out", "lines.xlsx"], "--out: expected a file that ends in"),
        (["--least-depth", "0"], "least-depth"),
        (["--stars", "0"], "stars"),
        (["--line-list", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_wrong_usage_ends_with_2(words: list[str], says: str) -> None:
    result = run("mock-lines", *words)
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_line_list_that_is_none_ends_with_1(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("these are no lines\n")
    result = run("mock-lines", "--line-list", path)
    assert result.exit_code == 1
    assert "Traceback" not in result.stderr and "lines.txt" in result.stderr

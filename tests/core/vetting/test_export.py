"""Vetted lines as files, the same for the page and the command."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from astropy.table import Table

from spectrabridge.core.errors import LinesError, OutputError
from spectrabridge.core.io.cell_text import column_texts
from spectrabridge.core.io.table_formats import FORMATS
from spectrabridge.core.io.table_writer import table_bytes
from spectrabridge.core.lines import Candidates
from spectrabridge.core.vetting import Vetting, open_vetting
from spectrabridge.core.vetting.export import EXPORTS, Exported, export_vetting

Read = Callable[[bytes, str], Table]


@pytest.fixture
def hostile(thirty: Candidates, hostile_texts: tuple[str, ...]) -> Candidates:
    """Candidates with ids that break a row in one format or another."""
    start = thirty.fingerprint[:8]
    rows = [replace(c, id=f"{start}-{t}") for c, t in zip(thirty, hostile_texts, strict=False)]
    return replace(thirty, rows=tuple(rows))


@pytest.fixture
def vetting(tmp_path: Path, hostile: Candidates) -> Iterator[Vetting]:
    with open_vetting(tmp_path / "v.sqlite", hostile) as opened:
        for c in hostile[:4]:
            opened.decide(c, "ann", status="accepted", element="Fe", comment=f"of {c.id}")
        yield opened


@pytest.mark.parametrize("name", FORMATS)
def test_a_candidate_list_survives_in_every_format(
    name: str, hostile: Candidates, read_back: Read
) -> None:
    table = read_back(table_bytes(hostile.table(), name), name)
    assert column_texts(table["id"]) == [c.id for c in hostile]
    assert table["wavelength"].tolist() == [c.wavelength for c in hostile]


@pytest.mark.parametrize("name", FORMATS)
def test_decisions_survive_in_every_format(
    name: str, vetting: Vetting, hostile: Candidates, read_back: Read
) -> None:
    made = export_vetting(vetting, hostile, name.lower(), which="all")
    assert made.figures == {"n_rows": 5, "n_not_in_table": 0}
    table = read_back(made.content, name)
    assert column_texts(table["id"]) == [c.id for c in hostile]
    # Blanks around a comment are taken away when it is typed.
    said = [f"of {c.id}".strip() for c in hostile[:4]] + [""]
    assert column_texts(table["comment"]) == said


def test_line_lists_name_beside_what_they_leave_out(
    vetting: Vetting, hostile: Candidates, tmp_path: Path
) -> None:
    vetting.decide(hostile[1], "ann", element="blend")
    made = export_vetting(vetting, hostile, "moog")
    assert made.figures["n_accepted"] == 4 and made.figures["n_without_species"] == 1
    assert made.content.isascii() and "blend" in made.left_out
    path = tmp_path / "lines.moog"
    files = made.write(path)
    assert [f.name for f in files] == ["lines.moog", "lines.moog.left-out"]
    with pytest.raises(OutputError, match=r"lines\.moog exists"):
        made.write(path)
    # What an older list left out does not stay beside a new one.
    Exported(b"new").write(path, overwrite=True)
    assert sorted(f.name for f in tmp_path.glob("lines*")) == ["lines.moog"]
    with zipfile.ZipFile(io.BytesIO(made.zipped("toy.moog"))) as file:
        assert file.namelist() == ["toy.moog", "toy-left-out.txt"]
        assert "blend" in file.read("toy-left-out.txt").decode()


def test_a_report_is_drawn_by_the_caller(vetting: Vetting, hostile: Candidates) -> None:
    def draw(settled: Any, agreement: Any) -> str:
        assert agreement is not None
        return f"{len(settled.accepted)} \u00c5"

    made = export_vetting(vetting, hostile, "html", report=draw)
    assert made.content.decode() == "4 \u00c5" and made.figures["n_accepted"] == 4
    with pytest.raises(LinesError, match="needs what draws it"):
        export_vetting(vetting, hostile, "html")
    with pytest.raises(LinesError, match=r"saved as ecsv, .*html; found 'xlsx'"):
        export_vetting(vetting, hostile, "xlsx")


def test_every_format_is_offered_by_the_command() -> None:
    from click import Context

    from spectrabridge.apps.vetting import export_command

    help_text = export_command.get_help(Context(export_command))
    assert [kind for kind in EXPORTS if kind not in help_text] == []

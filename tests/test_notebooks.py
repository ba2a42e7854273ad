"""The notebooks run from scratch, and are kept small and without traces of a machine."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

LARGEST = 600_000
"""Bytes of a notebook, at most."""


def test_there_are_notebooks() -> None:
    assert [path.name for path in NOTEBOOKS] == [
        "01_ten_minutes.ipynb",
        "02_paper_figures.ipynb",
        "03_vetting.ipynb",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestNotebook:
    def test_is_kept_executed_and_small(self, path: Path) -> None:
        nbformat = pytest.importorskip("nbformat")
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        cells = [c for c in notebook.cells if c.cell_type == "code"]
        assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
        assert any(o.get("data", {}).get("image/png") for c in cells for o in c.outputs)
        assert path.stat().st_size < LARGEST
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"/(?:home|root|tmp|work)\b|\\\\Users|0x[0-9a-f]{8}", text)
        # Letters of pictures spell words by chance; a search for unfinished work would find them.
        assert not re.search("T[O]DO|F[I]XME|X{3}|Not[I]mplemented", text)
        outputs = json.dumps([c.outputs for c in cells])
        assert "<script" not in outputs and "Traceback" not in outputs

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    def test_runs_from_scratch(self, path: Path) -> None:
        maker = runpy.run_path(str(ROOT / "tools" / "notebooks.py"))
        done = maker["run"](path, seconds=300)
        pictures = [
            output
            for cell in done.cells
            for output in cell.get("outputs", ())
            if "image/png" in output.get("data", {})
        ]
        assert pictures
        # Components build what they show, though nobody looks.
        shown = [
            output
            for cell in done.cells
            for output in cell.get("outputs", ())
            if re.match("SpectrumView|LinesPage", output.get("data", {}).get("text/plain", ""))
        ]
        assert all("text/html" in output.data for output in shown)
        asked = [
            cell
            for cell in done.cells
            if cell.cell_type == "code" and re.search(r"sb\.(SpectrumView|LinesPage)", cell.source)
        ]
        assert len(shown) == len(asked)

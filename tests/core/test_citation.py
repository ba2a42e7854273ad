"""The BibTeX entries: what CITATION.cff says, for BibTeX of any age."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from spectrabridge.apps.cli import main
from spectrabridge.core import citation
from spectrabridge.core.version import __version__

PAPER = """\
@article{OBriain2021,
  author = {O'Briain, Teaghan and Ting, Yuan-Sen and Fabbro, S{\\'e}bastien and Yi, Kwang M. and \
Venn, Kim and Bialek, Spencer},
  title = {{Cycle-StarNet: Bridging the Gap between Theory and Data by Leveraging Large Data Sets}},
  journal = {The Astrophysical Journal},
  year = {2021},
  volume = {906},
  number = {2},
  pages = {130},
  doi = {10.3847/1538-4357/abca96},
  eprint = {2007.03109},
  archivePrefix = {arXiv}
}"""


def test_software_and_paper() -> None:
    software, paper = citation.bibtex().split("\n\n")
    assert paper == PAPER
    assert software.startswith("@software{spectrabridge,\n")
    assert f"  version = {{{__version__}}}" in software
    assert "{{The spectrabridge developers}}" in software
    assert citation.bibtex().isascii()


def test_accents_become_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = citation.FILE.read_text(encoding="utf-8").replace("Sébastien", "Åke Müñçě Ł")
    (tmp_path / "CITATION.cff").write_text(text, encoding="utf-8")
    monkeypatch.setattr(citation, "FILE", tmp_path / "CITATION.cff")
    said = citation.bibtex()
    assert (
        'Fabbro, {\\r A}ke M{\\"u}{\\~n}{\\c c}{\\v e} Ł and' in said
    )  # what has no command stays


def test_the_command_prints_it() -> None:
    done = CliRunner().invoke(main, ["--cite"])
    assert done.exit_code == 0
    assert done.output == citation.bibtex() + "\n"

"""Links that lead nowhere, and what a page would fetch from another machine, are found."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def checker() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "tools" / "check_links.py"))


def found(checker: dict[str, Any], folder: Path, **pages: str) -> list[str]:
    for name, body in pages.items():
        (folder / f"{name}.html").write_text(f"<html><body>{body}</body></html>", encoding="utf-8")
    wrong, _ = checker["problems_of"](checker["read_pages"](folder))
    return wrong


def test_pages_and_anchors_that_are_there_are_fine(checker: dict[str, Any], tmp_path: Path) -> None:
    assert not found(
        checker, tmp_path, a='<a href="b.html#there">b</a>', b='<p id="there"><a href="#there">'
    )


def test_a_missing_page_and_a_missing_anchor_are_named(
    checker: dict[str, Any], tmp_path: Path
) -> None:
    wrong = found(checker, tmp_path, a='<a href="c.html"></a><a href="b.html#gone"></a>', b="")
    assert len(wrong) == 2
    assert "c.html, which does not exist" in wrong[0]
    assert "b.html#gone, where nothing has that name" in wrong[1]


def test_a_script_from_elsewhere_is_named_and_a_link_is_not(
    checker: dict[str, Any], tmp_path: Path
) -> None:
    page = '<script src="https://cdn.example.org/x.js"></script><a href="https://example.org">x</a>'
    (wrong,) = found(checker, tmp_path, a=page)
    assert "fetches https://cdn.example.org/x.js" in wrong


def test_links_of_the_readme_lead_to_files(checker: dict[str, Any]) -> None:
    assert not checker["markdown_problems"](ROOT)

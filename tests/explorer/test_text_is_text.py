"""Text of others reaches the page as text: in HTML there are constants, and escaped values."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = [p for part in ("explorer", "apps") for p in sorted((ROOT / part).rglob("*.py"))]

INNER_HTML = {"HTML", "Alert", "Typography", "Markdown", "StaticText", "Div", "Str", "PreText"}
"""Panes and models that take their text for HTML."""

READS_MARKDOWN = {"Typography", "Markdown", "StaticText"}
"""Those of them that read Markdown first: an escaped text may still hold a link."""

MADE_SAFE = ("escape", "_html", "_words", "_quoted")
"""Ends of the names of functions that return HTML in which the text of others is escaped."""


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def is_safe(node: ast.expr) -> bool:
    """Tell whether what is written here holds no text of others that is not escaped."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Name | ast.Attribute):
        return name_of(node).lstrip("_").isupper()
    if isinstance(node, ast.JoinedStr):
        return all(is_safe(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        # Numbers have a format; text with one is not written here.
        return node.format_spec is not None or is_safe(node.value)
    if isinstance(node, ast.BinOp):
        return is_safe(node.left) and is_safe(node.right)
    if isinstance(node, ast.IfExp):
        return is_safe(node.body) and is_safe(node.orelse)
    if isinstance(node, ast.Call):
        return name_of(node.func).endswith(MADE_SAFE)
    return False


def texts(tree: ast.Module) -> Iterator[tuple[int, ast.expr]]:
    """Yield what is put into panes of HTML, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node.func) in INNER_HTML:
            yield from ((node.lineno, arg) for arg in node.args[:1])
            named = (k.value for k in node.keywords if k.arg in ("object", "text"))
            yield from ((node.lineno, value) for value in named)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and target.attr == "object":
                    yield node.lineno, node.value


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_html_is_made_of_constants_and_of_what_was_escaped(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wrong = [f"line {line}: {ast.unparse(e)}" for line, e in texts(tree) if not is_safe(e)]
    assert wrong == []


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_what_reads_markdown_has_constant_text(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and name_of(node.func) in READS_MARKDOWN:
            assert all(isinstance(arg, ast.Constant) for arg in node.args[:1]), node.lineno
            assert not any(k.arg == "object" for k in node.keywords), node.lineno


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("'a'", True),
        ("html.escape(x)", True),
        ("f'<b>{escape(x)}</b> {n:,}'", True),
        ("star_html(x)", True),
        ("HINT if x else 'b'", True),
        ("x", False),
        ("f'<b>{x}</b>'", False),
        ("'a' + x.title", False),
        ("sentence_of(problem)", False),
        ("escape(x) if x else y", False),
    ],
)
def test_what_is_safe_is_told(text: str, safe: bool) -> None:
    assert is_safe(ast.parse(text, mode="eval").body) is safe

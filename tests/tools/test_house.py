"""The measure of the house: each rule finds its fault in a small house, and no more."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "house.py"
_spec = importlib.util.spec_from_file_location("house", TOOL)
assert _spec and _spec.loader
house: Any = importlib.util.module_from_spec(_spec)
sys.modules["house"] = house
_spec.loader.exec_module(house)

SOUND = {
    "core/__init__.py": "",
    "core/errors.py": "class Error(Exception): ...\n",
    "core/spectra/__init__.py": "from .grid import Grid\n",
    "core/spectra/grid.py": "from ..errors import Error\nclass Grid: ...\n",
    "core/lines/__init__.py": "",
    "core/lines/search.py": "def search():\n    from ..spectra import Grid\n    return Grid\n",
    "explorer/__init__.py": "",
    "explorer/app.py": "from .lines import page\nfrom ..core.lines.search import search\n",
    "explorer/lines/__init__.py": "",
    "explorer/lines/page.py": "from ...core.spectra.grid import Grid\n",
    "apps/__init__.py": "",
    "apps/cli.py": "from ..explorer import app\n",
}


def measure(folder: Path, **changed: str) -> dict[str, Any]:
    """Return the figures of a small house; names have ``__`` for a slash and no suffix."""
    files = SOUND | {f"{name.replace('__', '/')}.py": text for name, text in changed.items()}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    found: dict[str, Any] = house.measure(folder)
    return found


def test_a_sound_house_breaks_nothing(tmp_path: Path) -> None:
    figures = measure(tmp_path)
    assert house.broken(figures) == {}
    assert figures["explorer_modules_at_top"] == ["explorer.app"]
    assert (figures["longest_function"], figures["longest_function_name"]) == (
        3,
        "core.lines.search.search",
    )


@pytest.mark.parametrize(
    ("name", "text", "arrow"),
    [
        ("core__spectra__bad", "from ..lines.search import search", "core.lines.search"),
        ("core__spectra__bad", "def f():\n    from ..lines import search", "core.lines.search"),
        ("core__vetting__bad", "from ..evaluation import gap", "core.evaluation.gap"),
        ("core__lines__bad", "from ...explorer import app", "explorer.app"),
        ("core__lines__bad", "import spectrabridge.apps.cli", "apps.cli"),
        ("explorer__lines__bad", "from spectrabridge.apps import cli", "apps.cli"),
        ("explorer__state__bad", "from ..lines import page", "explorer.lines.page"),
        ("explorer__fit__bad", "from ..lines.page import x", "explorer.lines.page"),
        ("core__errors", "from .spectra import Grid", "core.spectra"),
    ],
)
def test_arrows_back_are_found(tmp_path: Path, name: str, text: str, arrow: str) -> None:
    figures = measure(
        tmp_path, **{name: text, "core__evaluation__gap": "", "core__lines__other": ""}
    )
    assert figures["arrows_back"] == [f"{name.replace('__', '.')} imports {arrow}"]


def test_circles_are_found_inside_functions_too(tmp_path: Path) -> None:
    figures = measure(
        tmp_path,
        core__lines__a="from .b import x",
        core__lines__b="def f():\n    from . import c",
        core__lines__c="from .a import y",
    )
    (ring,) = figures["circles"]
    assert ring == "core.lines.a -> core.lines.b -> core.lines.c -> core.lines.a"
    assert figures["arrows_back"] == []


def test_a_new_room_must_get_a_floor(tmp_path: Path) -> None:
    figures = measure(tmp_path, core__attic__old="", explorer__attic__old="")
    assert figures["rooms_without_a_floor"] == ["core.attic", "explorer.attic"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import x\nx._y", ["x._y"]),
        ("from x import _y", ["from x import _y"]),
        ("from .x import _y as z", ["from .x import _y"]),
        ("from library._inner import thing", ["from library._inner import _inner"]),
        ("import os\nos._exit(0)", []),
        ("import x\nx._y = 1", ["x._y"]),
        ("import x\nx.__class__\nx.y._z.w", ["x.y._z"]),
        ("class A:\n    def f(self):\n        return self._y, cls._z, super()._w", []),
        ("class A:\n    def __init__(self, o):\n        self._y = 1\n        o._y", []),
        ("def _f(): ...\nimport x\nx._f", []),
        ("row._replace(a=1), row._asdict()", []),
    ],
)
def test_private_accesses(text: str, found: list[str]) -> None:
    assert [what for _, what in house.private_accesses(ast.parse(text))] == found


def test_workarounds_may_reach_into_libraries(tmp_path: Path) -> None:
    reaching = "import panel\npanel._x\n"
    figures = measure(
        tmp_path, explorer__workarounds__panel=reaching, explorer__lines__bad=reaching
    )
    assert figures["private_accesses_outside_workarounds"] == ["explorer.lines.bad:2: panel._x"]


def test_length_of_modules_and_functions(tmp_path: Path) -> None:
    figures = measure(
        tmp_path,
        core__lines__long="x = 1\n" * 401,
        core__lines__fits="x = 1\n" * 400,
        core__lines__function="def f():\n" + "    x = 1\n" * 80,
    )
    assert figures["modules_over_400_lines"] == ["core.lines.long (401)"]
    assert figures["longest_function"] == 81
    assert house.broken(figures) == {"longest_function": (81, 80)}


def test_the_command_prints_counts_and_ends_by_the_bounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure(tmp_path, explorer__fit__bad="from ..lines.page import x")
    figures = house.measure(tmp_path)
    monkeypatch.setattr(house, "measure", lambda: figures)
    assert house.main(["--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["arrows_back"] == 1
    assert said["broken"] == ["arrows_back"]
    assert said["names"]["arrows_back"] == ["explorer.fit.bad imports explorer.lines.page"]
    assert house.main([]) == 1
    assert "    explorer.fit.bad imports explorer.lines.page" in capsys.readouterr().out
    del figures["arrows_back"][:]
    assert house.main([]) == 0


def test_contributing_names_every_room_of_the_house() -> None:
    said = (TOOL.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    floors = [*house.CORE, *house.EXPLORER]
    assert [room for floor in floors for room in floor if f"`{room}`" not in said] == []

"""Measure the house: which room imports which, what reaches into private parts, what is too long.

``python tools/house.py`` prints each figure with its bound and what breaks it; ``--json`` prints
them as JSON. The exit status is 1 where a bound is broken. Nothing is imported, only read.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Floors from the top. A room imports rooms on lower floors, or itself.
LAYERS = (("apps",), ("explorer",), ("core",))
CORE = (
    ("embedding",),
    ("evaluation", "vetting"),
    ("lines", "fitting", "domains"),
    ("bundle", "grid_import"),
    ("synthesis", "emulator"),
    ("adaptation", "io", "linelist", "measurement"),
    ("spectra",),
    ("labels", "archive", "atmosphere"),
    ("resumable_run", "listed_files"),
    ("atomic_file", "file_lock", "files", "forward_mode"),
    ("user_data",),
    ("errors", "version", "citation"),
)
EXPLORER = (
    ("notebook", "publication"),
    ("app",),
    ("linked_view",),
    ("pages",),
    ("spectrum", "derivatives", "star_map", "fit", "lines", "about"),
    ("share",),
    ("sidebar",),
    ("widgets",),
    ("figures",),
    ("session",),
    ("computed",),
    ("state", "workarounds"),
)

BOUNDS = {
    "circles": 0,
    "arrows_back": 0,
    "rooms_without_a_floor": 0,
    "explorer_modules_at_top": 4,
    "private_accesses_outside_workarounds": 0,
    "modules_over_400_lines": 12,
    "longest_function": 80,
}
"""What a figure may be at most; a list counts by its length."""

MAX_LINES = 400
# Documented names that begin with an underscore: of named tuples, and os._exit.
_PUBLIC = {"_replace", "_asdict", "_fields", "_make", "_field_defaults", "_exit"}


class House:
    """The modules of a checkout by dotted name, and their syntax trees."""

    def __init__(self, root: Path = ROOT) -> None:
        self.paths: dict[str, Path] = {}
        for part in ("core", "explorer", "apps"):
            for path in sorted((root / part).rglob("*.py")):
                names = path.relative_to(root).with_suffix("").parts
                self.paths[".".join(names[:-1] if names[-1] == "__init__" else names)] = path
        self.sources = {name: path.read_text("utf-8") for name, path in self.paths.items()}
        self.trees = {name: ast.parse(source) for name, source in self.sources.items()}

    def imports(self, module: str) -> set[str]:
        """Return the house's own modules that a module imports anywhere in it."""
        found: set[str] = set()
        for node in ast.walk(self.trees[module]):
            if isinstance(node, ast.Import):
                bases = [alias.name.removeprefix("spectrabridge.") for alias in node.names]
                found.update(bases)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(module, node)
                inner = {f"{base}.{alias.name}".strip(".") for alias in node.names}
                found |= {name if name in self.paths else base for name in inner}
        return (found & self.paths.keys()) - {module}

    def _base(self, module: str, node: ast.ImportFrom) -> str:
        """Return the dotted name that stands between ``from`` and ``import``."""
        name = node.module or ""
        if not node.level:
            return name.removeprefix("spectrabridge").lstrip(".")
        package = module.split(".")
        if self.paths[module].name != "__init__.py":
            package.pop()
        above = package[: len(package) - node.level + 1]
        return ".".join([*above, *([name] if name else [])])

    def circles(self) -> list[str]:
        """Return rings of modules that import each other, imports inside functions too."""
        graph = {module: sorted(self.imports(module)) for module in self.paths}
        done: set[str] = set()
        rings = []

        def follow(module: str, path: list[str]) -> None:
            if module in path:
                rings.append(" -> ".join([*path[path.index(module) :], module]))
            elif module not in done:
                for name in graph[module]:
                    follow(name, [*path, module])
                done.add(module)

        for module in graph:
            follow(module, [])
        return rings

    def arrows_back(self) -> list[str]:
        """Return imports that point to the same floor or a higher one."""
        return [
            f"{module} imports {name}"
            for module in self.paths
            for name in sorted(self.imports(module))
            if _points_back(module, name)
        ]

    def rooms_without_a_floor(self) -> list[str]:
        """Return rooms of core and explorer that the floors above do not name."""
        known = {f"core.{room}" for floor in CORE for room in floor}
        known |= {f"explorer.{room}" for floor in EXPLORER for room in floor}
        rooms = {".".join(m.split(".")[:2]) for m in self.paths if not m.startswith("apps")}
        return sorted(rooms - known - {"core", "explorer"})

    def explorer_modules_at_top(self) -> list[str]:
        """Return modules that lie in explorer/ itself."""
        return [
            module
            for module, path in self.paths.items()
            if path.parent.name == "explorer" and path.name != "__init__.py"
        ]

    def private_accesses_outside_workarounds(self) -> list[str]:
        """Return ``x._name`` where the module does not define ``_name``, and such imports."""
        return [
            f"{module}:{line}: {what}"
            for module, tree in self.trees.items()
            if ".workarounds" not in module
            for line, what in private_accesses(tree)
        ]

    def modules_over_400_lines(self) -> list[str]:
        """Return modules with more than 400 lines, the longest first."""
        lengths = {module: source.count("\n") for module, source in self.sources.items()}
        long = [m for m, n in lengths.items() if n > MAX_LINES]
        return [f"{m} ({lengths[m]})" for m in sorted(long, key=lambda m: -lengths[m])]

    def functions(self) -> list[tuple[int, str]]:
        """Return the lines and the name of every function, the longest first."""
        found = [
            ((node.end_lineno or node.lineno) - node.lineno + 1, f"{module}.{node.name}")
            for module, tree in self.trees.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        return sorted(found, reverse=True)


def private_accesses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each access to a private name of another module."""
    own = _defined(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and node.attr not in own:
            if ast.unparse(node.value) not in ("self", "cls", "super()"):
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            for name in [*source.split("."), *(alias.name for alias in node.names)]:
                if _is_private(name):
                    yield node.lineno, f"from {source} import {name}"


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name != "_" and name not in _PUBLIC


def _defined(tree: ast.Module) -> set[str]:
    """Return the names that a module binds: functions, classes, variables, attributes."""
    own: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            # An attribute of something else stays somebody else's, also where it is set.
            own |= {node.attr} if ast.unparse(node.value) in ("self", "cls") else set()
    return own


def _points_back(module: str, name: str) -> bool:
    """Return whether an import goes to another room that is not on a lower floor."""
    here, there = module.split("."), name.split(".")
    if here[0] != there[0]:
        return _floor(LAYERS, there[0]) <= _floor(LAYERS, here[0])
    floors = {"core": CORE, "explorer": EXPLORER}.get(here[0])
    if floors is None or len(here) < 2 or len(there) < 2 or here[1] == there[1]:
        return False
    return _floor(floors, there[1]) <= _floor(floors, here[1])


def _floor(floors: tuple[tuple[str, ...], ...], room: str) -> int:
    """Return the floor of a room, counted from the top; a room without one is on the lowest."""
    return next((i for i, rooms in enumerate(floors) if room in rooms), len(floors))


def measure(root: Path = ROOT) -> dict[str, list[str] | int | str]:
    """Return every figure; lists name what breaks the rule.

    Parameters
    ----------
    root : Path
        Folder with core/, explorer/ and apps/.
    """
    house = House(root)
    lines, name = house.functions()[0]
    figures: dict[str, list[str] | int | str] = {
        figure: getattr(house, figure)() for figure in BOUNDS if figure != "longest_function"
    }
    return figures | {"longest_function": lines, "longest_function_name": name}


def broken(figures: dict[str, list[str] | int | str]) -> dict[str, tuple[int, int]]:
    """Return the figures above their bounds, each with its bound."""
    found = {k: len(v) if isinstance(v, list) else v for k, v in figures.items() if k in BOUNDS}
    return {k: (int(n), BOUNDS[k]) for k, n in found.items() if int(n) > BOUNDS[k]}


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; return 1 where a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print figures and names as JSON")
    parser.add_argument(
        "--only", nargs="+", choices=BOUNDS, help="the bounds that decide the exit status"
    )
    given = parser.parse_args(arguments)
    figures = measure()
    above = broken(figures)
    above = {k: v for k, v in above.items() if k in (given.only or BOUNDS)}
    if given.json:
        counts = {k: len(v) if isinstance(v, list) else v for k, v in figures.items()}
        names = {k: v for k, v in figures.items() if isinstance(v, list) and v}
        print(json.dumps(counts | {"names": names, "broken": sorted(above)}, indent=1))
    else:
        for key, bound in BOUNDS.items():
            value = figures[key]
            names = value if isinstance(value, list) else []
            print(f"{key:40s} {value if isinstance(value, int) else len(names)} (at most {bound})")
            for name in names if key in above else []:
                print(f"    {name}")
        print(f"longest function: {figures['longest_function_name']}")
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())

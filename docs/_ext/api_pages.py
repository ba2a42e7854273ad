"""Pages of the reference: one for each package of core, with all of its public names.

They are written below ``docs/reference/api`` when the manual is built, so a name that a door
(``__all__`` of a package) gains or loses is on the page without any list to keep.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from sphinx.application import Sphinx

PACKAGE = "spectrabridge.core"


def packages() -> Iterator[ModuleType]:
    """Yield the packages of core, and core itself, which has modules of its own."""
    core = importlib.import_module(PACKAGE)
    for found in pkgutil.walk_packages(core.__path__, f"{PACKAGE}."):
        if found.ispkg:
            yield importlib.import_module(found.name)
    yield core


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """Yield the modules that lie in a package directly."""
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not found.ispkg:
            yield importlib.import_module(found.name)


def public_names(module: ModuleType) -> list[str]:
    """Return functions and classes that a module defines itself, in the order of its lines."""
    own = [
        (inspect.getsourcelines(value)[1], name)
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    ]
    return [name for _, name in sorted(own)]


def heading(text: str, line: str) -> str:
    """Return a heading in reStructuredText."""
    return f"{text}\n{line * len(text)}\n"


def table(paths: list[str]) -> str:
    """Return a table of names with the first lines of their docstrings."""
    rows = "\n".join(f"   ~{path}" for path in paths)
    return f".. autosummary::\n   :nosignatures:\n\n{rows}\n"


def entry(module: str, name: str, value: object) -> str:
    """Return the directive that documents one name."""
    if inspect.isclass(value):
        return f".. autoclass:: {module}.{name}\n   :members:\n"
    kind = "autofunction" if inspect.isroutine(value) else "autodata"
    return f".. {kind}:: {module}.{name}\n"


def home_of(package: ModuleType, name: str) -> str:
    """Return the module in which a name of a door is assigned, else the package.

    Only there has a constant its docstring; elsewhere it would get that of its type.
    """
    for module in modules(package):
        for node in ast.parse(inspect.getsource(module)).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", 0)]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return module.__name__
    return package.__name__


def page(package: ModuleType) -> str:
    """Return the page of a package: what its door offers, then what its modules hold beside."""
    short = package.__name__.removeprefix("spectrabridge.")
    parts = [heading(short, "="), inspect.getdoc(package) or "", ""]
    door = list(getattr(package, "__all__", ()))
    values = {name: getattr(package, name) for name in door}
    offered = {id(value) for value in values.values()}
    if door:
        homes = {
            name: package.__name__
            if inspect.isclass(value) or inspect.isroutine(value)
            else home_of(package, name)
            for name, value in values.items()
        }
        paths = [f"{homes[name]}.{name}" for name in door]
        parts += [heading("What the package offers", "-"), table(paths), ""]
        parts += [entry(homes[name], name, value) for name, value in values.items()]
    for module in modules(package):
        names = [n for n in public_names(module) if id(getattr(module, n)) not in offered]
        if not names:
            continue
        path = module.__name__
        parts += ["", heading(path.removeprefix(f"{package.__name__}."), "-")]
        parts += [
            (inspect.getdoc(module) or "").split("\n\n")[0],
            "",
            table([f"{path}.{name}" for name in names]),
            "",
        ]
        parts += [entry(path, each, getattr(module, each)) for each in names]
    return "\n".join(parts)


def write_pages(app: Sphinx) -> None:
    """Write the pages; those that stay the same keep their date."""
    folder = Path(app.srcdir) / "reference" / "api"
    folder.mkdir(exist_ok=True)
    written = set()
    for package in packages():
        path = folder / f"{package.__name__.removeprefix('spectrabridge.')}.rst"
        text = page(package)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
        written.add(path)
    for path in set(folder.glob("*.rst")) - written:
        path.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx looks for them."""
    app.connect("config-inited", lambda app, _config: write_pages(app))
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""The examples in docstrings of core give what they say, and there are enough of them."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from types import ModuleType

import numpy as np
import pytest

import spectrabridge.core

LEAST_DOCUMENTED = 40
"""Public functions, classes and methods with an example, at least."""

OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def modules() -> list[ModuleType]:
    """Return all modules of core that can be imported with what the tests need."""
    names = [
        found.name
        for found in pkgutil.walk_packages(spectrabridge.core.__path__, "spectrabridge.core.")
        if not found.ispkg
    ]
    return [importlib.import_module(name) for name in names]


def examples_of(module: ModuleType) -> list[doctest.DocTest]:
    """Return the docstrings of a module that hold examples."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = finder.find(module, module.__name__, globs=dict(vars(module)))
    return [test for test in found if test.examples]


EXAMPLES = {test.name: test for module in modules() for test in examples_of(module)}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_example_gives_what_it_says(name: str) -> None:
    said: list[str] = []
    with np.printoptions(legacy=False):
        result = doctest.DocTestRunner(optionflags=OPTIONS).run(EXAMPLES[name], out=said.append)
    assert result.failed == 0, "".join(said)


def test_enough_public_names_have_an_example() -> None:
    public = [name for name in EXAMPLES if not any(p.startswith("_") for p in name.split("."))]
    assert len(public) >= LEAST_DOCUMENTED


def test_no_example_asks_for_a_network_or_an_optional_package() -> None:
    for name, test in EXAMPLES.items():
        for example in test.examples:
            assert not any(
                word in example.source for word in ("http", "urllib", "pysme", "specutils")
            ), name


def test_every_public_function_has_a_docstring() -> None:
    bare = [
        f"{module.__name__}.{name}"
        for module in modules()
        for name, value in vars(module).items()
        if inspect.isroutine(value)
        and getattr(value, "__module__", "") == module.__name__
        and not name.startswith("_")
        and not inspect.getdoc(value)
    ]
    assert not bare

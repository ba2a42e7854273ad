"""The registry of formats of other codes' grids."""

from __future__ import annotations

from pathlib import Path

from ..io.registry import Registry
from .raw_grid import RawGrid

GRID_FORMATS: Registry[Path, RawGrid] = Registry(__package__)
"""Formats of grids. A loader is called with the path and, if these apply, ``table`` and ``arrays``.

A folder of text is not told by its content: its formats identify nothing.
"""


def has_suffix(path: Path, *suffixes: str) -> bool:
    """Tell whether a path is a file whose name ends so, packed by gzip or not."""
    name = path.name.lower().removesuffix(".gz")
    return path.is_file() and name.endswith(suffixes)

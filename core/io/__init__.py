"""Readers and writers: one module per kind of file."""

from .apstar import ApStar, example_apstar, read_apstar
from .grid import read_grid

__all__ = ["ApStar", "example_apstar", "read_apstar", "read_grid"]

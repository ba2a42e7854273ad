"""Bundles: what a user loads, and the model that one holds."""

from .bundle import (
    Bundle,
    find_bundle,
    list_bundles,
    open_bundle,
    read_bundle,
    user_bundles,
    verify_bundle,
)
from .model import Model
from .sample import Sample

__all__ = [
    "Bundle",
    "Model",
    "Sample",
    "find_bundle",
    "list_bundles",
    "open_bundle",
    "read_bundle",
    "user_bundles",
    "verify_bundle",
]

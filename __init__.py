"""spectrabridge: see what stellar models are missing.

In a notebook: ``import spectrabridge as sb; sb.explore("apogee-giants")``.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .core.version import __version__

if TYPE_CHECKING:
    from .core.bundle import list_bundles, open_bundle
    from .explorer.notebook import (
        DerivativeMap,
        FitPage,
        LatentMap,
        LinesPage,
        SpectrumView,
        explore,
    )

__all__ = [
    "DerivativeMap",
    "FitPage",
    "LatentMap",
    "LinesPage",
    "SpectrumView",
    "__version__",
    "explore",
    "list_bundles",
    "open_bundle",
]

if "ipykernel" in sys.modules:
    # In a notebook Panel otherwise has the browser fetch scripts from a server of its own.
    os.environ.setdefault("PANEL_INLINE", "true")

_HOMES = {"list_bundles": ".core.bundle", "open_bundle": ".core.bundle"}


def __getattr__(name: str) -> Any:
    """Import what is asked for: ``import spectrabridge`` alone loads nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, ".explorer.notebook"), __name__), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))

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
    from .core.fitting import fit, fit_both, held_out_spectra
    from .core.io import example_apstar, read_star
    from .core.lines.attached import candidates_of
    from .core.vetting import open_vetting
    from .explorer.notebook.components import (
        DerivativeMap,
        FitPage,
        LatentMap,
        LinesPage,
        SpectrumView,
        explore,
    )
    from .explorer.publication.latent_map import latent_figure
    from .explorer.publication.missing_lines import line_figure
    from .explorer.publication.residuals import residual_figure
    from .explorer.publication.style import picture

__all__ = [
    "DerivativeMap",
    "FitPage",
    "LatentMap",
    "LinesPage",
    "SpectrumView",
    "__version__",
    "candidates_of",
    "example_apstar",
    "explore",
    "fit",
    "fit_both",
    "held_out_spectra",
    "latent_figure",
    "line_figure",
    "list_bundles",
    "open_bundle",
    "open_vetting",
    "picture",
    "read_star",
    "residual_figure",
]

if "ipykernel" in sys.modules:
    # In a notebook Panel otherwise has the browser fetch scripts from a server of its own.
    os.environ.setdefault("PANEL_INLINE", "true")

_HOMES = {
    "candidates_of": ".core.lines.attached",
    "example_apstar": ".core.io",
    "fit": ".core.fitting",
    "fit_both": ".core.fitting",
    "held_out_spectra": ".core.fitting",
    "latent_figure": ".explorer.publication.latent_map",
    "line_figure": ".explorer.publication.missing_lines",
    "list_bundles": ".core.bundle",
    "open_bundle": ".core.bundle",
    "open_vetting": ".core.vetting",
    "picture": ".explorer.publication.style",
    "read_star": ".core.io",
    "residual_figure": ".explorer.publication.residuals",
}
"""Where things live that are not components for cells."""


def __getattr__(name: str) -> Any:
    """Import what is asked for: ``import spectrabridge`` alone loads nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, ".explorer.notebook.components"), __name__), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))

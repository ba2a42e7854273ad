"""Titles of the explorer's pages."""

from __future__ import annotations

TITLES: dict[str, str] = {
    "spectrum": "Spectrum",
    "derivatives": "Derivatives",
    "map": "Map",
    "fit": "Fit",
    "lines": "Lines",
    "about": "About",
}
"""Title of every page by its key, in their order; keys are those of ``ViewState.page``."""

"""Serve the explorer: ``panel serve apps/explorer.py``, or :func:`serve` from Python.

Panel runs this file by its path, where relative imports do not work; so its imports
are absolute.
"""

from __future__ import annotations

from spectrabridge.apps.server.server import build, serve

__all__ = ["build", "serve"]

if __name__.startswith("bokeh_app"):
    build().servable(title="spectrabridge")

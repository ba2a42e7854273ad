"""Tables as files for a download."""

from __future__ import annotations

import io
import warnings
from typing import Any

FORMATS: dict[str, tuple[str, str]] = {
    "ECSV": ("ascii.ecsv", "ecsv"),
    "VOTable": ("votable", "vot"),
    "FITS": ("fits", "fits"),
}
"""Formats by what they are called: name for astropy, and suffix."""


def file_of(table: Any, name: str) -> bytes:
    """Return an astropy table as a file; `name` is one of :data:`FORMATS`."""
    kind = FORMATS[name][0]
    out: io.BytesIO | io.StringIO = io.StringIO() if kind.startswith("ascii") else io.BytesIO()
    with warnings.catch_warnings():
        # VOTable knows no dex; it is written all the same.
        warnings.filterwarnings("ignore", message=".*Invalid unit string.*")
        table.write(out, format=kind)
    content = out.getvalue()
    return content.encode() if isinstance(content, str) else content

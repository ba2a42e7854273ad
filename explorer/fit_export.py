"""Tables of fits, as bytes for a download."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable

from ..core.model import Model
from .fitted_star import FittedStar, collected

FORMATS: dict[str, tuple[str, str]] = {
    "ECSV": ("ascii.ecsv", "ecsv"),
    "VOTable": ("votable", "vot"),
    "FITS": ("fits", "fits"),
}
"""Formats by what they are called: name for astropy, and suffix."""


def table_bytes(stars: Iterable[FittedStar], model: Model, name: str, bundle: str = "") -> bytes:
    """Return the table of :meth:`.StarFits.table` as a file.

    Parameters
    ----------
    stars : iterable of FittedStar
        At least one.
    model : Model
        The model that was fitted.
    name : str
        One of :data:`FORMATS`.
    bundle : str
        Name of the bundle, kept in the table.
    """
    table = collected(stars, model).table()
    table.meta = {"bundle": bundle, "creator": "spectrabridge"}
    kind = FORMATS[name][0]
    out: io.BytesIO | io.StringIO = io.StringIO() if kind.startswith("ascii") else io.BytesIO()
    with warnings.catch_warnings():
        # VOTable knows no dex; it is written all the same.
        warnings.filterwarnings("ignore", message=".*Invalid unit string.*")
        table.write(out, format=kind)
    content = out.getvalue()
    return content.encode() if isinstance(content, str) else content

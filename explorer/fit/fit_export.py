"""Tables of fits, as bytes for a download."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.bundle import Model
from ...core.io.table_writer import FORMATS, file_of
from .fitted_star import FittedStar, collected

__all__ = ["FORMATS", "table_bytes"]


def table_bytes(stars: Iterable[FittedStar], model: Model, name: str, bundle: str = "") -> bytes:
    """Return the table of :meth:`.StarFits.table` as a file.

    Parameters
    ----------
    stars : iterable of FittedStar
        At least one.
    model : Model
        The model that was fitted.
    name : str
        One of :data:`.FORMATS`.
    bundle : str
        Name of the bundle, kept in the table.
    """
    table = collected(stars, model).table()
    table.meta = {"bundle": bundle, "creator": "spectrabridge"}
    return file_of(table, name)

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


LONG = 1000
"""Rows from which on a VOTable holds its data as bytes, not as text."""


def file_of(table: Any, name: str) -> bytes:
    """Return an astropy table as a file; `name` is one of :data:`FORMATS`.

    What the table's `meta` holds is kept in all of them; in a VOTable as INFO.
    """
    kind = FORMATS[name][0]
    out: io.BytesIO | io.StringIO = io.StringIO() if kind.startswith("ascii") else io.BytesIO()
    with warnings.catch_warnings():
        # VOTable knows no dex and would have 0.1 nm; both are written all the same.
        warnings.filterwarnings("ignore", message=".*Invalid unit string.*")
        warnings.filterwarnings("ignore", message=".*has been deprecated in the VOUnit.*")
        if kind == "votable":
            _write_votable(table, out)
        else:
            table.write(out, format=kind)
    content = out.getvalue()
    return content.encode() if isinstance(content, str) else content


def _write_votable(table: Any, out: Any) -> None:
    from astropy.io.votable import from_table
    from astropy.io.votable.tree import Info

    file = from_table(table)
    for key, value in table.meta.items():
        if not key.startswith("__"):
            file.get_first_table().infos.append(Info(name=str(key), value=str(value)))
    file.to_xml(out, tabledata_format="binary2" if len(table) > LONG else "tabledata")

r"""The one way to write a table: ECSV, VOTable, FITS or CSV, as bytes or as a file.

What each format keeps:

===========================  =====================  =====================  ==========  ==========
\                            ECSV                   VOTable                FITS        CSV
===========================  =====================  =====================  ==========  ==========
Å and other letters          yes                    yes                    ``\xc5``    yes
quotes, commas               yes                    yes                    yes         yes
line ends, tabs, NUL         ``\n \t \x00``         ``\n \t \x00``         the same    the same
blanks around a text         ``\x20``               ``\x20``               ``\x20``    ``\x20``
a backslash                  ``\\``                 ``\\``                 ``\\``      ``\\``
masked number, and NaN       told apart             both NaN               both NaN    told apart
masked text                  as an empty text, in all four
units                        yes                    yes, but dex and mÅ    the same    no
descriptions                 yes                    yes                    yes         no
metadata                     yes                    as INFO                as cards    no
arrays in cells              yes                    yes                    yes         refused
===========================  =====================  =====================  ==========  ==========

Columns in which something was replaced are named by the metadata ``escaped`` (not in CSV);
:func:`.unescape` gives back each text exactly. VOTable and FITS have neither dex, which goes
into the description, nor milliangstrom, which becomes angstrom.
"""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..atomic_file import require_output, write_whole
from ..errors import TableError
from .cell_text import UNWRITABLE, column_texts, escape
from .table_formats import FORMATS, format_of

if TYPE_CHECKING:
    from astropy.table import Table
    from astropy.units import UnitBase


FITS_KEYWORDS = {
    "fingerprint": "FPRINT",
    "reference": "REFSTAR",
    "spectrabridge": "CREATOR",
}
"""Keywords of FITS headers for metadata whose names have more than eight letters."""

TABLEDATA_ROWS = 1000
"""Rows up to which a VOTable holds its data as text; more are written as BINARY2."""


def table_bytes(table: Table, name: str) -> bytes:
    """Return a table as the content of a file.

    Parameters
    ----------
    table : astropy.table.Table or QTable
        It stays as it is. Cells hold numbers, truth values or texts.
    name : str
        One of :data:`.FORMATS`.

    Returns
    -------
    bytes
        See the head of this module for what each format keeps.

    Raises
    ------
    TableError
        If there is no such format, or it cannot hold a column.

    Examples
    --------
    >>> from astropy.table import Table
    >>> table = Table({"id": ["Ångström"], "teff": [4750.0]})
    >>> print(table_bytes(table, "CSV").decode().strip())
    id,teff
    Ångström,4750.0
    """
    if name not in FORMATS:
        raise TableError(f"Tables are written as {', '.join(FORMATS)}; found {name!r}.")
    plain = _plain_table(table, ascii_only=name == "FITS")
    out = io.BytesIO()
    if name == "VOTable":
        _write_votable(_with_common_units(plain, "vounit"), out)
    elif name == "FITS":
        _write_fits(_with_common_units(plain, "fits"), out)
    else:
        if name == "CSV":
            _require_single_values(plain)
        text = io.StringIO()
        plain.write(text, format=FORMATS[name].astropy)
        # Half surrogates stand in metadata only; YAML cannot hold them either.
        out.write(text.getvalue().encode("utf-8", "backslashreplace"))
    return out.getvalue()


def write_table(
    table: Table, path: str | Path, name: str | None = None, *, overwrite: bool = False
) -> None:
    """Write a table to a file, which is whole or not there.

    Parameters
    ----------
    table : astropy.table.Table or QTable
        What to write.
    path : path
        The file.
    name : str, optional
        One of :data:`.FORMATS`; by the ending of the file if not given.
    overwrite : bool
        Whether an existing file is replaced, once the new one is whole.

    Raises
    ------
    TableError
        If the file ends in no format's suffix, or the format cannot hold the table.
    OutputError
        If the file exists and may not be replaced, or cannot be written.
    """
    name = format_of(path).name if name is None else name
    require_output(path, overwrite)
    try:
        content = table_bytes(table, name)
    except TableError as problem:
        raise TableError(f"{path} cannot be written: {problem}") from problem
    write_whole(path, content, overwrite)


# ---------------------------------------------------------------------- what all formats share


def _plain_table(table: Table, ascii_only: bool) -> Table:
    """Return a copy whose texts, names and metadata are single lines."""
    from astropy.table import Column, Table

    # Quantities become columns with units; a copy of a table would copy them as they are.
    source = Table(table, copy=False)
    out = Table()
    escaped = []
    for name in source.colnames:
        column = source[name]
        if column.dtype.kind in "USO":
            texts = _texts_of(column, name)
            written = [escape(t, ascii_only) for t in texts]
            if written != texts:
                escaped.append(name)
            column = Column(np.array(written, dtype=np.str_))
        new = escape(name, ascii_only)
        # Not copied: numbers are only read.
        out.add_column(column, name=new, copy=False)
        about = source[name].info.description
        if about:
            out[new].info.description = _line(about, ascii_only)
    out.meta = {str(k): v for k, v in table.meta.items() if not str(k).startswith("__")}
    if escaped:
        out.meta["escaped"] = ", ".join(escaped)
    return out


def _texts_of(column: Any, name: str) -> list[str]:
    if column.ndim > 1:
        raise TableError(f"Column {name!r} has several texts in a cell; give each a column.")
    if column.dtype.kind == "O":
        kinds = {type(value).__name__ for value in np.asarray(column).tolist()}
        strange = kinds - {"str", "bytes", "NoneType", "MaskedConstant"}
        if strange:
            raise TableError(
                f"Column {name!r} has cells of type {', '.join(sorted(strange))}; a table holds "
                "numbers, truth values and texts."
            )
    return column_texts(column)


def _line(text: str, ascii_only: bool) -> str:
    """Return metadata on one line; backslashes stay, if nothing is escaped."""
    if UNWRITABLE.search(text) or (ascii_only and not text.isascii()):
        return escape(text, ascii_only)
    return text


def _meta_value(value: Any, ascii_only: bool) -> str | float:
    """Return metadata as INFO and cards hold it: a text or a number, JSON for all else."""
    if isinstance(value, int | float):
        return value
    return _line(value if isinstance(value, str) else json.dumps(value), ascii_only)


def _with_common_units(table: Table, standard: str) -> Table:
    """Return the table with units that FITS or VOTable can name; others are said in words.

    Masked numbers become NaN, which is what programs see that pass over masks.
    """
    from astropy import units

    out = table.copy()
    for name in out.colnames:
        if out[name].dtype.kind == "f" and hasattr(out[name], "mask"):
            out[name].data.data[out[name].mask] = np.nan
        unit, about = out[name].unit, out[name].info.description
        if unit == units.mAA:
            out[name] = out[name] / 1000
            out[name].unit = units.AA
            out[name].info.description = about
        elif unit is not None and not _knows(unit, standard):
            out[name].unit = None
            out[name].info.description = f"{about or ''} (unit: {unit})".strip()
    return out


def _knows(unit: UnitBase, standard: str) -> bool:
    with warnings.catch_warnings():
        # VOUnits would rather have nanometres; every program knows the angstrom.
        warnings.simplefilter("ignore")
        try:
            unit.to_string(standard)
        except ValueError:
            return False
    return True


# ---------------------------------------------------------------------- the formats


def _require_single_values(table: Table) -> None:
    several = [name for name in table.colnames if table[name].ndim > 1]
    if several:
        shape = " x ".join(map(str, table[several[0]].shape[1:]))
        raise TableError(
            f"CSV holds one value in a cell; column {several[0]!r} has {shape}. Use ECSV, VOTable "
            "or FITS."
        )


def _write_votable(table: Table, out: io.BytesIO) -> None:
    from astropy.io.votable import from_table
    from astropy.io.votable.tree import Info

    meta = dict(table.meta)
    table.meta.clear()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*has been deprecated in the VOUnit.*")
        file = from_table(table)
        inside = file.get_first_table()
        inside.description = meta.get("content")
        for key, value in meta.items():
            inside.infos.append(Info(name=key, value=str(_meta_value(value, False))))
        long = len(table) > TABLEDATA_ROWS
        file.to_xml(out, tabledata_format="binary2" if long else "tabledata")


def _write_fits(table: Table, out: io.BytesIO) -> None:
    from astropy.io import fits

    for name in table.colnames:
        if table[name].dtype.kind == "b" and np.any(np.ma.getmaskarray(np.ma.asarray(table[name]))):
            raise TableError(
                f"FITS has no missing truth values; column {name!r} has some. Use ECSV, VOTable or "
                "CSV."
            )
    meta = dict(table.meta)
    table.meta.clear()
    written = io.BytesIO()
    table.write(written, format="fits")
    written.seek(0)
    with fits.open(written) as hdus:
        header = hdus[1].header
        # astropy keeps descriptions in comments of its own; TOPCAT and others read these.
        for i, name in enumerate(table.colnames, 1):
            if table[name].info.description:
                header[f"TCOMM{i}"] = table[name].info.description
        for key, value in meta.items():
            header[FITS_KEYWORDS.get(key, key.upper())] = _meta_value(value, True)
        hdus.writeto(out)

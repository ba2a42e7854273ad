"""Labels of spectra that are a file each: from a table, or from the files' names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import GridImportError, LabelError
from ..files.tables import read_table

FILE_COLUMNS = ("file", "filename", "name", "spectrum")

_NAME = re.compile(
    r"(?:^|[^0-9])(?P<geometry>[ps])?(?P<teff>\d{4,5})_?g(?P<logg>[+-]?\d+\.?\d*)"
    r".*?_(?:z|m/h|mh|m)(?P<feh>[+-]\d+\.?\d*)",
    re.IGNORECASE,
)
_EXTRA = re.compile(r"_(?P<what>a|c|n|o|t)(?P<value>[+-]?\d+\.?\d*)(?=_|\.)", re.IGNORECASE)
_EXTRA_LABELS = {"a": "alpha_m", "c": "C_m", "n": "N_m", "o": "O_m", "t": "vturb"}


def labels_of_files(
    files: Sequence[Path], folder: Path, table: str | Path | None
) -> tuple[dict[str, NDArray[np.float64]], dict[str, str]]:
    """Return labels of files and their units.

    Parameters
    ----------
    files : sequence of Path
        The spectra, in order.
    folder : Path
        Where they lie.
    table : path, optional
        ECSV, CSV, FITS or VOTable with a column ``file`` (with or without folder and
        suffix) and a column per label. Without it, a file ``labels.ecsv`` or
        ``labels.csv`` in the folder is taken, and else Teff, log g, metallicity and what
        more there is are read from names like those of MARCS:
        ``p4500_g+2.0_m0.0_t01_st_z+0.00_a+0.00.spec``.

    Raises
    ------
    LabelError
        If a file has no row, or a name says no labels.
    GridImportError
        If the table cannot be read.
    """
    if table is None:
        beside = (folder if folder.is_dir() else folder.parent) / "labels"
        table = next((p for s in (".ecsv", ".csv") if (p := beside.with_suffix(s)).exists()), None)
    if table is not None:
        return _from_table(files, Path(table))
    rows = []
    for file in files:
        found = _NAME.search(file.name)
        if not found:
            raise LabelError(
                f"The name {file.name} does not say Teff, log g and [M/H] as in "
                "p4500_g+2.0_m0.0_t01_st_z+0.00. Give a table of labels with a column file."
            )
        row = {
            "teff": float(found["teff"]),
            "logg": float(found["logg"]),
            "M_H": float(found["feh"]),
        }
        for extra in _EXTRA.finditer(file.name):
            row.setdefault(_EXTRA_LABELS[extra["what"].lower()], float(extra["value"]))
        rows.append(row)
    names = [n for n in rows[0] if all(n in row for row in rows)]
    return {n: np.array([row[n] for row in rows]) for n in names}, {}


def _from_table(
    files: Sequence[Path], path: Path
) -> tuple[dict[str, NDArray[np.float64]], dict[str, str]]:
    kinds = {".ecsv": "ascii.ecsv", ".csv": "ascii.csv", ".fits": "fits", ".vot": "votable"}
    if path.suffix.lower() not in kinds:
        raise GridImportError(f"Tables of labels are {', '.join(kinds)} files; found {path.name}.")
    table = read_table(path, kinds[path.suffix.lower()], str(path), error=GridImportError)
    lower = {name.lower(): name for name in table.colnames}
    key = next((lower[n] for n in FILE_COLUMNS if n in lower), None)
    if key is None:
        raise LabelError(f"{path.name} has no column file that says whose labels a row has.")
    rows: dict[str, int] = {}
    for i, text in enumerate(table[key]):
        plain = Path(str(text).strip()).name
        rows[plain] = i
        rows.setdefault(Path(plain).stem, i)
    order = []
    for file in files:
        i = rows.get(file.name, rows.get(file.stem, rows.get(file.parent.name, -1)))
        if i < 0:
            raise LabelError(f"{path.name} has no row for {file.name}.")
        order.append(i)
    labels, units = {}, {}
    for name in table.colnames:
        if name == key or table[name].dtype.kind not in "fiu":
            continue
        column = np.ma.filled(np.ma.asarray(table[name]).astype(float), np.nan)
        labels[name] = np.asarray(column)[order]
        if table[name].unit is not None:
            units[name] = str(table[name].unit)
    return labels, units

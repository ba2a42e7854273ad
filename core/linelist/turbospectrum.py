"""Turbospectrum's line lists.

Blocks, one per species and isotopologue: a row ``'607.012014 ' ION NUMBER``, a row with a
name in quotes, and NUMBER rows with wavelength (angstrom), excitation energy (eV), log gf,
``fdamp``, statistical weight of the upper level, radiative width (s^-1), if present log10
of the Stark width, two letters for the levels, two numbers for equivalent widths, and a
text in quotes. ``fdamp`` is the damping by hydrogen: below 0 log10 of the width at 10,000
K, from 20 on Anstee, Barklem and O'Mara's ``sigma.alpha``, between a factor on Unsoeld's
approximation. Source: the description of the format that comes with Turbospectrum 2020
(Gerber et al. 2023, A&A 669, A43).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import LineListError
from .line_list import LineList
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

_BLOCK = re.compile(r"^\s*'\s*(\d+(?:\.\d*)?)\s*'\s*(\d+)\s+(\d+)\s*$")

NO_DAMPING = "damping not known"
NO_RADIATIVE = "classical radiative width"

CLASSICAL_WIDTH = 2.223e15
"""Classical radiative width, s^-1, times the square of the wavelength in angstrom (Gray 2005, The
Observation and Analysis of Stellar Photospheres, eq. 11.13)."""

_NAMES = ("wavelength", "excitation energy", "log gf", "fdamp", "statistical weight", "raddmp")


def is_turbospectrum(text: str) -> bool:
    """Tell whether a text starts with a block of a Turbospectrum list."""
    first = next((row for row in text[:4000].splitlines() if row.strip()), "")
    return bool(_BLOCK.match(first))


def read_turbospectrum(
    source: str | Path | bytes, medium: str | None = None, *, name: str = ""
) -> LineList:
    """Read a line list of Turbospectrum.

    Parameters
    ----------
    source : path or bytes
        The list.
    medium : {"air", "vacuum"}, optional
        Air if not given, unless a block's name says vacuum.
    name : str
        What to call the file in messages.

    Raises
    ------
    LineListError
        If a block has another number of lines than it says, or a row cannot be read.
    """
    text, name = read_text(source, name)
    check_medium(medium)
    rows = text.splitlines()
    species: list[Species] = []
    numbers: list[list[float]] = []
    titles = []
    i = 0
    while i < len(rows):
        if not rows[i].strip():
            i += 1
            continue
        found = _BLOCK.match(rows[i])
        if not found:
            raise LineListError(
                f"Expected a block such as \"' 26.000 ' 1 120\" in line {i + 1} of {name}; found "
                f"{rows[i].strip()[:60]!r}. Check the number of lines of the block above."
            )
        try:
            kind = Species.from_turbospectrum(found.group(1), int(found.group(2)))
        except LineListError as problem:
            raise LineListError(f"Line {i + 1} of {name}: {problem}") from problem
        count = int(found.group(3))
        titles.append(rows[i + 1] if i + 1 < len(rows) else "")
        block = rows[i + 2 : i + 2 + count]
        short = next((k for k, row in enumerate(block) if _BLOCK.match(row)), len(block))
        if short < count:
            raise LineListError(
                f"The block of {kind.isotope_title} in line {i + 1} of {name} says {count} lines; "
                f"found {short}."
            )
        for k, row in enumerate(block):
            numbers.append(_line(row, name, i + 3 + k))
            species.append(kind)
        i += 2 + count
    if not species:
        raise LineListError(f"{name} holds no line.")
    table = np.array(numbers)
    vacuum = any("vac" in title.lower() for title in titles)
    stated = medium or ("vacuum" if vacuum else "air")
    assumed = "" if medium or vacuum else ", assumed"
    isotopes = np.array([bool(s.isotopologue) for s in species])
    notes = [f"{name}, Turbospectrum format, wavelengths in {stated}{assumed}"]
    if isotopes.any():
        notes.append(
            f"log gf of {line_count(isotopes)} with isotopes read as without the isotope's "
            "fraction, which Turbospectrum applies itself"
        )
    with np.errstate(divide="ignore"):
        radiative = np.where(table[:, 5] > 1, np.log10(np.maximum(table[:, 5], 1e-30)), 0.0)
    return LineList(
        species=np.array([s.name for s in species]),
        isotopologue=np.array([s.isotopologue for s in species]),
        wl_vac=to_vacuum(table[:, 0], stated),
        loggf=table[:, 2],
        ep=table[:, 1],
        gamma_rad=radiative,
        gamma_stark=table[:, 6],
        vdw=table[:, 3],
        j_up=np.where(table[:, 4] > 1, (table[:, 4] - 1) / 2, np.nan),
        source="; ".join(notes),
    )


def _line(row: str, name: str, place: int) -> list[float]:
    """Return wavelength, energy, log gf, fdamp, weight, radiative width, log Stark width."""
    parts = row.split("'")[0].split()
    if len(parts) < 6:
        raise LineListError(
            f"Expected at least 6 numbers in line {place} of {name}; found {len(parts)}."
        )
    out = [number(parts[k], name, place, _NAMES[k]) for k in range(6)]
    out.append(number(parts[6], name, place, "Stark width") if len(parts) > 6 else 0.0)
    if NO_DAMPING in row:
        out[3] = 0.0
    if NO_RADIATIVE in row:
        out[5] = 0.0
    return out


def _line_text(lines: LineList, i: int, species: Species, comment: str) -> str:
    """Return the row of a line behind its wavelength; its text says what is not known."""
    said = [species.isotope_title, *([comment] if comment else [])]
    damping, weight = float(lines.vdw[i]), 1.0
    if damping == 0 and not species.is_molecule:
        damping = 1.0
        said.append(NO_DAMPING)
    if np.isfinite(lines.j_up[i]):
        weight = 2 * float(lines.j_up[i]) + 1
    if lines.gamma_rad[i]:
        radiative = 10.0 ** float(lines.gamma_rad[i])
    else:
        radiative = CLASSICAL_WIDTH / float(lines.wl_vac[i]) ** 2
        said.append(NO_RADIATIVE)
    stark = f"{lines.gamma_stark[i]:7.3f} " if lines.gamma_stark[i] else ""
    return (
        f"{lines.ep[i]:7.4f} {lines.loggf[i]:8.3f} {damping:8.3f} {weight:6.1f} {radiative:9.2E} "
        f"{stark}'x' 'x'   0.0    1.0 '{'; '.join(said)}'"
    )


def turbospectrum_text(
    lines: LineList,
    comments: Sequence[str] | None = None,
    *,
    medium: Medium = "air",
    unknown: Unknown = "refuse",
) -> Written:
    """Write lines as a list for Turbospectrum.

    The text of a line says what is not known and what stands in its place: for damping a
    factor of 1 on Unsoeld's approximation (0 for molecules, which the code expects), for
    the radiative width the classical one, so that nothing is computed from a statistical
    weight that is not known either and stands as 1.0. The format has no comments: lines
    that lack log gf or excitation energy are refused, or else go into ``left_out``. So do
    hydrogen lines, for which Turbospectrum has a list of its own.

    Parameters
    ----------
    lines : LineList
        The lines; isotope fractions must not be in log gf, the code applies them.
    comments : sequence of str, optional
        One per line; they stand in the text of the line.
    medium : {"air", "vacuum"}
        Of the wavelengths. The code reads air; blocks in vacuum say so in their names.
    unknown : {"refuse", "comment"}
        What to do with a line that the code would misread.

    Raises
    ------
    LineListError
        If the code would misread a line and `unknown` is ``refuse``, or log gf hold
        isotope fractions.
    """
    check_medium(medium)
    if lines.fractions_included:
        raise LineListError(
            "The log gf of this list hold isotope fractions, which Turbospectrum applies itself; "
            "write the list that it was made from."
        )
    words = comments_of(lines, comments)
    reasons = why_left_out(
        lines,
        unknown,
        "Turbospectrum",
        lambda i: (
            "a hydrogen line, which has a list of its own" if lines.species[i] == "H 1" else ""
        ),
    )
    wavelength = from_vacuum(lines.wl_vac, medium)
    blocks: dict[Species, list[str]] = {}
    for i, reason in enumerate(reasons):
        if reason:
            continue
        species = lines.species_of(i)
        row = _line_text(lines, i, species, words[i])
        blocks.setdefault(species, []).append(f"{wavelength[i]:11.4f} {row}")
    out = []
    for species in sorted(blocks, key=lambda s: (s.is_molecule, s.turbospectrum, s.ion)):
        rows = blocks[species]
        out.append(f"'{species.turbospectrum:>20s}' {species.ion:4d} {len(rows):9d}")
        vacuum = "  (wavelengths in vacuum)" if medium == "vacuum" else ""
        out += [f"'{species.isotope_title}{vacuum}'", *rows]
    notes = ["What is not known is said in the text of each line."]
    if any(reasons):
        notes.append(f"{are_lines(np.array(reasons) != '')} left out; see the list of them.")
    left = left_out_text(lines, reasons, words, "Turbospectrum", medium)
    return Written("\n".join(out) + "\n" if out else "", left, tuple(notes))


def write_turbospectrum(
    lines: LineList,
    path: str | Path,
    comments: Sequence[str] | None = None,
    *,
    medium: Medium = "air",
    unknown: Unknown = "refuse",
) -> Written:
    """Write lines to a file for Turbospectrum: see :func:`turbospectrum_text`.

    Lines left out go to ``PATH.left-out``.
    """
    written = turbospectrum_text(lines, comments, medium=medium, unknown=unknown)
    written.save(path)
    return written

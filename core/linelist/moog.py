"""MOOG's line lists: a title, then columns of ten characters.

Wavelength (angstrom), species code, excitation energy (eV, or all of them in cm^-1 if one
is above 50), log gf (or gf, if none is negative), van der Waals damping, energy of
dissociation (eV), equivalent width, and from column 71 on a comment. Source: C. Sneden,
"WRITEMOOG.ps", the manual that comes with MOOG, its source files Inlines.f (columns, codes)
and Damping.f (damping), and line lists that others have published.

The number for the damping (``dampnum``, with ``damping`` 0 or where Barklem's table has no
value) means, after 10 to its power if it is negative:

===================  =====================================================================
0                    Unsoeld's approximation
below 1e-15          the constant C6 itself, cm^6 s^-1
1e-15 to 1e-5        the width per hydrogen atom at 10,000 K, s^-1 cm^3
above 1e-5           a factor on C6 of Unsoeld's approximation
===================  =====================================================================

MOOG multiplies the lines of an isotope by the fraction that its parameter file gives, so
that log gf in a list do not hold it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import LineListError
from .isotopes import mean_mass
from .line_list import EV_PER_CM, LineList
from .solar_abundances import DISSOCIATION_ENERGY
from .species import ATOMIC_NUMBER, Species
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

MAX_C6 = 1e-15
"""Numbers for the damping below this are C6, cm^6 s^-1."""

MAX_WIDTH = 1e-5
"""Numbers for the damping from MAX_C6 to this are widths, s^-1 cm^3."""

MAX_FACTOR = 20.0
"""Factors on Unsoeld's width are below this; other codes take what is above for a cross section."""

_COLUMNS = ("wavelength", "species code", "excitation energy", "log gf")


def is_moog(text: str) -> bool:
    """Tell whether a text has MOOG's columns in its second or first row."""
    rows = [row for row in text[:4000].splitlines() if row.strip()][:3]
    return any(_values(row) is not None for row in rows)


def read_moog(source: str | Path | bytes, medium: str | None = None, *, name: str = "") -> LineList:
    """Read a line list of MOOG.

    Parameters
    ----------
    source : path or bytes
        The list, in columns of ten characters or separated by blanks.
    medium : {"air", "vacuum"}, optional
        If not given: vacuum if the title says so, else air.
    name : str
        What to call the file in messages.

    Returns
    -------
    LineList
        `source` says what was assumed. Negative wavelengths, MOOG's mark for parts of a
        blend, are taken as positive.

    Raises
    ------
    LineListError
        If a row cannot be read, or there is none.
    """
    text, name = read_text(source, name)
    check_medium(medium)
    rows = text.splitlines()
    first = _values(rows[0])
    title = "" if first else rows[0].strip()
    stated = medium or ("vacuum" if "vac" in title.lower() else "air")
    assumed = "" if medium or "vac" in title.lower() or "air" in title.lower() else ", assumed"
    notes = [f"{name}, MOOG format, wavelengths in {stated}{assumed}"]
    species, table, damping = _read_rows(rows, 0 if first else 1, name)
    energy, gf = table[:, 1], table[:, 2]
    if (energy > 50).any():
        notes.append(
            f"excitation energies read as cm^-1, because {are_lines(energy > 50)} above 50"
        )
        energy = energy * EV_PER_CM
    if (gf > 0).all():
        # Zero is a log gf as well; a list of one such line would otherwise become gf = 0.
        gf = np.log10(gf)
        notes.append("gf read as they are, not as logarithms, because all are above 0")
    vdw = _read_damping(damping, species, notes)
    isotopes = np.array([bool(s.isotopologue) for s in species])
    if isotopes.any():
        notes.append(
            f"log gf of {line_count(isotopes)} with isotopes read as without the isotope's "
            "fraction, which MOOG applies itself"
        )
    return LineList(
        species=np.array([s.name for s in species]),
        isotopologue=np.array([s.isotopologue for s in species]),
        wl_vac=to_vacuum(table[:, 0], stated),
        loggf=gf,
        ep=energy,
        vdw=vdw,
        source="; ".join(notes),
    )


def _read_rows(
    rows: list[str], skipped: int, name: str
) -> tuple[list[Species], NDArray[np.float64], NDArray[np.float64]]:
    """Return species, an array of wavelength, energy and log gf, and damping of all rows."""
    species, numbers, damping = [], [], []
    for i, row in enumerate(rows[skipped:], start=skipped + 1):
        if not row.strip():
            continue
        parts = _values(row)
        if parts is None:
            found = _fields(row)[:4]
            for what, part in zip(_COLUMNS, found, strict=False):
                number(part, name, i, what)
            raise LineListError(
                f"Expected wavelength, species code, excitation energy and log gf in line {i} of "
                f"{name}; found {len(found)} columns."
            )
        try:
            species.append(Species.from_moog(parts[1]))
        except LineListError as problem:
            raise LineListError(f"Line {i} of {name}: {problem}") from problem
        wavelength, energy, gf = (number(parts[k], name, i, _COLUMNS[k]) for k in (0, 2, 3))
        numbers.append([abs(wavelength), energy, gf])
        damping.append(number(parts[4], name, i, "damping") if parts[4] else 0.0)
    if not species:
        raise LineListError(f"{name} holds no line.")
    return species, np.array(numbers), np.array(damping)


def _read_damping(
    given: NDArray[np.float64], species: list[Species], notes: list[str]
) -> NDArray[np.float64]:
    """Return damping in the form of LineList from MOOG's numbers; say in notes what they were."""
    value = np.where(given < 0, 10.0 ** np.minimum(given, 0.0), given)
    out = np.zeros(len(given))
    is_c6 = (value > 0) & (value < MAX_C6)
    is_width = (value >= MAX_C6) & (value < MAX_WIDTH)
    factor = np.where(value >= MAX_WIDTH, value, 1.0) ** 0.4
    is_factor = (value >= MAX_WIDTH) & (factor < MAX_FACTOR)
    out[is_width] = np.log10(value[is_width])
    out[is_factor] = factor[is_factor]
    for i in np.flatnonzero(is_c6):
        out[i] = np.log10(width_of_c6(float(value[i]), species[i]))
    # A width that is not below 0 as a logarithm, or is not a number, would be read as a factor.
    unread = (value > 0) & ~(is_width | is_factor | (is_c6 & (out < 0)))
    out[unread] = 0.0
    for which, words in (
        (is_c6 & ~unread, "read as C6"),
        (is_width & (given > 0), "read as widths at 10,000 K"),
        (is_factor, "read as factors on C6 in Unsoeld's approximation"),
        (unread, f"left out: factors on C6 are read up to {MAX_FACTOR**2.5:.0f}"),
    ):
        if which.any():
            notes.append(f"damping of {line_count(which)} {words}")
    return out


def width_of_c6(c6: float, species: Species) -> float:
    """Return the damping width per hydrogen atom at 10,000 K in s^-1 cm^3.

    It is ``17 C6^0.4 v^0.6`` with the mean relative velocity ``v^2 = 2.1175e8 T (1/A +
    1/1.008)`` in cm^2 s^-2 (MOOG, Damping.f; Gray 2005, eq. 11.29).

    Parameters
    ----------
    c6 : float
        The constant of the interaction, cm^6 s^-1.
    species : Species
        Gives the mass; that of its isotopes where it says them.

    Examples
    --------
    >>> import math
    >>> round(math.log10(width_of_c6(4.4e-31, Species.parse("Fe 1"))), 2)
    -7.21
    """
    masses = species.masses or (0,) * len(species.symbols)
    mass = sum(m or mean_mass(s) for s, m in zip(species.symbols, masses, strict=True))
    if math.isnan(mass):  # no stable isotope; the mass hardly matters beside hydrogen's
        mass = 2.5 * sum(ATOMIC_NUMBER[s] for s in species.symbols)
    velocity = math.sqrt(2.1175e8 * 1e4 * (1 / mass + 1 / 1.008))
    return float(17.0 * c6**0.4 * velocity**0.6)


def _fields(row: str) -> list[str]:
    fixed = [row[k : k + 10].strip() for k in range(0, 70, 10)]
    return fixed if all(fixed[:4]) and all(" " not in part for part in fixed) else row.split()


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text.replace("D", "E").replace("d", "e"))))
    except ValueError:
        return False


def _values(row: str) -> list[str] | None:
    """Return seven columns of a row, empty where blank; None if it is no line."""
    fixed = [row[k : k + 10].strip() for k in range(0, 70, 10)]
    if all(_is_number(part) for part in fixed[:4]) and all(
        not part or _is_number(part) for part in fixed[4:]
    ):
        return fixed
    words = row.split()
    if len(words) < 4 or not all(_is_number(word) for word in words[:4]):
        return None
    out = words[:4]
    for word in words[4:7]:
        if not _is_number(word):
            break
        out.append(word)
    return out + [""] * (7 - len(out))


def _damping_text(vdw: float) -> str:
    """Return the ten characters that make MOOG take a damping; blank if there are none."""
    if math.log10(MAX_C6) < vdw < math.log10(MAX_WIDTH):
        return f"{vdw:10.3f}"
    if 0 < vdw < MAX_FACTOR and vdw**2.5 >= MAX_WIDTH:
        return f"{vdw**2.5:10.3e}"
    return " " * 10


def moog_text(
    lines: LineList,
    comments: Sequence[str] | None = None,
    *,
    medium: Medium = "air",
    unknown: Unknown = "refuse",
    title: str = "",
) -> Written:
    """Write lines as a list for MOOG.

    Damping that is not known is left blank, and so is that of Anstee, Barklem and O'Mara,
    which MOOG takes from its own table. Other damping is written as the logarithm of the
    width, or as the factor on C6, the width's to the power 2.5. MOOG has no comments in
    line lists: lines that lack log gf or excitation energy are refused, or else go into
    ``left_out``. So do hydrogen lines, which MOOG would give the profile of a metal.

    Parameters
    ----------
    lines : LineList
        The lines; isotope fractions must not be in log gf, MOOG applies them.
    comments : sequence of str, optional
        One per line; the first ten characters fit.
    medium : {"air", "vacuum"}
        Of the wavelengths; the title says it.
    unknown : {"refuse", "comment"}
        What to do with a line that MOOG would misread.
    title : str
        First row.

    Raises
    ------
    LineListError
        If MOOG would misread a line and `unknown` is ``refuse``, or log gf hold isotope
        fractions.
    """
    check_medium(medium)
    if lines.fractions_included:
        raise LineListError(
            "The log gf of this list hold isotope fractions, which MOOG applies itself; write the "
            "list that it was made from."
        )
    words = comments_of(lines, comments)
    reasons = why_left_out(
        lines,
        unknown,
        "MOOG",
        lambda i: "a hydrogen line, whose profile MOOG lacks" if lines.species[i] == "H 1" else "",
    )
    wavelength = from_vacuum(lines.wl_vac, medium)
    first = " ".join((title or lines.source or "line list").split())
    rows = [f"{first[:60]} (wavelengths in {medium})".encode("ascii", "replace").decode()]
    isotopes = set()
    for i, reason in enumerate(reasons):
        if reason:
            continue
        species = lines.species_of(i)
        if species.isotopologue:
            isotopes.add(species.moog)
        energy = DISSOCIATION_ENERGY.get(species.formula) if species.is_molecule else None
        damping = _damping_text(float(lines.vdw[i]))
        row = (
            f"{wavelength[i]:10.3f}{species.moog:>10s}{lines.ep[i]:10.3f}{lines.loggf[i]:10.3f}"
            f"{damping}{'' if energy is None else format(energy, '10.3f'):10s}{'':10s}"
        )
        # The blank after column 70 keeps a comment that starts with digits apart from them.
        rows.append((row + words[i][:10]).rstrip())
    notes = ["Damping that is not known is blank: MOOG takes Unsoeld's approximation."]
    if isotopes:
        some = ", ".join(sorted(isotopes))
        notes.append(f"MOOG needs the isotopes of these codes in its parameter file: {some}.")
    written = np.array([not reason for reason in reasons], dtype=bool)
    vdw = lines.vdw.tolist()
    blank = written & np.array([v != 0 and not _damping_text(v).strip() for v in vdw], bool)
    if blank.any():
        count = line_count(blank)
        notes.append(f"The damping of {count} is left blank: MOOG has no number for it.")
    if any(reasons):
        notes.append(f"{are_lines(~written)} left out; see the list of them.")
    left = left_out_text(lines, reasons, words, "MOOG", medium)
    return Written("\n".join(rows) + "\n", left, tuple(notes))


def write_moog(
    lines: LineList,
    path: str | Path,
    comments: Sequence[str] | None = None,
    *,
    medium: Medium = "air",
    unknown: Unknown = "refuse",
    title: str = "",
) -> Written:
    """Write lines to a file for MOOG: see :func:`moog_text`.

    Lines left out go to ``PATH.left-out``.
    """
    written = moog_text(lines, comments, medium=medium, unknown=unknown, title=title)
    written.save(path)
    return written

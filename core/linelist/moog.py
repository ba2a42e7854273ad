"""MOOG's line lists: a title, then columns of ten characters.

Wavelength (angstrom), species code, excitation energy (eV, or all of them in cm^-1 if one
is above 50), log gf (or gf, if none is negative), van der Waals damping, energy of
dissociation (eV), equivalent width, and from column 71 on a comment. Source: C. Sneden,
"WRITEMOOG.ps", the manual that comes with MOOG, and line lists that others have published.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import LineListError
from .line_list import EV_PER_CM, LineList
from .solar_abundances import DISSOCIATION_ENERGY
from .species import Species
from .text_format import (
    Medium,
    Unknown,
    Written,
    check_medium,
    comments_of,
    from_vacuum,
    left_out_text,
    number,
    read_text,
    to_vacuum,
    why_left_out,
)

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
    species, numbers, damping = [], [], []
    for i, row in enumerate(rows[0 if first else 1 :], start=1 if first else 2):
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
        numbers.append([abs(float(parts[0])), float(parts[2]), float(parts[3])])
        damping.append(float(parts[4]) if parts[4] else 0.0)
    if not species:
        raise LineListError(f"{name} holds no line.")
    table = np.array(numbers)
    energy, gf, vdw = table[:, 1], table[:, 2], np.array(damping)
    if (energy > 50).any():
        energy = energy * EV_PER_CM
        notes.append("excitation energies read as cm^-1, because some are above 50")
    if (gf > 0).all():
        # Zero is a log gf as well; a list of one such line would otherwise become gf = 0.
        gf = np.log10(gf)
        notes.append("gf read as they are, not as logarithms, because all are above 0")
    if (vdw > 0).any():
        # A positive value multiplies C6 or is C6; the width goes with its power 0.4.
        vdw = np.where((vdw > 1e-5) & (vdw < 1e3), np.abs(vdw) ** 0.4, np.minimum(vdw, 0.0))
        notes.append("positive damping read as factors on C6 in Unsoeld's approximation")
    return LineList(
        species=np.array([s.name for s in species]),
        isotopologue=np.array([s.isotopologue for s in species]),
        wl_vac=to_vacuum(table[:, 0], stated),
        loggf=gf,
        ep=energy,
        vdw=vdw,
        source="; ".join(notes),
    )


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


def moog_text(
    lines: LineList,
    comments: Sequence[str] | None = None,
    *,
    medium: Medium = "air",
    unknown: Unknown = "refuse",
    title: str = "",
) -> Written:
    """Write lines as a list for MOOG.

    Damping that is not known is left blank, and so is damping in a form that MOOG has no
    column for (a factor on Unsoeld's width, or that of Anstee, Barklem and O'Mara, which
    MOOG takes from its own table). MOOG has no comments in line lists: lines that lack log
    gf or excitation energy are refused, or else go into ``left_out``. So do hydrogen
    lines, which MOOG would give the profile of a metal.

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
        damping = f"{lines.vdw[i]:10.3f}" if lines.vdw[i] < 0 else " " * 10
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
    if (lines.vdw > 0).any():
        notes.append(
            f"Damping of {(lines.vdw > 0).sum()} lines is in a form MOOG has no column for."
        )
    if any(reasons):
        notes.append(f"{sum(map(bool, reasons))} lines are left out; see the list of them.")
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

"""What the readers and writers of line lists share: text in, text out, and what is not known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..atomic_file import write_whole
from ..errors import LineListError
from ..files import read_limited
from ..spectra.wavelength import air_to_vacuum, vacuum_to_air
from .line_list import LineList

Medium = Literal["air", "vacuum"]
Unknown = Literal["refuse", "comment"]

MAX_LINE_LIST_BYTES = 1_000_000_000
"""Bytes of a line list that is read."""

MIN_AIR_ANGSTROM = 2000.0
"""Wavelengths below this are in vacuum in every line list."""


@dataclass(frozen=True)
class Written:
    """A line list as the text of a file.

    Parameters
    ----------
    text : str
        What a synthesis code reads.
    left_out : str
        Lines that are not part of the list because something the code needs is not
        known, each with the reason; empty if there is none. MOOG and Turbospectrum have
        no comments, so it belongs in a file of its own; VALD's text has it in its notes.
    notes : tuple of str
        Sentences on what the list leaves open and on what the code will do about it.
    """

    text: str
    left_out: str
    notes: tuple[str, ...]

    def save(self, path: str | Path) -> tuple[Path, ...]:
        """Write the text, and the lines left out to ``PATH.left-out``; return the files.

        Raises
        ------
        OutputError
            If a file cannot be written; an old one stays as it was.
        """
        path = Path(path)
        files = [(path, self.text)]
        if self.left_out:
            files.append((path.with_name(path.name + ".left-out"), self.left_out))
        for target, text in files:
            write_whole(target, text.encode("ascii", errors="replace"))
        return tuple(target for target, _ in files)


def read_text(source: str | Path | bytes, name: str = "") -> tuple[str, str]:
    """Return the text of a file, or of its content, and what to call it.

    Raises
    ------
    LineListError
        If it cannot be read, is empty, too large or no text.
    """
    content, name = read_limited(
        source,
        name or ("the line list" if isinstance(source, bytes) else ""),
        "a line list",
        max_bytes=MAX_LINE_LIST_BYTES,
        error=LineListError,
    )
    if b"\x00" in content[:10_000]:
        raise LineListError(f"{name} is not text; expected a line list.")
    if not content.strip():
        raise LineListError(f"{name} is empty; expected a line list.")
    return content.decode("latin-1"), name


def number(text: str, name: str, row: int, what: str) -> float:
    """Return a number in a file; Fortran's ``1.0D+07`` is one, too.

    Raises
    ------
    LineListError
        If it is none or not finite, with the line of the file.
    """
    try:
        value = float(text.replace("D", "E").replace("d", "e"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise LineListError(
            f"Expected a number for the {what} in line {row} of {name}; found {text.strip()!r}."
        )
    return value


def check_medium(medium: str | None) -> None:
    """Raise a LineListError unless the medium is air, vacuum or None."""
    if medium not in (None, "air", "vacuum"):
        raise LineListError(f"The medium is 'vacuum' or 'air'; found {medium!r}.")


def to_vacuum(wavelength: NDArray[np.float64], medium: str) -> NDArray[np.float64]:
    """Return vacuum wavelengths of a list in a medium, angstrom."""
    values = np.asarray(wavelength, dtype=np.float64)
    if medium == "vacuum" or not values.size:
        return values
    safe = np.maximum(values, MIN_AIR_ANGSTROM)
    return np.where(values < MIN_AIR_ANGSTROM, values, air_to_vacuum(safe))


def from_vacuum(wavelength: NDArray[np.float64], medium: str) -> NDArray[np.float64]:
    """Return the wavelengths that a list in a medium gives, angstrom."""
    values = np.asarray(wavelength, dtype=np.float64)
    if medium == "vacuum" or not values.size:
        return values
    air = vacuum_to_air(np.maximum(values, MIN_AIR_ANGSTROM))
    return np.where(air < MIN_AIR_ANGSTROM, values, air)


def line_count(which: NDArray[np.bool_]) -> str:
    """Return how many lines a mask picks, in words: ``1 line``, ``5 lines``."""
    n = int(np.sum(which))
    return "1 line" if n == 1 else f"{n} lines"


def are_lines(which: NDArray[np.bool_]) -> str:
    """Return the same with a verb: ``1 line is``, ``5 lines are``."""
    return f"{line_count(which)} {'is' if np.sum(which) == 1 else 'are'}"


def comments_of(lines: LineList, comments: Sequence[str] | None) -> list[str]:
    """Return one comment per line, plain ASCII on one line without quotes.

    Raises
    ------
    LineListError
        If there is not one per line.
    """
    if comments is None:
        return [""] * len(lines)
    if len(comments) != len(lines):
        raise LineListError(f"Expected {len(lines)} comments, one per line; found {len(comments)}.")
    plain = (" ".join(str(c).replace("'", " ").replace('"', " ").split()) for c in comments)
    return [c.encode("ascii", "replace").decode() for c in plain]


def why_left_out(
    lines: LineList,
    unknown: str,
    code: str,
    more: Callable[[int], str] = lambda _: "",
) -> list[str]:
    """Return for each line why a code cannot have it, or an empty text.

    Parameters
    ----------
    lines : LineList
        The lines to write.
    unknown : {"refuse", "comment"}
        What to do if there is such a line.
    code : str
        Name of the code, for the message.
    more : callable, optional
        Further reasons of a format, by line.

    Raises
    ------
    LineListError
        If there is such a line and `unknown` is ``refuse``, or `unknown` is neither.
    """
    if unknown not in ("refuse", "comment"):
        raise LineListError(f"unknown is 'refuse' or 'comment'; found {unknown!r}.")
    reasons = []
    for i in range(len(lines)):
        missing = [
            what
            for what, value in (("log gf", lines.loggf[i]), ("excitation energy", lines.ep[i]))
            if not np.isfinite(value)
        ]
        reasons.append(f"{' and '.join(missing)} not known" if missing else more(i))
    bad = [i for i, reason in enumerate(reasons) if reason]
    if bad and unknown == "refuse":
        first = bad[0]
        raise LineListError(
            f"{len(bad)} of {len(lines)} lines cannot be written for {code}, the first being "
            f"{lines.species_of(first).isotope_title} at {lines.wl_vac[first]:.3f} angstrom "
            f"(vacuum): {reasons[first]}. {code} would misread it. Drop these lines, or ask for "
            "them as comments with unknown='comment'."
        )
    return reasons


def left_out_text(
    lines: LineList, reasons: list[str], comments: list[str], code: str, medium: str
) -> str:
    """Return a text that names the lines that were left out, and why; empty if none was."""
    bad = [i for i, reason in enumerate(reasons) if reason]
    if not bad:
        return ""
    wavelength = from_vacuum(lines.wl_vac, medium)
    rows = [f"# Lines that are not in the list for {code}, with the reason. Angstrom in {medium}."]
    for i in bad:
        known = [
            f"{what} {value:.3f}"
            for what, value in (("log gf", lines.loggf[i]), ("ep", lines.ep[i]))
            if np.isfinite(value)
        ]
        text = "; ".join([*known, reasons[i], *([comments[i]] if comments[i] else [])])
        rows.append(f"# {wavelength[i]:12.4f}  {lines.species_of(i).isotope_title:10s}  {text}")
    return "\n".join(rows) + "\n"

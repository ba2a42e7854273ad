"""Read a line list of any known format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..errors import LineListError
from .air_or_vacuum import guess_medium
from .line_list import LineList
from .linemake import is_linemake, read_linemake
from .moog import is_moog, read_moog
from .text_format import check_medium, read_text
from .turbospectrum import is_turbospectrum, read_turbospectrum
from .vald import is_vald, read_vald

Reader = Callable[..., LineList]

FORMATS: dict[str, tuple[Callable[[str], bool], Reader]] = {
    "vald": (is_vald, read_vald),
    "turbospectrum": (is_turbospectrum, read_turbospectrum),
    "linemake": (is_linemake, read_linemake),
    "moog": (is_moog, read_moog),
}
"""How to recognise and read each format, in the order in which they are tried."""


def read_lines(
    source: str | Path | bytes,
    medium: str | None = None,
    format: str | None = None,
    *,
    name: str = "",
    check: bool = True,
) -> LineList:
    """Read a line list: VALD long format, Turbospectrum, linemake or MOOG.

    Parameters
    ----------
    source : path or bytes
        The list.
    medium : {"air", "vacuum"}, optional
        Of the wavelengths; if not given, what the file says, else air.
    format : {"vald", "turbospectrum", "linemake", "moog"}, optional
        Told from the content if not given.
    name : str
        What to call the file in messages.
    check : bool
        Whether to compare the wavelengths with the shipped list, as far as they overlap.

    Returns
    -------
    LineList
        `source` says what was assumed, and what the comparison found.

    Raises
    ------
    LineListError
        If the format is not known, a row cannot be read, or the lines match the shipped
        list in the other medium than the one given.
    """
    text, name = read_text(source, name)
    check_medium(medium)
    if format is None:
        format = next((key for key, (fits, _) in FORMATS.items() if fits(text)), None)
        if format is None:
            raise LineListError(
                f"{name} is in none of the formats {', '.join(FORMATS)}; its first row is "
                f"{text.strip().splitlines()[0][:60]!r}. If it is one of these, say which."
            )
    elif format not in FORMATS:
        raise LineListError(f"Formats are {', '.join(FORMATS)}; found {format!r}.")
    read = FORMATS[format][1]
    content = text.encode("latin-1")
    lines = read(content, medium, name=name)
    if not check:
        return lines
    used = medium or ("vacuum" if "wavelengths in vacuum" in lines.source else "air")
    guess = guess_medium(lines, used)
    if not guess.medium or guess.medium == used:
        return lines
    if medium is not None or format in ("vald", "linemake"):
        raise LineListError(
            f"{name} was read as {used}, but it is not. {guess.sentence} Say that it is in "
            f"{guess.medium} (--medium {guess.medium}); from Python, check=False keeps {used}."
        )
    lines = read(content, guess.medium, name=name)
    return replace(lines, source=f"{lines.source}. {guess.sentence}")

"""Line lists made by linemake (Placco et al. 2021, RNAAS 5, 92).

They are MOOG lists whose title is "a line list in the range: ...", with hyperfine and
isotopic components as lines of their own, dissociation energies in columns 51 to 60 and
the source of the data from column 71 on. Wavelengths are in air.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..errors import LineListError
from .line_list import LineList
from .moog import read_moog
from .text_format import check_medium, read_text

_TITLE = "a line list in the range"


def is_linemake(text: str) -> bool:
    """Tell whether a text starts as linemake's lists do."""
    return text.lstrip().lower().startswith(_TITLE)


def read_linemake(
    source: str | Path | bytes, medium: str | None = None, *, name: str = ""
) -> LineList:
    """Read a list made by linemake.

    Parameters
    ----------
    source : path or bytes
        The list.
    medium : {"air"}, optional
        Linemake's lists are in air; anything else is refused.
    name : str
        What to call the file in messages.

    Raises
    ------
    LineListError
        If the title is another one, vacuum is asked for, or a row cannot be read.
    """
    text, name = read_text(source, name)
    check_medium(medium)
    if not is_linemake(text):
        raise LineListError(
            f"Expected a list that starts with {_TITLE!r}, as linemake writes it, in {name}; found "
            f"{text.splitlines()[0].strip()[:60]!r}. Read it as MOOG's format."
        )
    if medium == "vacuum":
        raise LineListError(
            f"{name} was made by linemake, whose wavelengths are in air; vacuum was given. Leave "
            "the medium away."
        )
    lines = read_moog(text.encode("latin-1"), "air", name=name)
    return replace(lines, source=lines.source.replace("MOOG format", "made by linemake"))

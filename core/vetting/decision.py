"""What a vetter says about a candidate feature, and what may be said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from ..errors import LinesError
from ..linelist.species import ATOMIC_NUMBER
from ..lines.candidate import PAIRS, UNDECIDED

Status = Literal["accepted", "rejected", "unsure", ""]
"""A verdict; empty while the feature is open."""

STATUSES: tuple[Status, ...] = get_args(Status)

MAX_COMMENT_CHARACTERS = 10_000
MAX_NAME_CHARACTERS = 80

_NAMES = (*ATOMIC_NUMBER, *PAIRS, *UNDECIDED)

# What no table format can hold: control characters but tab and line feed, half surrogates, and
# the two that XML forbids.
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Decision:
    """What a vetter says about a feature.

    Wavelengths are kept with it, so that it means something without the table of
    candidates that it was made with.

    Parameters
    ----------
    candidate : str
        Id of the candidate.
    wavelength, low, high : float
        Centre and ends of the feature, vacuum angstrom.
    vetter : str
        Who says so.
    status : str
        One of :data:`STATUSES`; empty if the feature is open again.
    element : str
        An element's symbol, a molecule of PAIRS, ``blend``, ``unknown``, or empty.
    comment : str
        In the vetter's words.
    when : str
        Time of the decision: UTC, ISO 8601.
    """

    candidate: str
    wavelength: float
    low: float
    high: float
    vetter: str
    status: Status = ""
    element: str = ""
    comment: str = ""
    when: str = ""

    @property
    def blank(self) -> bool:
        """Whether it says nothing: as if nobody had looked yet."""
        return not (self.status or self.element or self.comment)

    def says(self, other: Decision) -> bool:
        """Whether it says the same as another one, whoever said it and when."""
        mine = (self.status, self.element, self.comment)
        return mine == (other.status, other.element, other.comment)


def checked_status(text: str) -> Status:
    """Return a status, or raise a LinesError."""
    for status in STATUSES:
        if text == status:
            return status
    raise LinesError(
        f"A status is accepted, rejected, unsure, or empty for open again; found {text!r}."
    )


def checked_element(text: str) -> str:
    """Return the name of an element, of a molecule, ``blend``, ``unknown`` or nothing.

    Capitals do not matter where the name is plain without them: ``fe`` is Fe, ``CO`` is the
    molecule and ``Co`` cobalt, but ``co`` is refused.

    Raises
    ------
    LinesError
        If there is no such element or molecule, or two are meant.

    Examples
    --------
    >>> checked_element("fe"), checked_element("CO")
    ('Fe', 'CO')
    """
    name = text.strip()
    if not name or name in _NAMES:
        return name
    alike = [n for n in _NAMES if n.lower() == name.lower()]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise LinesError(f"{name!r} may be {' or '.join(alike)}; type it with its capitals.")
    raise LinesError(
        f"There is no element {name!r}. Expected a symbol from H to U such as Fe, a molecule "
        f"({', '.join(PAIRS)}), {' or '.join(UNDECIDED)}."
    )


def checked_comment(text: str) -> str:
    r"""Return a comment that every format can hold, or raise a LinesError.

    Blanks around it are taken away: VOTable cannot keep them.

    Examples
    --------
    >>> checked_comment("  blue wing\r\nblended ")
    'blue wing\nblended'
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    wrong = _UNWRITABLE.search(text)
    if wrong:
        raise LinesError(
            f"The comment holds a character that cannot be written (code {ord(wrong.group()):#x}, "
            f"place {wrong.start() + 1}); take it out."
        )
    if len(text) > MAX_COMMENT_CHARACTERS:
        raise LinesError(
            f"A comment has at most {MAX_COMMENT_CHARACTERS} characters; this one has {len(text)}."
        )
    return text


def checked_vetter(text: str) -> str:
    """Return a vetter's name without spaces around it, or raise a LinesError.

    Examples
    --------
    >>> checked_vetter(" ann ")
    'ann'
    """
    name = text.strip()
    if not name or len(name) > MAX_NAME_CHARACTERS or "\n" in name or _UNWRITABLE.search(name):
        raise LinesError(
            f"A vetter's name is one line of 1 to {MAX_NAME_CHARACTERS} characters; found {text!r}."
        )
    return name


def checked_time(text: str) -> str:
    """Return a time as it is if it is of ISO 8601, or nothing; or raise a LinesError."""
    try:
        if text:
            datetime.fromisoformat(text)
    except ValueError as problem:
        raise LinesError(
            f"Expected a time such as 2026-01-31T12:00:00Z; found {text[:40]!r}."
        ) from problem
    return text


def now() -> str:
    """Return the time: UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""How many bytes a file may ask for, counted from what it declares."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..errors import SpectrabridgeError, SpectrumError

MAX_STAR_BYTES = 500_000_000
"""Bytes of a file of one star, and of its arrays; ten times an apStar file of a hundred visits."""

MAX_ARRAY_BYTES = 64_000_000_000
"""Bytes of all arrays that are read at once from a grid or a survey."""

MAX_EXPANSION = 200
"""Times its size on disk that a file may grow to when it is unpacked. Measured spectra shrink to
a half at best; rows that are all alike, as errors of a synthetic grid, to a thousandth."""

UNCHECKED_EXPANSION_BYTES = 64_000_000
"""Bytes up to which a file may grow by any factor."""


@dataclass
class ByteBudget:
    """Count of the bytes that a file declares, refused above a limit.

    Parameters
    ----------
    name : str
        What to call the file.
    stored : int
        Bytes of the file as it is stored.
    max_bytes : int
        Bytes that it may declare in all.
    error : type
        Kind of the error, a subclass of SpectrabridgeError.

    Examples
    --------
    >>> budget = ByteBudget("star.npz", stored=60_000, max_bytes=1_000_000)
    >>> budget.spend("flux", (1, 8575), 4)
    >>> budget.spent
    34300
    >>> try:
    ...     budget.spend("ivar", (1_000_000, 8575), 4)
    ... except Exception as problem:
    ...     print(problem)
    ivar of star.npz has shape (1000000, 8575): with it the file declares 34.3 GB, more than the \
0.001 GB that are read. Cut it into smaller files.
    """

    name: str
    stored: int
    max_bytes: int = MAX_ARRAY_BYTES
    error: type[SpectrabridgeError] = SpectrumError
    spent: int = field(default=0, init=False)

    def spend(self, what: str, shape: Iterable[int], item_bytes: int) -> None:
        """Count an array; raise the error if the file declares too much with it.

        Parameters
        ----------
        what : str
            Name of the array, for the message.
        shape : iterable of int
            Its declared shape.
        item_bytes : int
            Bytes of one element; texts of length zero count as one byte.
        """
        shape = tuple(int(n) for n in shape)
        if any(n < 0 for n in shape):
            raise self.error(
                f"{what} of {self.name} has the impossible shape {shape}: the file is damaged."
            )
        self.spent += math.prod(shape) * max(int(item_bytes), 1)
        said = f"{what} of {self.name} has shape {shape}: with it the file declares"
        if self.spent > self.max_bytes:
            raise self.error(
                f"{said} {self.spent / 1e9:.3g} GB, more than the {self.max_bytes / 1e9:.3g} GB "
                "that are read. Cut it into smaller files."
            )
        if self.spent > max(UNCHECKED_EXPANSION_BYTES, MAX_EXPANSION * self.stored):
            raise self.error(
                f"{said} {self.spent / 1e6:,.0f} MB, more than {MAX_EXPANSION} times the "
                f"{self.stored / 1e6:.3g} MB that it holds. No measurement does; make it again "
                "with only the spectra that it has."
            )

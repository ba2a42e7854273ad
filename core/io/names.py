"""Names of stars and of files: as they are in the file, and distinct."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def star_in(name: str) -> str:
    """Return the name of the star in a file name; the file name if it holds none.

    Examples
    --------
    >>> star_in("apStar-dr17-2M19485057+5005279.fits")
    '2M19485057+5005279'
    >>> star_in("arcturus.csv")
    'arcturus.csv'
    """
    found = re.search(r"(?:2M|AP)\d{8}[+-]\d{7}", name)
    return found.group(0) if found else name


def row_names(name: str, n: int) -> tuple[str, ...]:
    """Return names for the rows of a file that names none: the file's, numbered if several.

    Examples
    --------
    >>> row_names("stars.npz", 2)
    ('stars.npz row 0', 'stars.npz row 1')
    """
    return (star_in(name),) if n == 1 else tuple(f"{name} row {i}" for i in range(n))


def named_rows(ids: Sequence[str], name: str, first: int = 0) -> tuple[str, ...]:
    """Return ids of rows; those that only number the rows from `first` get the file's name.

    Examples
    --------
    >>> named_rows(("0", "1"), "stars.h5"), named_rows(("α Boo",), "stars.h5")
    (('stars.h5 row 0', 'stars.h5 row 1'), ('α Boo',))
    """
    if not all(text == str(first + i) for i, text in enumerate(ids)):
        return tuple(ids)
    if first == 0 and len(ids) == 1:
        return (star_in(name),)
    return tuple(f"{name} row {i}" for i in ids)


def text_of(value: Any) -> str:
    """Return an id as text, without the padding of fixed widths.

    Examples
    --------
    >>> text_of(b"2M16333217+3942519  ")
    '2M16333217+3942519'
    """
    if isinstance(value, bytes | np.bytes_):
        try:
            text = bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            text = bytes(value).decode("latin-1")
    else:
        text = str(value)
    return text.strip(" \0\t\r\n")


def texts_of(values: Any) -> tuple[str, ...]:
    """Return an array of ids of any type as texts."""
    array = np.ravel(values)
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.round(array)).all():
        array = array.astype(np.int64)
    return tuple(text_of(v) for v in array)


def distinct_names(paths: Sequence[str | Path]) -> list[str]:
    """Return the file name of each path, with as many folders before it as tell it apart.

    Examples
    --------
    >>> distinct_names(["a/spec.csv", "b/spec.csv", "b/other.csv"])
    ['a/spec.csv', 'b/spec.csv', 'other.csv']
    """
    parts = [Path(p).parts for p in paths]
    # The same path given twice stays the same name.
    depth = [1] * len(parts)
    while True:
        tails = ["/".join(p[-d:]) for p, d in zip(parts, depth, strict=True)]
        others: dict[str, set[tuple[str, ...]]] = {}
        for tail, p in zip(tails, parts, strict=True):
            others.setdefault(tail, set()).add(p)
        clash = Counter({tail: len(same) for tail, same in others.items()})
        longer = [i for i, t in enumerate(tails) if clash[t] > 1 and depth[i] < len(parts[i])]
        if not longer:
            return tails
        for i in longer:
            depth[i] += 1

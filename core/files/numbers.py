"""Numbers and names out of files, where text or other shapes may stand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrabridgeError, SpectrumError

_BLANK = {"", "--", "n/a", "null", "none"}


def require_numbers(
    values: Any, what: str, name: str, error: type[SpectrabridgeError] = SpectrumError
) -> NDArray[Any]:
    """Return an array of a file as it is if it holds numbers; text is not taken for them.

    Parameters
    ----------
    values : array_like
        What the file holds.
    what : str
        What to call it, with an article if it needs one: ``flux``, ``the labels``.
    name : str
        What to call the file.
    error : type
        Kind of the error, a subclass of SpectrabridgeError.

    Raises
    ------
    SpectrabridgeError
        If it is text, complex, made of lists of different lengths, or something else.

    Examples
    --------
    >>> require_numbers([1, 2], "flux", "star.npz").tolist()
    [1, 2]
    >>> try:
    ...     require_numbers(["1", "x"], "flux", "star.npz")
    ... except SpectrumError as problem:
    ...     print(problem)
    Expected numbers as flux of star.npz; found text.
    """
    try:
        array = np.asarray(values)
    except ValueError:
        raise error(
            f"Expected numbers as {what} of {name}; found lists of other lengths."
        ) from None
    if array.dtype.kind not in "fiub":
        found = {"U": "text", "S": "text", "c": "complex numbers"}.get(array.dtype.kind, "others")
        raise error(f"Expected numbers as {what} of {name}; found {found}.")
    return array


def numbers_of(
    values: Any, what: str, name: str, error: type[SpectrabridgeError] = SpectrumError
) -> NDArray[np.float64]:
    """Return numbers of a file as float64; see :func:`require_numbers`.

    Examples
    --------
    >>> numbers_of([1, 2], "flux", "star.npz").tolist()
    [1.0, 2.0]
    """
    return np.asarray(require_numbers(values, what, name, error), np.float64)


def numbers_in_column(
    values: NDArray[Any], what: str, name: str, error: type[SpectrabridgeError] = SpectrumError
) -> NDArray[np.float64]:
    """Return a column of a table as float64, NaN where its text is blank.

    Parameters
    ----------
    values, what, name, error
        See :func:`require_numbers`.

    Raises
    ------
    SpectrabridgeError
        If there is a text that is no number.

    Examples
    --------
    >>> numbers_in_column(np.array(["1.5", ""]), "column SNR", "stars.csv").tolist()
    [1.5, nan]
    """
    if values.dtype.kind not in "USO":
        return numbers_of(values, what, name, error)
    out = np.full(values.shape, np.nan)
    for place, value in np.ndenumerate(values):
        text = str(value).strip()
        try:
            out[place] = np.nan if text.lower() in _BLANK else float(text)
        except ValueError:
            raise error(
                f"Expected numbers as {what} of {name}; found {text[:40]!r}. Correct it."
            ) from None
    return out


def names_in(
    values: NDArray[Any], what: str, name: str, error: type[SpectrabridgeError] = SpectrumError
) -> list[str]:
    """Return a row of names of a file as texts.

    Raises
    ------
    SpectrabridgeError
        If it is a single value or a table.

    Examples
    --------
    >>> names_in(np.array([b"teff", b"logg"]), "label_names", "grid.npz")
    ['teff', 'logg']
    """
    if values.ndim != 1:
        raise error(f"Expected a row of names as {what} of {name}; found shape {values.shape}.")
    return [v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in values.tolist()]

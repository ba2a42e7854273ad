"""Which rows of a catalogue stand for its stars."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..files.numbers import numbers_in_column


def best_rows(
    every: NDArray[np.str_],
    snr: NDArray[Any] | None,
    wanted: list[str] | None,
    name: str,
    notes: list[str],
) -> NDArray[np.int64]:
    """Return the rows to keep: one per star, the best, in the order of file or request.

    Parameters
    ----------
    every : ndarray of str, shape ``(n_rows,)``
        Names of the stars; rows without one are left out.
    snr : ndarray or None, shape ``(n_rows,)``
        Signal-to-noise ratios, by which rows of one star are chosen; the first counts without.
    wanted : list of str or None
        Names of the stars to keep; all if None.
    name : str
        What to call the catalogue.
    notes : list of str
        Sentences about what was left out are added.

    Raises
    ------
    SpectrumError
        If none of the stars is there.
    """
    candidates = np.flatnonzero(every != "")
    if wanted is not None:
        candidates = candidates[np.isin(every[candidates], np.array(wanted, dtype=str))]
        if not candidates.size:
            raise SpectrumError(
                f"None of the {len(wanted)} stars asked for is in {name}; the first is "
                f"{wanted[0] if wanted else 'missing'!r}. Names are as {every[0]}."
            )
    quality = np.zeros(len(every))
    if snr is not None:
        quality = np.nan_to_num(numbers_in_column(snr, "column SNR", name), nan=-1.0)
    best = candidates[np.argsort(-quality[candidates], kind="stable")]
    names, first = np.unique(every[best], return_index=True)
    rows = np.sort(best[first])
    if len(rows) < len(candidates):
        kept = "the row with the highest SNR" if snr is not None else "the first row"
        notes.append(
            f"{len(candidates) - len(rows)} rows repeat a star; {kept} of each star was kept."
        )
    if wanted is None:
        return rows
    place = dict(zip(names.tolist(), best[first].tolist(), strict=True))
    unique = list(dict.fromkeys(wanted))
    absent = [i for i in unique if i not in place]
    if absent:
        notes.append(
            f"{len(absent)} of {len(unique)} stars are not in {name}: {', '.join(absent[:5])}"
            f"{' and more' if len(absent) > 5 else ''}."
        )
    return np.array([place[i] for i in unique if i in place], dtype=np.int64)

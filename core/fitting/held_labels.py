"""Labels that are held while others are fitted, as a person writes them: ``vmacro=4``."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from ..errors import FitError
from ..labels import Label, LabelSet
from .population import LOGARITHMIC_LABELS, RANGE_MARGIN

_PAIR = re.compile(r"\s*([^=\s][^=]*?)\s*=\s*(\S+)\s*")


def split_words(text: str) -> list[str]:
    """Return the parts of a line such as ``vmacro = 4, [Fe/H]=-0.5 C12C13=20``.

    Examples
    --------
    >>> split_words("vmacro = 4, [Fe/H]=-0.5 C12C13=20")
    ['vmacro=4', '[Fe/H]=-0.5', 'C12C13=20']
    """
    one = re.sub(r"\blog\s+g\b", "logg", text.strip())  # the only title with a blank
    together = re.sub(r"\s*=\s*", "=", one)
    return [word for word in re.split(r"[\s,;]+", together) if word]


def held_labels(words: Iterable[str], labels: LabelSet) -> dict[str, float]:
    """Return values of labels by their short names.

    Parameters
    ----------
    words : iterable of str
        ``NAME=NUMBER`` each; the name in any known spelling, the number in the unit of
        the label.
    labels : LabelSet
        Labels that there are.

    Returns
    -------
    dict
        In the order of `words`.

    Raises
    ------
    FitError
        If a word is no such pair, a label is not there or is named twice, a value is not
        finite or lies where a fit would not go either, or no label is left to fit.

    Examples
    --------
    >>> from spectrabridge.core.labels import APOGEE_LABELS
    >>> held_labels(["vmacro=4", "[Fe/H]=-0.5"], APOGEE_LABELS)
    {'vmacro': 4.0, 'Fe': -0.5}
    """
    out: dict[str, float] = {}
    for word in words:
        label, value = _pair(word, labels)
        if label.name in out:
            raise FitError(f"{label.name} is held twice; give it once.")
        low, high = bounds(label)
        slack = 1e-3 * (high - low)  # so that the rounded ends of the message will do
        if not low - slack <= value <= high + slack:
            unit = f" {label.unit}" if label.unit in ("K", "km s-1") else ""
            raise FitError(
                f"{label.name} can be held between {low:.4g} and {high:.4g}{unit}; found {value:g}."
            )
        out[label.name] = value
    if len(out) == len(labels):
        raise FitError("All labels are held; leave at least one to fit.")
    return out


def _pair(word: str, labels: LabelSet) -> tuple[Label, float]:
    found = _PAIR.fullmatch(word)
    try:
        value = float(found[2]) if found else np.nan
    except ValueError:
        value = np.nan
    if found is None or not np.isfinite(value):
        raise FitError(f"Expected NAME=NUMBER, as vmacro=4; found {word!r}.")
    if found[1] not in labels:
        raise FitError(
            f"There is no label {found[1]!r} to hold; the labels are {', '.join(labels.names)}."
        )
    return labels[found[1]], value


def bounds(label: Label) -> tuple[float, float]:
    """Return how far a label may go in a fit: a little beyond its trained range.

    Examples
    --------
    >>> from spectrabridge.core.labels import APOGEE_LABELS
    >>> bounds(APOGEE_LABELS["teff"])
    (3715.0, 5585.0)
    """
    low, high = label.low, label.high
    if label.name in LOGARITHMIC_LABELS:
        low, high = np.log(max(low, 1e-3)), np.log(high)
    reach = RANGE_MARGIN * (high - low)
    if label.name in LOGARITHMIC_LABELS:
        return float(np.exp(low - reach)), float(np.exp(high + reach))
    return float(low - reach), float(high + reach)

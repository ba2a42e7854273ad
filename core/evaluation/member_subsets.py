"""What another choice of seeds would have given: ensembles of four out of five."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..emulator.hidden_lines import Feature
from .derivatives import Slopes
from .gap import Transfer
from .hidden_lines import r_squared
from .label_fidelity import LabelFidelity

N_MEMBERS = 5
"""Members, the first ones, out of which quartets are made."""

BIAS_LABELS = ("teff", "logg")
"""Labels whose bias is given."""


def quartets(
    gap: Transfer,
    slopes: Slopes | None,
    fidelity: LabelFidelity | None,
    hidden: NDArray[np.bool_] | None = None,
    features: list[Feature] | None = None,
) -> dict[str, Any] | None:
    """Return the main figures of the five ensembles that leave one of five members out.

    Nothing is computed anew: spectra and derivatives of an ensemble are means over its
    members, and so are, nearly, the labels read from them (read labels of the members are
    averaged, which differs from the labels of the mean spectrum by a few kelvin).

    Parameters
    ----------
    gap : Transfer
        Adapted spectra of test stars.
    slopes : Slopes, optional
        Derivatives of the reference star.
    fidelity : LabelFidelity, optional
        Labels read back.
    hidden : array of bool, shape ``(n_pixels,)``, optional
        Hidden pixels, where lines are hidden.
    features : list of Feature, optional
        Features, where lines are hidden.

    Returns
    -------
    dict or None
        ``each``: figures of the quartets, with the member ``without`` which they are;
        ``median`` over them. Keys are ``gap_ratio``, ``derivative_r2``, ``label_bias``
        of T_eff and log g and, where lines are hidden, ``masked_r2`` and
        ``attribution_agreement``. None with fewer than five members.
    """
    if len(gap.coefficients) < N_MEMBERS:
        return None
    each = []
    for without in range(N_MEMBERS):
        four = [i for i in range(N_MEMBERS) if i != without]
        figures: dict[str, Any] = {"without": without, "gap_ratio": gap.gap_ratio(four)}
        if slopes is not None:
            figures["derivative_r2"] = slopes.r_squared(four)
        if hidden is not None:
            mask = torch.from_numpy(hidden)
            adapted = gap.adapted(four)
            figures["masked_r2"] = r_squared(adapted[:, mask], gap.truth[:, mask])
        if slopes is not None and features is not None:
            chosen = [f for f in features if f.hidden]
            figures["attribution_agreement"] = slopes.attribution_agreement(chosen, four)
        if fidelity is not None:
            bias = fidelity.bias(fidelity.members[four].mean(0))
            figures["label_bias"] = {k: bias[k] for k in BIAS_LABELS if k in bias}
        each.append(figures)
    median: dict[str, Any] = {}
    for key, value in each[0].items():
        if key == "label_bias":
            median[key] = {k: statistics.median(e[key][k] for e in each) for k in value}
        elif key != "without":
            median[key] = statistics.median(e[key] for e in each)
    return {"each": each, "median": median}

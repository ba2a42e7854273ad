"""Stars to start from: label values by name, for buttons.

A preset gives [Fe/H] and [X/Fe]; every element not named follows iron. Labels that
a preset does not mention, or that the model does not have, are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.labels import LabelSet


@dataclass(frozen=True)
class Preset:
    """A named star.

    Parameters
    ----------
    name : str
        What the button says.
    description : str
        A sentence for the tooltip, with the source of the values.
    stellar : mapping
        Values of labels that are not abundances.
    fe_h : float
        [Fe/H] in dex.
    x_fe : mapping
        [X/Fe] in dex by symbol, where it is not 0.
    """

    name: str
    description: str
    stellar: Mapping[str, float]
    fe_h: float = 0.0
    x_fe: Mapping[str, float] = field(default_factory=dict)

    def values(self, labels: LabelSet, reference: ArrayLike) -> NDArray[np.float64]:
        """Return the star's label values for a model.

        Parameters
        ----------
        labels : LabelSet
            Labels of the model.
        reference : array_like, shape ``(n_labels,)``
            Values for labels of which the preset says nothing.

        Returns
        -------
        ndarray, shape ``(n_labels,)``
            Values in physical units; they may lie outside the trained range.
        """
        row = labels.array(reference)
        for i, label in enumerate(labels):
            if label.element:
                row[i] = round(self.fe_h + self.x_fe.get(label.element, 0.0), 4)
            elif label.name in self.stellar:
                row[i] = self.stellar[label.name]
        return row


PRESETS: tuple[Preset, ...] = (
    Preset(
        "K giant",
        "A K giant of solar composition: 4750 K, log g 2.5.",
        {"teff": 4750, "logg": 2.5, "vturb": 1.6, "c12c13": 20, "vmacro": 4.5},
    ),
    Preset(
        "Red clump",
        "A red-clump giant after the first dredge-up: 4850 K, log g 2.45, "
        "carbon down, nitrogen up.",
        {"teff": 4850, "logg": 2.45, "vturb": 1.5, "c12c13": 15, "vmacro": 4.0},
        fe_h=-0.05,
        x_fe={"C": -0.1, "N": 0.2},
    ),
    Preset(
        "Arcturus-like",
        "Arcturus: 4286 K, log g 1.66, [Fe/H] -0.52, alpha-enhanced "
        "(Ramirez & Allende Prieto 2011, ApJ 743, 135, and the APOGEE line-list work).",
        {"teff": 4286, "logg": 1.66, "vturb": 1.7, "c12c13": 9, "vmacro": 4.5},
        fe_h=-0.52,
        x_fe={
            "C": 0.43,
            "O": 0.5,
            "Na": 0.11,
            "Mg": 0.37,
            "Al": 0.34,
            "Si": 0.33,
            "P": 0.2,
            "S": 0.3,
            "K": 0.2,
            "Ca": 0.11,
            "Ti": 0.27,
        },
    ),
    Preset(
        "Sun-like",
        "The Sun: 5777 K, log g 4.44. Outside the range of a model of giants.",
        {"teff": 5777, "logg": 4.44, "vturb": 1.0, "c12c13": 89, "vmacro": 2.0},
    ),
)
"""The presets in the order of their buttons."""

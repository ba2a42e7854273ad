"""Stellar labels: their names, units and ranges, and draws of them."""

from .label import ELEMENT_NAMES, ELEMENTS, Label, canonical
from .label_set import APOGEE_LABELS, LabelSet

__all__ = [
    "APOGEE_LABELS",
    "ELEMENTS",
    "ELEMENT_NAMES",
    "Label",
    "LabelSet",
    "canonical",
]

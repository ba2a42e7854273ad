"""Stellar labels: their names, units and ranges, and draws of them."""

from .label_set import APOGEE_LABELS, ELEMENT_NAMES, ELEMENTS, Label, LabelSet, canonical

__all__ = [
    "APOGEE_LABELS",
    "ELEMENTS",
    "ELEMENT_NAMES",
    "Label",
    "LabelSet",
    "canonical",
]

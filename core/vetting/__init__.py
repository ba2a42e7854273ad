"""Vetting: what people decide about candidate features, kept, compared and exchanged."""

from .decision import STATUSES, Decision, Status, checked_element
from .store import Vetting, open_vetting
from .unmatched import Orphan
from .vetting_file import default_vetting_path

__all__ = [
    "STATUSES",
    "Decision",
    "Orphan",
    "Status",
    "Vetting",
    "checked_element",
    "default_vetting_path",
    "open_vetting",
]

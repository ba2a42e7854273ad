"""What models are missing: candidate features, and what each belongs to."""

from .attribution import attribute
from .candidate import KINDS, PAIRS, UNDECIDED, Answer, Candidate, Candidates, Kind, NearLine
from .contrast import Contrast, contrast, reference_stars
from .discovery import CANDIDATES, LineSettings, find_candidates, find_features, own_noise
from .extent import Extent, find_extents
from .known_lines import lines_for, near_lines
from .scoring import calibration, score_candidates, score_hidden, summary
from .signature import Signatures, signatures

__all__ = [
    "CANDIDATES",
    "KINDS",
    "PAIRS",
    "UNDECIDED",
    "Answer",
    "Candidate",
    "Candidates",
    "Contrast",
    "Extent",
    "Kind",
    "LineSettings",
    "NearLine",
    "Signatures",
    "attribute",
    "calibration",
    "contrast",
    "find_candidates",
    "find_extents",
    "find_features",
    "lines_for",
    "near_lines",
    "own_noise",
    "reference_stars",
    "score_candidates",
    "score_hidden",
    "signatures",
    "summary",
]

"""What models are missing: candidate features, and what each belongs to."""

from .candidate import KINDS, PAIRS, UNDECIDED, Answer, Candidate, Candidates, Kind, NearLine

__all__ = [
    "KINDS",
    "PAIRS",
    "UNDECIDED",
    "Answer",
    "Candidate",
    "Candidates",
    "Kind",
    "NearLine",
]

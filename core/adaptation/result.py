"""What a training gives."""

from __future__ import annotations

from dataclasses import dataclass, field

from .adapter import Adapter


@dataclass
class TrainingResult:
    """A trained adaptation and how it came about.

    Parameters
    ----------
    adapter : Adapter
        Representations and network, on the CPU.
    history : list of dict
        One entry per validation: ``iteration``, losses, ``validation``.
    seconds : float
        Time spent training, over all interruptions.
    iterations : int
        Steps done.
    stopped_early : bool
        Whether the validation figure ended it.
    scores : list of float
        The judge's score of every member that was trained; empty without a judge.
    kept : list of int
        Numbers of the members that the adapter holds.
    """

    adapter: Adapter
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    iterations: int = 0
    stopped_early: bool = False
    scores: list[float] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)

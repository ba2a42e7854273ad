"""What happens beside the steps of a training: judging, keeping the best, progress, checkpoints.

Each callback is a class with one method, ``after_step``, which is given the step that was
just taken. :meth:`~spectrabridge.core.adaptation.training.AdaptationTrainer.run` takes any
number of them.

Examples
--------
Collect the losses of every tenth step:

>>> class Losses:
...     def __init__(self):
...         self.rows = []
...     def after_step(self, step):
...         if step.iteration % 10 == 0:
...             self.rows.append(step.losses)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from .adapter import Adapter
from .member_selection import Judge, merge_members
from .networks.registry import Network

SETTLED = 1.5
"""Validation figures count from so many times the step at which critics count fully."""

ShowSteps = Callable[[int, int, dict[str, float]], None]
"""Called with (iteration, iterations, figures)."""


@dataclass
class Step:
    """A step of a training that was just taken, as callbacks see it.

    Parameters
    ----------
    iteration, iterations : int
        Steps taken, and steps of the whole training.
    losses : dict
        Losses of the step by name, as means over members.
    figures : dict
        The newest entry of the history; empty before the first validation.
    validation : Tensor, shape ``(M,)``, optional
        Validation figure of every member, if this step was validated.
    scores : Tensor, shape ``(M,)``, optional
        The judge's scores, if this step was judged.
    last : bool
        Whether the training ends with it.
    stopping : bool
        Whether the training stops here, to go on later. A callback may set it; those that
        come after it see it.
    network : AdaptationNetwork or ConvNetwork
        The networks as they stand.
    adapter : callable
        Returns the adaptation as it stands, on the CPU.
    held_out : Tensor, shape ``(n_stars, n_coefficients)``
        Observed spectra that the training leaves out.
    save : callable
        Writes the state of the training to a path.
    """

    iteration: int
    iterations: int
    losses: dict[str, float]
    figures: dict[str, float]
    network: Network
    adapter: Callable[[], Adapter]
    held_out: Tensor
    save: Callable[[Path], None]
    validation: Tensor | None = None
    scores: Tensor | None = None
    last: bool = False
    stopping: bool = False


class Callback(Protocol):
    """What a training tells about its steps."""

    def after_step(self, step: Step) -> None:
        """Do something after a step."""


class ShowProgress:
    """Calls a function with the number of the step and its figures.

    Parameters
    ----------
    show : callable
        See :data:`ShowSteps`; the figures are the losses and the newest validation figure.
    """

    def __init__(self, show: ShowSteps) -> None:
        self.show = show

    def after_step(self, step: Step) -> None:
        """Show the step."""
        newest = {k: step.figures[k] for k in ("validation",) if k in step.figures}
        self.show(step.iteration, step.iterations, step.losses | newest)


class WriteCheckpoint:
    """Writes the state of the training now and then, at its end, and where it is stopped.

    Parameters
    ----------
    path : path
        The file; replaced in one step.
    every_seconds : float
        Time between two writings.
    """

    def __init__(self, path: str | Path, every_seconds: float = 30.0) -> None:
        self.path = Path(path)
        self.every_seconds = every_seconds
        self._written = time.perf_counter()

    def after_step(self, step: Step) -> None:
        """Write the state if it is time."""
        due = time.perf_counter() - self._written > self.every_seconds
        if due or step.last or step.stopping:
            step.save(self.path)
            self._written = time.perf_counter()


class JudgeMembers:
    """Scores the members of validated steps by something that needs no truth.

    Parameters
    ----------
    judge : Judge
        Gives a score for every member.
    every : int
        Steps between two judgements; the last step of the schedule is judged too.
    """

    def __init__(self, judge: Judge, every: int) -> None:
        self.judge = judge
        self.every = every

    def after_step(self, step: Step) -> None:
        """Judge the members, and add ``score``, their median, to the figures of the step."""
        if step.validation is None:
            return
        if step.iteration == step.iterations or step.iteration % self.every == 0:
            scores = list(self.judge(step.adapter(), step.held_out))
            step.scores = torch.tensor(scores, dtype=torch.float32)
            step.figures["score"] = float(step.scores.median())


class KeepBest:
    """Remembers the weights of each member from when they were best.

    Parameters
    ----------
    members : int
        Number of members.
    from_step : float
        Steps before this do not count.
    judged : bool
        Whether the judge's score says which are best, and not the validation figure.

    Attributes
    ----------
    weights : dict of Tensor
        Best weights; empty before a step has counted.
    validation, scores : Tensor, shape ``(M,)``
        Lowest validation figures and scores of the members so far.
    """

    def __init__(self, members: int, from_step: float, judged: bool) -> None:
        self.from_step = from_step
        self.judged = judged
        self.weights: Mapping[str, Tensor] = {}
        self.validation = torch.full((members,), math.inf)
        self.scores = torch.full((members,), math.inf)

    def after_step(self, step: Step) -> None:
        """Take over the weights of members that are better than they ever were."""
        if step.validation is None or step.iteration < self.from_step:
            return
        better = step.validation < self.validation
        if self.judged:
            if step.scores is None:
                return
            better = step.scores < self.scores
            self.scores = torch.where(better, step.scores, self.scores)
        self.validation = torch.where(better, step.validation, self.validation)
        network = step.network
        self.weights = merge_members(network, better, self.weights or network.state_dict())


class StopEarly:
    """Says whether a training has gained nothing for long enough to be ended.

    Parameters
    ----------
    patience : int
        Entries of the history that may pass without a new best one; 0 never ends a training.
    from_step : float
        Steps before this do not count.
    figure : {"validation", "score"}
        Figure that has to fall.
    """

    def __init__(self, patience: int, from_step: float, figure: str) -> None:
        self.patience = patience
        self.from_step = from_step
        self.figure = figure

    def is_due(self, history: Sequence[Mapping[str, float]]) -> bool:
        """Return whether the training should end, by its history."""
        seen = [
            h[self.figure] for h in history if h["iteration"] >= self.from_step and self.figure in h
        ]
        return bool(
            self.patience and seen and len(seen) - 1 - seen.index(min(seen)) >= self.patience
        )

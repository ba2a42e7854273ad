"""Callbacks on their own, with steps made by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from spectrabridge.core.adaptation.callbacks import (
    JudgeMembers,
    KeepBest,
    ShowProgress,
    Step,
    StopEarly,
    WriteCheckpoint,
)
from spectrabridge.core.adaptation.networks.perceptron import AdaptationNetwork, NetworkShape


@pytest.fixture
def network() -> AdaptationNetwork:
    return AdaptationNetwork(NetworkShape(4, 6, 3, 1), [0, 1])


@pytest.fixture
def make_step(network: AdaptationNetwork) -> Any:
    saved: list[Path] = []

    def make(iteration: int, **changes: Any) -> Step:
        figures = {"iteration": float(iteration), "validation": 0.5}
        given = {"figures": figures} | changes
        step = Step(
            iteration,
            100,
            {"cycle": 2.0},
            network=network,
            adapter=lambda: "adapter",  # type: ignore[arg-type, return-value]
            held_out=torch.zeros(3, 4),
            save=saved.append,
            **given,
        )
        return step

    make.saved = saved  # type: ignore[attr-defined]
    return make


def test_progress_shows_losses_and_the_newest_validation(make_step: Any) -> None:
    shown: list[Any] = []
    ShowProgress(lambda *given: shown.append(given)).after_step(make_step(7))
    ShowProgress(lambda *given: shown.append(given)).after_step(make_step(8, figures={}))
    assert shown == [(7, 100, {"cycle": 2.0, "validation": 0.5}), (8, 100, {"cycle": 2.0})]


def test_the_state_is_written_at_the_end_when_stopped_and_when_due(make_step: Any) -> None:
    path = Path("state")
    never = WriteCheckpoint(path, every_seconds=math.inf)
    never.after_step(make_step(1))
    assert make_step.saved == []
    never.after_step(make_step(2, stopping=True))
    never.after_step(make_step(3, last=True))
    assert make_step.saved == [path] * 2
    always = WriteCheckpoint(path, every_seconds=-1.0)
    always.after_step(make_step(4))
    assert make_step.saved == [path] * 3


def test_only_validated_steps_that_are_due_are_judged(make_step: Any) -> None:
    asked: list[Any] = []

    def judge(adapter: Any, observed: torch.Tensor) -> list[float]:
        asked.append((adapter, observed.shape))
        return [1.0, 3.0]

    judging = JudgeMembers(judge, every=10)
    for iteration, validation in ((10, None), (15, torch.ones(2))):
        step = make_step(iteration, validation=validation)
        judging.after_step(step)
        assert step.scores is None and "score" not in step.figures
    step = make_step(20, validation=torch.ones(2))
    judging.after_step(step)
    assert asked == [("adapter", (3, 4))]
    assert step.scores is not None and step.scores.tolist() == [1.0, 3.0]
    assert step.figures["score"] == 1.0
    last = make_step(100, validation=torch.ones(2))
    JudgeMembers(judge, every=33).after_step(last)
    assert last.scores is not None


def test_the_best_weights_of_each_member_are_kept(
    make_step: Any, network: AdaptationNetwork
) -> None:
    best = KeepBest(2, from_step=5, judged=False)
    best.after_step(make_step(4, validation=torch.tensor([0.0, 0.0])))
    assert not best.weights
    name = "write_obs.weight"
    weight = network.state_dict()[name]
    best.after_step(make_step(5, validation=torch.tensor([2.0, 3.0])))
    first = weight.clone()
    with torch.no_grad():
        network.write_obs.weight.add_(1.0)
    best.after_step(make_step(6, validation=torch.tensor([1.0, 4.0])))
    assert best.validation.tolist() == [1.0, 3.0]
    assert torch.equal(best.weights[name][0], first[0] + 1)
    assert torch.equal(best.weights[name][1], first[1])


def test_with_a_judge_its_scores_say_which_are_best(make_step: Any) -> None:
    best = KeepBest(2, from_step=0, judged=True)
    best.after_step(make_step(1, validation=torch.tensor([1.0, 1.0])))
    assert not best.weights
    scores = torch.tensor([-1.0, math.nan])
    best.after_step(make_step(2, validation=torch.tensor([5.0, 5.0]), scores=scores))
    assert best.scores.tolist() == [-1.0, math.inf]
    assert best.validation.tolist() == [5.0, math.inf]


@pytest.mark.parametrize(
    ("patience", "values", "due"),
    [
        (0, [1.0, 2.0, 3.0], False),
        (2, [1.0, 2.0], False),
        (2, [1.0, 2.0, 3.0], True),
        (2, [3.0, 2.0, 1.0], False),
        (1, [], False),
    ],
)
def test_a_run_ends_when_nothing_was_gained(patience: int, values: list[float], due: bool) -> None:
    early = {"iteration": 1.0, "score": -9.0}
    history = [{"iteration": 10.0 + i, "score": v} for i, v in enumerate(values)]
    unjudged = {"iteration": 12.5, "validation": 0.0}
    assert StopEarly(patience, 5, "score").is_due([early, *history, unjudged]) is due

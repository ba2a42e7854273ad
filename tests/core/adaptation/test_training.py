"""Adaptation finds what was hidden, stops and goes on exactly, and refuses bad input."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from spectrabridge.core.adaptation.adapter import Adapter
from spectrabridge.core.adaptation.callbacks import WriteCheckpoint
from spectrabridge.core.adaptation.losses import pseudo_huber, sliced_distance
from spectrabridge.core.adaptation.member_selection import choose_members
from spectrabridge.core.adaptation.networks.perceptron import AdaptationNetwork, NetworkShape
from spectrabridge.core.adaptation.result import TrainingResult
from spectrabridge.core.adaptation.settings import AdaptationTraining
from spectrabridge.core.adaptation.training import AdaptationTrainer
from spectrabridge.core.bundle import Model
from spectrabridge.core.bundle.writing import write_bundle
from spectrabridge.core.domains.mock_lines import (
    mock_domains,
    mock_trainer,
    observe,
    reference_giant,
    synthetic_draws,
)
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.emulator.hidden_lines import Experiment, HiddenLines, hidden_pixels
from spectrabridge.core.errors import TrainingError
from spectrabridge.core.evaluation import score_hidden_lines

from ..conftest import TOY_SURVEY, TOY_TRAINING, StopAt

BRIEF = dataclasses.replace(
    TOY_TRAINING, iterations=40, critics_from=10, critics_full=20, check_every=10, warm_steps=20
)


def _model(emulator: Emulator, experiment: Experiment, result: TrainingResult) -> Model:
    hidden = hidden_pixels(experiment.features, emulator.grid.n_pixels)
    reference = reference_giant(emulator.labels)
    return Model(HiddenLines(emulator, hidden), result.adapter, reference, truth=emulator)


def test_hidden_lines_come_back(
    toy_emulator: Emulator, toy_experiment: Experiment, toy_adaptation: TrainingResult
) -> None:
    model = _model(toy_emulator, toy_experiment, toy_adaptation)
    scores = score_hidden_lines(model, toy_experiment.features, n_stars=300)
    assert scores["masked_r2"] > 0.9
    assert scores["unmasked_r2"] > 0.9
    assert scores["gap_ratio"] < 0.3
    assert len(scores["members"]) == 2
    # Derivatives are tested on the shipped bundle: the toy's elements are alike, so that nothing
    # but their labels tells them apart.


def test_the_ensemble_beats_its_members(
    toy_emulator: Emulator, toy_experiment: Experiment, toy_adaptation: TrainingResult
) -> None:
    model = _model(toy_emulator, toy_experiment, toy_adaptation)
    scores = score_hidden_lines(model, toy_experiment.features, n_stars=300)
    mean = sum(m["masked_r2"] for m in scores["members"]) / 2
    assert scores["masked_r2"] > mean


def test_an_untrained_network_does_not_pass(
    toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    trainer = mock_trainer(toy_emulator, toy_experiment.features, BRIEF, TOY_SURVEY)
    model = _model(toy_emulator, toy_experiment, TrainingResult(trainer.adapter()))
    scores = score_hidden_lines(model, toy_experiment.features, n_stars=300)
    # It shifts means and does nothing else.
    assert scores["masked_r2"] < 0.8


def test_stopping_and_going_on_changes_nothing(
    tmp_path: Path, toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    def trainer() -> AdaptationTrainer:
        return mock_trainer(toy_emulator, toy_experiment.features, BRIEF, TOY_SURVEY)

    whole = trainer().run()
    stopped, path = trainer(), tmp_path / "state.safetensors"

    with pytest.raises(KeyboardInterrupt):
        stopped.run([StopAt(17), WriteCheckpoint(path)])
    later = trainer()
    later.resume(path)
    assert later.iteration == 17
    resumed = later.run()
    assert resumed.history == whole.history
    ours, theirs = resumed.adapter.tensors(), whole.adapter.tensors()
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)


def test_checkpoints_of_other_runs_are_refused(
    tmp_path: Path, toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    features, path = toy_experiment.features, tmp_path / "state.safetensors"
    short = dataclasses.replace(BRIEF, iterations=12)
    mock_trainer(toy_emulator, features, short, TOY_SURVEY).run([WriteCheckpoint(path)])
    other = dataclasses.replace(short, hidden=48)
    with pytest.raises(TrainingError, match="other settings \\(hidden\\)"):
        mock_trainer(toy_emulator, features, other, TOY_SURVEY).resume(path)
    survey = dataclasses.replace(TOY_SURVEY, seed=9)
    with pytest.raises(TrainingError, match="other spectra"):
        mock_trainer(toy_emulator, features, short, survey).resume(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="cannot be read"):
        mock_trainer(toy_emulator, features, short, TOY_SURVEY).resume(path)


def test_early_stop_ends_a_run_that_gains_nothing(
    toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    training = dataclasses.replace(
        BRIEF, iterations=200, check_every=5, patience=2, learning_rate=1e-9, critics_full=11
    )
    result = mock_trainer(toy_emulator, toy_experiment.features, training, TOY_SURVEY).run()
    assert result.stopped_early
    assert result.iterations < 200


def test_synthetic_spectra_are_drawn_throughout(
    toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    draw = synthetic_draws(toy_emulator, toy_experiment.features)
    asked: list[int] = []

    def counting(n: int, generator: torch.Generator) -> torch.Tensor:
        asked.append(n)
        return draw(n, generator)

    observed = observe(toy_emulator, TOY_SURVEY)
    kept = observed.clone()
    AdaptationTrainer(counting, observed, 0.01, dataclasses.replace(BRIEF, iterations=10)).run()
    assert asked[0] == BRIEF.pool
    assert asked[2:] == [BRIEF.refresh] * 10
    assert torch.equal(observed, kept)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:20], "at least 74 observed spectra"),
        (lambda x: x[0].expand_as(x), "All observed spectra are the same"),
        (lambda x: torch.where(torch.arange(len(x))[:, None] == 3, torch.nan, x), "row 3"),
        (lambda x: x[:, :100], "640 pixels, observed ones 100"),
        (lambda x: x[0], "shape \\(n_stars, n_pixels\\)"),
    ],
)
def test_unusable_observations_are_refused_before_training(
    toy_emulator: Emulator, toy_experiment: Experiment, change, message: str
) -> None:
    draw = synthetic_draws(toy_emulator, toy_experiment.features)
    observed = change(observe(toy_emulator, TOY_SURVEY))
    with pytest.raises(TrainingError, match=message):
        AdaptationTrainer(draw, observed, 0.01, BRIEF)


def test_members_do_not_mix() -> None:
    network = AdaptationNetwork(NetworkShape(8, 16, 4, 1), [3, 4, 5])
    alone = AdaptationNetwork(NetworkShape(8, 16, 4, 1), [4])
    c = torch.randn(6, 8)
    assert torch.allclose(network.encode_synth(c)[1], alone.encode_synth(c)[0], atol=1e-6)
    before = network.encode_synth(c).clone()
    with torch.no_grad():
        network.read_synth.layers[0].weight[0].zero_()
    after = network.encode_synth(c)
    assert torch.equal(before[1:], after[1:])
    assert not torch.equal(before[0], after[0])


def test_losses_and_distances() -> None:
    a, w = torch.randn(2, 300, 5), torch.ones(5)
    assert pseudo_huber(a, a, w) == 0
    far = pseudo_huber(a, a + 100, w)
    assert 190 < far < 201  # linear, not quadratic, and summed over two members
    order = torch.randperm(300)
    assert sliced_distance(a, a[:, order], w).max() < 1e-6
    assert sliced_distance(a, a + 1, w).min() > 0.1


def test_defaults_have_one_seed_per_member() -> None:
    assert AdaptationTraining(members=3, seed=5).seeds() == [5, 6, 7]


def test_without_split_latents_the_basis_trains_is_stored_and_goes_on(
    tmp_path: Path, toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    training = dataclasses.replace(BRIEF, n_split=0, iterations=20)
    trainer = mock_trainer(toy_emulator, toy_experiment.features, training, TOY_SURVEY)
    result = trainer.run([WriteCheckpoint(tmp_path / "state")])
    again = mock_trainer(toy_emulator, toy_experiment.features, training, TOY_SURVEY)
    again.resume(tmp_path / "state")
    adapter = result.adapter
    assert adapter.n_split == 0
    flux = trainer.synth.decode(trainer.synthetic_held_out[:3])
    assert torch.equal(again.adapter().adapt(flux), adapter.adapt(flux))
    rebuilt = Adapter.rebuild(adapter.description(), adapter.tensors())
    assert torch.equal(rebuilt.adapt(flux), adapter.adapt(flux))
    split = adapter.encode_observed(flux)[1]
    assert split.shape == (3, 0)
    assert torch.isfinite(adapter.adapt(flux, split)).all()
    bundle = write_bundle(
        tmp_path / "bundle",
        name="no-split",
        title="A toy",
        description="No split latents.",
        emulator=toy_emulator,
        adapter=adapter,
        reference=reference_giant(toy_emulator.labels),
    )
    assert bundle.model.n_split == 0


def test_checkpoints_of_earlier_versions_go_on(
    tmp_path: Path, toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    """Settings that a checkpoint does not name have their defaults."""
    path = tmp_path / "state"
    short = dataclasses.replace(BRIEF, iterations=12)
    mock_trainer(toy_emulator, toy_experiment.features, short, TOY_SURVEY).run(
        [WriteCheckpoint(path)]
    )
    with safe_open(str(path), "pt") as file:
        state = json.loads(file.metadata()["state"])
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    for name in ("backbone", "conv", "schedule", "bf16"):
        del state["training"][name]
    save_file(tensors, path, metadata={"state": json.dumps(state)})
    later = mock_trainer(toy_emulator, toy_experiment.features, short, TOY_SURVEY)
    later.resume(path)
    assert later.iteration == 12


def test_damaged_checkpoints_are_said_with_file_and_key(
    tmp_path: Path, toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    path = tmp_path / "state"
    short = dataclasses.replace(BRIEF, iterations=6)
    mock_trainer(toy_emulator, toy_experiment.features, short, TOY_SURVEY).run(
        [WriteCheckpoint(path)]
    )
    with safe_open(str(path), "pt") as file:
        whole = json.loads(file.metadata()["state"])
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    pool = {k: v for k, v in tensors.items() if k != "pool"}
    for parts, state, words in (
        (tensors, [], "expected an object"),
        (tensors, {k: v for k, v in whole.items() if k != "iteration"}, "iteration is missing"),
        (tensors, whole | {"iteration": 10**30}, "iteration: expected a whole number"),
        (tensors, whole | {"seconds": math.nan}, "seconds: expected a finite number"),
        (tensors, whole | {"history": [{"cycle": "x"}]}, r"history\[0\]\.cycle: expected a num"),
        (tensors, whole | {"training": None}, "training: expected an object"),
        (tensors, whole | {"best_values": ["x"]}, r"best_values\[0\]: expected a number"),
        (tensors, whole | {"schema": 9}, "layout version 9"),
        (pool, whole, "cannot be read as a checkpoint of this training"),
        (tensors | {"pool": torch.zeros(3)}, whole, "cannot be read as a checkpoint of this"),
    ):
        save_file(parts, path, metadata={"state": json.dumps(state)})
        trainer = mock_trainer(toy_emulator, toy_experiment.features, short, TOY_SURVEY)
        with pytest.raises(TrainingError, match=words) as caught:
            trainer.resume(path)
        assert str(path) in str(caught.value)
        assert "elete it to start anew" in str(caught.value) or "Update" in str(caught.value)
    save_file(tensors, path, metadata={"state": "[" * 100_000})
    with pytest.raises(TrainingError, match="nested more than"):
        trainer.resume(path)


def test_figures_of_the_ensemble_are_medians_of_its_members(
    toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    trainer = mock_trainer(toy_emulator, toy_experiment.features, BRIEF, TOY_SURVEY)
    each, middle = trainer.validate_members(), trainer.validate()
    assert all(v.shape == (2,) for v in each.values())
    assert middle == {k: pytest.approx(float(v.median())) for k, v in each.items()}


def test_a_member_that_ran_away_is_taken_from_when_it_was_best(
    toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    trainer = mock_trainer(toy_emulator, toy_experiment.features, BRIEF, TOY_SURVEY)
    trainer.run()
    before = {k: v.clone() for k, v in trainer.network.state_dict().items()}
    with torch.no_grad():
        for value in trainer.network.parameters():
            value[1] *= 30
            value[0] *= 1.001
    trainer.validate()
    after = trainer.adapter().network.state_dict()
    for name, value in after.items():
        assert torch.equal(value[1], before[name][1]), name
        assert torch.equal(value[0], trainer.network.state_dict()[name][0]), name


# ---------------------------------------------------------------------- a judge


class Judge:
    """Says what it was told to, once for every judgement, and remembers what it was shown."""

    def __init__(self, *scores: list[float]) -> None:
        self.scores = list(scores)
        self.shown: list[tuple[dict[str, torch.Tensor], torch.Tensor]] = []

    def __call__(self, adapter: Adapter, observed: torch.Tensor) -> list[float]:
        self.shown.append((adapter.tensors(), observed))
        return self.scores[min(len(self.shown), len(self.scores)) - 1]


def _judged(
    emulator: Emulator, experiment: Experiment, judge: Judge, **changes: Any
) -> AdaptationTrainer:
    training = dataclasses.replace(BRIEF, members=3, judge_every=10, **changes)
    domains = mock_domains(emulator, experiment, TOY_SURVEY)
    return domains.trainer(training, judge=judge)


def test_members_that_failed_are_left_out(
    toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    judge = Judge([-1.0, 0.0, -1.2])
    trainer = _judged(toy_emulator, toy_experiment, judge)
    result = trainer.run()
    assert result.scores == [-1.0, 0.0, -1.2]
    assert result.kept == [0, 2]
    assert result.adapter.network.seeds == [0, 2]
    assert [h["score"] for h in result.history] == pytest.approx([-1.0] * 4)
    # What is left are the same networks, and the judge saw stars that no training sees.
    flux = toy_emulator(torch.tensor(reference_giant(toy_emulator.labels)[None]).float())
    whole = trainer.adapter().adapt_members(flux)
    assert torch.allclose(result.adapter.adapt_members(flux), whole[[0, 2]], atol=1e-6)
    assert all(len(seen) == BRIEF.validation for _, seen in judge.shown)


def test_the_best_are_kept(toy_emulator: Emulator, toy_experiment: Experiment) -> None:
    judge = Judge([-1.0, -1.3, -1.2])
    result = _judged(toy_emulator, toy_experiment, judge, keep=1).run()
    assert result.kept == [1] and result.adapter.n_members == 1
    with pytest.raises(TrainingError, match="keep must be from 0 to the number of members, 3"):
        _judged(toy_emulator, toy_experiment, judge, keep=4)


def test_the_judge_ends_a_run_that_gets_worse(
    toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    """Judged at 10, 20, 30 and so on; what counts starts at 1.5 * 11."""
    judge = Judge([-9.0] * 3, [-1.0] * 3, [-2.0] * 3, [-1.5] * 3, [-1.4] * 3)
    trainer = _judged(
        toy_emulator, toy_experiment, judge, iterations=200, critics_full=11, patience=2
    )
    result = trainer.run()
    assert result.stopped_early and result.iterations == 50
    best, last = judge.shown[2][0], judge.shown[4][0]
    ours = result.adapter.tensors()
    name = "network.write_obs.weight"
    assert torch.equal(ours[name], best[name]) and not torch.equal(ours[name], last[name])


def test_judged_runs_go_on_where_they_stopped(
    tmp_path: Path, toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    def trainer() -> AdaptationTrainer:
        # The first judgement that counts is the best: its weights have to survive the stop.
        judge = Judge([-3.0] * 3) if path.exists() else Judge([0.0] * 3, [-3.0] * 3, [0.0] * 3)
        return _judged(
            toy_emulator, toy_experiment, judge, critics_full=11, patience=1, iterations=30
        )

    path = tmp_path / "state.safetensors"
    stopped = trainer()

    with pytest.raises(KeyboardInterrupt):
        stopped.run([StopAt(24), WriteCheckpoint(path)])
    later = trainer()
    later.resume(path)
    assert later.judging is not None
    later.judging.judge = Judge([0.0] * 3)
    assert later.run().stopped_early


def test_hardly_any_spectra_are_not_judged(
    toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    judge = Judge([0.0] * 3)
    training = dataclasses.replace(BRIEF, members=3, iterations=10, n_basis=8)
    few = dataclasses.replace(TOY_SURVEY, n_stars=90)
    result = mock_domains(toy_emulator, toy_experiment, few).trainer(training, judge=judge).run()
    assert result.kept == [0, 1, 2] and result.scores == [] and judge.shown == []


@pytest.mark.parametrize(
    ("scores", "keep", "kept"),
    [
        ([-1.0, -1.1, -0.9], 0, [0, 1, 2]),
        ([-1.0, -1.1, -0.2], 0, [0, 1]),
        ([0.1, -1.1, -1.2, 2.0, -1.0], 0, [1, 2, 4]),
        ([-1.0, -1.1, -0.9], 2, [0, 1]),
        ([math.nan, -1.1, -0.9], 0, [1, 2]),
        ([math.nan, math.nan], 0, [0, 1]),
        ([0.3], 0, [0]),
    ],
)
def test_members_are_chosen_by_their_scores(
    scores: list[float], keep: int, kept: list[int]
) -> None:
    assert choose_members(scores, keep) == kept


# ---------------------------------------------------------------------- training further


def test_networks_are_trained_further(toy_emulator: Emulator, toy_experiment: Experiment) -> None:
    domains = mock_domains(toy_emulator, toy_experiment, TOY_SURVEY)
    first = domains.trainer(BRIEF).run().adapter.select([1])
    further = dataclasses.replace(
        BRIEF, members=1, seed=1, iterations=5, critics_from=0, critics_full=2, check_every=5
    )
    trainer = domains.trainer(further, start=first)
    ours, theirs = trainer.adapter().tensors(), first.tensors()
    weights = [k for k in theirs if not k.startswith("split")]
    assert all(torch.equal(ours[k], theirs[k]) for k in weights)
    later = trainer.run().adapter
    assert later.network.seeds == [1]
    assert torch.equal(later.obs.components, first.obs.components)
    last = "network.write_obs.weight"
    assert not torch.equal(later.tensors()[last], theirs[last])
    mean_square = [
        float((a.adapt(f) - domains.truth(y)).square().mean())  # type: ignore[misc]
        for y in [domains.draw_labels(100, torch.Generator().manual_seed(8))]
        for f in [domains.synthetic(y)]
        for a in (first, later)
    ]
    # Starting anew, five steps would only have shifted means.
    assert mean_square[1] < 1.2 * mean_square[0]


def test_networks_trained_further_may_get_new_components(
    toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    domains = mock_domains(toy_emulator, toy_experiment, TOY_SURVEY)
    first = domains.trainer(BRIEF).run().adapter
    # Other spectra: half of the observed stars.
    fewer = dataclasses.replace(domains, observed=domains.observed[::2])
    start = fewer.trainer(dataclasses.replace(BRIEF, refit=True), start=first).adapter()
    assert not torch.equal(start.obs.components, first.obs.components)
    flux = domains.draw(50, torch.Generator().manual_seed(8))
    apart = (start.adapt(flux) - first.adapt(flux)).square().mean().sqrt()  # type: ignore[operator]
    moved = (first.adapt(flux) - flux).square().mean().sqrt()  # type: ignore[operator]
    assert apart < 0.2 * moved


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": 48}, "hidden=48"),
        ({"members": 3}, "There are 2 networks to train further, and the settings ask for 3"),
    ],
)
def test_only_the_same_networks_are_trained_further(
    toy_emulator: Emulator, toy_experiment: Experiment, changes: dict[str, Any], message: str
) -> None:
    domains = mock_domains(toy_emulator, toy_experiment, TOY_SURVEY)
    start = domains.trainer(BRIEF).adapter()
    with pytest.raises(TrainingError, match=message):
        domains.trainer(dataclasses.replace(BRIEF, **changes), start=start)

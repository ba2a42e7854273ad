"""Losses between sets that are not paired."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from spectrabridge.core.adaptation.losses import (
    critics_say,
    member_huber,
    sliced_square,
    sliced_square_unbiased,
)
from spectrabridge.core.adaptation.networks.two_domain import Passes
from spectrabridge.core.adaptation.objective import Spaces, network_losses
from spectrabridge.core.adaptation.representation import Batch
from spectrabridge.core.adaptation.training import AdaptationTrainer
from spectrabridge.core.domains.mock_lines import mock_trainer
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.emulator.hidden_lines import Experiment

from ..conftest import TOY_SURVEY, TOY_TRAINING

K = 6


def normal(*size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


DIRECTIONS = normal(K, 400, seed=9)


def test_the_order_of_a_set_does_not_matter() -> None:
    a, b = normal(3, 200, K), normal(3, 200, K, seed=1)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(2))
    assert sliced_square(a, a[:, order], DIRECTIONS).max() < 1e-10
    assert torch.allclose(
        sliced_square(a[:, order], b, DIRECTIONS), sliced_square(a, b, DIRECTIONS), rtol=1e-4
    )


def test_the_distance_is_symmetric_and_positive() -> None:
    a, b = normal(3, 200, K), 0.5 + 2 * normal(3, 200, K, seed=1)
    there, back = sliced_square(a, b, DIRECTIONS), sliced_square(b, a, DIRECTIONS)
    assert torch.allclose(there, back)
    assert (there > 0.1).all()


@pytest.mark.parametrize("shift", [0.01, 0.3, 5.0])
def test_a_shift_costs_its_square_shared_among_directions(shift: float) -> None:
    """A random unit vector in k dimensions sees 1/k of the square of any shift."""
    a = normal(2, 100, K)
    b = a.clone()
    b[..., 2] += shift
    found = sliced_square(a, b, DIRECTIONS)
    assert torch.allclose(found, torch.full((2,), shift**2 / K), rtol=0.2)


def test_the_length_of_directions_does_not_matter() -> None:
    a, b = normal(2, 100, K), normal(2, 100, K, seed=1)
    length = torch.linspace(0.1, 30, 400)
    assert torch.allclose(
        sliced_square(a, b, length * DIRECTIONS), sliced_square(a, b, DIRECTIONS), rtol=1e-4
    )


def test_members_are_compared_with_themselves() -> None:
    a = torch.stack([normal(100, K), normal(100, K, seed=1)])
    b = torch.stack([normal(100, K), normal(100, K, seed=1) + 3])
    same, shifted = sliced_square(a, b, DIRECTIONS)
    assert same == 0
    assert shifted > 1


def test_a_difference_in_spread_is_seen() -> None:
    a = normal(1, 4000, K)
    # Quantiles of N(0, 1) and N(0, 4) are apart by those of N(0, 1).
    assert sliced_square(a, 2 * a, DIRECTIONS).item() == pytest.approx(1, rel=0.1)


def test_the_gradient_moves_a_mean_towards_the_other_set() -> None:
    a, b = normal(1, 300, K), normal(1, 300, K, seed=1) + 2
    offset = torch.zeros(K, requires_grad=True)
    sliced_square(a + offset, b, DIRECTIONS).sum().backward()
    assert offset.grad is not None
    assert (offset.grad < 0).all()
    # One Newton step: the second derivative of shift**2 / k is 2 / k.
    moved = a - K / 2 * offset.grad
    apart = (moved - b).mean((0, 1)).norm()
    assert apart < 0.3 * (a - b).mean((0, 1)).norm()


def test_critics_and_robust_distances_are_sums_and_members() -> None:
    a, b, w = normal(3, 50, K), normal(3, 50, K, seed=1), torch.ones(K)
    each = member_huber(a, b, w)
    assert each.shape == (3,)
    assert each[1] == member_huber(a[1:2], b[1:2], w)[0]
    logits = torch.full((3, 8, 1), 4.0)
    assert critics_say(logits, True) < 0.1
    assert critics_say(logits, False) == pytest.approx(3 * 4.018, rel=1e-3)


# ---------------------------------------------------------------------- in training

BRIEF = dataclasses.replace(
    TOY_TRAINING,
    iterations=10,
    n_basis=16,
    n_matched=8,
    match_from=5,
    warm_start=False,
    adversarial=False,
    matching_weight=2.0,
)


@pytest.fixture(scope="module")
def trainer(toy_emulator: Emulator, toy_experiment: Experiment) -> AdaptationTrainer:
    survey = dataclasses.replace(TOY_SURVEY, n_stars=400)
    return mock_trainer(toy_emulator, toy_experiment.features, BRIEF, survey)


def shifted(r: Passes, **shift: torch.Tensor | float) -> Passes:
    return dataclasses.replace(r, **{k: getattr(r, k) + v for k, v in shift.items()})


def _losses(
    trainer: AdaptationTrainer, r: Passes, batch: Batch
) -> dict[str, tuple[float, torch.Tensor]]:
    spaces = Spaces.of(trainer.synth, trainer.obs)
    directions = torch.Generator().manual_seed(3)
    return network_losses(
        trainer.training,
        trainer.iteration,
        r,
        batch,
        spaces,
        trainer.optimisation.critics,
        directions,
    )


def test_matching_enters_at_its_step_with_its_weight(trainer: AdaptationTrainer) -> None:
    batch = trainer.batch()
    r = trainer.optimisation.passes(batch.s, batch.o)
    assert trainer.iteration == 0
    assert "matching" not in _losses(trainer, r, batch)
    trainer.iteration = 5
    try:
        weight, value = _losses(trainer, r, batch)["matching"]
        # It grows to its weight over as many steps as the warm start takes.
        first = 2.0 * 8 / BRIEF.warm_steps
        assert weight == pytest.approx(first * min(BRIEF.warm_steps, 6 - BRIEF.match_from))
        assert value > 0
        trainer.iteration = BRIEF.match_from + BRIEF.warm_steps
        assert _losses(trainer, r, batch)["matching"][0] == 2.0 * 8
        trainer.training = dataclasses.replace(BRIEF, matching_weight=0.0)
        assert "matching" not in _losses(trainer, r, batch)
    finally:
        trainer.training, trainer.iteration = BRIEF, 0


def test_matching_sees_leading_components_of_translations(trainer: AdaptationTrainer) -> None:
    batch = trainer.batch()
    r = trainer.optimisation.passes(batch.s, batch.o)
    trainer.iteration = 5
    try:

        def value(passes: Passes) -> float:
            return float(_losses(trainer, passes, batch)["matching"][1].detach())

        same = dataclasses.replace(r, so=r.oo, os=r.ss)
        assert value(same) < 1e-9
        trailing = torch.zeros(16)
        trailing[8:] = 5
        assert value(shifted(same, so=trailing, os=trailing)) < 1e-9
        one = torch.zeros(16)
        one[3] = 2
        for route in ("so", "os"):
            # Two members, 2 squared, an eighth of it along the mean direction.
            assert value(shifted(same, **{route: one})) == pytest.approx(2 * 4 / 8, rel=0.5)
    finally:
        trainer.iteration = 0


def test_matching_moves_translations_and_no_reconstruction(trainer: AdaptationTrainer) -> None:
    batch = trainer.batch()
    plain = trainer.optimisation.passes(batch.s, batch.o)
    names = ("so", "os", "oo", "ss")
    r = dataclasses.replace(
        plain, **{n: getattr(plain, n).detach().requires_grad_(True) for n in names}
    )
    r = dataclasses.replace(r, so=(plain.so.detach() - 2).requires_grad_(True))
    trainer.iteration = 5
    try:
        _losses(trainer, r, batch)["matching"][1].backward()
    finally:
        trainer.iteration = 0
    assert r.so.grad is not None and r.os.grad is not None
    assert r.oo.grad is None and r.ss.grad is None
    # Adapted spectra lie too low in every component: their leading means are raised.
    pull, missing = -r.so.grad.mean((0, 1))[:8], (r.oo - r.so).detach().mean((0, 1))[:8]
    assert torch.cosine_similarity(pull, missing, 0) > 0.8
    assert (r.so.grad[..., 8:] == 0).all()


def heavy_tailed(*size: int, seed: int) -> torch.Tensor:
    """Samples of which few are odd, as cool metal-rich giants are."""
    return normal(*size, seed=seed) / (0.3 + normal(*size, seed=seed + 10_000).abs())


@pytest.mark.parametrize(
    ("distance", "shrinks"), [(sliced_square, True), (sliced_square_unbiased, False)]
)
def test_a_right_distribution_stays_as_it_is(distance: Any, shrinks: bool) -> None:
    """Gradient by a common factor, where both sets are samples of one distribution."""
    found = []
    for seed in range(300):
        factor = torch.ones((), requires_grad=True)
        a, b = heavy_tailed(1, 64, K, seed=2 * seed), heavy_tailed(1, 64, K, seed=2 * seed + 1)
        (slope,) = torch.autograd.grad(distance(factor * a, b, DIRECTIONS[:, :40]).sum(), factor)
        found.append(float(slope))
    slopes = torch.tensor(found)
    sigma = float(slopes.mean() / (slopes.std() / len(slopes) ** 0.5))
    assert (sigma > 4) if shrinks else (abs(sigma) < 3)


def test_without_bias_equal_distributions_are_at_no_distance_and_a_shift_counts_in_full() -> None:
    a, b = (normal(1, 20_000, K, seed=s).view(100, 200, K) for s in (1, 2))
    assert sliced_square(a, b, DIRECTIONS).mean() > 0.02
    assert abs(float(sliced_square_unbiased(a, b, DIRECTIONS).mean())) < 0.003
    far = sliced_square_unbiased(a + 1, b, DIRECTIONS).mean()
    assert float(far) == pytest.approx(1, rel=0.1)  # k components moved by 1, seen by 1/k

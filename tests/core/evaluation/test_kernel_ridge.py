"""The closed-form reader learns quadratics, ignores what is constant, and does not cheat."""

from __future__ import annotations

import pytest
import torch

from spectrabridge.core.evaluation.kernel_ridge import (
    QuadraticReader,
    cross_predictions,
    draw_folds,
)


def data(n: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 5, generator=generator)
    y = torch.stack([x[:, 0] * x[:, 1] + 2, 100 * x[:, 2]], 1)
    return x, y


def test_products_of_inputs_are_learnt() -> None:
    x, y = data()
    fresh, truth = data(400)[0][300:], data(400)[1][300:]
    read = QuadraticReader.fit(x, y)(fresh)
    assert (read - truth).std(0) == pytest.approx([0, 0], abs=0.1)


def test_an_input_that_never_varied_does_not_matter_later() -> None:
    x, y = data()
    x[:, 4] = 3
    reader = QuadraticReader.fit(x, y)
    moved = x.clone()
    moved[:, 4] = 1e6
    assert torch.allclose(reader(x), reader(moved))


def test_noise_is_not_predicted_on_what_was_left_out() -> None:
    x, _ = data()
    y = torch.randn(300, 1, generator=torch.Generator().manual_seed(9))
    read = cross_predictions(x, y, draw_folds(300))
    assert 1 - float((read - y).square().sum() / y.square().sum()) < 0.05


def test_folds_have_equal_sizes() -> None:
    assert draw_folds(40, 4).bincount().tolist() == [10] * 4
    assert not torch.equal(draw_folds(40, seed=0), draw_folds(40, seed=1))

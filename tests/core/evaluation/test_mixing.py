"""Mixing has known answers for Gaussians, and tells adapted from emulated spectra."""

from __future__ import annotations

import pytest
import torch

from spectrabridge.core.evaluation import Passages, domain_purity, mixing, two_sample_test
from spectrabridge.core.evaluation.mixing import latent_components


def gaussians(shift: float, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 400, 6, generator=generator)
    return a, scale * b + shift


def test_equal_sets_cannot_be_told_apart() -> None:
    a, b = gaussians(0)
    assert domain_purity(a, b) == pytest.approx(0.5, abs=0.03)
    found = two_sample_test(a, b)
    assert found["auc"] == pytest.approx(0.5, abs=0.06)
    assert found["accuracy"] == pytest.approx(0.5, abs=0.06)


def test_sets_that_are_apart_always_are() -> None:
    a, b = gaussians(8)
    assert domain_purity(a, b) > 0.999
    assert two_sample_test(a, b) == {"accuracy": 1.0, "auc": 1.0}


def test_the_classifier_sees_a_difference_in_width_that_the_means_hide() -> None:
    assert two_sample_test(*gaussians(0, scale=3))["auc"] > 0.95


def test_few_stars_are_no_failure() -> None:
    a, b = gaussians(0)
    assert 0 <= domain_purity(a[:4], b[:4]) <= 1


def test_many_latents_are_reduced() -> None:
    generator = torch.Generator().manual_seed(2)
    a, b = torch.randn(2, 50, 90, generator=generator)
    za, zb = latent_components(a, b, most=10)
    assert za.shape == zb.shape == (50, 10)


def test_adaptation_mixes_the_domains(toy_passages: Passages) -> None:
    found = mixing(toy_passages, toy_passages.emulated)
    assert found["raw"]["auc"] > 0.95
    assert found["adapted"]["purity"] < 0.65 < found["raw"]["purity"]
    assert len(found["adapted"]["members"]) == 2
    # Given the emulated spectra as a wrong truth, the control fails as they do.
    assert found["truth_noisy"]["auc"] > 0.95

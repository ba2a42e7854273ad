"""Every route has the shape it should, and errors are those of the flux."""

from __future__ import annotations

import pytest
import torch

from spectrabridge.core.bundle import Model, Sample
from spectrabridge.core.evaluation import Passages, common_space, reconstruction_errors


def test_shapes_and_contents(toy_model: Model, toy_sample: Sample, toy_passages: Passages) -> None:
    p, k = toy_passages, toy_model.adapter.obs.n_basis
    assert p.n_stars == 300 and p.n_members == 2
    assert p.emulated.shape == p.observed.shape == (300, k)
    assert p.adapted.shape == p.dressed.shape == p.reconstructed.shape == (2, 300, k)
    assert p.shared_s.shape == p.shared_o.shape
    assert torch.equal(p.observed, toy_sample.observed[:300])
    assert torch.equal(p.observed_labels, toy_sample.observed_labels[:300])
    flux = toy_model.adapt(toy_sample.synthetic_labels[:3])
    assert torch.allclose(p.space.decode(p.adapted.mean(0)[:3]), flux, atol=1e-4)


def test_noise_in_coefficients_is_the_survey_s(toy_passages: Passages) -> None:
    p = toy_passages
    assert p.drawn_to_mean
    drawn = 1 + (p.noise / p.space.scale).square()
    noise = (p.noisy(torch.zeros(4000, p.space.n_basis)) * drawn * p.space.scale).std(0)
    assert noise.mean() == pytest.approx(p.noise, rel=0.02)
    assert not torch.equal(p.noisy(p.emulated, 1), p.noisy(p.emulated, 2))


def test_errors_are_root_mean_squares_of_the_flux(
    toy_passages: Passages, toy_model: Model, toy_sample: Sample
) -> None:
    p = toy_passages
    found = reconstruction_errors(p)
    assert set(found) == {
        "synthetic_reconstruction",
        "observed_reconstruction",
        "synthetic_cycle",
        "observed_cycle",
    }
    difference = p.space.decode(p.reconstructed[0]) - p.space.decode(p.observed)
    flux = float(difference.square().mean().sqrt())
    entry = found["observed_reconstruction"]
    assert entry["members"][0] == pytest.approx(flux, rel=1e-3)
    assert entry["noise"] == pytest.approx(entry["flux"] / toy_sample.noise)


def test_the_space_is_the_adapter_s_own_if_it_has_one(toy_model: Model) -> None:
    assert common_space(toy_model.adapter, torch.ones(4, 640), 0.01) is toy_model.adapter.obs

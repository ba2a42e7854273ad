"""The fit recovers labels of true spectra, and the prior is where it should be."""

from __future__ import annotations

import pytest
import torch

from spectrabridge.core.bundle import Model, Sample
from spectrabridge.core.evaluation import LabelPrior, fit_labels
from spectrabridge.core.labels import APOGEE_LABELS


def strengths(labels: torch.Tensor) -> torch.Tensor:
    """What lines of the toy depend on; heat and abundances alone cannot be told apart."""
    columns = APOGEE_LABELS.columns(("Fe", "Mg", "C"))
    return 0.6 * 2.3026 * labels[:, columns] - (labels[:, :1] - 4700) / 1000


@pytest.fixture(scope="module")
def prior(toy_sample: Sample) -> LabelPrior:
    return LabelPrior.of(toy_sample.synthetic_labels, APOGEE_LABELS)


def test_coordinates_are_the_inverse_of_labels(prior: LabelPrior, toy_sample: Sample) -> None:
    labels = toy_sample.synthetic_labels[:50]
    x = prior.coordinates(labels)
    assert torch.allclose(prior.labels(x), labels, rtol=1e-3, atol=2e-3)
    # The prior is three times as wide, in variance, as the population.
    all_of_them = prior.coordinates(toy_sample.synthetic_labels)
    assert all_of_them.var(0).mean() == pytest.approx(1 / 3, rel=0.1)
    assert all_of_them.mean(0).abs().max() < 0.05


def test_labels_stay_near_their_range(prior: LabelPrior) -> None:
    far = prior.labels(torch.full((1, 25), 100.0))
    assert torch.isfinite(far).all()
    assert far[0, 0] <= 1.5 * APOGEE_LABELS.high[0]


def test_labels_of_true_spectra_are_recovered(
    toy_model: Model, toy_sample: Sample, prior: LabelPrior
) -> None:
    labels = toy_sample.synthetic_labels[:60]
    space = toy_model.adapter.obs
    spectra = space.encode(toy_model.truth(labels))
    model = toy_model.truth_emulator
    assert model is not None
    read = fit_labels(model, space, spectra, prior, sigma=0.003)
    wanted, found = strengths(labels), strengths(read)
    assert ((found - wanted).mean(0).abs() / wanted.std(0)).max() < 0.05
    assert ((found - wanted).std(0) / wanted.std(0)).max() < 0.25
    # With one step it does not: the start is the mean.
    one = fit_labels(model, space, spectra, prior, sigma=0.003, iterations=1)
    assert (strengths(one) - wanted).square().mean() > (found - wanted).square().mean()
    # Started in the solution it stays there.
    again = fit_labels(model, space, spectra, prior, sigma=0.003, iterations=2, start=read)
    assert (strengths(again) - found).std() < 0.1 * found.std()


def test_a_linear_model_is_inverted_exactly(prior: LabelPrior, toy_model: Model) -> None:
    space, generator = toy_model.adapter.obs, torch.Generator().manual_seed(0)
    spread = prior.factor.norm(dim=1)
    slopes = torch.randn(25, space.n_basis, generator=generator) / spread[:, None]

    def model(y: torch.Tensor) -> torch.Tensor:
        y = torch.where(prior.logarithmic, y.log(), y)
        return space.decode((y - prior.centre) @ slopes / space.scale)

    labels = prior.labels(0.3 * torch.randn(20, 25, generator=generator))
    read = fit_labels(model, space, space.encode(model(labels)), prior, sigma=1e-3)
    assert ((read - labels) / spread).abs()[:, ~prior.logarithmic].max() < 0.01

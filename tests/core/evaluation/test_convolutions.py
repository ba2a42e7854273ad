"""Networks on pixels are measured in principal components of their domain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spectrabridge.core.adaptation.settings import SMALL_CONV
from spectrabridge.core.adaptation.spectral_basis import SpectralBasis
from spectrabridge.core.bundle import Model, Sample
from spectrabridge.core.domains.domains import Domains
from spectrabridge.core.domains.mock_lines import reference_giant
from spectrabridge.core.evaluation import evaluate_model, make_passages


@pytest.fixture(scope="module")
def conv(toy_domains: Domains) -> tuple[Model, Sample]:
    training = replace(
        SMALL_CONV, iterations=3, members=1, pool=64, validation=40, batch=4, refresh=2
    )
    adapter = toy_domains.trainer(training).run().adapter
    sample = toy_domains.sample(adapter)
    assert sample is not None
    few = replace(
        sample,
        observed=sample.observed[:120],
        observed_labels=sample.observed_labels[:120],
        synthetic_labels=sample.synthetic_labels[:120],
    )
    reference = reference_giant(toy_domains.emulator.labels)
    return Model(toy_domains.synthetic, adapter, reference, toy_domains.truth), few


def test_routes_are_in_a_basis(conv: tuple[Model, Sample]) -> None:
    model, sample = conv
    passages = make_passages(model.adapter, model.emulator, sample)
    assert isinstance(passages.space, SpectralBasis)
    assert passages.space.n_basis == 40
    assert passages.adapted.shape == (1, 120, 40)
    decoded = model.adapter.obs.decode(
        model.adapter.network.passes(
            model.adapter.synth.encode(model.emulate(sample.synthetic_labels[:4])),
            sample.observed[:4],
        ).oo
    )[0]
    difference = decoded - model.adapter.obs.decode(sample.observed[:4])
    found = passages.errors["observed_reconstruction"][0, :4]
    assert found.tolist() == pytest.approx(difference.square().mean(1).tolist(), rel=1e-3)


def test_everything_can_be_measured(conv: tuple[Model, Sample]) -> None:
    model, sample = conv
    figures = evaluate_model(model, sample, n_stars=50, fit_stars=4)
    assert {"gap_ratio", "label_bias", "mixing", "leakage", "derivative_r2"} <= set(figures)
    assert figures["n_members"] == len(figures["members"]) == 1

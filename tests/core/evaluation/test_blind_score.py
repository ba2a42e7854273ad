"""The score without truth sees a permuted latent space, which likeness does not."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from spectrabridge.core.adaptation.adapter import Adapter
from spectrabridge.core.adaptation.networks.registry import build_network
from spectrabridge.core.adaptation.result import TrainingResult
from spectrabridge.core.bundle import Model, Sample
from spectrabridge.core.domains.domains import Domains
from spectrabridge.core.errors import BundleError
from spectrabridge.core.evaluation import (
    LabelReader,
    Passages,
    judge_of,
    make_passages,
    rank_agreement,
    score_without_truth,
)
from spectrabridge.core.evaluation.blind_score import READ, scores_of

from .conftest import shuffled


@pytest.fixture(scope="module")
def reader(toy_model: Model, toy_sample: Sample, toy_passages: Passages) -> LabelReader:
    population = toy_sample.synthetic_labels
    return LabelReader(toy_passages, toy_model.emulator, toy_model.labels, population)


def test_every_member_gets_every_figure(toy_model: Model, toy_sample: Sample) -> None:
    scores = score_without_truth(toy_model, toy_sample, most=200)
    assert len(scores) == toy_model.n_members
    for score in scores:
        assert 0 < score["label_consistency"] < 1
        assert tuple(score["label_consistency_by_label"]) == READ
        assert score["n_stars"] == 200
    parts = (toy_model.adapter, toy_model.emulator)
    assert score_without_truth(parts, toy_sample, most=200) == scores


def test_permuted_latents_are_found_out(
    toy_model: Model, toy_passages: Passages, reader: LabelReader
) -> None:
    p = toy_passages
    order = shuffled(p.n_stars)
    # The second member gives every star the spectrum of another one.
    permuted = replace(
        p,
        adapted=torch.stack([p.adapted[0], p.adapted[0][order]]),
        dressed=torch.stack([p.dressed[0], p.dressed[0][order]]),
        reconstructed=torch.stack([p.reconstructed[0]] * 2),
        cycle_tolerance=p.cycle_tolerance[[0, 0]],
    )
    good, bad = scores_of(permuted, reader, toy_model.labels)
    assert bad["mismatch"] == pytest.approx(good["mismatch"], rel=1e-4)
    assert bad["label_shift"] == pytest.approx(good["label_shift"], abs=1e-4)
    assert bad["label_consistency"] > 0.8 > good["label_consistency"]
    assert bad["score"] > good["score"]


def test_a_shift_of_all_labels_is_found_out(
    toy_model: Model, toy_passages: Passages, reader: LabelReader
) -> None:
    p = toy_passages
    hot = toy_model.labels.index("teff")
    cool = p.reconstructed[:, reader(p.reconstructed).mean(0)[:, hot] < reader.mean[hot]]
    rows = torch.arange(p.n_stars) % cool.shape[1]
    shifted = scores_of(replace(p, reconstructed=cool[:, rows]), reader, toy_model.labels)
    before = scores_of(p, reader, toy_model.labels)
    assert shifted[0]["label_shift"] > before[0]["label_shift"] + 0.1


def test_a_single_member_cannot_disagree(
    toy_model: Model, toy_passages: Passages, reader: LabelReader
) -> None:
    p = toy_passages
    alone = replace(
        p, adapted=p.adapted[:1], dressed=p.dressed[:1], reconstructed=p.reconstructed[:1]
    )
    (score,) = scores_of(alone, reader, toy_model.labels)
    assert score["disagreement"] == 0
    assert math.isfinite(score["score"])


def test_too_few_stars_are_refused(toy_model: Model, toy_sample: Sample) -> None:
    few = replace(toy_sample, observed=toy_sample.observed[:5])
    with pytest.raises(BundleError, match=r"at least 20 held-out stars.*found 5"):
        make_passages(toy_model.adapter, toy_model.emulator, few)


def test_rank_agreement_is_spearman_s() -> None:
    assert rank_agreement([1, 2, 3], [10, 20, 90]) == pytest.approx(1)
    assert rank_agreement([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert math.isnan(rank_agreement([1, 1], [1, 2]))
    assert math.isnan(rank_agreement([1], [1]))


def test_the_judge_of_a_training_finds_the_network_that_learnt_nothing(
    toy_domains: Domains, toy_adaptation: TrainingResult
) -> None:
    trained = toy_adaptation.adapter
    one = trained.select([0])
    blank = build_network(one.network.shape, [7])
    untrained = Adapter(one.synth, one.obs, blank, one.split_mean, one.split_std)
    assert toy_domains.held_out is not None
    observed = one.obs.encode(toy_domains.held_out.flux)
    judge = judge_of(toy_domains, most=200)
    (good,), (bad,) = judge(one, observed), judge(untrained, observed)
    assert bad > good + 0.5
    assert judge(trained, observed) == judge(trained, observed)
    assert len(judge(trained, observed)) == trained.n_members

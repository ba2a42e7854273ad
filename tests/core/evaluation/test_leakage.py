"""Leakage is about 0 for random latents and about 1 for latents that are labels."""

from __future__ import annotations

from dataclasses import replace

import torch

from spectrabridge.core.evaluation import Passages, label_r_squared, split_leakage
from spectrabridge.core.labels import APOGEE_LABELS


def test_random_latents_tell_nothing_and_labels_everything() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randn(300, 3, generator=generator)
    noise = torch.randn(300, 2, generator=generator)
    assert (label_r_squared(noise, labels) < 0.05).all()
    leaked = torch.stack([noise[:, 0], labels[:, 1]], 1)
    found = label_r_squared(leaked, labels)
    assert found[1] > 0.98
    assert found[0] < 0.1


def test_many_latents_are_reduced_before() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randn(200, 2, generator=generator)
    wide = labels @ torch.randn(2, 300, generator=generator)
    assert (label_r_squared(wide, labels) > 0.95).all()


def test_shared_latents_know_labels_and_split_ones_are_summed_up(toy_passages: Passages) -> None:
    labels = toy_passages.observed_labels
    assert labels is not None
    found = split_leakage(toy_passages, labels, "true labels", APOGEE_LABELS)
    assert found["shared"]["Fe"] > 0.5
    assert found["shared_mean"] > found["split_mean"]
    assert found["split"][found["split_max_label"]] == found["split_max"]
    # What leaks is named.
    p = toy_passages
    told = labels[None, :, :1].expand(p.n_members, -1, -1)
    leaky = replace(p, split_o=told)
    worst = split_leakage(leaky, labels, "true labels", APOGEE_LABELS)
    assert worst["split_max_label"] == "teff"
    assert worst["split_max"] > 0.98


def test_a_network_without_split_latents_leaks_nothing(toy_passages: Passages) -> None:
    bare = replace(toy_passages, split_o=toy_passages.split_o[..., :0])
    found = split_leakage(bare, torch.rand(300, 25), "random numbers", APOGEE_LABELS)
    assert found["split"] == {}
    assert found["split_max"] is None
    assert found["labels_from"] == "random numbers"

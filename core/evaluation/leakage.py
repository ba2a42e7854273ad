"""Whether split latents hold what the shared ones should: the labels of the star.

Split latents are meant for what the simulator lacks: instrument, sky, continuum. Labels
that can be predicted from them have leaked.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..labels.label_set import LabelSet
from .kernel_ridge import cross_predictions, draw_folds
from .mixing import LATENT_DIMENSIONS
from .round_trips import Passages


def label_r_squared(latents: Tensor, labels: Tensor, seed: int = 0) -> Tensor:
    """Return how well labels are predicted from latents, on stars left out.

    Parameters
    ----------
    latents : Tensor, shape ``(n, n_latents)``
        Latents; reduced to principal components if there are many.
    labels : Tensor, shape ``(n, n_labels)``
        Labels.
    seed : int
        Of the folds.

    Returns
    -------
    Tensor, shape ``(n_labels,)``
        R2 by cross-validated quadratic regression: 1 for a perfect prediction, about 0
        by chance, slightly below if anything.
    """
    if latents.shape[1] > LATENT_DIMENSIONS:
        centred = latents - latents.mean(0)
        _, _, v = torch.linalg.svd(centred, full_matrices=False)
        latents = centred @ v[:LATENT_DIMENSIONS].T
    mean, spread = labels.mean(0), labels.std(0).clamp_min(1e-6)
    y = (labels - mean) / spread
    read = cross_predictions(latents, y, draw_folds(len(y), seed=seed))
    return 1 - (read - y).square().sum(0) / y.square().sum(0)


def split_leakage(passages: Passages, labels: Tensor, of: str, names: LabelSet) -> dict[str, Any]:
    """Return what split latents tell of the labels of held-out observed stars.

    Parameters
    ----------
    passages : Passages
        Stars on every route.
    labels : Tensor, shape ``(n_stars, n_labels)``
        Labels of the observed stars.
    of : str
        Where these labels come from, for people.
    names : LabelSet
        What they are.

    Returns
    -------
    dict
        ``split`` and ``shared``: R2 by label from the latents of one member, as a mean
        over members. ``split_max``, ``split_max_label`` and ``split_mean`` sum up the
        former, ``shared_mean`` the latter; ``labels_from`` is `of`. Without a split
        latent space ``split`` is empty and its sums are None.
    """

    def by_label(latents: Tensor) -> dict[str, float]:
        each = torch.stack([label_r_squared(z, labels) for z in latents])
        return dict(zip(names.names, each.mean(0).tolist(), strict=True))

    out: dict[str, Any] = {"labels_from": of, "shared": by_label(passages.shared_o), "split": {}}
    out["shared_mean"] = sum(out["shared"].values()) / len(names)
    out |= {"split_max": None, "split_max_label": None, "split_mean": None}
    if passages.split_o.shape[-1]:
        split = by_label(passages.split_o)
        worst = max(split, key=lambda n: split[n])
        out |= {
            "split": split,
            "split_max": split[worst],
            "split_max_label": worst,
            "split_mean": sum(split.values()) / len(split),
        }
    return out

"""What each part of the method is worth: the same training with one part left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch

from ..adaptation.adapter import Adapter
from ..adaptation.callbacks import ShowProgress
from ..adaptation.settings import AdaptationTraining
from ..bundle.model import Model
from ..domains.domains import Domains
from ..domains.mock_lines import reference_giant
from ..emulator.emulator import in_batches
from ..emulator.hidden_lines import hidden_pixels
from ..errors import TrainingError
from .blind_score import LabelReader, scores_of
from .derivatives import reference_slopes
from .gap import transfer
from .hidden_lines import r_squared
from .label_fidelity import label_fidelity
from .mixing import two_sample_test
from .round_trips import common_space, make_passages

VARIANTS: dict[str, dict[str, Any]] = {
    "full": {},
    "no critics": {"adversarial": False},
    "no warm start": {"warm_start": False},
    "no split latents": {"n_split": 0},
    "no distribution matching": {"matching_weight": 0.0},
    "no linear path": {"linear_path": False},
}
"""Settings that differ from those of the training, by variant."""

TEST_STARS, FIT_STARS = 400, 80
"""Stars on which variants are compared."""

Progress = Callable[[str, int, int, dict[str, float]], None]
"""Called with (variant, step, steps, figures)."""


def train_ablations(
    domains: Domains,
    training: AdaptationTraining,
    *,
    members: int | None = None,
    variants: Iterable[str] = tuple(VARIANTS),
    device: str = "cpu",
    progress: Progress | None = None,
    done: Callable[[dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Train the network with and without its parts, with the same seeds, and compare.

    Parameters
    ----------
    domains : Domains
        The two domains.
    training : AdaptationTraining
        Settings of the full network.
    members : int, optional
        Networks per variant, if not those of `training`.
    variants : iterable of str
        Which of :data:`VARIANTS`, in order.
    device : str
        Where to train.
    progress : callable, optional
        See :data:`Progress`.
    done : callable, optional
        Given every row as soon as it is known.

    Returns
    -------
    list of dict
        One row per variant: ``variant``, ``members``, ``iterations``, ``seconds`` and
        what :func:`score_ablation` gives.

    Raises
    ------
    TrainingError
        If a variant is not known, or the spectra cannot be trained on.
    """
    wanted = list(variants)
    unknown = [v for v in wanted if v not in VARIANTS]
    if unknown:
        raise TrainingError(f"Variants are {', '.join(VARIANTS)}; found {', '.join(unknown)}.")
    base = training if members is None else replace(training, members=members)
    table = []
    known = None
    for variant in wanted:
        trainer = domains.trainer(replace(base, **VARIANTS[variant]), device, representations=known)
        known = trainer.representations

        def show(step: int, total: int, figures: dict[str, float], variant: str = variant) -> None:
            if progress is not None:
                progress(variant, step, total, figures)

        result = trainer.run([ShowProgress(show)])
        row: dict[str, Any] = {
            "variant": variant,
            "members": base.members,
            "iterations": result.iterations,
            "seconds": result.seconds,
        }
        table.append(row | score_ablation(domains, result.adapter))
        if done is not None:
            done(table[-1])
    return table


@torch.no_grad()
def score_ablation(domains: Domains, adapter: Adapter) -> dict[str, Any]:
    """Return the main figures of an adaptation between two domains.

    Parameters
    ----------
    domains : Domains
        The two domains.
    adapter : Adapter
        The adaptation, on the CPU.

    Returns
    -------
    dict
        Where the truth is known ``gap_ratio``, ``derivative_r2``, ``label_bias`` of
        T_eff, log g and iron, and ``masked_r2`` if lines are hidden; with held-out stars
        ``mixing_auc`` (adapted against reconstructed observed spectra) and
        ``score_without_truth``, the mean of the members.
    """
    reference = reference_giant(domains.emulator.labels)
    model = Model(domains.synthetic, adapter, reference, truth=domains.truth)
    sample = domains.sample(adapter)
    out: dict[str, Any] = {}
    if domains.truth is not None and domains.test_labels is not None:
        labels = domains.test_labels[:TEST_STARS]
        exact = domains.test_truth
        flux = in_batches(domains.truth, labels) if exact is None else exact[:TEST_STARS]
        gap = transfer(model, labels, flux)
        out["gap_ratio"] = gap.gap_ratio()
        hidden = None
        if domains.experiment is not None:
            hidden = hidden_pixels(domains.experiment.features, model.grid.n_pixels)
            out["masked_r2"] = r_squared(gap.adapted()[:, hidden], flux[:, hidden])
        out["derivative_r2"] = reference_slopes(model, hidden).r_squared()
        population = labels if sample is None else sample.synthetic_labels
        space = common_space(adapter, flux, 0.0)
        read = label_fidelity(
            model, labels, flux, population, space, n_stars=FIT_STARS, ensemble_only=True
        )
        bias = read.bias(read.ensemble)
        out["label_bias"] = {k: bias[k] for k in ("teff", "logg", "Fe") if k in bias}
    if sample is not None:
        passages = make_passages(adapter, domains.synthetic, sample)
        reader = LabelReader(passages, domains.synthetic, model.labels, sample.synthetic_labels)
        scores = scores_of(passages, reader, model.labels)
        dressed, seen = passages.dressed.mean(0), passages.reconstructed.mean(0)
        out["mixing_auc"] = two_sample_test(dressed, seen)["auc"]
        out["score_without_truth"] = sum(s["score"] for s in scores) / len(scores)
    return out

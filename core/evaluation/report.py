"""One evaluation of a bundle: every measure that what it holds allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from ..bundle.bundle import Bundle
from ..bundle.model import Model
from ..bundle.sample import Sample
from ..emulator.emulator import in_batches
from ..emulator.hidden_lines import Feature, HiddenLines, hidden_pixels
from .blind_score import LabelReader, scores_of
from .cautions import cautions
from .derivatives import reference_slopes, verdicts
from .gap import Transfer, transfer
from .hidden_lines import TEST_SEED, score_hidden_lines
from .label_fidelity import FIT_STARS, LabelFidelity, label_fidelity
from .leakage import split_leakage
from .member_subsets import quartets
from .mixing import mixing
from .reconstruction import reconstruction_errors
from .round_trips import MIN_STARS, Passages, common_space, make_passages
from .truth_stars import KnownStars, known_stars

Say = Callable[[str], None]
PLOTS = "plots"
"""Key of what only figures need: left out of JSON and of bundles."""

READ_BACK = ("teff", "logg", "Fe")
"""Labels of which plots show every star."""


def evaluate_bundle(
    bundle: Bundle,
    *,
    n_stars: int = 1000,
    fit_stars: int = FIT_STARS,
    sigma: float = 0.01,
    seed: int = TEST_SEED,
    progress: Say | None = None,
) -> dict[str, Any]:
    """Measure everything that can be measured of a bundle.

    Parameters
    ----------
    bundle : Bundle
        A bundle whose model is on the CPU.
    n_stars, fit_stars, sigma, seed, progress
        See :func:`evaluate_model`.

    Returns
    -------
    dict
        What :func:`evaluate_model` returns, what the bundle records of its training, and
        ``ablations`` if its stored metrics have them.
    """
    features = None if bundle.experiment is None else bundle.experiment.features
    figures = evaluate_model(
        bundle.model,
        bundle.sample,
        features,
        n_stars=n_stars,
        fit_stars=fit_stars,
        sigma=sigma,
        seed=seed,
        progress=progress,
    )
    out = figures | about(bundle)
    if isinstance(bundle.metrics.get("ablations"), list):
        out["ablations"] = bundle.metrics["ablations"]
    return out


def about(bundle: Bundle) -> dict[str, Any]:
    """Return what identifies a bundle and its training in an evaluation."""
    recorded = ("train_seconds", "train_device", "train_threads")
    out: dict[str, Any] = {k: bundle.provenance.get(k, "not recorded") for k in recorded}
    return out | {"bundle": bundle.name, "fingerprint": bundle.fingerprint}


def evaluate_model(
    model: Model,
    sample: Sample | None = None,
    features: list[Feature] | None = None,
    *,
    n_stars: int = 1000,
    fit_stars: int = FIT_STARS,
    sigma: float = 0.01,
    seed: int = TEST_SEED,
    progress: Say | None = None,
) -> dict[str, Any]:
    """Measure everything that can be measured of a model.

    Parameters
    ----------
    model : Model
        A model on the CPU.
    sample : Sample, optional
        Held-out stars. Without them nothing that concerns observed spectra is measured.
    features : list of Feature, optional
        Features of the experiment, where lines are hidden.
    n_stars : int
        Test stars at most.
    fit_stars : int
        Stars whose labels are read back, at most.
    sigma : float
        Error of the flux per pixel in that fit.
    seed : int
        Of fresh test stars, where the sample has none.
    progress : callable, optional
        Called with what is being measured.

    Returns
    -------
    dict
        JSON, except for ``plots``, which :func:`without_plots` takes away. Always
        ``has_truth``, ``n_members``, ``members`` (one dictionary per network) and
        ``warnings``. With a truth: see ``Transfer.figures`` (``gap_ratio`` and so on),
        ``LabelFidelity.figures``, ``derivative_r2``, ``derivative_correlation``,
        ``element_verdicts``, ``weak_elements`` and, with five members, ``quartets``;
        where lines are hidden also those of ``score_hidden_lines``. With a sample:
        ``reconstruction``, ``mixing``, ``leakage``, and ``score_without_truth``, the mean
        of the members' scores.
    """
    say = progress or (lambda _: None)
    hidden_lines = features is not None and isinstance(model.emulator, HiddenLines)
    out: dict[str, Any] = {"has_truth": model.has_truth, "n_members": model.n_members}
    members: list[dict[str, Any]] = [{} for _ in range(model.n_members)]
    plots: dict[str, Any] = {}
    stars = known_stars(model, sample, n_stars, seed) if model.has_truth else None
    if stars is not None:
        if hidden_lines and features is not None:
            scores = score_hidden_lines(
                model, features, n_stars=n_stars, seed=seed, progress=progress
            )
            _merge(members, scores.pop("members"))
            out |= scores
        found = _against_truth(
            model,
            stars,
            features if hidden_lines else None,
            fit_stars=fit_stars,
            sigma=sigma,
            say=say,
        )
        _merge(members, found.pop("members"))
        plots |= found.pop(PLOTS)
        # Where lines are hidden, the derivatives' figures are those of hidden pixels already.
        out |= found
    if sample is not None and min(len(sample.observed), len(sample.synthetic_labels)) >= (
        MIN_STARS
    ):
        found = _with_sample(model, sample, say)
        _merge(members, found.pop("members"))
        out |= found
    out["members"] = members
    out["warnings"] = cautions(out, model.labels)
    out[PLOTS] = plots
    return out


def without_plots(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return an evaluation without what only figures need: pure JSON."""
    return {k: _finite(v) for k, v in figures.items() if k != PLOTS}


def _finite(value: Any) -> Any:
    """Return the value with numbers that JSON does not know (NaN, infinity) as None."""
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _against_truth(
    model: Model,
    stars: KnownStars,
    features: list[Feature] | None,
    *,
    fit_stars: int,
    sigma: float,
    say: Say,
) -> dict[str, Any]:
    say("transfer")
    gap = transfer(model, stars.labels, stars.flux)
    hidden = None if features is None else hidden_pixels(features, model.grid.n_pixels)
    slopes = None
    out = gap.figures()
    members = out.pop("members")
    if model.labels.elements:
        say("derivatives")
        slopes = reference_slopes(model, hidden)
        found = slopes.figures()
        _merge(members, found.pop("members"))
        judged = verdicts(found["derivative_correlation"])
        out |= found | {
            "element_verdicts": judged,
            "weak_elements": [e for e, v in judged.items() if v != "measured"],
        }
    space = common_space(model.adapter, stars.flux, 0.0)
    fidelity = label_fidelity(
        model,
        stars.labels,
        stars.flux,
        stars.population,
        space,
        n_stars=fit_stars,
        sigma=sigma,
        progress=say,
    )
    out |= fidelity.figures()
    _merge(members, fidelity.member_figures())
    four = quartets(gap, slopes, fidelity, hidden, features)
    if four is not None:
        out["quartets"] = four
    out["members"] = members
    out[PLOTS] = _plots(model, gap, fidelity)
    return out


def _plots(model: Model, gap: Transfer, fidelity: LabelFidelity) -> dict[str, Any]:
    names = [n for n in READ_BACK if n in model.labels]
    columns = model.labels.columns(names)
    return {
        "wavelength": model.grid.wavelength.astype(np.float32),
        "chips": [(c.start, c.stop) for c in model.grid.chips],
        "gap": {k: v.numpy() for k, v in gap.per_pixel().items()},
        "read": {
            name: {
                "true": fidelity.true[:, c].numpy(),
                "adapted": fidelity.ensemble[:, c].numpy(),
            }
            for name, c in zip(names, columns, strict=True)
        },
    }


def _with_sample(model: Model, sample: Sample, say: Say) -> dict[str, Any]:
    say("held-out stars")
    passages = make_passages(model.adapter, model.emulator, sample)
    reader = LabelReader(passages, model.emulator, model.labels, sample.synthetic_labels)
    scores = scores_of(passages, reader, model.labels)
    say("mixing")
    truth = None
    if model.truth_emulator is not None:
        truth = passages.space.encode(in_batches(model.truth_emulator, passages.labels))
    mixed = mixing(passages, truth)
    say("leakage")
    leaked = split_leakage(passages, *_observed_labels(passages, reader), model.labels)
    return {
        "reconstruction": reconstruction_errors(passages),
        "mixing": mixed,
        "leakage": leaked,
        "score_without_truth": sum(s["score"] for s in scores) / len(scores),
        "members": [
            {"without_truth": s, "mixing": m}
            for s, m in zip(scores, mixed["adapted"]["members"], strict=True)
        ],
    }


def _observed_labels(passages: Passages, reader: LabelReader) -> tuple[Tensor, str]:
    """Return labels of the observed stars, and where they come from."""
    if passages.observed_labels is not None:
        return passages.observed_labels, "true labels"
    read = reader(passages.reconstructed).mean(0)
    return read, "labels that an independent reader gives them, for want of true ones"


def _merge(members: list[dict[str, Any]], found: Iterable[Mapping[str, Any]]) -> None:
    for member, more in zip(members, found, strict=True):
        member |= more

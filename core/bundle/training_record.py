"""What a bundle records of its training, as settings for another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_type_hints

from ..adaptation.settings import AdaptationTraining
from ..errors import BundleError
from ..files.typed_json import mapping_of, require_types, said_of
from .bundle import MAIN_FILE, Bundle

SIZES = (
    "backbone",
    "n_basis",
    "hidden",
    "n_shared",
    "n_split",
    "activation",
    "conv",
    "linear_path",
    "split_limit",
)
"""Settings that networks which are trained further have in common with what they were."""


def first_training(bundle: Bundle) -> AdaptationTraining:
    """Return the settings that a bundle was trained with.

    Of networks that were trained further, those of their first training.

    Examples
    --------
    >>> from spectrabridge.core.bundle import open_bundle
    >>> first_training(open_bundle("mock-lines")).backbone
    'basis'
    """
    made: dict[str, Any] = bundle.provenance
    place = "provenance"
    while "started_from" in made:
        place += ".started_from"
        with said_of(f"{bundle.path}: {MAIN_FILE}", BundleError):
            made = mapping_of(made["started_from"], place)
    return _recorded(bundle, made, place)


def _recorded(bundle: Bundle, made: Mapping[str, Any], place: str) -> AdaptationTraining:
    """Return the settings in a part of the provenance, which must be of their types."""
    kinds = {"training": dict[str, Any]}
    with said_of(f"{bundle.path}: {MAIN_FILE}", BundleError):
        training = require_types(made, {}, kinds, place).get("training", {})
        require_types(training, {}, get_type_hints(AdaptationTraining), f"{place}.training")
        return AdaptationTraining.of(training)


def further_training(bundle: Bundle, training: AdaptationTraining) -> AdaptationTraining:
    """Return settings with the sizes, seeds and number of a bundle's networks.

    Parameters
    ----------
    bundle : Bundle
        Holds the networks that are to be trained further.
    training : AdaptationTraining
        All other settings.
    """
    stored = _recorded(bundle, bundle.provenance, "provenance")
    seeds = bundle.model.adapter.network.seeds
    same = {name: getattr(stored, name) for name in SIZES}
    return replace(training, seed=seeds[0], members=len(seeds), **same)


def started_from(bundle: Bundle) -> dict[str, Any]:
    """Return what the provenance of further training keeps of the bundle it began with."""
    told = ("command", "experiment", "training", "train_seconds", "started_from")
    before = {k: bundle.provenance[k] for k in told if k in bundle.provenance}
    return {"fingerprint": bundle.fingerprint, **before}

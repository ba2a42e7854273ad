"""Settings of an adaptation's training, and presets of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..errors import TrainingError
from .networks.conv_shape import ConvLayers, ConvShape
from .networks.perceptron import NetworkShape
from .networks.registry import BACKBONES, Shape

RATE_STEPS = (50_000, 100_000, 150_000, 200_000)
"""Steps at which the rate falls to 0.7 of itself in the paper's configurations."""


def _cosine(step: int, total: int) -> float:
    return min(1.0, (step + 1) / 200) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / total)))


def _steps(step: int, total: int) -> float:
    return float(0.7 ** sum(step >= s for s in RATE_STEPS))


SCHEDULES: dict[str, Callable[[int, int], float]] = {"cosine": _cosine, "steps": _steps}


@dataclass(frozen=True)
class AdaptationTraining:
    """How an adaptation is trained.

    Parameters
    ----------
    iterations : int
        Optimiser steps.
    batch : int
        Spectra per domain and step.
    members : int
        Networks in the ensemble, trained together.
    seed : int
        Members use seeds ``seed``, ``seed + 1``, ...
    n_basis, hidden, n_shared, n_split, activation
        See :class:`~spectrabridge.core.adaptation.networks.perceptron.NetworkShape`, and for the
        last three with the other backbone
        :class:`~spectrabridge.core.adaptation.networks.conv_shape.ConvShape`.
    learning_rate, critic_learning_rate : float
        Peaks; see `schedule`.
    pool : int
        Synthetic spectra held at any time.
    refresh : int
        How many of them are replaced by fresh draws at every step.
    validation : int
        Observed and synthetic spectra kept for the validation figure.
    adversarial : bool
        Whether critics take part.
    warm_start : bool
        Whether pseudo-pairs take part.
    warm_steps : int
        Steps over which the weight of the pseudo-pairs falls to `warm_rest`.
    warm_rest : float
        Weight that pseudo-pairs keep to the end.
    critics_from, critics_full : int
        The adversarial loss enters between these steps.
    adversarial_weight : float
        Its weight in the generators' loss.
    synth_tolerance : float
        Flux error to which synthetic coefficients are held. Only with the basis: pixels
        of synthetic spectra, which have no noise, all weigh the same.
    check_every : int
        Steps between validations.
    patience : int
        Stop after this many validations without a new best, and return that best; 0 never
        stops early. Learning rates fall along a cosine, and the figure hardly moves before
        they are small, so that stopping gains time and loses quality. Validations count
        once critics have had time to settle, from step ``1.5 * critics_full``. With a judge
        (see the trainer), the figure is the judge's score and only judgements count.
    judge_every : int
        Steps between judgements, where there is a judge.
    keep : int
        Members to keep at the end, the best by the judge; 0 keeps all that did not fail.
    backbone : {"basis", "conv"}
        Perceptrons on principal components, with a robust distance in tolerances; or the
        paper's convolutions on pixels, with the mean square over good pixels, weighted by
        relative inverse variance, in units of the domain's spread.
    conv : ConvLayers
        Sizes of the latter.
    centre_pixels : bool
        Whether convolutions see deviations from the domain's mean spectrum, or flux from
        which only one number was taken, as in the paper.
    schedule : {"cosine", "steps"}
        Learning rates warm up over 200 steps and fall along a cosine, or are constant but
        for a factor 0.7 at each of :data:`RATE_STEPS`.
    beta2 : float
        Adam's second moment; the first is 0.5 as in UNIT.
    synth_weight, obs_weight : float
        Weights of each domain's reconstruction and cycle losses.
    critic_weight : float
        Factor on the critics' own loss. Adam makes it nearly void; it is there because
        the paper's configurations name it.
    linear_path, split_limit
        See :class:`~spectrabridge.core.adaptation.networks.perceptron.NetworkShape`; basis only.
    matching_weight : float
        Weight of the sliced distance between adapted and observed, and translated-back
        and synthetic, spectra of a batch in the `n_matched` leading components, from step
        `match_from`, growing to that weight over `warm_steps`; basis only. It makes the
        distributions agree where labels live: as long as the adapted spectra have another
        mean than the observed ones, so have their labels.
    n_matched, match_from : int
        See `matching_weight`.
    unbiased_matching : bool
        Whether the distance is one between distributions or between the batches at hand;
        see :func:`~spectrabridge.core.adaptation.losses.sliced_square_unbiased`.
    refit : bool
        Whether networks that are trained further get new principal components, of the
        spectra at hand; basis only. For domains that have grown since.
    tf32, bf16 : bool
        Let a CUDA device round products to TensorFloat-32, or compute them in bfloat16.
    """

    iterations: int = 4500
    batch: int = 256
    members: int = 4
    seed: int = 0
    n_basis: int = 96
    hidden: int = 256
    n_shared: int = 32
    n_split: int = 2
    activation: str = "silu"
    learning_rate: float = 1e-3
    critic_learning_rate: float = 5e-4
    pool: int = 12_000
    refresh: int = 64
    validation: int = 1000
    adversarial: bool = True
    warm_start: bool = True
    warm_steps: int = 800
    warm_rest: float = 0.1
    critics_from: int = 500
    critics_full: int = 1000
    adversarial_weight: float = 1.0
    synth_tolerance: float = 0.002
    check_every: int = 100
    patience: int = 0
    judge_every: int = 500
    keep: int = 0
    backbone: str = "basis"
    conv: ConvLayers = field(default_factory=ConvLayers)
    centre_pixels: bool = True
    schedule: str = "cosine"
    beta2: float = 0.99
    synth_weight: float = 1.0
    obs_weight: float = 1.0
    critic_weight: float = 1.0
    linear_path: bool = True
    split_limit: float = 3.0
    matching_weight: float = 1.0
    n_matched: int = 24
    match_from: int = 300
    unbiased_matching: bool = False
    refit: bool = False
    tf32: bool = False
    bf16: bool = False

    def __post_init__(self) -> None:
        for name, known in (("backbone", BACKBONES), ("schedule", tuple(SCHEDULES))):
            if getattr(self, name) not in known:
                raise TrainingError(
                    f"{name} must be one of {', '.join(known)}; found {getattr(self, name)!r}."
                )
        if not 0 <= self.keep <= self.members:
            raise TrainingError(
                f"keep must be from 0 to the number of members, {self.members}; found {self.keep}."
            )
        if isinstance(self.conv, Mapping):  # from JSON
            object.__setattr__(self, "conv", ConvLayers.of(self.conv))

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> AdaptationTraining:
        """Return the settings that a bundle records; those that are gone are left out.

        Settings that are newer than the bundle have their defaults.
        """
        known = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in data.items() if k in known})

    def lasting(self, iterations: int) -> AdaptationTraining:
        """Return the same training in another number of steps, its ramps with it.

        Examples
        --------
        >>> AdaptationTraining().lasting(450).critics_full
        100
        """
        part = iterations / self.iterations

        def of(steps: int) -> int:
            return max(1, round(part * steps)) if steps else 0

        return replace(
            self,
            iterations=iterations,
            warm_steps=max(1, of(self.warm_steps)),
            critics_from=of(self.critics_from),
            critics_full=of(self.critics_full),
            match_from=of(self.match_from),
            check_every=max(1, min(self.check_every, iterations)),
        )

    def shape(self, n_pixels: int) -> Shape:
        """Return the sizes of the network for spectra of this many pixels.

        Raises
        ------
        TrainingError
            If no such network can be built.
        """
        if self.backbone == "basis":
            return NetworkShape(
                self.n_basis,
                self.hidden,
                self.n_shared,
                self.n_split,
                self.activation,
                self.linear_path,
                self.split_limit,
            )
        try:
            return ConvShape(n_pixels, self.n_shared, self.n_split, self.activation, self.conv)
        except ValueError as problem:
            raise TrainingError(str(problem)) from problem

    def seeds(self) -> list[int]:
        """Return one seed per member."""
        return [self.seed + i for i in range(self.members)]


PAPER_CONV = AdaptationTraining(
    backbone="conv",
    iterations=500_000,
    batch=8,
    members=1,
    n_shared=25,
    n_split=1,
    activation="leaky_relu",
    learning_rate=1e-4,
    critic_learning_rate=1e-4,
    schedule="steps",
    beta2=0.999,
    centre_pixels=False,
    pool=2000,
    refresh=8,
    validation=200,
    warm_start=False,
    critics_from=0,
    critics_full=0,
    synth_weight=90.0,
    obs_weight=90.0,
    adversarial_weight=1.0,
    critic_weight=1.0,
    linear_path=False,
    matching_weight=0.0,
    check_every=1000,
    patience=0,
)
"""The paper's network and training for the mock experiment.

The loss weights, "90/90/1/1", are read as the authors' public configuration names them
(github.com/teaghan/Cycle_SN, ``new_lines_1.ini``): synthetic domain 90 and observed domain
90, each on reconstruction and on cycle consistency, generators 1, critics 1. Size of the
network, optimiser, batch and rates are those of the same file.
"""

PAPER_CONV_APOGEE = replace(PAPER_CONV, n_split=4, synth_weight=3.0, obs_weight=9.0)
"""The same for real spectra, "3/9/1/1" (``kurucz_to_apogee_1.ini``)."""

SMALL_CONV = replace(
    PAPER_CONV,
    iterations=600,
    batch=32,
    n_shared=8,
    activation="silu",
    learning_rate=2e-3,
    critic_learning_rate=5e-4,
    schedule="cosine",
    beta2=0.99,
    centre_pixels=True,
    pool=1000,
    refresh=16,
    validation=100,
    warm_start=True,
    warm_steps=300,
    critics_from=200,
    critics_full=300,
    check_every=100,
    conv=ConvLayers(
        domain=(8, 16),
        domain_strides=(4, 2),
        shared=(32, 64),
        split=(8, 8),
        latent_strides=(2, 2),
        critic_spectra=(8, 16, 32),
        critic_latents=(16, 32),
    ),
)
"""A small network with what was learnt from the other backbone, for tests and laptops."""

FURTHER = AdaptationTraining(
    iterations=500,
    learning_rate=5e-4,
    warm_steps=1,
    critics_from=100,
    critics_full=150,
    match_from=0,
    unbiased_matching=True,
)
"""Training networks further that were trained already."""

PRESETS = {
    "basis": AdaptationTraining(),
    "basis-further": FURTHER,
    "conv-paper": PAPER_CONV,
    "conv-paper-apogee": PAPER_CONV_APOGEE,
    "conv-small": SMALL_CONV,
}
"""Settings by the names that the command line has for them."""

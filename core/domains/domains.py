"""The two sets of spectra that an adaptation is trained between, with what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..adaptation.adapter import Adapter
from ..adaptation.member_selection import Judge
from ..adaptation.representation import Representations
from ..adaptation.settings import AdaptationTraining
from ..adaptation.training import AdaptationTrainer
from ..bundle.sample import Sample, log_components
from ..emulator.emulator import Emulator, in_batches
from ..emulator.hidden_lines import Experiment, HiddenLines
from ..labels.draws import Draw

N_SAMPLE = 400
"""Stars of each kind kept in a bundle."""

SAMPLE_SEED = 2_000_003
"""Seed of the labels on which bundles are scored; training never uses it."""


@dataclass(frozen=True)
class HeldOut:
    """Observed stars that training does not see.

    Parameters
    ----------
    flux, ivar : Tensor, shape ``(n_stars, n_pixels)``
        As observed.
    labels : Tensor, shape ``(n_stars, n_labels)``, optional
        Their true labels, where known.
    """

    flux: Tensor
    ivar: Tensor | None = None
    labels: Tensor | None = None


@dataclass(frozen=True)
class Domains:
    """A synthetic and an observed domain.

    Parameters
    ----------
    name, title, description : str
        For people.
    emulator : Emulator
        The complete emulator of the simulator.
    synthetic : Emulator or HiddenLines
        What gives synthetic spectra; the emulator itself unless lines are hidden.
    draw_labels : callable
        (number, generator) to labels of the synthetic domain.
    observed : Tensor, shape ``(n_stars, n_pixels)``
        Observed flux.
    noise : float
        Typical 1-sigma error of the observed flux.
    ivar : Tensor, shape ``(n_stars, n_pixels)``, optional
        Inverse variance of the observed flux.
    held_out : HeldOut, optional
        Observed stars that training does not see.
    truth : Emulator, optional
        The noise-free observed domain, where known; may be a learnt approximation if
        `test_truth` has the exact flux.
    test_labels : Tensor, shape ``(n_test, n_labels)``, optional
        Labels of stars in neither set.
    test_truth : Tensor, shape ``(n_test, n_pixels)``, optional
        Their exact noise-free flux, where `truth` is an approximation.
    experiment : Experiment, optional
        Which lines are hidden.
    facts : mapping
        For the provenance; JSON.
    reference : mapping, optional
        Labels that users start from; the paper's K giant if not given.
    notes : tuple of str
        Sentences on what was ignored or assumed when the spectra were read.
    """

    name: str
    title: str
    description: str
    emulator: Emulator
    synthetic: Emulator | HiddenLines
    draw_labels: Draw
    observed: Tensor
    noise: float
    ivar: Tensor | None = None
    held_out: HeldOut | None = None
    truth: Emulator | None = None
    test_labels: Tensor | None = None
    test_truth: Tensor | None = None
    experiment: Experiment | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    reference: Mapping[str, float] | None = None
    notes: tuple[str, ...] = ()

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Return flux ``(n, n_pixels)`` of fresh synthetic stars."""
        return in_batches(self.synthetic, self.draw_labels(n, generator))

    def trainer(
        self,
        training: AdaptationTraining,
        device: str = "cpu",
        judge: Judge | None = None,
        start: Adapter | None = None,
        representations: Representations | None = None,
    ) -> AdaptationTrainer:
        """Return a trainer of the adaptation between the two.

        A judge, such as :func:`~spectrabridge.core.evaluation.blind_score.judge_of` makes,
        says when to stop early and which members to keep. An adaptation to `start` from is
        trained further. The `representations` of another trainer of these domains save
        finding them again.

        Raises
        ------
        TrainingError
            If no training could use the spectra.
        """
        return AdaptationTrainer(
            self.draw,
            self.observed,
            self.noise,
            training,
            ivar=self.ivar,
            device=device,
            judge=judge,
            start=start,
            representations=representations,
        )

    def sample(self, adapter: Adapter) -> Sample | None:
        """Return the stars to keep in a bundle; None without held-out observations."""
        if self.held_out is None:
            return None
        n = N_SAMPLE
        held, generator = self.held_out, torch.Generator().manual_seed(SAMPLE_SEED)
        flux = held.flux[:n]
        # Without inverse variance, that of the noise: what training saw was drawn to the
        # mean by as much.
        ivar = torch.full_like(flux, self.noise**-2) if held.ivar is None else held.ivar[:n]
        truth, test = None, None
        if self.test_labels is not None:
            test = self.test_labels[:n]
        if self.test_truth is not None and self.truth is not None:
            truth = log_components(self.test_truth[:n], self.truth)
        return Sample(
            self.draw_labels(n, generator),
            adapter.obs.encode(flux, ivar),
            None if held.labels is None else held.labels[:n],
            test,
            truth,
            self.noise,
        )

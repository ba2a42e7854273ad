"""Training of the adaptation network: data, steps, validation, checkpoints.

The two sets are never paired. What holds the meaning of the latents in place at the
start are mean-shift pseudo-pairs: a synthetic spectrum shifted by the difference of
the two mean spectra is a first guess of its observed counterpart. Their weight falls
from 1 to a small rest; without them two domains with a large offset can align to a
permuted latent space, with every loss looking well.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import TrainingError
from ..files import understood
from .adapter import Adapter
from .callbacks import SETTLED, Callback, JudgeMembers, KeepBest, Step, StopEarly
from .checkpoint import (
    START_ANEW,
    finite_or_none,
    read_checkpoint,
    require_same_settings,
    require_same_spectra,
    take_like,
    take_part,
    traces,
    with_infinities,
    write_checkpoint,
)
from .input_checks import check_synthetic, check_trainable
from .member_selection import Judge, choose_members, merge_members
from .networks.registry import Network, build_critics, build_network
from .objective import Spaces
from .optimisation import Optimisation
from .precision import matrix_precision, require_cuda_for
from .representation import (
    KINDS,
    Batch,
    Observations,
    Representations,
    coefficients_of,
    slices,
    tensors_of,
)
from .result import TrainingResult
from .settings import AdaptationTraining
from .starting_point import starting_network, starting_representations
from .validation import CONV_SPECTRA_PER_PASS, held_out_figures

RAN_AWAY_FACTOR = 1.5
"""A member whose validation figure is so many times its best is taken from then."""

MIN_JUDGED_SPECTRA = 20
"""Spectra left out of the training without which nothing is judged."""

MAX_CONV_SPLIT_SPECTRA = 500
"""With convolutions: spectra over which the typical split latents are found."""


DrawSynthetic = Callable[[int, torch.Generator], Tensor]
"""A function of (number, generator) that returns fresh synthetic flux (n, n_pixels)."""


class AdaptationTrainer:
    """Trains an adaptation; can stop and go on exactly where it was.

    Parameters
    ----------
    draw_synthetic : callable
        Returns fresh synthetic flux; see :data:`DrawSynthetic`. Called throughout the
        training, so that no synthetic spectrum is seen for long.
    observed : Tensor, shape ``(n_stars, n_pixels)``
        Observed flux. Never changed.
    noise : float
        Typical 1-sigma error of the observed flux per pixel.
    training : AdaptationTraining
        Settings.
    ivar : Tensor, shape ``(n_stars, n_pixels)``, optional
        Inverse variance of the observations, 0 at bad pixels.
    device : str
        Where to train.
    judge : Judge, optional
        Scores members; says when to stop early and which members to keep.
    start : Adapter, optional
        An adaptation between these domains, or similar ones, to train further: weights are
        taken over, and representations unless the training is to refit them. Critics start
        anew, which helps in itself: in a long training they come to know the observed
        stars one by one.
    representations : Representations, optional
        Those of another training between the same domains, whose backbone and number of
        components are the same: saves finding them again.

    Raises
    ------
    TrainingError
        If spectra are too few, constant, not finite, or do not fit each other.
    """

    def __init__(
        self,
        draw_synthetic: DrawSynthetic,
        observed: Tensor,
        noise: float,
        training: AdaptationTraining,
        *,
        ivar: Tensor | None = None,
        device: str = "cpu",
        judge: Judge | None = None,
        start: Adapter | None = None,
        representations: Representations | None = None,
    ) -> None:
        self.training = t = training
        self.device = torch.device(device)
        self._draw = draw_synthetic
        require_cuda_for(self.device, tf32=t.tf32, bf16=t.bf16)
        check_trainable(observed, noise, ivar, t)
        # Draws happen where the emulator lives, always on the CPU generator: the same
        # spectra on every device.
        self._generator = torch.Generator().manual_seed(1_000_003 + t.seed)
        pool = draw_synthetic(t.pool, self._generator)
        n_pixels = observed.shape[1]
        check_synthetic(pool, n_pixels)
        self.representations = starting_representations(
            pool, observed, noise, ivar, t, start=start, known=representations
        )
        synth, obs = self.representations.synth, self.representations.obs
        self.synth, self.obs = synth.to(self.device), obs.to(self.device)
        self._pool = synth.encode(pool).to(self.device)
        self._flux, self._ivar, self._noise = observed, ivar, noise
        self._order = torch.randperm(len(observed), generator=self._generator)
        self._n_valid = min(t.validation, len(observed) // 5)
        self._take_observed()
        fresh = draw_synthetic(self._n_valid, self._generator)
        self.synthetic_held_out = synth.encode(fresh).to(self.device)

        self.network = starting_network(self.representations, t, n_pixels, start).to(self.device)
        self._seeds = self.network.seeds
        critics = build_critics(self.network.shape, t.seeds()).to(self.device)
        self.optimisation = Optimisation(self.network, critics, t, self._generator)
        self.iteration = 0
        self.seconds = 0.0
        self.history: list[dict[str, float]] = []
        self._next_in_pool = 0
        self._stop_requested = False
        self.judging = None
        if judge is not None and self._n_valid >= MIN_JUDGED_SPECTRA:
            self.judging = JudgeMembers(judge, t.judge_every)
        # What counts are figures from after the critics have settled.
        settled = SETTLED * t.critics_full
        self.best = KeepBest(t.members, settled, self.judging is not None)
        figure = "validation" if self.judging is None else "score"
        self.early_stop = StopEarly(t.patience, settled, figure)
        self._validation = torch.zeros(t.members)
        self._traces = traces(observed, pool, ivar, noise)

    def _take_observed(self) -> None:
        """Set the training and validation parts of the observations, and the translations."""
        kept = self.representations.coefficients

        def seen(rows: Tensor) -> Observations:
            return Observations(self.obs, self._flux, self._ivar, rows, self.device, kept)

        first = seen(self._order[: self._n_valid])
        self._observed_valid = first.take(torch.arange(len(first)))
        self.observed_held_out = self._observed_valid[0].cpu()
        self._observed = seen(self._order[self._n_valid :])
        self._spaces = Spaces.of(self.synth, self.obs)

    # ------------------------------------------------------------------ one step

    def batch(self) -> Batch:
        """Return spectra of both domains for one step, some synthetic ones drawn afresh."""
        t = self.training
        if t.refresh:
            fresh = self.synth.encode(self._draw(t.refresh, self._generator).to(self.device))
            where = (self._next_in_pool + torch.arange(t.refresh)) % t.pool
            self._pool[where.to(self.device)] = fresh
            self._next_in_pool = (self._next_in_pool + t.refresh) % t.pool
        size = (t.members, t.batch)
        rows_s = torch.randint(0, len(self._pool), size, generator=self._generator)
        rows_o = torch.randint(0, len(self._observed), size, generator=self._generator)
        o, wo, good = self._observed.take(rows_o)
        return Batch(self._pool[rows_s.to(self.device)], o, self.synth.weight, wo, good)

    # ------------------------------------------------------------------ validation

    @torch.no_grad()
    def validate_members(self) -> dict[str, Tensor]:
        """Return held-out figures that need no truth, of each member, shape ``(M,)``.

        ``cycle_error`` is the distance of spectra from themselves after a round trip
        through the other domain, both ways; ``mismatch`` the sliced distance of adapted
        to observed and of translated-back to synthetic spectra, in units of what a
        deviation costs; ``validation`` their sum.
        """
        held = Batch(
            self.synthetic_held_out,
            self._observed_valid[0],
            self.synth.weight,
            *self._observed_valid[1:],
        )
        return held_out_figures(self.training, self.optimisation.passes, held, self.obs.weight)

    def validate(self) -> dict[str, float]:
        """Return the median over members of :meth:`validate_members`."""
        members = self.validate_members()
        self._validation = members["validation"].cpu()
        return {k: float(v.median()) for k, v in members.items()}

    # ------------------------------------------------------------------ whole run

    def request_stop(self) -> None:
        """Ask a running :meth:`run` to save its state and raise KeyboardInterrupt.

        It does so after the step in progress, so that going on later gives the result
        of an uninterrupted run. Safe to call from a signal handler.
        """
        self._stop_requested = True

    def run(self, callbacks: Iterable[Callback] = ()) -> TrainingResult:
        """Train to the end, or until the figure that counts stops falling.

        Parameters
        ----------
        callbacks : iterable of Callback
            Told about every step, in order; see
            :mod:`spectrabridge.core.adaptation.callbacks`.

        Raises
        ------
        TrainingError
            If the losses stop being finite.
        KeyboardInterrupt
            After :meth:`request_stop`, once the callbacks have been told.
        """
        t, callbacks = self.training, list(callbacks)
        mark = time.perf_counter()
        stopped = self.early_stop.is_due(self.history)
        while self.iteration < t.iterations and not stopped:
            step = self._step()
            if self.iteration % t.check_every == 0 or self.iteration == t.iterations:
                self._validate_step(step)
                stopped = self.early_stop.is_due(self.history)
            now = time.perf_counter()
            self.seconds += now - mark
            mark = now
            step.last = stopped or self.iteration == t.iterations
            step.stopping, self._stop_requested = self._stop_requested, False
            for callback in callbacks:
                callback.after_step(step)
            if step.stopping:
                raise KeyboardInterrupt
        # A whole run ends with small steps and needs no looking back.
        adapter = self.adapter(best=stopped)
        scores: list[float] = []
        if self.judging is not None:
            scores = list(self.judging.judge(adapter, self.observed_held_out))
        kept = choose_members(scores, t.keep) if scores else list(range(t.members))
        if len(kept) < t.members:
            adapter = adapter.select(kept)
        return TrainingResult(
            adapter, list(self.history), self.seconds, self.iteration, stopped, scores, kept
        )

    def _step(self) -> Step:
        """Take one step, and return what callbacks may look at."""
        with matrix_precision(self.device, self.training.tf32):
            losses = self.optimisation.step(self.iteration, self.batch(), self._spaces)
        self.iteration += 1
        if not all(math.isfinite(v) for v in losses.values()):
            raise TrainingError(
                f"A loss stopped being finite at step {self.iteration}: {losses}. "
                "Lower the learning rate, or check the spectra for absurd values."
            )
        return Step(
            self.iteration,
            self.training.iterations,
            losses,
            self.history[-1] if self.history else {},
            self.network,
            self._adapter_now,
            self.observed_held_out,
            self.save,
        )

    def _validate_step(self, step: Step) -> None:
        """Add an entry to the history, judged if there is a judge, and keep the best weights."""
        step.figures = {"iteration": float(self.iteration)} | step.losses | self.validate()
        step.validation = self._validation
        self.history.append(step.figures)
        if self.judging is not None:
            self.judging.after_step(step)
        self.best.after_step(step)

    @torch.no_grad()
    def adapter(self, best: bool = False) -> Adapter:
        """Return the adaptation as it stands, or the best that was validated, on the CPU.

        Members that ran away, now much worse than they once were, are always taken from
        when they were best.
        """
        kept = self.best.weights
        if not kept:
            return self._adapter_now()
        if not best:
            stay = self._validation <= RAN_AWAY_FACTOR * self.best.validation
            kept = merge_members(self.network, stay, kept)
        return self._with_weights(kept)

    def _adapter_now(self) -> Adapter:
        """Return the adaptation as it stands, run-away members and all, on the CPU."""
        return self._with_weights(self.network.state_dict())

    @torch.no_grad()
    def _with_weights(self, state: Mapping[str, Tensor]) -> Adapter:
        network = build_network(self.network.shape, self._seeds)
        network.load_state_dict({k: v.cpu() for k, v in state.items()})
        split = self._typical_split(network)
        # Without split latents there is nothing to take a spread of.
        spread = split.std(1) if split.shape[2] else split.mean(1)
        return Adapter(self.synth.to("cpu"), self.obs.to("cpu"), network, split.mean(1), spread)

    def _typical_split(self, network: Network) -> Tensor:
        """Return split latents ``(M, n_stars, split_size)`` of training spectra."""
        if self.training.backbone == "basis":
            parts = [torch.arange(len(self._observed))]
        else:
            parts = slices(min(MAX_CONV_SPLIT_SPECTRA, len(self._observed)), CONV_SPECTRA_PER_PASS)
        return torch.cat(
            [network.encode_obs(self._observed.take(rows)[0].cpu())[1] for rows in parts], 1
        )

    # ------------------------------------------------------------------ checkpoints

    def save(self, path: str | Path) -> None:
        """Write everything needed to go on; the file is replaced in one step."""
        tensors = {
            "pool": self._pool,
            "synth_valid": self.synthetic_held_out,
            "generator": self._generator.get_state(),
        }
        tensors |= {f"trace.{k}": v for k, v in self._traces.items()}
        tensors |= {f"best.{k}": v for k, v in self.best.weights.items()}
        # Refitted bases may differ in sign from run to run; the weights know only these.
        for domain, basis in (("synth", self.synth), ("obs", self.obs)):
            tensors |= {f"{domain}.{k}": v for k, v in tensors_of(basis).items()}
        tensors |= self.optimisation.tensors()
        state = {
            "training": asdict(self.training),
            "iteration": self.iteration,
            "seconds": self.seconds,
            "history": self.history,
            "next_in_pool": self._next_in_pool,
            "best_values": finite_or_none(self.best.validation),
            "values": self._validation.tolist(),
            "best_scores": finite_or_none(self.best.scores),
        }
        write_checkpoint(path, tensors, state)

    def resume(self, path: str | Path) -> None:
        """Take over the state written by :meth:`save`.

        Raises
        ------
        TrainingError
            If the file cannot be read, or was written with other settings or spectra.
        """
        with understood(path, "a checkpoint of this training", TrainingError, START_ANEW):
            self._take_over(path, *read_checkpoint(path))

    def _take_over(self, path: str | Path, tensors: dict[str, Tensor], state: Any) -> None:
        """Take over a checkpoint, or raise whatever comes of one that does not fit."""
        require_same_settings(path, state["training"], self.training)
        require_same_spectra(path, take_part(tensors, "trace"), self._traces)
        self._pool = take_like(tensors, "pool", self._pool)
        self.synthetic_held_out = take_like(tensors, "synth_valid", self.synthetic_held_out)
        self._generator.set_state(tensors.pop("generator"))
        kind: type[Any] = KINDS[self.training.backbone]
        self.synth = kind(**take_part(tensors, "synth")).to(self.device)
        self.obs = kind(**take_part(tensors, "obs")).to(self.device)
        kept = coefficients_of(self.obs.to(self._flux.device), self._flux, self._ivar, self._noise)
        self.representations = Representations(self.synth, self.obs, kept)
        self._take_observed()
        self.best.weights = {k: v.to(self.device) for k, v in take_part(tensors, "best").items()}
        self.optimisation.restore(tensors)
        self.iteration, self.seconds = int(state["iteration"]), float(state["seconds"])
        self.history, self._next_in_pool = list(state["history"]), int(state["next_in_pool"])
        if "best_values" in state:
            self.best.validation = with_infinities(state["best_values"])
            self._validation = torch.tensor(state["values"])
        if "best_scores" in state:
            self.best.scores = with_infinities(state["best_scores"])

"""Training of the adaptation network: losses, critics, validation, checkpoints.

The two sets are never paired. What holds the meaning of the latents in place at the
start are mean-shift pseudo-pairs: a synthetic spectrum shifted by the difference of
the two mean spectra is a first guess of its observed counterpart. Their weight falls
from 1 to a small rest; without them two domains with a large offset can align to a
permuted latent space, with every loss looking well.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..errors import TrainingError
from .adapter import Adapter
from .checkpoint import (
    read_checkpoint,
    require_same_settings,
    require_same_spectra,
    restore_optimiser,
    take_part,
    tensors_of_optimiser,
    traces,
    write_checkpoint,
)
from .input_checks import check_observed, check_synthetic
from .losses import sliced_distance
from .member_selection import Judge as Judge
from .member_selection import choose_members
from .networks.convolution import ConvNetwork
from .networks.perceptron import AdaptationNetwork, Passes, in_bases
from .networks.registry import Network, build_critics, build_network
from .objective import Spaces, critic_loss, member_distance, network_losses
from .pixel_space import fit_pixels
from .precision import half_precision, matrix_precision, require_cuda_for
from .representation import (
    KINDS,
    Batch,
    Observations,
    Prepared,
    Representation,
    coefficients_of,
    slices,
    tensors_of,
)
from .settings import PAPER_CONV as PAPER_CONV
from .settings import PAPER_CONV_APOGEE as PAPER_CONV_APOGEE
from .settings import SCHEDULES
from .settings import SMALL_CONV as SMALL_CONV
from .settings import AdaptationTraining as AdaptationTraining
from .spectral_basis import SpectralBasis, fit_basis

RAN_AWAY = 1.5
"""A member whose validation figure is so many times its best is taken from then."""

FEWEST_JUDGED = 20
"""Spectra left out of the training without which nothing is judged."""

FEWEST_SPECTRA = 50
"""Observed spectra without which convolutions are not trained."""

VALIDATED_AT_ONCE, MOST_FOR_SPLIT = 50, 500
"""With convolutions: spectra in one pass of the validation, and spectra over which the
typical split latents are found."""


DrawSynthetic = Callable[[int, torch.Generator], Tensor]
"""A function of (number, generator) that returns fresh synthetic flux (n, n_pixels)."""


@dataclass
class TrainingResult:
    """A trained adaptation and how it came about.

    Parameters
    ----------
    adapter : Adapter
        Representations and network, on the CPU.
    history : list of dict
        One entry per validation: ``iteration``, losses, ``validation``.
    seconds : float
        Time spent training, over all interruptions.
    iterations : int
        Steps done.
    stopped_early : bool
        Whether the validation figure ended it.
    scores : list of float
        The judge's score of every member that was trained; empty without a judge.
    kept : list of int
        Numbers of the members that the adapter holds.
    """

    adapter: Adapter
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    iterations: int = 0
    stopped_early: bool = False
    scores: list[float] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)


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
    prepared : Prepared, optional
        That of another training between the same domains, whose backbone and number of
        components are the same: saves finding it again.

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
        prepared: Prepared | None = None,
    ) -> None:
        self.judge = judge
        self.training = training
        self.device = torch.device(device)
        self._draw = draw_synthetic
        t = training
        require_cuda_for(self.device, tf32=t.tf32, bf16=t.bf16)
        self._check(observed, noise, ivar)
        # Draws happen where the emulator lives, always on the CPU generator: the same
        # spectra on every device.
        self._generator = torch.Generator().manual_seed(1_000_003 + t.seed)
        pool = draw_synthetic(t.pool, self._generator)
        check_synthetic(pool, observed.shape[1])
        shape = t.shape(observed.shape[1])
        if start is not None:
            require_like(start, t, observed.shape[1])
            if not t.refit:
                prepared = Prepared(start.synth, start.obs)
            else:
                prepared = Prepared(*self._represent(pool, observed, noise, ivar))
        elif prepared is None:
            prepared = Prepared(*self._represent(pool, observed, noise, ivar))
        synth, obs = prepared.synth, prepared.obs
        if prepared.coefficients is None:
            kept = coefficients_of(obs.to(observed.device), observed, ivar, noise)
            prepared = replace(prepared, coefficients=kept)
        self.prepared = prepared
        self.synth, self.obs = synth.to(self.device), obs.to(self.device)
        self._pool = synth.encode(pool).to(self.device)
        self._flux, self._ivar, self._noise = observed, ivar, noise
        self._order = torch.randperm(len(observed), generator=self._generator)
        self._n_valid = min(t.validation, len(observed) // 5)
        if self._n_valid < FEWEST_JUDGED:
            self.judge = None
        self._take_observed()
        fresh = draw_synthetic(self._n_valid, self._generator)
        self._synth_valid = synth.encode(fresh).to(self.device)

        self._seeds = t.seeds() if start is None else start.network.seeds
        self.network = build_network(shape, self._seeds).to(self.device)
        if start is None:
            self._start_alike()
        else:
            network = start.network
            if t.refit:
                if not isinstance(network, AdaptationNetwork):
                    raise TrainingError(
                        "refit=true finds new principal components, which networks of the conv "
                        "backbone do not have. Train them further without it."
                    )
                before, after = (start.synth, start.obs), (synth, obs)
                network = in_bases(
                    network,
                    cast("tuple[SpectralBasis, SpectralBasis]", before),
                    cast("tuple[SpectralBasis, SpectralBasis]", after),
                )
            self.network.load_state_dict(network.state_dict())
        self.critics = build_critics(shape, t.seeds()).to(self.device)
        betas = (0.5, t.beta2)
        self._opt_g = torch.optim.Adam(
            self.network.parameters(), t.learning_rate, betas, fused=True
        )
        self._opt_d = torch.optim.Adam(
            self.critics.parameters(), t.critic_learning_rate, betas, fused=True
        )
        self.iteration = 0
        self.seconds = 0.0
        self.history: list[dict[str, float]] = []
        self._next_in_pool = 0
        self._stop_requested = False
        # Of each member, or of the only one: its best weights, and how good they were.
        self._best: dict[str, Tensor] = {}
        self._best_values = torch.full((t.members,), math.inf)
        self._values = torch.zeros(t.members)
        self._score = torch.full((t.members,), math.nan)
        self._best_score = torch.full((t.members,), math.inf)
        self._traces = traces(observed, pool, ivar, noise)

    def _check(self, observed: Tensor, noise: float, ivar: Tensor | None) -> None:
        """Refuse observations that this backbone could not be trained on."""
        t = self.training
        basis = t.backbone == "basis"
        if not basis and observed.dim() == 2 and len(observed) < FEWEST_SPECTRA:
            raise TrainingError(
                f"Expected at least {FEWEST_SPECTRA} observed spectra; found {len(observed)}. "
                "Give more spectra."
            )
        check_observed(observed, noise, ivar, t.n_basis if basis else 0)

    def _represent(
        self, pool: Tensor, observed: Tensor, noise: float, ivar: Tensor | None
    ) -> tuple[Representation, Representation]:
        """Return how the networks are to see the synthetic and the observed domain."""
        t = self.training
        if t.backbone == "conv":
            return (
                fit_pixels(pool, noise, centre_pixels=t.centre_pixels),
                fit_pixels(observed, noise, ivar=ivar, centre_pixels=t.centre_pixels),
            )
        return (
            fit_basis(pool, t.synth_tolerance, t.n_basis, seed=t.seed),
            # Half the noise: a coefficient averages many pixels.
            fit_basis(observed, 0.5 * noise, t.n_basis, ivar=ivar, seed=t.seed, sigma=noise),
        )

    def _start_alike(self) -> None:
        """Let both encoders read the same pixels alike; see the networks' `start_alike`."""
        if isinstance(self.network, AdaptationNetwork):
            assert isinstance(self.obs, SpectralBasis) and isinstance(self.synth, SpectralBasis)
            self.network.start_alike(self.obs.change_to(self.synth), self.synth.change_to(self.obs))
        elif isinstance(self.network, ConvNetwork) and self.training.warm_start:
            self.network.start_alike(float(self.obs.scale / self.synth.scale))

    def _take_observed(self) -> None:
        """Set the training and validation parts of the observations, and the translations."""
        kept = self.prepared.coefficients

        def seen(rows: Tensor) -> Observations:
            return Observations(self.obs, self._flux, self._ivar, rows, self.device, kept)

        first = seen(self._order[: self._n_valid])
        self._observed_valid = first.take(torch.arange(len(first)))
        self._observed = seen(self._order[self._n_valid :])
        self._spaces = Spaces.of(self.synth, self.obs)

    # ------------------------------------------------------------------ one step

    def _batch(self) -> Batch:
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

    def _passes(self, s: Tensor, o: Tensor) -> Passes:
        """Return all routes of a batch, in float32 however they were computed."""
        if not self.training.bf16:
            return self.network.passes(s, o)
        with half_precision(self.device, True):
            r = self.network.passes(s, o)
        return Passes(*(getattr(r, f.name).float() for f in fields(r)))

    def _generator_losses(self, r: Passes, batch: Batch) -> dict[str, tuple[float, Tensor]]:
        """Return weight and value of every loss of encoders and decoders, by name."""
        return network_losses(
            self.training, self.iteration, r, batch, self._spaces, self.critics, self._generator
        )

    def _step(self) -> dict[str, float]:
        """Take one step of encoders and decoders, then one of the critics."""
        t = self.training
        rate = SCHEDULES[t.schedule](self.iteration, t.iterations)
        for group in self._opt_g.param_groups:
            group["lr"] = t.learning_rate * rate
        for group in self._opt_d.param_groups:
            group["lr"] = t.critic_learning_rate * rate
        batch = self._batch()
        r = self._passes(batch.s, batch.o)
        terms = self._generator_losses(r, batch)
        figures = {name: value for name, (_, value) in terms.items()}
        loss = torch.stack([weight * value for weight, value in terms.values()]).sum()
        self._opt_g.zero_grad(set_to_none=True)
        loss.backward()
        self._opt_g.step()

        # Critics start a little before they count.
        if t.adversarial and self.iteration > t.critics_from - 200:
            self.critics.requires_grad_(True)
            critic = critic_loss(self.training, r, self.critics)
            self._opt_d.zero_grad(set_to_none=True)
            (t.critic_weight * critic).backward()
            self._opt_d.step()
            figures["critic"] = critic
        self.iteration += 1
        return {k: float(v.detach()) / t.members for k, v in figures.items()}

    # ------------------------------------------------------------------ validation

    @torch.no_grad()
    def validate_members(self) -> dict[str, Tensor]:
        """Return held-out figures that need no truth, of each member, shape ``(M,)``.

        ``cycle_error`` is the distance of spectra from themselves after a round trip
        through the other domain, both ways; ``mismatch`` the sliced distance of adapted
        to observed and of translated-back to synthetic spectra, in units of what a
        deviation costs; ``validation`` their sum.
        """
        m = self.training.members
        o, wo, good = self._observed_valid
        s = self._synth_valid
        many = VALIDATED_AT_ONCE if self.training.backbone == "conv" else len(s)
        parts = [
            self._passes(s[rows].expand(m, -1, -1), o[rows].expand(m, -1, -1))
            for rows in slices(len(s), max(1, many))
        ]
        sos, oso, so, os = (
            torch.cat([getattr(r, name) for r in parts], 1) for name in ("sos", "oso", "so", "os")
        )
        held = Batch(s.expand_as(sos), o.expand_as(oso), self.synth.weight, wo, good)
        cycle = member_distance(self.training, sos, held.s, held.ws)
        cycle = cycle + member_distance(self.training, oso, held.o, held.wo)
        # Pixels that were not observed are the same, 0, on both sides.
        seen_so, seen_o = held.where_seen(so), held.where_seen(held.o)
        mismatch = sliced_distance(seen_so, seen_o, self.obs.weight)
        mismatch = mismatch + sliced_distance(os, held.s, held.ws)
        return {"cycle_error": cycle, "mismatch": mismatch, "validation": cycle + mismatch}

    def validate(self) -> dict[str, float]:
        """Return the median over members of :meth:`validate_members`, and of their scores."""
        members = self.validate_members()
        self._values = members["validation"].cpu()
        out = {k: float(v.median()) for k, v in members.items()}
        last = self.iteration == self.training.iterations
        if self.judge is not None and (last or self.iteration % self.training.judge_every == 0):
            self._score = torch.tensor(self._judged(self._network_now()), dtype=torch.float32)
            out["score"] = float(self._score.median())
        return out

    def _judged(self, adapter: Adapter) -> list[float]:
        """Return the judge's score of every member."""
        assert self.judge is not None
        return list(self.judge(adapter, self._observed_valid[0].cpu()))

    # ------------------------------------------------------------------ whole run

    def request_stop(self) -> None:
        """Ask a running :meth:`run` to save its state and raise KeyboardInterrupt.

        It does so after the step in progress, so that going on later gives the result
        of an uninterrupted run. Safe to call from a signal handler.
        """
        self._stop_requested = True

    def run(
        self,
        checkpoint: str | Path | None = None,
        checkpoint_every: float = 30.0,
        progress: Callable[[int, int, dict[str, float]], None] | None = None,
    ) -> TrainingResult:
        """Train to the end, or until the validation figure stops falling.

        Parameters
        ----------
        checkpoint : path, optional
            File for the state; written every `checkpoint_every` seconds, at the end, and
            after :meth:`request_stop`.
        checkpoint_every : float
            Seconds.
        progress : callable, optional
            Called at every step with (iteration, iterations, figures).

        Raises
        ------
        TrainingError
            If the losses stop being finite.
        """
        t = self.training
        mark = saved = time.perf_counter()
        latest: dict[str, float] = self.history[-1] if self.history else {}
        stopped = self._should_stop()
        while self.iteration < t.iterations and not stopped:
            with matrix_precision(self.device, t.tf32):
                figures = self._step()
            if not all(math.isfinite(v) for v in figures.values()):
                raise TrainingError(
                    f"A loss stopped being finite at step {self.iteration}: {figures}. "
                    "Lower the learning rate, or check the spectra for absurd values."
                )
            if self.iteration % t.check_every == 0 or self.iteration == t.iterations:
                latest = {"iteration": float(self.iteration)} | figures | self.validate()
                self.history.append(latest)
                stopped = self._should_stop()
                self._keep_best()
            now = time.perf_counter()
            self.seconds += now - mark
            mark = now
            if progress is not None:
                extra = {k: latest[k] for k in ("validation",) if k in latest}
                progress(self.iteration, t.iterations, figures | extra)
            due = now - saved > checkpoint_every or self._stop_requested
            if checkpoint is not None and due:
                self.save(checkpoint)
                saved = now
            if self._stop_requested:
                self._stop_requested = False
                raise KeyboardInterrupt
        if checkpoint is not None:
            self.save(checkpoint)
        # A whole run ends with small steps and needs no looking back.
        adapter = self.adapter(best=stopped)
        scores = [] if self.judge is None else self._judged(adapter)
        kept = choose_members(scores, t.keep) if scores else list(range(t.members))
        if len(kept) < t.members:
            adapter = adapter.select(kept)
        return TrainingResult(
            adapter, list(self.history), self.seconds, self.iteration, stopped, scores, kept
        )

    def _counted(self) -> list[float]:
        """Return the figures that count: those after the critics have settled."""
        first = 1.5 * self.training.critics_full
        key = "validation" if self.judge is None else "score"
        return [h[key] for h in self.history if h["iteration"] >= first and key in h]

    def _should_stop(self) -> bool:
        patience, seen = self.training.patience, self._counted()
        return bool(patience and seen and len(seen) - 1 - seen.index(min(seen)) >= patience)

    def _keep_best(self) -> None:
        """Remember the weights of members that are better than they ever were."""
        latest = self.history[-1]
        if not self._counted() or (self.judge is not None and "score" not in latest):
            return
        better = self._values < self._best_values
        if self.judge is not None:
            better = self._score < self._best_score
            self._best_score = torch.where(better, self._score, self._best_score)
        self._best_values = torch.where(better, self._values, self._best_values)
        self._best = self._merged(self._best or self.network.state_dict(), better)

    def _merged(self, others: dict[str, Tensor], own: Tensor) -> dict[str, Tensor]:
        """Return weights of the network for the members `own`, and others for the rest."""
        out = {}
        for name, value in self.network.state_dict().items():
            if isinstance(self.network, AdaptationNetwork):
                chosen = own.to(value.device).view(-1, *[1] * (value.dim() - 1))
            else:
                # Members of the convolutions are modules of their own: "members.2.weight".
                parts = [int(p) for p in name.split(".") if p.isdigit()]
                chosen = own[parts[0] if parts and len(own) > 1 else 0].to(value.device)
            out[name] = torch.where(chosen, value, others[name]).clone()
        return out

    @torch.no_grad()
    def adapter(self, best: bool = False) -> Adapter:
        """Return the adaptation as it stands, or the best that was validated, on the CPU.

        Members that ran away, now much worse than they once were, are always taken from
        when they were best.
        """
        if not self._best:
            return self._network_now()
        stay = self._values <= RAN_AWAY * self._best_values
        return self._with_weights(self._best if best else self._merged(self._best, stay))

    def _network_now(self) -> Adapter:
        """Return the adaptation as it stands, run-away members and all, on the CPU."""
        return self._with_weights(self.network.state_dict())

    @torch.no_grad()
    def _with_weights(self, state: dict[str, Tensor]) -> Adapter:
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
            parts = slices(min(MOST_FOR_SPLIT, len(self._observed)), VALIDATED_AT_ONCE)
        return torch.cat(
            [network.encode_obs(self._observed.take(rows)[0].cpu())[1] for rows in parts], 1
        )

    # ------------------------------------------------------------------ checkpoints

    def save(self, path: str | Path) -> None:
        """Write everything needed to go on; the file is replaced in one step."""
        tensors = {
            "pool": self._pool,
            "synth_valid": self._synth_valid,
            "generator": self._generator.get_state(),
        }
        tensors |= {f"trace.{k}": v for k, v in self._traces.items()}
        tensors |= {f"best.{k}": v for k, v in self._best.items()}
        # Refitted bases may differ in sign from run to run; the weights know only these.
        for domain, basis in (("synth", self.synth), ("obs", self.obs)):
            tensors |= {f"{domain}.{k}": v for k, v in tensors_of(basis).items()}
        modules: dict[str, nn.Module] = {"network": self.network, "critics": self.critics}
        for name, module in modules.items():
            tensors |= {f"{name}.{k}": v for k, v in module.state_dict().items()}
        for name, optimiser in (("opt_g", self._opt_g), ("opt_d", self._opt_d)):
            tensors |= tensors_of_optimiser(name, optimiser)
        state = {
            "training": asdict(self.training),
            "iteration": self.iteration,
            "seconds": self.seconds,
            "history": self.history,
            "next_in_pool": self._next_in_pool,
            "best_values": [v if math.isfinite(v) else None for v in self._best_values.tolist()],
            "values": self._values.tolist(),
            "best_scores": [v if math.isfinite(v) else None for v in self._best_score.tolist()],
        }
        write_checkpoint(path, tensors, state)

    def resume(self, path: str | Path) -> None:
        """Take over the state written by :meth:`save`.

        Raises
        ------
        TrainingError
            If the file cannot be read, or was written with other settings or spectra.
        """
        tensors, state = read_checkpoint(path)
        require_same_settings(path, state["training"], self.training)
        require_same_spectra(path, take_part(tensors, "trace"), self._traces)
        self._pool = tensors.pop("pool").to(self.device)
        self._synth_valid = tensors.pop("synth_valid").to(self.device)
        self._generator.set_state(tensors.pop("generator"))
        kind: type[Any] = KINDS[self.training.backbone]
        self.synth = kind(**take_part(tensors, "synth")).to(self.device)
        self.obs = kind(**take_part(tensors, "obs")).to(self.device)
        kept = coefficients_of(self.obs.to(self._flux.device), self._flux, self._ivar, self._noise)
        self.prepared = Prepared(self.synth, self.obs, kept)
        self._take_observed()
        self._best = {k: v.to(self.device) for k, v in take_part(tensors, "best").items()}
        self.network.load_state_dict(take_part(tensors, "network"))
        self.critics.load_state_dict(take_part(tensors, "critics"))
        for name, optimiser in (("opt_g", self._opt_g), ("opt_d", self._opt_d)):
            restore_optimiser(optimiser, take_part(tensors, name))
        self.iteration = int(state["iteration"])
        self.seconds = float(state["seconds"])
        self.history = state["history"]
        self._next_in_pool = int(state["next_in_pool"])
        if "best_values" in state:
            best = [math.inf if v is None else float(v) for v in state["best_values"]]
            self._best_values, self._values = torch.tensor(best), torch.tensor(state["values"])
        if "best_scores" in state:
            best = [math.inf if v is None else float(v) for v in state["best_scores"]]
            self._best_score = torch.tensor(best)


def require_like(start: Adapter, training: AdaptationTraining, n_pixels: int) -> None:
    """Refuse to train an adaptation further with settings that are not those of its networks.

    Raises
    ------
    TrainingError
        If sizes, pixels or the number of members differ.
    """
    pixels = start.obs.n_pixels
    if pixels != n_pixels:
        raise TrainingError(
            f"The adaptation to train further has {pixels} pixels and the spectra {n_pixels}; "
            "give spectra on its grid."
        )
    if start.network.shape != training.shape(n_pixels):
        raise TrainingError(
            f"The networks to train further are {start.network.shape}, and the settings ask for "
            f"{training.shape(n_pixels)}; give the settings that they were trained with."
        )
    if start.n_members != training.members:
        raise TrainingError(
            f"There are {start.n_members} networks to train further, and the settings ask for "
            f"{training.members}; give the same number of members."
        )

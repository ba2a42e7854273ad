"""Training of the adaptation network: losses, critics, validation, checkpoints.

The two sets are never paired. What holds the meaning of the latents in place at the
start are mean-shift pseudo-pairs: a synthetic spectrum shifted by the difference of
the two mean spectra is a first guess of its observed counterpart. Their weight falls
from 1 to a small rest; without them two domains with a large offset can align to a
permuted latent space, with every loss looking well.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import TrainingError
from .adapter import Adapter
from .basis import SpectralBasis, fit_basis
from .losses import critics_say, pseudo_huber, sliced_distance
from .network import AdaptationNetwork, Critics, NetworkShape
from .refusals import check_observed

CHECKPOINT_SCHEMA = 1

DrawSynthetic = Callable[[int, torch.Generator], Tensor]
"""A function of (number, generator) that returns fresh synthetic flux (n, n_pixels)."""


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
        See :class:`~spectrabridge.core.adaptation.network.NetworkShape`.
    learning_rate, critic_learning_rate : float
        Peaks; both warm up over 200 steps and fall along a cosine.
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
        Flux error to which synthetic coefficients are held.
    check_every : int
        Steps between validations.
    patience : int
        Stop after this many validations without a new best, and return that best; 0 never
        stops early. Validations count once critics have had time to settle, from step
        ``2 * critics_full``.
    """

    iterations: int = 3000
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
    patience: int = 5

    def shape(self) -> NetworkShape:
        """Return the sizes of the network."""
        return NetworkShape(self.n_basis, self.hidden, self.n_shared, self.n_split, self.activation)

    def seeds(self) -> list[int]:
        """Return one seed per member."""
        return [self.seed + i for i in range(self.members)]


@dataclass
class TrainingResult:
    """A trained adaptation and how it came about.

    Parameters
    ----------
    adapter : Adapter
        Bases and network, on the CPU.
    history : list of dict
        One entry per validation: ``iteration``, losses, ``validation``.
    seconds : float
        Time spent training, over all interruptions.
    iterations : int
        Steps done.
    stopped_early : bool
        Whether the validation figure ended it.
    """

    adapter: Adapter
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    iterations: int = 0
    stopped_early: bool = False


def _schedule(step: int, total: int) -> float:
    return min(1.0, (step + 1) / 200) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / total)))


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
    ) -> None:
        self.training = training
        self.device = torch.device(device)
        self._draw = draw_synthetic
        t = training
        check_observed(observed, noise, ivar, t.n_basis)
        # Draws happen where the emulator lives, always on the CPU generator: the same
        # spectra on every device.
        self._generator = torch.Generator().manual_seed(1_000_003 + t.seed)
        pool = draw_synthetic(t.pool, self._generator)
        if pool.shape[1] != observed.shape[1]:
            raise TrainingError(
                f"Synthetic spectra have {pool.shape[1]} pixels, observed ones "
                f"{observed.shape[1]}; both must be on one grid."
            )
        if not bool((pool.std(0) > 0).any()):
            raise TrainingError("All synthetic spectra are the same; draw labels that differ.")
        synth = fit_basis(pool, t.synth_tolerance, t.n_basis, seed=t.seed)
        # Half the noise: a coefficient averages many pixels.
        obs = fit_basis(observed, 0.5 * noise, t.n_basis, ivar=ivar, seed=t.seed)
        self.synth, self.obs = synth.to(self.device), obs.to(self.device)
        self._pool = synth.encode(pool).to(self.device)
        self._flux, self._ivar = observed, ivar
        self._order = torch.randperm(len(observed), generator=self._generator)
        self._n_valid = min(t.validation, len(observed) // 5)
        self._encode_observed()
        fresh = draw_synthetic(self._n_valid, self._generator)
        self._synth_valid = synth.encode(fresh).to(self.device)

        self.network = AdaptationNetwork(t.shape(), t.seeds()).to(self.device)
        self.network.start_alike(self.obs.change_to(self.synth))
        self.critics = Critics(t.shape(), t.seeds()).to(self.device)
        betas = (0.5, 0.99)
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
        self._best: dict[str, Tensor] = {}
        self._traces = _traces(observed, pool, ivar, noise)

    def _encode_observed(self) -> None:
        """Set the coefficients of the observations, and the translations by mean shift."""
        obs = self.obs.to(self._flux.device)
        coefficients = obs.encode(self._flux, self._ivar)[self._order].to(self.device)
        self._observed_valid = coefficients[: self._n_valid]
        self._observed = coefficients[self._n_valid :]
        self._shift_so = self.synth.change_to(self.obs)
        self._shift_os = self.obs.change_to(self.synth)

    # ------------------------------------------------------------------ one step

    def _batches(self) -> tuple[Tensor, Tensor]:
        t = self.training
        if t.refresh:
            fresh = self.synth.encode(self._draw(t.refresh, self._generator).to(self.device))
            where = (self._next_in_pool + torch.arange(t.refresh)) % t.pool
            self._pool[where.to(self.device)] = fresh
            self._next_in_pool = (self._next_in_pool + t.refresh) % t.pool
        size = (t.members, t.batch)
        rows_s = torch.randint(0, len(self._pool), size, generator=self._generator)
        rows_o = torch.randint(0, len(self._observed), size, generator=self._generator)
        return self._pool[rows_s.to(self.device)], self._observed[rows_o.to(self.device)]

    def _step(self) -> dict[str, float]:
        t, net = self.training, self.network
        rate = _schedule(self.iteration, t.iterations)
        for group in self._opt_g.param_groups:
            group["lr"] = t.learning_rate * rate
        for group in self._opt_d.param_groups:
            group["lr"] = t.critic_learning_rate * rate
        s, o = self._batches()
        ws, wo = self.synth.weight, self.obs.weight

        r = net.passes(s, o)
        reconstruction = pseudo_huber(r.ss, s, ws) + pseudo_huber(r.oo, o, wo)
        cycle = pseudo_huber(r.sos, s, ws) + pseudo_huber(r.oso, o, wo)
        loss = reconstruction + cycle
        figures = {"reconstruction": reconstruction, "cycle": cycle}
        if t.warm_start:
            weight = max(0.0, 1 - self.iteration / t.warm_steps) + t.warm_rest
            pairs = pseudo_huber(r.so, s @ self._shift_so, wo)
            pairs = pairs + pseudo_huber(r.os, o @ self._shift_os, ws)
            loss = loss + weight * pairs
            figures["pairs"] = pairs
        share = 0.0
        if t.adversarial:
            ramp = (self.iteration - t.critics_from) / max(1, t.critics_full - t.critics_from)
            share = min(1.0, max(0.0, ramp))
        if share:
            # Their weights need no gradient here.
            self.critics.requires_grad_(False)
            seen_s = self.critics.synth(torch.cat([r.os, r.z_o], -1))
            seen_o = self.critics.obs(torch.cat([r.so, r.z_s, r.p_so], -1))
            fooled = critics_say(seen_s, True) + critics_say(seen_o, True)
            loss = loss + share * t.adversarial_weight * fooled
            figures["fooled"] = fooled
        self._opt_g.zero_grad(set_to_none=True)
        loss.backward()
        self._opt_g.step()

        # Critics start a little before they count. Reconstructions, not raw noisy
        # spectra, are what they are shown as real.
        if t.adversarial and self.iteration > t.critics_from - 200:
            self.critics.requires_grad_(True)
            real_s = torch.cat([r.ss, r.z_s], -1).detach()
            fake_s = torch.cat([r.os, r.z_o], -1).detach()
            real_o = torch.cat([r.oo, r.z_o, r.p_o], -1).detach()
            fake_o = torch.cat([r.so, r.z_s, r.p_so], -1).detach()
            critic = (
                critics_say(self.critics.synth(real_s), True)
                + critics_say(self.critics.synth(fake_s), False)
                + critics_say(self.critics.obs(real_o), True)
                + critics_say(self.critics.obs(fake_o), False)
            )
            self._opt_d.zero_grad(set_to_none=True)
            critic.backward()
            self._opt_d.step()
            figures["critic"] = critic
        self.iteration += 1
        return {k: float(v.detach()) / t.members for k, v in figures.items()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return held-out figures that need no truth, averaged over members.

        ``cycle_error`` is the robust distance of spectra from themselves after a round
        trip through the other domain, both ways; ``mismatch`` the sliced distance of
        adapted to observed and of translated-back to synthetic spectra, in tolerances;
        ``validation`` their sum.
        """
        net, s, o = self.network, self._synth_valid, self._observed_valid
        m = self.training.members
        s_all, o_all = s.expand(m, *s.shape), o.expand(m, *o.shape)
        r = net.passes(s_all, o_all)
        ws, wo = self.synth.weight, self.obs.weight
        cycle = pseudo_huber(r.sos, s_all, ws) + pseudo_huber(r.oso, o_all, wo)
        mismatch = sliced_distance(r.so, o_all, wo) + sliced_distance(r.os, s_all, ws)
        cycle_error, distance = float(cycle) / m, float(mismatch.mean())
        return {
            "cycle_error": cycle_error,
            "mismatch": distance,
            "validation": cycle_error + distance,
        }

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
        return TrainingResult(adapter, list(self.history), self.seconds, self.iteration, stopped)

    def _counted(self) -> list[float]:
        """Return the validation figures that count: those after the critics have settled."""
        first = 2 * self.training.critics_full
        return [h["validation"] for h in self.history if h["iteration"] >= first]

    def _should_stop(self) -> bool:
        patience, seen = self.training.patience, self._counted()
        return bool(patience and seen and len(seen) - 1 - seen.index(min(seen)) >= patience)

    def _keep_best(self) -> None:
        seen = self._counted()
        if self.training.patience and seen and seen[-1] == min(seen):
            self._best = {k: v.clone() for k, v in self.network.state_dict().items()}

    @torch.no_grad()
    def adapter(self, best: bool = False) -> Adapter:
        """Return the adaptation as it stands, or the best that was validated, on the CPU."""
        t = self.training
        state = self._best if best and self._best else self.network.state_dict()
        network = AdaptationNetwork(t.shape(), t.seeds())
        network.load_state_dict({k: v.cpu() for k, v in state.items()})
        split = network.encode_obs(self._observed.cpu())[1]
        return Adapter(
            self.synth.to("cpu"),
            self.obs.to("cpu"),
            network,
            split.mean(1).cpu(),
            split.std(1).cpu(),
        )

    # ------------------------------------------------------------------ checkpoints

    def save(self, path: str | Path) -> None:
        """Write everything needed to go on; the file is replaced in one step."""
        path = Path(path)
        tensors = {
            "pool": self._pool,
            "synth_valid": self._synth_valid,
            "generator": self._generator.get_state(),
        }
        tensors |= {f"trace.{k}": v for k, v in self._traces.items()}
        tensors |= {f"best.{k}": v for k, v in self._best.items()}
        # Refitted bases may differ in sign from run to run; the weights know only these.
        for domain, basis in (("synth", self.synth), ("obs", self.obs)):
            tensors |= {f"{domain}.{f.name}": getattr(basis, f.name) for f in fields(basis)}
        modules: dict[str, nn.Module] = {"network": self.network, "critics": self.critics}
        for name, module in modules.items():
            tensors |= {f"{name}.{k}": v for k, v in module.state_dict().items()}
        for name, optimiser in (("opt_g", self._opt_g), ("opt_d", self._opt_d)):
            for i, state in optimiser.state_dict()["state"].items():
                tensors |= {f"{name}.{i}.{k}": v for k, v in state.items()}
        state = {
            "schema": CHECKPOINT_SCHEMA,
            "training": asdict(self.training),
            "iteration": self.iteration,
            "seconds": self.seconds,
            "history": self.history,
            "next_in_pool": self._next_in_pool,
        }
        partial = path.with_name(path.name + ".partial")
        plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        save_file(plain, partial, metadata={"state": json.dumps(state)})
        partial.replace(path)

    def resume(self, path: str | Path) -> None:
        """Take over the state written by :meth:`save`.

        Raises
        ------
        TrainingError
            If the file cannot be read, or was written with other settings.
        """
        try:
            with safe_open(str(path), "pt") as file:
                state: dict[str, Any] = json.loads(file.metadata()["state"])
                tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
        except Exception as problem:  # safetensors raises several kinds for damaged files
            raise TrainingError(
                f"The checkpoint {path} cannot be read: {problem}. Delete it to start anew."
            ) from problem
        if state["training"] != asdict(self.training):
            ours = asdict(self.training)
            differ = [k for k in ours if state["training"].get(k) != ours[k]]
            raise TrainingError(
                f"The checkpoint {path} was made with other settings ({', '.join(differ)}). "
                "Give the same settings, or delete it to start anew."
            )
        for name, ours_now in self._traces.items():
            then = tensors.pop(f"trace.{name}")
            if then.shape != ours_now.shape or not torch.allclose(
                then, ours_now, rtol=1e-3, atol=1e-3
            ):
                raise TrainingError(
                    f"The checkpoint {path} was made from other spectra. Give the same emulator "
                    "and observations, or delete it to start anew."
                )
        self._pool = tensors.pop("pool").to(self.device)
        self._synth_valid = tensors.pop("synth_valid").to(self.device)
        self._generator.set_state(tensors.pop("generator"))
        names = [f.name for f in fields(SpectralBasis)]
        synth, obs = (
            SpectralBasis(*(tensors.pop(f"{domain}.{n}") for n in names))
            for domain in ("synth", "obs")
        )
        self.synth, self.obs = synth.to(self.device), obs.to(self.device)
        self._encode_observed()
        self._best = {
            k.removeprefix("best."): v.to(self.device)
            for k, v in tensors.items()
            if k.startswith("best.")
        }
        for name, module in (("network", self.network), ("critics", self.critics)):
            part = {
                k.removeprefix(name + "."): v
                for k, v in tensors.items()
                if k.startswith(f"{name}.")
            }
            module.load_state_dict(part)
        for name, optimiser in (("opt_g", self._opt_g), ("opt_d", self._opt_d)):
            states: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                if key.startswith(name + "."):
                    _, i, field_name = key.split(".", 2)
                    states.setdefault(int(i), {})[field_name] = value
            optimiser.load_state_dict(optimiser.state_dict() | {"state": states})
        self.iteration = int(state["iteration"])
        self.seconds = float(state["seconds"])
        self.history = state["history"]
        self._next_in_pool = int(state["next_in_pool"])


def _traces(observed: Tensor, pool: Tensor, ivar: Tensor | None, noise: float) -> dict[str, Tensor]:
    """Return numbers that tell whether a checkpoint belongs to these spectra.

    Every spectrum is projected on one random direction. A hash would not do: the same
    emulated flux differs in its last bits with the number of threads.
    """
    generator = torch.Generator().manual_seed(7)
    direction = torch.randn(observed.shape[1], generator=generator).to(observed.device)
    out = {"observed": observed @ direction, "pool": pool @ direction.to(pool.device)}
    if ivar is not None:
        out["ivar"] = (ivar > 0).to(observed) @ direction
    # As a spectrum in sigma, so that the tolerance means the same for all of them.
    return {k: v.cpu() / observed.shape[1] ** 0.5 for k, v in out.items()} | {
        "noise": torch.tensor([100 * noise])
    }

"""Training of emulators."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import TrainingError
from ..spectra.spectra import Spectra
from .confinement import confine, responses
from .element_lines import own_lines
from .emulator import FLUX_FLOOR, Emulator


@dataclass(frozen=True)
class EmulatorTraining:
    """How an emulator is trained.

    Parameters
    ----------
    architecture : {"basis", "payne"}
        See :class:`Emulator`.
    steps : int
        Optimiser steps.
    batch : int
        Spectra per step.
    learning_rate : float
        Peak of the one-cycle schedule.
    weight_decay : float
        Of AdamW.
    hidden : tuple of int
        Hidden layers.
    n_basis : int
        Principal components for ``basis``, with those of confined elements.
    confine : bool
        Train a second time so that rare elements act on their own lines only, where the
        shipped line list covers the spectra: see
        :mod:`spectrabridge.core.emulator.confinement`.
        Only for ``basis``.
    first : float
        Steps of the first of two trainings, as a part of `steps`; the second has all. What an
        element does on its own lines is learnt early.
    seconds : float, optional
        Stop after this much time; the learning rate then follows the clock, so that
        it still ends low.
    seed : int
        Of the weights, the batches and the decomposition.
    """

    architecture: str = "basis"
    steps: int = 15_000
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    hidden: tuple[int, ...] = (256, 256, 256)
    n_basis: int = 100
    confine: bool = True
    first: float = 0.4
    seconds: float | None = None
    seed: int = 0


PAYNE_TRAINING = EmulatorTraining(
    "payne", learning_rate=1e-3, weight_decay=0, hidden=(300, 300), confine=False
)
"""The yardstick: the paper's 25-300-300-P perceptron."""

MIN_SPECTRA = 20
"""Spectra that an emulator is trained on at least."""

ShowSteps = Callable[[int, int, dict[str, float]], None]
"""Called now and then with (step, steps, figures)."""


def _one_cycle(fraction: float) -> float:
    """Learning rate over its peak: up over 10 % of the run, then down a cosine to 0."""
    if fraction < 0.1:
        return 0.04 + 0.96 * fraction / 0.1
    return 0.5 * (1 + math.cos(math.pi * (fraction - 0.1) / 0.9)) + 1e-4


def _descend(
    loss_of: Callable[[Tensor], Tensor],
    parameters: Sequence[nn.Parameter],
    n: int,
    training: EmulatorTraining,
    progress: ShowSteps | None,
    steps: int,
    before: int,
    after: int,
) -> None:
    """Minimise a loss over batches of the `n` rows, with other trainings before and after."""
    generator = torch.Generator().manual_seed(training.seed)
    optimiser = torch.optim.AdamW(
        parameters, lr=training.learning_rate, weight_decay=training.weight_decay, fused=True
    )
    total = before + steps + after
    seconds = None if training.seconds is None else training.seconds * steps / total
    device = parameters[0].device
    start = time.perf_counter()
    loss = torch.zeros(())
    for step in range(steps):
        elapsed = time.perf_counter() - start
        fraction = step / steps
        if seconds is not None:
            fraction = max(fraction, elapsed / seconds)
            if fraction >= 1:
                break
        for group in optimiser.param_groups:
            group["lr"] = training.learning_rate * _one_cycle(fraction)
        loss = loss_of(torch.randint(0, n, (training.batch,), generator=generator).to(device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if progress is not None and step % 100 == 0:
            progress(before + step, total, {"loss": float(loss.detach()), "seconds": elapsed})
    if progress is not None:
        progress(before + steps, total, {"loss": float(loss.detach())})


def train_emulator(
    spectra: Spectra,
    training: EmulatorTraining | None = None,
    *,
    continuum: str = "true",
    device: str = "cpu",
    progress: ShowSteps | None = None,
) -> Emulator:
    """Train an emulator on spectra with known labels.

    Parameters
    ----------
    spectra : Spectra
        Noise-free spectra with labels; all pixels good.
    training : EmulatorTraining, optional
        Architecture and schedule.
    continuum : str
        Recorded in the emulator: what the flux was divided by.
    device : str
        Where to train; the result is on the CPU.
    progress : callable, optional
        See :data:`ShowSteps`.

    Raises
    ------
    TrainingError
        If labels are missing, spectra are too few, or flux is not usable.
    """
    training = training or EmulatorTraining()
    _require_complete(spectra)
    assert spectra.labels is not None
    n, basis = len(spectra), training.architecture == "basis"
    labels = torch.tensor(spectra.labels, dtype=torch.float32)
    flux = torch.from_numpy(spectra.flux)
    out, target, unit = _untrained(spectra, flux, training, continuum)
    x = _scale_inputs(out, labels).to(device)
    target, unit = target.to(device), unit.to(device)
    out.to(device)
    scale = out.scale if basis else torch.ones((), device=device)

    def loss(rows: Tensor) -> Tensor:
        residual = (out.net(x[rows]) * scale - target[rows]) / unit
        if basis:
            # The norm, not its square: a few hard spectra must not outweigh the many. On the
            # first grid this halves the median error.
            return residual.square().sum(1).add(1e-8).sqrt().mean()
        return residual.abs().mean()

    own = own_lines(out.labels, out.grid) if training.confine and basis else []
    again = training.steps if own else 0
    steps = max(1, round(training.first * training.steps)) if own else training.steps
    _descend(loss, list(out.net.parameters()), n, training, progress, steps, 0, again)
    out = out.cpu().requires_grad_(False).eval()
    elements = responses(out, x.cpu(), own, training.seed) if own else []
    if own and not elements:
        # Too short to be the result; what is left of the time is for a training of its own.
        left = None if training.seconds is None else training.seconds * again / (steps + again)
        alone = replace(training, confine=False, seconds=left)
        return train_emulator(spectra, alone, continuum=continuum, device=device, progress=progress)
    if elements:
        with torch.random.fork_rng(devices=[]):
            out = confine(
                out,
                flux.clamp_min(FLUX_FLOOR).log(),
                x,
                elements,
                lambda loss_of, parameters: _descend(
                    loss_of, parameters, n, training, progress, again, steps, 0
                ),
                seed=training.seed,
                device=device,
            )
    return out.requires_grad_(False).eval()


def _require_complete(spectra: Spectra) -> None:
    """Raise a TrainingError unless all labels and pixels are known, of enough spectra."""
    if spectra.labels is None or spectra.label_set is None:
        raise TrainingError("Training an emulator needs labels; the spectra have none.")
    if not np.isfinite(spectra.labels).all():
        rows = np.flatnonzero(~np.isfinite(spectra.labels).all(axis=1))
        raise TrainingError(
            f"Every label must be known; row {rows[0]} and {rows.size - 1} others have NaN."
        )
    if not spectra.good.all():
        rows = np.flatnonzero(~spectra.good.all(axis=1))
        raise TrainingError(
            "An emulator is trained on complete simulated spectra; row "
            f"{rows[0]} and {rows.size - 1} others have bad pixels."
        )
    if len(spectra) < MIN_SPECTRA:
        raise TrainingError(
            f"Expected at least {MIN_SPECTRA} spectra to train on; found {len(spectra)}."
        )


def _untrained(
    spectra: Spectra, flux: Tensor, training: EmulatorTraining, continuum: str
) -> tuple[Emulator, Tensor, Tensor]:
    """Return an emulator before its training, what its network has to give, and its unit."""
    n = len(spectra)
    n_basis = min(training.n_basis, n - 1)
    assert spectra.label_set is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        out = Emulator(
            spectra.label_set,
            spectra.grid,
            training.architecture,
            training.hidden,
            n_basis,
            continuum,
        )
        if training.architecture != "basis":
            final = out.net[-1]
            assert isinstance(final, nn.Linear)
            with torch.no_grad():
                final.bias.copy_(flux.mean(0))
            return out, flux, torch.tensor(0.01)
        log = flux.clamp_min(FLUX_FLOOR).log()
        mean = log.mean(0)
        centred = log - mean
        _, _, v = torch.svd_lowrank(centred, q=min(n_basis + 20, n), niter=4)
    out.mean.copy_(mean)
    out.components.copy_(v[:, :n_basis].T)
    coefficients = centred @ out.components.T
    out.scale.copy_(coefficients.std(0).clamp_min(1e-6))
    # Errors of all components count alike in flux, so they share one unit.
    return out, coefficients, out.scale[0].clone()


def _scale_inputs(emulator: Emulator, labels: Tensor) -> Tensor:
    """Set the trained range of an emulator's inputs, and return them scaled to it."""
    inputs = emulator.inputs(labels)
    spread = inputs.amax(0) - inputs.amin(0)
    names = emulator.labels.names
    constant = [k for k, s in zip(names, spread.tolist(), strict=True) if s < 1e-5]
    if constant:
        raise TrainingError(
            f"Every label must vary over the grid, abundances also relative to iron; constant: "
            f"{', '.join(constant)}. Nothing can be learnt about them; add spectra that differ."
        )
    emulator.low.copy_(inputs.amin(0))
    emulator.high.copy_(inputs.amax(0))
    return (inputs - emulator.low) / spread - 0.5

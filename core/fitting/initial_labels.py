"""Labels to start a fit from: read off the spectrum, those of a like one, or drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .forward_model import Forward
from .population import LabelSpace

N_EXAMPLES = 1200
"""Spectra that the reader is trained on."""

N_COMPONENTS = 40
"""Principal components of these that it reads."""

EXAMPLE_SPREAD = 1.5
"""Examples are spread so many times as wide as the population."""

POSSIBLE_FLUX = (-0.05, 1.3)
"""Flux of normalised spectra. Examples that leave it are absurd: the model extrapolates there."""

MIN_EXAMPLES = 100
"""If fewer are possible, impossible ones are used too."""

N_NEAREST = 8
"""Examples whose labels are averaged; starts from the nearest alone end in wrong minima more often,
and need a step more."""


def draw_like(labels: Tensor, space: LabelSpace, n: int, seed: int, wider: float = 1.0) -> Tensor:
    """Return coordinates ``(n, n_labels)`` of stars scattered about those of a population.

    A smooth bootstrap (Silverman 1986, section 6.4): stars of the population, each moved
    by a little noise of the same covariance; `wider` spreads all of it about the mean.
    """
    generator = torch.Generator().manual_seed(seed)
    y = labels.cpu().float()
    x = (torch.where(space.logarithmic, y.clamp_min(1e-3).log(), y) - space.centre) / space.unit
    rows = torch.randint(0, len(x), (n,), generator=generator)
    mean = x.mean(0)
    noise = torch.randn(n, x.shape[1], generator=generator)
    covariance = (x - mean).T @ (x - mean) / max(1, len(x) - 1)
    covariance = covariance + 0.05**2 * torch.eye(x.shape[1])
    drawn = x[rows] + 0.5 * noise @ torch.linalg.cholesky(covariance).T
    drawn = mean + wider * (drawn - mean)
    return torch.where(space.free, drawn.clamp(space.low, space.high), space.held)


@dataclass(frozen=True)
class StartReader:
    """Reads labels off spectra, well enough to start a fit from.

    Inputs are a few principal components of the model's own spectra and their squares.
    Where a spectrum is unlike what it was trained on, a quadratic function may answer
    anything, so the mean labels of the examples that look most like it are offered too.
    """

    mean: Tensor
    components: Tensor
    scale: Tensor
    weights: Tensor
    examples: Tensor
    labels: Tensor

    @classmethod
    def train(
        cls, forward: Forward, space: LabelSpace, population: Tensor, seed: int = 0
    ) -> StartReader:
        """Train on spectra of the model at labels like those of a population."""
        x = draw_like(population, space, N_EXAMPLES, seed, EXAMPLE_SPREAD)
        device = forward.device
        flux = torch.cat(
            [forward.flux(space.labels(rows).to(device)).cpu() for rows in x.split(50)]
        )
        possible = (flux.amin(1) > POSSIBLE_FLUX[0]) & (flux.amax(1) < POSSIBLE_FLUX[1])
        if int(possible.sum()) >= MIN_EXAMPLES:
            x, flux = x[possible], flux[possible]
        mean = flux.mean(0)
        k = min(N_COMPONENTS, len(flux) // 4, flux.shape[1] // 4)
        # Through the small of the two products; seeds play no part.
        centred = flux - mean
        top = torch.linalg.eigh((centred @ centred.T).double())[1][:, -k:].float()
        components = torch.linalg.qr(centred.T @ top)[0].T
        projected = centred @ components.T
        scale = projected.std(0).clamp_min(1e-9)
        inputs = _inputs(projected / scale).double()
        penalty = 1e-3 * len(inputs) * torch.eye(inputs.shape[1], dtype=torch.float64)
        weights = torch.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ x.double())
        return cls(mean, components, scale, weights.float(), projected, x)

    def __call__(self, flux: Tensor, ivar: Tensor) -> tuple[Tensor, Tensor]:
        """Return two guesses, each coordinates ``(n_stars, n_labels)``.

        Those read off the spectra, and the means of the examples nearest to them. Bad
        pixels count as the mean spectrum.
        """
        filled = torch.where(ivar.cpu() > 0, flux.cpu(), self.mean)
        # Deviations are clipped: a cosmic ray is no line.
        projected = (filled - self.mean).clamp(-0.5, 0.5) @ self.components.T
        distance = torch.cdist(projected, self.examples)
        nearest = distance.topk(min(N_NEAREST, len(self.labels)), largest=False).indices
        return _inputs(projected / self.scale) @ self.weights, self.labels[nearest].mean(1)


def _inputs(c: Tensor) -> Tensor:
    """Return what is linear in the weights: 1, components, their squares."""
    c = c.clamp(-4, 4)
    return torch.cat([torch.ones(len(c), 1), c, c.square()], 1)

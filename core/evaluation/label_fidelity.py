"""Whether adapted spectra still mean the labels that they were made for.

Runs that look alike, by every loss and by their distance from the truth, can differ in
what their labels mean. So labels are read back from adapted spectra with the true model
of the observed domain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..adaptation.spectral_basis import SpectralBasis
from ..bundle.model import Model
from ..labels.label_set import LabelSet
from .label_fit import LabelPrior, fit_labels

FIT_STARS = 150
"""Stars whose labels are read back."""


@dataclass(frozen=True)
class LabelFidelity:
    """Labels read back from spectra of stars whose labels are known.

    Parameters
    ----------
    labels : LabelSet
        What the columns are.
    true : Tensor, shape ``(n_stars, n_labels)``
        Labels of the stars.
    ensemble, raw, floor : Tensor, same shape
        Labels read from adapted spectra (the mean of the members), from emulated spectra
        and from true spectra. What the last show is the fit's own doing.
    members : Tensor, shape ``(n_members, n_stars, n_labels)``
        Labels read from every member's adapted spectra.
    """

    labels: LabelSet
    true: Tensor
    ensemble: Tensor
    raw: Tensor
    floor: Tensor
    members: Tensor

    def bias(self, read: Tensor) -> dict[str, float]:
        """Return the mean error of labels ``(n_stars, n_labels)``, by label."""
        return self._named((read - self.true).mean(0))

    def scatter(self, read: Tensor) -> dict[str, float]:
        """Return the standard deviation of the errors, by label."""
        return self._named((read - self.true).std(0))

    def _named(self, values: Tensor) -> dict[str, float]:
        return dict(zip(self.labels.names, values.tolist(), strict=True))

    def figures(self) -> dict[str, Any]:
        """Return ``label_bias``, ``label_scatter`` and the same for comparison, as JSON."""
        return {
            "label_bias": self.bias(self.ensemble),
            "label_scatter": self.scatter(self.ensemble),
            "label_bias_raw": self.bias(self.raw),
            "label_scatter_raw": self.scatter(self.raw),
            "label_floor": {"bias": self.bias(self.floor), "scatter": self.scatter(self.floor)},
            "label_stars": len(self.true),
        }

    def member_figures(self) -> list[dict[str, Any]]:
        """Return ``label_bias`` and ``label_scatter`` of every member."""
        return [
            {"label_bias": self.bias(m), "label_scatter": self.scatter(m)} for m in self.members
        ]


def label_fidelity(
    model: Model,
    labels: Tensor,
    truth: Tensor,
    population: Tensor,
    space: SpectralBasis,
    *,
    n_stars: int = FIT_STARS,
    sigma: float = 0.01,
    iterations: int = 10,
    ensemble_only: bool = False,
    progress: Callable[[str], None] | None = None,
) -> LabelFidelity:
    """Read labels back from adapted spectra with the true model of the observed domain.

    Parameters
    ----------
    model : Model
        A model that has a truth, on the CPU.
    labels : Tensor, shape ``(n_stars, n_labels)``
        Labels of test stars.
    truth : Tensor, shape ``(n_stars, n_pixels)``
        Their noise-free observed spectra.
    population : Tensor, shape ``(n, n_labels)``
        Labels whose mean and covariance make the prior; see
        :class:`~spectrabridge.core.evaluation.label_fit.LabelPrior`.
    space : SpectralBasis
        Basis of the observed domain.
    n_stars : int
        How many of the stars to use.
    sigma : float
        Error of the flux per pixel in the fit.
    iterations : int
        Steps of the fit.
    ensemble_only : bool
        Read nothing but the adapted spectra of the ensemble; the rest is NaN.
    progress : callable, optional
        Called with what is being read.
    """
    say = progress or (lambda _: None)
    emulator = model.truth_emulator
    assert emulator is not None, "label_fidelity needs a model with a truth"
    true = labels[:n_stars]
    prior = LabelPrior.of(population, model.labels)
    with torch.no_grad():
        raw = model.emulate(true)
        each = model.adapter.adapt_members(raw)
        if space is not model.adapter.obs:
            each = space.encode(model.adapter.obs.decode(each))

    def read(what: str, spectra: Tensor, start: Tensor | None = None, steps: int = 0) -> Tensor:
        say(f"labels of {what}")
        return fit_labels(
            emulator,
            space,
            spectra,
            prior,
            sigma=sigma,
            iterations=steps or iterations,
            start=start,
        )

    if ensemble_only:
        nothing = torch.full_like(true, torch.nan)
        ensemble = read("adapted spectra", each.mean(0))
        return LabelFidelity(model.labels, true, ensemble, nothing, nothing, nothing[None])
    floor = read("true spectra", space.encode(truth[:n_stars]))
    unadapted = read("emulated spectra", space.encode(raw))
    ensemble = read("adapted spectra", each.mean(0))
    if len(each) == 1:
        members = ensemble[None]
    else:
        # Their minima are near that of the mean, so that fewer steps do.
        few = max(1, iterations // 2)
        members = torch.stack(
            [read(f"member {i + 1}", c, ensemble, few) for i, c in enumerate(each)]
        )
    return LabelFidelity(model.labels, true, ensemble, unadapted, floor, members)

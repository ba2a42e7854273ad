"""Whether the derivatives of adapted spectra are those of the truth, element by element."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundle.model import Model
from ..emulator.hidden_lines import Feature
from .hidden_lines import attribute, derivative_r_squared, element_correlations

MIN_CORRELATION = 0.5
"""Correlation with the true derivatives from which an element counts as measured."""

MAX_CORRELATION_SPREAD = 0.15
"""Standard deviation of that correlation between members below which it does."""


@dataclass(frozen=True)
class Slopes:
    """Derivatives of the reference star's flux by abundance.

    Parameters
    ----------
    elements : tuple of str
        Names of the last axis.
    members : array, shape ``(n_members, n_pixels, n_elements)``
        Of every member's adapted spectrum, flux per dex.
    truth : array, shape ``(n_pixels, n_elements)``
        Of the true spectrum.
    pixels : array of bool, shape ``(n_pixels,)``
        Pixels that are compared.
    """

    elements: tuple[str, ...]
    members: NDArray[Any]
    truth: NDArray[Any]
    pixels: NDArray[np.bool_]

    def r_squared(self, members: list[int] | None = None) -> float:
        """Return the derivatives' R2 for an ensemble of some members, or of all."""
        mean = self._mean(members)
        return derivative_r_squared(mean[self.pixels], self.truth[self.pixels])

    def attribution_agreement(
        self, features: list[Feature], members: list[int] | None = None
    ) -> float:
        """Return the part of features for which own and true derivatives name one element."""
        own, ideal = attribute(self._mean(members), features), attribute(self.truth, features)
        return sum(a == b for a, b in zip(own, ideal, strict=True)) / max(1, len(features))

    def _mean(self, members: list[int] | None) -> NDArray[Any]:
        return (self.members if members is None else self.members[members]).mean(axis=0)

    def figures(self) -> dict[str, Any]:
        """Return ``derivative_r2`` and ``derivative_correlation`` by element, as JSON.

        Keys are those of
        :func:`~spectrabridge.core.evaluation.hidden_lines.score_hidden_lines`.
        """
        mask, truth = self.pixels, self.truth[self.pixels]
        together = element_correlations(self._mean(None)[mask], truth, self.elements)
        each = [element_correlations(m[mask], truth, self.elements) for m in self.members]
        return {
            "derivative_r2": self.r_squared(),
            "members": [{"derivative_r2": self.r_squared([i])} for i in range(len(each))],
            "derivative_correlation": {
                e: {
                    "ensemble": together[e],
                    "member_spread": float(np.std([m[e] for m in each])),
                    "strongest_true": float(np.abs(truth[:, i]).max()),
                }
                for i, e in enumerate(self.elements)
            },
        }


def reference_slopes(model: Model, pixels: NDArray[np.bool_] | None = None) -> Slopes:
    """Return the derivatives of a model's reference star and those of its truth.

    Parameters
    ----------
    model : Model
        A model that has a truth.
    pixels : array of bool, shape ``(n_pixels,)``, optional
        Pixels to compare; all if not given.
    """
    columns = model.labels.element_columns()
    truth = model.jacobian(model.reference, "truth")[:, columns]
    members = model.member_jacobians(model.reference)[:, :, columns]
    everywhere = np.ones(model.grid.n_pixels, bool)
    return Slopes(model.labels.elements, members, truth, everywhere if pixels is None else pixels)


def verdicts(correlations: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Tell which elements' derivatives are measured, and which are not measurable.

    Parameters
    ----------
    correlations : mapping
        ``derivative_correlation`` of an evaluation.

    Returns
    -------
    dict
        ``measured`` for an element whose derivatives correlate with the truth by
        :data:`MIN_CORRELATION` or more while members differ by less than
        :data:`MAX_CORRELATION_SPREAD`, else ``not measurable``.
    """
    return {
        e: "measured"
        if c["ensemble"] >= MIN_CORRELATION and c["member_spread"] < MAX_CORRELATION_SPREAD
        else "not measurable"
        for e, c in correlations.items()
    }

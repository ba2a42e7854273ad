"""How far adapted spectra are from the truth, against how far emulated ones are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..adaptation.adapter import Adapter
from ..bundle.model import Model
from .hidden_lines import r_squared


@dataclass(frozen=True)
class Transfer:
    """Spectra of test stars on their way from the simulator to the truth.

    Parameters
    ----------
    adapter : Adapter
        Decodes coefficients.
    labels : Tensor, shape ``(n_stars, n_labels)``
        Labels of the test stars.
    raw, truth : Tensor, shape ``(n_stars, n_pixels)``
        Emulated and true flux.
    coefficients : Tensor, shape ``(n_members, n_stars, n_coefficients)``
        Every member's adapted spectra.
    """

    adapter: Adapter
    labels: Tensor
    raw: Tensor
    truth: Tensor
    coefficients: Tensor

    def adapted(self, members: list[int] | None = None) -> Tensor:
        """Return the flux ``(n_stars, n_pixels)`` of an ensemble of some members, or of all."""
        chosen = self.coefficients if members is None else self.coefficients[members]
        return self.adapter.obs.decode(chosen.mean(0))

    @property
    def rms_raw(self) -> float:
        """Root-mean-square difference of emulated and true flux."""
        return rms(self.raw - self.truth)

    def gap_ratio(self, members: list[int] | None = None) -> float:
        """Return the part of the gap that is left after adaptation, by rms."""
        return rms(self.adapted(members) - self.truth) / self.rms_raw

    def figures(self) -> dict[str, Any]:
        """Return rms, gap ratio and R2 of the ensemble and of every member, as JSON.

        R2 is over stars and pixels; see
        :func:`~spectrabridge.core.evaluation.hidden_lines.r_squared`.
        """
        raw = self.rms_raw

        def of(flux: Tensor) -> dict[str, float]:
            left = rms(flux - self.truth)
            return {
                "rms_adapted": left,
                "gap_ratio": left / raw,
                "r2": r_squared(flux, self.truth),
            }

        members = [of(self.adapter.obs.decode(c)) for c in self.coefficients]
        ensemble = of(self.adapted())
        return {
            "rms_raw": raw,
            "r2_raw": r_squared(self.raw, self.truth),
            **ensemble,
            "n_test": len(self.labels),
            "members": members,
        }

    def per_pixel(self) -> dict[str, Tensor]:
        """Return the rms over stars of both gaps ``(n_pixels,)``: ``raw`` and ``adapted``."""
        return {
            "raw": (self.raw - self.truth).square().mean(0).sqrt(),
            "adapted": (self.adapted() - self.truth).square().mean(0).sqrt(),
        }


def rms(x: Tensor) -> float:
    """Return the root of the mean square."""
    return float(x.square().mean().sqrt())


@torch.no_grad()
def transfer(model: Model, labels: Tensor, truth: Tensor, chunk: int = 250) -> Transfer:
    """Adapt the spectra of test stars.

    Parameters
    ----------
    model : Model
        A model on the CPU.
    labels : Tensor, shape ``(n_stars, n_labels)``
        Labels of stars that training did not see.
    truth : Tensor, shape ``(n_stars, n_pixels)``
        Their noise-free flux in the observed domain.
    chunk : int
        Stars at a time; bounds the memory.
    """
    raw = torch.cat([model.emulate(y) for y in labels.split(chunk)])
    coefficients = torch.cat([model.adapter.adapt_members(f) for f in raw.split(chunk)], dim=1)
    return Transfer(model.adapter, labels, raw, truth, coefficients)

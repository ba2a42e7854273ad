"""Stars kept in a bundle by which it can be judged later, without the data it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..emulator.emulator import FLUX_FLOOR, Emulator
from ..errors import BundleError


@dataclass(frozen=True)
class Sample:
    """Held-out stars of both domains.

    Parameters
    ----------
    synthetic_labels : Tensor, shape ``(n_synthetic, n_labels)``
        Labels drawn like those of the synthetic domain in training; their flux is the
        emulator's.
    observed : Tensor, shape ``(n_observed, n_coefficients)``
        Observed spectra that training did not see, noise and all, as coefficients of
        the adapter's observed domain.
    observed_labels : Tensor, shape ``(n_observed, n_labels)``, optional
        Their true labels, where known. For scores only: training never has them.
    test_labels : Tensor, shape ``(n_test, n_labels)``, optional
        Labels of stars in neither training set, for comparison with the truth.
    test_truth : Tensor, shape ``(n_test, n_basis of the truth)``, optional
        Noise-free observed-domain spectra of these stars, as components of log flux of
        the bundle's truth emulator; left out where that emulator is the truth itself.
    noise : float
        Typical 1-sigma error of the observed flux per pixel.
    """

    synthetic_labels: Tensor
    observed: Tensor
    observed_labels: Tensor | None = None
    test_labels: Tensor | None = None
    test_truth: Tensor | None = None
    noise: float = 0.0

    def truth(self, emulator: Emulator) -> Tensor:
        """Return the noise-free flux of the test stars, ``(n_test, n_pixels)``.

        Parameters
        ----------
        emulator : Emulator
            The truth emulator of the bundle.

        Raises
        ------
        BundleError
            If the sample has no test stars, or their spectra belong to another emulator.
        """
        if self.test_labels is None:
            raise BundleError("This bundle keeps no stars whose truth is known.")
        if self.test_truth is not None and self.test_truth.shape[1] != emulator.n_basis:
            raise BundleError(
                f"The sample's test_truth has {self.test_truth.shape[1]} columns; the truth "
                f"emulator has {emulator.n_basis} components."
            )
        with torch.no_grad():
            if self.test_truth is None:
                return torch.cat([emulator(y) for y in self.test_labels.split(250)])
            return ((self.test_truth * emulator.scale) @ emulator.components + emulator.mean).exp()

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors by name."""
        named = {
            "synthetic_labels": self.synthetic_labels,
            "observed": self.observed,
            "observed_labels": self.observed_labels,
            "test_labels": self.test_labels,
            "test_truth": self.test_truth,
            "noise": torch.tensor([self.noise]),
        }
        return {k: v for k, v in named.items() if v is not None}

    @classmethod
    def rebuild(cls, tensors: Mapping[str, Tensor], n_labels: int) -> Sample:
        """Return the sample that wrote `tensors`.

        Raises
        ------
        BundleError
            If they do not fit each other.
        """
        plain = {k: v.float() for k, v in tensors.items()}
        for name in ("synthetic_labels", "observed", "noise"):
            if name not in plain:
                raise BundleError(f"The sample of the bundle lacks {name}.")
        for name in ("synthetic_labels", "observed_labels", "test_labels"):
            if name in plain and (plain[name].dim() != 2 or plain[name].shape[1] != n_labels):
                raise BundleError(
                    f"The sample's {name} have shape {tuple(plain[name].shape)}; expected "
                    f"{n_labels} columns."
                )
        for name in ("observed", "test_truth"):
            if name in plain and plain[name].dim() != 2:
                raise BundleError(
                    f"The sample's {name} has shape {tuple(plain[name].shape)}; expected a row of "
                    "coefficients per star."
                )
        if plain["noise"].numel() != 1:
            raise BundleError(f"The sample has {plain['noise'].numel()} values of noise, not one.")
        for name, values in plain.items():
            # Labels of observed stars may be unknown, NaN.
            if name != "observed_labels" and not values.isfinite().all():
                raise BundleError(f"The sample's {name} has values that are not finite.")
        for a, b in (("observed", "observed_labels"), ("test_labels", "test_truth")):
            if a in plain and b in plain and len(plain[a]) != len(plain[b]):
                raise BundleError(
                    f"The sample has {len(plain[a])} rows of {a} and {len(plain[b])} of {b}."
                )
        return cls(
            plain["synthetic_labels"],
            plain["observed"],
            plain.get("observed_labels"),
            plain.get("test_labels"),
            plain.get("test_truth"),
            float(plain["noise"].reshape(-1)[0]),
        )


def log_components(flux: Tensor, emulator: Emulator) -> Tensor:
    """Return spectra ``(n, n_pixels)`` as whitened components of log flux of an emulator."""
    centred = flux.clamp_min(FLUX_FLOOR).log() - emulator.mean
    return centred @ emulator.components.T / emulator.scale

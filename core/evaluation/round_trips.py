"""A sample's stars on every route through an adaptation, computed once for all measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..adaptation.adapter import Adapter
from ..adaptation.spectral_basis import SpectralBasis, fit_basis
from ..bundle.sample import Sample
from ..errors import BundleError

MAX_STARS = 500
"""Stars of each domain that are compared."""

MIN_STARS = 20
"""With fewer held-out stars no figure means anything."""

Synthetic = Callable[[Tensor], Tensor]
"""A function of labels (n, n_labels) that returns synthetic flux (n, n_pixels)."""


@dataclass(frozen=True)
class Passages:
    """Held-out stars of both domains, as they are and as the networks see them.

    Spectra are whitened coefficients in one basis of the observed domain, ``k`` of them.
    M members, n stars of each domain; rows of the two domains do not belong together.

    Parameters
    ----------
    space : SpectralBasis
        The basis.
    noise : float
        Typical 1-sigma error of the observed flux per pixel.
    labels : Tensor, shape ``(n, n_labels)``
        Labels of the synthetic stars.
    emulated, observed : Tensor, shape ``(n, k)``
        Spectra as they are: synthetic ones without noise, observed ones with it.
    adapted : Tensor, shape ``(M, n, k)``
        Adapted synthetic spectra with typical split latents, as users get them.
    dressed : Tensor, shape ``(M, n, k)``
        Adapted synthetic spectra, each with the split latents of some observed star, as
        critics see them.
    reconstructed : Tensor, shape ``(M, n, k)``
        The networks' reconstructions of the observed spectra, in which noise is gone.
    shared_s, shared_o : Tensor, shape ``(M, n, n_shared)``
        Shared latents of synthetic and observed spectra.
    split_o : Tensor, shape ``(M, n, n_split)``
        Split latents of observed spectra.
    errors : dict
        Squared error of the flux per pixel, ``(M, n)``, by name: reconstruction and cycle
        error of both domains.
    cycle_tolerance : Tensor, shape ``(M,)``
        Root-mean-square cycle error of both domains in tolerances of the training.
    observed_labels : Tensor, shape ``(n, n_labels)``, optional
        True labels of the observed stars, for scores only.
    drawn_to_mean : bool
        Whether coefficients of observed spectra come from a projection with the prior that
        they have unit variance.
    """

    space: SpectralBasis
    noise: float
    labels: Tensor
    emulated: Tensor
    observed: Tensor
    adapted: Tensor
    dressed: Tensor
    reconstructed: Tensor
    shared_s: Tensor
    shared_o: Tensor
    split_o: Tensor
    errors: dict[str, Tensor]
    cycle_tolerance: Tensor
    observed_labels: Tensor | None = None
    drawn_to_mean: bool = False

    @property
    def n_stars(self) -> int:
        """Stars of each domain."""
        return len(self.labels)

    @property
    def n_members(self) -> int:
        """Networks in the ensemble."""
        return len(self.adapted)

    def noisy(self, spectra: Tensor, seed: int = 0) -> Tensor:
        """Return spectra ``(..., k)`` with noise as the survey's appears in coefficients.

        White noise per pixel, projected on orthonormal components: ``noise / scale`` per
        coefficient. Bad pixels and stars of other brightness are not imitated.
        """
        draw = torch.randn(spectra.shape, generator=torch.Generator().manual_seed(seed))
        relative = self.noise / self.space.scale
        out = spectra + draw * relative
        # Observed spectra in the adapter's basis were drawn to the mean by as much.
        return out / (1 + relative.square()) if self.drawn_to_mean else out


def common_space(adapter: Adapter, observed: Tensor, noise: float) -> SpectralBasis:
    """Return a basis of the observed domain in which spectra can be compared.

    The adapter's own if it works on one; else principal components of observed spectra.

    Parameters
    ----------
    adapter : Adapter
        The adaptation.
    observed : Tensor, shape ``(n, n_pixels)``
        Spectra of the observed domain.
    noise : float
        Their error per pixel.
    """
    if isinstance(adapter.obs, SpectralBasis):
        return adapter.obs
    n_basis = max(1, min(96, len(observed) // 3))
    return fit_basis(observed, max(0.5 * noise, 1e-4), n_basis)


@torch.no_grad()
def make_passages(
    adapter: Adapter,
    synthetic: Synthetic,
    sample: Sample,
    *,
    most: int = MAX_STARS,
    chunk: int = 125,
) -> Passages:
    """Send the stars of a sample along every route.

    Parameters
    ----------
    adapter : Adapter
        The adaptation, on the CPU.
    synthetic : callable
        The synthetic domain; see :data:`Synthetic`.
    sample : Sample
        Held-out stars.
    most : int
        Stars of each domain to use at most.
    chunk : int
        Stars sent at a time; bounds the memory.

    Raises
    ------
    BundleError
        If there are hardly any stars.
    """
    n = min(most, len(sample.synthetic_labels), len(sample.observed))
    if n < MIN_STARS:
        raise BundleError(
            f"Expected at least {MIN_STARS} held-out stars of each domain in the bundle; "
            f"found {n}. No figure would mean anything."
        )
    labels, seen = sample.synthetic_labels[:n], sample.observed[:n]
    obs, synth, net = adapter.obs, adapter.synth, adapter.network
    space = common_space(adapter, obs.decode(sample.observed), sample.noise)

    def move(c: Tensor) -> Tensor:
        return c if space is obs else space.encode(obs.decode(c))

    parts: list[dict[str, Tensor]] = []
    for y, o in zip(labels.split(chunk), seen.split(chunk), strict=True):
        flux = synthetic(y)
        s = synth.encode(flux)
        r = net.passes(s, o)
        ws, wo = synth.weight, obs.weight
        tolerance = _square((r.sos - s) * ws) + _square((r.oso - o) * wo)
        parts.append(
            {
                "emulated": space.encode(flux),
                "observed": move(o),
                "adapted": move(adapter.adapt_members(flux)),
                "dressed": move(r.so),
                "reconstructed": move(r.oo),
                "shared_s": r.z_s.flatten(2),
                "shared_o": r.z_o.flatten(2),
                "split_o": r.p_o.flatten(2),
                "synthetic_reconstruction": _flux_square(synth, r.ss - s),
                "observed_reconstruction": _flux_square(obs, r.oo - o),
                "synthetic_cycle": _flux_square(synth, r.sos - s),
                "observed_cycle": _flux_square(obs, r.oso - o),
                "tolerance": tolerance,
            }
        )
    whole = {k: torch.cat([p[k] for p in parts], dim=-2) for k in list(parts[0])[:8]}
    scores = {k: torch.cat([p[k] for p in parts], dim=-1) for k in list(parts[0])[8:]}
    tolerance = scores.pop("tolerance").mean(1).sqrt()
    known = None if sample.observed_labels is None else sample.observed_labels[:n]
    return Passages(
        space,
        sample.noise,
        labels,
        **whole,
        errors=scores,
        cycle_tolerance=tolerance,
        observed_labels=known,
        drawn_to_mean=space is obs,
    )


def _square(x: Tensor) -> Tensor:
    return x.square().mean(-1)


def _flux_square(space: object, difference: Tensor) -> Tensor:
    """Return the mean squared difference of flux per pixel ``(M, n)`` of coefficients."""
    if isinstance(space, SpectralBasis):
        # Components are orthonormal: lengths are those of spectra.
        return (difference * space.scale).square().sum(-1) / space.n_pixels
    flux = space.decode(difference) - space.decode(torch.zeros_like(difference))  # type: ignore[attr-defined]
    return flux.square().mean(-1)

"""What a training starts from: representations of both domains, and networks."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from ..errors import TrainingError
from .adapter import Adapter
from .networks.basis_change import in_bases
from .networks.convolution import ConvNetwork
from .networks.perceptron import AdaptationNetwork
from .networks.registry import Network, build_network
from .pixel_space import fit_pixels
from .representation import Representations, coefficients_of
from .settings import AdaptationTraining
from .spectral_basis import SpectralBasis, fit_basis


def fit_representations(
    pool: Tensor,
    observed: Tensor,
    noise: float,
    ivar: Tensor | None,
    training: AdaptationTraining,
) -> Representations:
    """Return how networks are to see the synthetic and the observed domain.

    Parameters
    ----------
    pool : Tensor, shape ``(n, n_pixels)``
        Synthetic flux.
    observed, ivar : Tensor, shape ``(n_stars, n_pixels)``
        Observed flux and its inverse variance; `ivar` may be None.
    noise : float
        Typical 1-sigma error of the observed flux.
    training : AdaptationTraining
        Backbone, number of components, tolerances and seed.
    """
    t = training
    if t.backbone == "conv":
        return Representations(
            fit_pixels(pool, noise, centre_pixels=t.centre_pixels),
            fit_pixels(observed, noise, ivar=ivar, centre_pixels=t.centre_pixels),
        )
    return Representations(
        fit_basis(pool, t.synth_tolerance, t.n_basis, seed=t.seed),
        # Half the noise: a coefficient averages many pixels.
        fit_basis(observed, 0.5 * noise, t.n_basis, ivar=ivar, seed=t.seed, sigma=noise),
    )


def starting_representations(
    pool: Tensor,
    observed: Tensor,
    noise: float,
    ivar: Tensor | None,
    training: AdaptationTraining,
    *,
    start: Adapter | None = None,
    known: Representations | None = None,
) -> Representations:
    """Return the representations of a training, with the observed spectra in theirs.

    Those of `start` are taken unless the training is to refit them, else those that are
    `known`; without either they are fitted. See :func:`fit_representations` for the rest.

    Raises
    ------
    TrainingError
        If the networks to start from are not those of the settings.
    """
    found = known
    if start is not None:
        require_like(start, training, observed.shape[1])
        found = None if training.refit else Representations(start.synth, start.obs)
    if found is None:
        found = fit_representations(pool, observed, noise, ivar, training)
    if found.coefficients is not None:
        return found
    kept = coefficients_of(found.obs.to(observed.device), observed, ivar, noise)
    return Representations(found.synth, found.obs, kept)


@torch.no_grad()
def starting_network(
    representations: Representations,
    training: AdaptationTraining,
    n_pixels: int,
    start: Adapter | None = None,
) -> Network:
    """Return the networks that a training starts with, on the CPU.

    Parameters
    ----------
    representations : Representations
        Of both domains.
    training : AdaptationTraining
        Settings.
    n_pixels : int
        Pixels of the spectra.
    start : Adapter, optional
        An adaptation whose weights are taken over. Without it networks have random weights
        by their seeds, and both encoders read the same pixels alike.

    Raises
    ------
    TrainingError
        If other components are asked for with networks that have none.
    """
    synth, obs = representations.synth, representations.obs
    shape = training.shape(n_pixels)
    out = build_network(shape, training.seeds() if start is None else start.network.seeds)
    if start is not None:
        network = start.network
        if training.refit:
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
        out.load_state_dict(network.state_dict())
    elif isinstance(out, AdaptationNetwork):
        assert isinstance(obs, SpectralBasis) and isinstance(synth, SpectralBasis)
        obs, synth = obs.to("cpu"), synth.to("cpu")
        out.start_alike(obs.change_to(synth), synth.change_to(obs))
    elif isinstance(out, ConvNetwork) and training.warm_start:
        out.start_alike(float(obs.scale / synth.scale))
    return out


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

"""What encoders, decoders and critics are trained for, step by step.

Encoders and decoders have to reconstruct, to return from round trips, to agree with
pseudo-pairs as long as these count, to give distributions that match, and to fool critics.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, cast

import torch
from torch import Tensor

from .losses import (
    critics_say,
    member_huber,
    member_squares,
    sliced_square,
    sliced_square_unbiased,
)
from .networks.two_domain import Passes, TwoCritics
from .precision import half_precision
from .representation import Batch, Representation
from .settings import AdaptationTraining

N_DIRECTIONS = 64
"""Random directions along which distributions are matched, new ones at every step."""


@dataclass(frozen=True)
class Spaces:
    """Both representations, and the mean-shift translations between them.

    Parameters
    ----------
    synth, obs : SpectralBasis or PixelSpace
        Representations of both domains, of one kind.
    shift_so, shift_os : callable
        From synthetic to observed coefficients, and back.
    """

    synth: Representation
    obs: Representation
    shift_so: Callable[[Tensor], Tensor]
    shift_os: Callable[[Tensor], Tensor]

    @classmethod
    def of(cls, synth: Representation, obs: Representation) -> Spaces:
        """Return the spaces of two representations of one kind."""
        return cls(synth, obs, synth.translation(cast(Any, obs)), obs.translation(cast(Any, synth)))


def member_distance(t: AdaptationTraining, a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Return the distance of spectra that the backbone trains on, of every member ``(M,)``."""
    distance = member_huber if t.backbone == "basis" else member_squares
    return distance(a, b, weight)


def pairs_weight(t: AdaptationTraining, step: int) -> float:
    """Return the weight of the pseudo-pairs at a step."""
    return max(0.0, 1 - step / t.warm_steps) + t.warm_rest if t.warm_start else 0.0


def critics_share(t: AdaptationTraining, step: int) -> float:
    """Return how much of the adversarial loss counts at a step, from 0 to 1.

    Examples
    --------
    >>> settings = AdaptationTraining(critics_from=500, critics_full=1000)
    >>> [critics_share(settings, step) for step in (0, 750, 2000)]
    [0.0, 0.5, 1.0]
    """
    if not t.adversarial:
        return 0.0
    if step >= t.critics_full:
        return 1.0
    ramp = (step - t.critics_from) / max(1, t.critics_full - t.critics_from)
    return min(1.0, max(0.0, ramp))


def matching_share(t: AdaptationTraining, step: int) -> float:
    """Return how much of the distance of distributions counts at a step, from 0 to 1.

    It is a square, and large at first: at full weight at once it threw the linear path of
    networks off for good where domains have odd stars, or had been warmed up only for a while.
    """
    if t.backbone != "basis" or step < t.match_from:
        return 0.0
    return min(1.0, (step - t.match_from + 1) / max(1, t.warm_steps))


def network_losses(
    t: AdaptationTraining,
    step: int,
    r: Passes,
    b: Batch,
    spaces: Spaces,
    critics: TwoCritics,
    generator: torch.Generator,
) -> dict[str, tuple[float, Tensor]]:
    """Return weight and value of every loss of encoders and decoders, by name.

    Values are sums over members. A term of weight 0 is left out.

    Parameters
    ----------
    t : AdaptationTraining
        Settings.
    step : int
        Number of the step.
    r : Passes
        All routes of the batch.
    b : Batch
        The batch.
    spaces : Spaces
        Representations.
    critics : TwoCritics
        Asked, not trained; left without gradients of their own.
    generator : torch.Generator
        Of the directions along which distributions are matched.
    """

    def distance(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        return member_distance(t, x, y, weight).sum()

    on_s, on_o = t.synth_weight, t.obs_weight
    terms = {
        "reconstruction": (
            1.0,
            on_s * distance(r.ss, b.s, b.ws) + on_o * distance(r.oo, b.o, b.wo),
        ),
        "cycle": (
            1.0,
            on_s * distance(r.sos, b.s, b.ws) + on_o * distance(r.oso, b.o, b.wo),
        ),
    }
    if weight := pairs_weight(t, step):
        so = distance(r.so, spaces.shift_so(b.s), spaces.obs.weight)
        os = distance(r.os, spaces.shift_os(b.o), b.ws_where_seen)
        terms["pairs"] = (weight, on_o * so + on_s * os)
    if t.matching_weight and (share := matching_share(t, step)):
        k = min(t.n_matched, r.so.shape[-1])
        directions = torch.randn(k, N_DIRECTIONS, generator=generator).to(r.so)
        apart_by = sliced_square_unbiased if t.unbiased_matching else sliced_square
        apart = apart_by(r.so[..., :k], r.oo[..., :k].detach(), directions)
        apart = apart + apart_by(r.os[..., :k], r.ss[..., :k].detach(), directions)
        # Times k: as if summed over components.
        terms["matching"] = (share * t.matching_weight * k, apart.sum())
    if share := critics_share(t, step):
        # Their weights need no gradient here.
        critics.requires_grad_(False)
        with half_precision(r.so.device, t.bf16):
            seen_s = critics.on_synth(r.os, r.z_o)
            seen_o = critics.on_obs(r.so, r.z_s, r.p_so)
        fooled = critics_say(seen_s.float(), True) + critics_say(seen_o.float(), True)
        terms["fooled"] = (share * t.adversarial_weight, fooled)
    return terms


def critic_loss(t: AdaptationTraining, r: Passes, critics: TwoCritics) -> Tensor:
    """Return the critics' own loss, summed over members.

    Reconstructions, not raw noisy spectra, are what they are shown as real.
    """
    seen = Passes(*(getattr(r, f.name).detach() for f in fields(r)))
    with half_precision(seen.so.device, t.bf16):
        real_s = critics.on_synth(seen.ss, seen.z_s)
        fake_s = critics.on_synth(seen.os, seen.z_o)
        real_o = critics.on_obs(seen.oo, seen.z_o, seen.p_o)
        fake_o = critics.on_obs(seen.so, seen.z_s, seen.p_so)
    return (
        critics_say(real_s.float(), True)
        + critics_say(fake_s.float(), False)
        + critics_say(real_o.float(), True)
        + critics_say(fake_o.float(), False)
    )

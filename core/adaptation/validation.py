"""Figures of spectra that a training leaves out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .losses import sliced_distance
from .networks.two_domain import Passes
from .objective import member_distance
from .representation import Batch, slices
from .settings import AdaptationTraining

CONV_SPECTRA_PER_PASS = 50
"""With convolutions: spectra in one pass of the validation, to bound its memory."""


@torch.no_grad()
def held_out_figures(
    training: AdaptationTraining,
    passes: Callable[[Tensor, Tensor], Passes],
    held_out: Batch,
    obs_weight: Tensor,
) -> dict[str, Tensor]:
    """Return figures of each member that need no truth, shape ``(M,)``.

    Parameters
    ----------
    training : AdaptationTraining
        Settings.
    passes : callable
        Sends ``(M, B, n_coefficients)`` of both domains through every route.
    held_out : Batch
        As many spectra of both domains, ``(B, n_coefficients)``, with their weights.
    obs_weight : Tensor, shape ``(n_coefficients,)``
        Weight of deviations from spectra in the observed domain.

    Returns
    -------
    dict of Tensor
        ``cycle_error``, ``mismatch`` and their sum ``validation``; see
        :meth:`~spectrabridge.core.adaptation.training.AdaptationTrainer.validate_members`.
    """
    s, o, m = held_out.s, held_out.o, training.members
    at_once = CONV_SPECTRA_PER_PASS if training.backbone == "conv" else len(s)
    parts = [
        passes(s[rows].expand(m, -1, -1), o[rows].expand(m, -1, -1))
        for rows in slices(len(s), max(1, at_once))
    ]
    sos, oso, so, os = (
        torch.cat([getattr(r, name) for r in parts], 1) for name in ("sos", "oso", "so", "os")
    )
    held = Batch(s.expand_as(sos), o.expand_as(oso), held_out.ws, held_out.wo, held_out.good)
    cycle = member_distance(training, sos, held.s, held.ws)
    cycle = cycle + member_distance(training, oso, held.o, held.wo)
    # Pixels that were not observed are the same, 0, on both sides.
    seen_so, seen_o = held.where_seen(so), held.where_seen(held.o)
    mismatch = sliced_distance(seen_so, seen_o, obs_weight)
    mismatch = mismatch + sliced_distance(os, held.s, held.ws)
    return {"cycle_error": cycle, "mismatch": mismatch, "validation": cycle + mismatch}

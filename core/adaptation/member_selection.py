"""Members of an ensemble: which it keeps, by scores that need no truth, and which weights."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from .adapter import Adapter
from .networks.perceptron import AdaptationNetwork
from .networks.registry import Network

Judge = Callable[[Adapter, Tensor], Sequence[float]]
"""A function of an adaptation and of observed spectra that its training leaves out, as
``(n_stars, n_coefficients)``. Returns a score of every member that needs no truth; lower is
better, and differences mean ratios of errors."""

FAILED_SCORE_EXCESS = 0.25
"""A member whose score is so much worse than the median one is left out of the ensemble.

Scores are logarithms: its figures are 1.3 times as bad as those of the others. Seeds of one
training are at most 0.1 above their median, those of the shipped bundles 0.06; networks of which
nothing held the meaning of the latents are 0.27 to 0.62 above it (`benchmarks/ranking.py`).
Among seeds that did not fail the score tells little of the error (rank correlations of 0.2 to
0.7), less than what the mean of one network more is worth.
"""


def choose_members(scores: Sequence[float], keep: int = 0) -> list[int]:
    """Return the numbers of the members that an ensemble should have, in order.

    Parameters
    ----------
    scores : sequence of float
        Score of every member; lower is better. See :data:`Judge`.
    keep : int
        How many to keep: the best. 0 for all but those that failed, whose scores are worse
        than the median by more than :data:`FAILED_SCORE_EXCESS`.

    Examples
    --------
    >>> choose_members([-1.0, -1.1, -0.2])
    [0, 1]
    >>> choose_members([-1.0, -1.1, -0.2], keep=1)
    [1]
    """
    scores = [math.inf if math.isnan(s) else s for s in scores]
    order = sorted(range(len(scores)), key=lambda i: scores[i])
    if keep:
        return sorted(order[:keep])
    median = statistics.median_low(scores[i] for i in order)
    return sorted(i for i in order if scores[i] <= median + FAILED_SCORE_EXCESS) or order[:1]


def merge_members(network: Network, own: Tensor, others: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights that are the network's for some members, and others for the rest.

    Parameters
    ----------
    network : AdaptationNetwork or ConvNetwork
        Networks of the ensemble.
    own : Tensor of bool, shape ``(M,)``
        Members whose weights are taken from `network`.
    others : mapping of Tensor
        Weights of the same networks for the other members.
    """
    out = {}
    for name, value in network.state_dict().items():
        if isinstance(network, AdaptationNetwork):
            chosen = own.to(value.device).view(-1, *[1] * (value.dim() - 1))
        else:
            # Members of the convolutions are modules of their own: "members.2.weight".
            parts = [int(p) for p in name.split(".") if p.isdecimal()]
            chosen = own[parts[0] if parts and len(own) > 1 else 0].to(value.device)
        out[name] = torch.where(chosen, value, others[name]).clone()
    return out

"""Networks on coefficients, re-expressed for other principal components."""

from __future__ import annotations

import torch

from ..spectral_basis import SpectralBasis
from .perceptron import AdaptationNetwork


@torch.no_grad()
def in_bases(
    network: AdaptationNetwork,
    old: tuple[SpectralBasis, SpectralBasis],
    new: tuple[SpectralBasis, SpectralBasis],
) -> AdaptationNetwork:
    """Return networks that do with coefficients in other bases what these do with theirs.

    The first layers read and the last layers write another basis; between them nothing
    changes. What the other bases do not span is lost, what they span in addition is not
    used until the networks are trained further.

    Parameters
    ----------
    network : AdaptationNetwork
        Networks to express anew; not changed.
    old, new : pair of SpectralBasis
        Synthetic and observed basis, of the networks and of the result; as many components.
    """
    out = AdaptationNetwork(network.shape, network.seeds)
    out.load_state_dict(network.state_dict())
    for name, before, after in zip(("synth", "obs"), old, new, strict=True):
        to_old, to_new = after.change_to(before), before.change_to(after)
        between = after.mean - before.mean
        at_old = between @ before.components.T / before.scale
        at_new = -between @ after.components.T / after.scale
        reading = [getattr(out, f"read_{name}").layers[0]]
        writing = [getattr(out, f"write_{name}")]
        if network.shape.linear_path:
            reading.append(getattr(out, f"past_read_{name}"))
            writing.append(getattr(out, f"past_write_{name}"))
        for layer in reading:
            layer.bias += (at_old @ layer.weight)[:, None]
            layer.weight.copy_(to_old @ layer.weight)
        for layer in writing:
            layer.weight.copy_(layer.weight @ to_new)
            layer.bias.copy_(layer.bias @ to_new)
        # Two paths add up; the difference of the means belongs to one of them.
        writing[0].bias += at_new
    return out

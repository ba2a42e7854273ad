"""Layers of an ensemble: the weights of all members side by side, in one batched pass.

Every layer holds the weights of several members, stacked along a leading axis. Members
differ in their seeds only and never exchange anything.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...forward_mode import silu_slope

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": F.silu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
}
"""Activations by the name that shapes give."""


_SLOPES: dict[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]] = {
    ACTIVATIONS["silu"]: silu_slope,
    ACTIVATIONS["leaky_relu"]: lambda x: torch.where(x > 0, 1.0, 0.1),
}
"""Derivatives of the activations."""


Pushed = tuple[Tensor, Tensor]
"""Values ``(M, B, d)`` and their change along directions, ``(M, B, k, d)``."""


class StackedLinear(nn.Module):
    """One linear layer per member: ``(M, B, n_in)`` or ``(B, n_in)`` to ``(M, B, n_out)``."""

    def __init__(self, n_in: int, n_out: int, generators: list[torch.Generator]) -> None:
        super().__init__()
        bound = n_in**-0.5  # as torch's own linear layers

        def draw(*shape: int) -> Tensor:
            return torch.stack(
                [(2 * torch.rand(*shape, generator=g) - 1) * bound for g in generators]
            )

        self.weight = nn.Parameter(draw(n_in, n_out))
        self.bias = nn.Parameter(draw(1, n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Apply each member's layer to its own batch, or to the common one."""
        if x.dim() == 2:
            x = x.expand(self.weight.shape[0], *x.shape)
        return torch.baddbmm(self.bias, x, self.weight)

    def push(self, x: Pushed) -> Pushed:
        """Return the layer's output and its change along the directions of the input."""
        value, slopes = x
        pushed = slopes.flatten(1, 2) @ self.weight
        return self(value), pushed.unflatten(1, slopes.shape[1:3])


class StackedPerceptron(nn.Module):
    """Linear layers with an activation between them, and after the last if asked for."""

    def __init__(
        self,
        sizes: tuple[int, ...],
        generators: list[torch.Generator],
        activation: Callable[[Tensor], Tensor],
        activate_last: bool = False,
    ) -> None:
        super().__init__()
        pairs = itertools.pairwise(sizes)
        self.layers = nn.ModuleList(StackedLinear(a, b, generators) for a, b in pairs)
        self.activation = activation
        self.activate_last = activate_last

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(M, B, sizes[-1])``."""
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i < last or self.activate_last:
                x = self.activation(x)
        return x

    def push(self, x: Pushed) -> Pushed:
        """Return the output and its change along the directions of the input.

        Written out instead of left to torch, which copies the weights for every direction
        where members are stacked.
        """
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            assert isinstance(layer, StackedLinear)
            x = layer.push(x)
            if i < last or self.activate_last:
                value, slopes = x
                bent = _SLOPES[self.activation](value)
                x = self.activation(value), slopes * bent[:, :, None]
        return x


def add_pushed(a: Pushed, b: Pushed) -> Pushed:
    """Return the sum of two outputs, and of their changes along the directions."""
    return a[0] + b[0], a[1] + b[1]

"""Derivatives of batched functions, by forward differentiation.

The networks here have few inputs and thousands of outputs, so that derivatives are pushed
forward. The functions work row by row on a batch; all directions of all rows go through
one pass, which is many times faster than one Jacobian after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import torch
from torch import Tensor

_alone = Lock()
"""Levels of forward differentiation belong to the process: threads would end each other's."""


def silu_slope(x: Tensor) -> Tensor:
    """Return the derivative of the activation SiLU.

    Examples
    --------
    >>> silu_slope(torch.tensor([0.0, 10.0])).round(decimals=3).tolist()
    [0.5, 1.0]
    """
    gate = torch.sigmoid(x)
    return gate * (1 + x * (1 - gate))


def along(
    function: Callable[[Tensor], Tensor], at: Tensor, directions: Tensor
) -> tuple[Tensor, Tensor]:
    """Return values of a batched function and their derivatives along directions.

    Parameters
    ----------
    function : callable
        ``(n, d)`` to ``(..., n, q)``, row by row.
    at : Tensor, shape ``(n, d)``
        Where.
    directions : Tensor, shape ``(n, k, d)``
        Directions of each row.

    Returns
    -------
    value : Tensor, shape ``(..., n, q)``
    slopes : Tensor, shape ``(..., n, k, q)``

    Examples
    --------
    >>> at = torch.tensor([[1.0, 2.0]])
    >>> value, slopes = along(lambda x: x.square(), at, torch.tensor([[[1.0, 1.0]]]))
    >>> value.tolist(), slopes.tolist()
    ([[1.0, 4.0]], [[[2.0, 4.0]]])
    """

    def one(direction: Tensor) -> Tensor:
        return torch.func.jvp(function, (at,), (direction,))[1]

    with _alone, torch.no_grad():
        slopes = torch.func.vmap(one, in_dims=1, out_dims=-2)(directions)
        return function(at), slopes


def along_unit_vectors(function: Callable[[Tensor], Tensor], at: Tensor) -> tuple[Tensor, Tensor]:
    """Return values of a batched function and its derivatives by each of its inputs.

    Examples
    --------
    >>> at = torch.tensor([[1.0, 2.0]])
    >>> along_unit_vectors(lambda x: x.square(), at)[1].tolist()
    [[[2.0, 0.0], [0.0, 4.0]]]
    """
    n, d = at.shape
    return along(function, at, torch.eye(d, device=at.device).expand(n, d, d))

"""The two backbones: what each is made of, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from ...files.typed_json import rebuilt, require_types
from ..representation import KINDS
from .conv_shape import ConvLayers, ConvShape
from .convolution import ConvCritics, ConvNetwork
from .perceptron import AdaptationNetwork, Critics, NetworkShape
from .two_domain import TwoCritics, TwoDomainNetwork

BACKBONES = tuple(KINDS)
"""``basis``: perceptrons on principal components. ``conv``: the paper's, on pixels."""

Shape: TypeAlias = NetworkShape | ConvShape
Network: TypeAlias = AdaptationNetwork | ConvNetwork


def backbone_of(network: TwoDomainNetwork) -> str:
    """Return the name of a network's backbone."""
    return "conv" if isinstance(network, ConvNetwork) else "basis"


def build_network(shape: Shape, seeds: Sequence[int]) -> Network:
    """Return untrained networks of this shape, one per seed.

    Examples
    --------
    >>> build_network(NetworkShape(n_basis=8, hidden=16), [0, 1]).n_members
    2
    """
    if isinstance(shape, ConvShape):
        return ConvNetwork(shape, seeds)
    return AdaptationNetwork(shape, list(seeds))


def build_critics(shape: Shape, seeds: Sequence[int]) -> TwoCritics:
    """Return untrained critics for networks of this shape."""
    if isinstance(shape, ConvShape):
        return ConvCritics(shape, seeds)
    return Critics(shape, list(seeds))


def read_shape(backbone: str, data: Mapping[str, Any]) -> Shape:
    """Return the shape that a description of a backbone holds.

    Raises
    ------
    TypeError, ValueError
        If it holds something else.
    """
    if backbone == "conv":
        require_types(data, {"layers": dict[str, Any]}, where="adaptation.shape")
        return ConvShape(**{**data, "layers": ConvLayers.of(data["layers"])})
    return rebuilt(NetworkShape, data, "adaptation.shape")

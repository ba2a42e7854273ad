"""Tensors as bundles keep them: matrices in float16, without the zeros of sparse ones."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ..errors import BundleError

MAX_PLAIN_NUMBERS = 4096
"""Numbers up to which a tensor is stored as it is."""

MIN_ZERO_FRACTION = 0.25
"""Part of zeros from which only the other numbers are stored, with a bit for each place."""

_VALUES, _PLACES, _SHAPE = ".values", ".places", ".shape"


def compact(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors to store: components and weights need no more than three digits.

    The weights of emulators with confined elements are half zeros: see
    :mod:`spectrabridge.core.emulator.confinement`.
    """
    out = {}
    for name, tensor in tensors.items():
        if tensor.dim() < 2 or tensor.numel() <= MAX_PLAIN_NUMBERS:
            out[name] = tensor.float().contiguous()
            continue
        half = tensor.half().contiguous()
        kept = half != 0
        if 1 - float(kept.float().mean()) < MIN_ZERO_FRACTION:
            out[name] = half
            continue
        out[name + _VALUES] = half[kept]
        out[name + _PLACES] = torch.from_numpy(np.packbits(kept.numpy().ravel()))
        out[name + _SHAPE] = torch.tensor(half.shape)
    return out


def expand(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors that :func:`compact` was given, rounded.

    Raises
    ------
    BundleError
        If the parts of a tensor do not fit together.
    """
    out = {}
    for name, tensor in stored.items():
        if name.endswith((_PLACES, _SHAPE)):
            continue
        if not name.endswith(_VALUES):
            out[name] = tensor
            continue
        name = name.removesuffix(_VALUES)
        try:
            shape = [int(n) for n in stored[name + _SHAPE]]
            places, n = stored[name + _PLACES].numpy(), math.prod(shape)
            # More would be made up of nothing: a small file must not fill the memory.
            if not 0 < n <= 8 * places.size:
                raise ValueError(f"{places.size} bytes of places for shape {shape}")
            bits = np.unpackbits(places, count=n)
            whole = torch.zeros(shape, dtype=tensor.dtype)
            whole[torch.from_numpy(bits.astype(bool)).reshape(shape)] = tensor
        except (KeyError, ValueError, TypeError, RuntimeError, IndexError) as problem:
            raise BundleError(f"The stored tensor {name} is damaged: {problem}.") from problem
        out[name] = whole
    return out

"""Reduced precision on CUDA devices, and its refusal elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from ..errors import TrainingError


def require_cuda_for(device: torch.device, *, tf32: bool, bf16: bool) -> None:
    """Refuse reduced precision where it would do nothing, or be slower.

    Raises
    ------
    TrainingError
        If it is asked for on another device than CUDA.
    """
    for name, asked in (("tf32", tf32), ("bf16", bf16)):
        if asked and device.type != "cuda":
            raise TrainingError(
                f"{name} needs a CUDA device; found {device.type}. Leave {name} off there, or "
                "train on a GPU (--device cuda)."
            )


def half_precision(device: torch.device, on: bool) -> AbstractContextManager[None]:
    """Return a context in which matrix products and convolutions run in bfloat16."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if on else nullcontext()


@contextmanager
def matrix_precision(device: torch.device, tf32: bool) -> Iterator[None]:
    """Set whether products and convolutions may round to TensorFloat-32, and set it back.

    Without `tf32` they may not, although torch lets convolutions by default: results on
    a GPU are then those of a CPU but for the order of sums.
    """
    if device.type != "cuda":
        yield
        return
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = tf32
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before

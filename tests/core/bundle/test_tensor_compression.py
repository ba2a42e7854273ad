"""Tensors survive storage: rounded, and matrices with many zeros without them."""

from __future__ import annotations

import pytest
import torch

from spectrabridge.core.bundle.tensor_compression import compact, expand
from spectrabridge.core.errors import BundleError


def block_matrix() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    out = torch.zeros(120, 120)
    out[:80, :80] = torch.randn(80, 80, generator=generator)
    out[80:, 80:] = torch.randn(40, 40, generator=generator)
    return out


def test_a_matrix_of_zeros_and_blocks_takes_less_room_and_comes_back() -> None:
    whole = block_matrix()
    stored = compact({"net.2.weight": whole, "bias": torch.arange(5.0)})
    size = sum(t.numel() * t.element_size() for t in stored.values())
    assert size < 0.7 * 2 * whole.numel()
    back = expand(stored)
    assert set(back) == {"net.2.weight", "bias"}
    assert torch.equal(back["net.2.weight"], whole.half())
    assert torch.equal(back["bias"], torch.arange(5.0))


def test_a_full_matrix_is_stored_as_it_is() -> None:
    full = torch.randn(100, 100, generator=torch.Generator().manual_seed(2))
    assert set(compact({"w": full})) == {"w"}
    assert compact({"w": full})["w"].dtype == torch.float16


@pytest.mark.parametrize("damage", ["shape", "places", "values", "missing"])
def test_parts_that_do_not_fit_are_refused(damage: str) -> None:
    stored = compact({"w": block_matrix()})
    if damage == "shape":
        stored["w.shape"] = torch.tensor([120, 100_000_000])
    elif damage == "places":
        stored["w.places"] = stored["w.places"][:-1]
    elif damage == "values":
        stored["w.values"] = stored["w.values"][:-7]
    else:
        del stored["w.places"]
    with pytest.raises(BundleError, match="tensor w is damaged"):
        expand(stored)

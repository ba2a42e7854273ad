"""Stars kept for judging: their truth comes back, and what does not fit is refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spectrabridge.core.bundle import Sample
from spectrabridge.core.bundle.sample import log_components
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.errors import BundleError
from spectrabridge.core.labels import draws

N_LABELS = 25


def giants(n: int, seed: int = 0) -> Tensor:
    return draws.giant_branch(n, torch.Generator().manual_seed(seed))


def tensors(**changes: Tensor | None) -> dict[str, Tensor]:
    """Tensors of a sample that is well, but for these changes; None leaves one out."""
    generator = torch.Generator().manual_seed(1)
    whole: dict[str, Tensor | None] = {
        "synthetic_labels": giants(7),
        "observed": torch.randn(5, 12, generator=generator),
        "observed_labels": giants(5, 1),
        "test_labels": giants(6, 2),
        "test_truth": torch.randn(6, 40, generator=generator),
        "noise": torch.tensor([0.01]),
    } | changes
    return {k: v for k, v in whole.items() if v is not None}


def test_what_is_written_is_what_is_rebuilt() -> None:
    ours = tensors()
    again = Sample.rebuild(ours, N_LABELS)
    assert again.noise == pytest.approx(0.01)
    assert again.tensors().keys() == ours.keys()
    assert all(torch.equal(again.tensors()[k], v) for k, v in ours.items())


@pytest.mark.parametrize("left_out", ["observed_labels", "test_labels", "test_truth"])
def test_what_is_not_known_may_be_left_out(left_out: str) -> None:
    again = Sample.rebuild(tensors(**{left_out: None}), N_LABELS)
    assert getattr(again, left_out) is None
    assert left_out not in again.tensors()


def test_unknown_labels_of_observed_stars_are_kept_as_nan() -> None:
    labels = giants(5)
    labels[2, 4] = torch.nan
    again = Sample.rebuild(tensors(observed_labels=labels), N_LABELS)
    assert again.observed_labels is not None
    assert again.observed_labels.isnan().sum() == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"synthetic_labels": None}, "lacks synthetic_labels"),
        ({"observed": None}, "lacks observed"),
        ({"noise": None}, "lacks noise"),
        ({"synthetic_labels": torch.zeros(7, 24)}, r"synthetic_labels .*\(7, 24\).*25 columns"),
        ({"observed_labels": torch.zeros(5)}, "observed_labels .*25 columns"),
        ({"test_labels": torch.zeros(6, 2, 25)}, "test_labels .*25 columns"),
        ({"observed_labels": torch.zeros(4, 25)}, "5 rows of observed and 4 of observed_labels"),
        ({"test_truth": torch.zeros(7, 40)}, "6 rows of test_labels and 7 of test_truth"),
        ({"observed": torch.zeros(5)}, "observed has shape .*per star"),
        ({"test_truth": torch.zeros(6, 4, 10)}, "test_truth has shape .*per star"),
        ({"noise": torch.zeros(0)}, "0 values of noise"),
        ({"noise": torch.tensor([torch.nan])}, "noise has values that are not finite"),
        ({"observed": torch.full((5, 12), torch.inf)}, "observed has values"),
        ({"test_labels": torch.full((6, 25), torch.nan)}, "test_labels has values"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        Sample.rebuild(tensors(**changes), N_LABELS)


# ---------------------------------------------------------------------- truth


def sample(**changes: Tensor | None) -> Sample:
    return Sample.rebuild(tensors(**changes), N_LABELS)


def test_stored_components_give_the_exact_truth(toy_emulator: Emulator) -> None:
    """A truth that no emulator predicts: that of other labels than those kept."""
    exact = toy_emulator(giants(6, 5))
    kept = sample(test_truth=log_components(exact, toy_emulator))
    found = kept.truth(toy_emulator)
    assert (found - exact).abs().max() < 1e-4
    assert kept.test_labels is not None
    assert (found - toy_emulator(kept.test_labels)).abs().max() > 0.05


def test_without_stored_components_the_emulator_is_the_truth(toy_emulator: Emulator) -> None:
    many = giants(300, 2)  # more than are emulated at once
    found = sample(test_truth=None, test_labels=many).truth(toy_emulator)
    assert found.shape == (300, 640)
    assert torch.allclose(found, toy_emulator(many), atol=1e-6)
    assert not found.requires_grad


def test_without_test_stars_there_is_no_truth(toy_emulator: Emulator) -> None:
    with pytest.raises(BundleError, match="no stars whose truth is known"):
        sample(test_labels=None).truth(toy_emulator)


def test_components_of_another_emulator_are_refused(toy_emulator: Emulator) -> None:
    with pytest.raises(BundleError, match=r"test_truth has 39 columns.*40 components"):
        sample(test_truth=torch.zeros(6, 39)).truth(toy_emulator)
    payne = Emulator(toy_emulator.labels, toy_emulator.grid, "payne", (8, 8))
    with pytest.raises(BundleError, match="0 components"):
        sample().truth(payne)


def test_black_pixels_have_finite_components(toy_emulator: Emulator) -> None:
    flux = torch.ones(2, 640)
    flux[0, 3], flux[1, 5] = 0, -0.2
    assert log_components(flux, toy_emulator).isfinite().all()

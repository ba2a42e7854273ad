"""The model answers in kind, differentiates rightly, and refuses other shapes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectrabridge.core.bundle import Bundle, Model
from spectrabridge.core.errors import LabelError, SpectrumError


@pytest.fixture(scope="module")
def model(toy_bundle: Bundle) -> Model:
    return toy_bundle.model


def test_numpy_in_numpy_out_torch_in_torch_out(model: Model) -> None:
    many = np.stack([model.reference, model.reference + 0.01])
    flux = model.adapt(many)
    assert isinstance(flux, np.ndarray)
    assert flux.shape == (2, model.grid.n_pixels)
    assert flux.dtype == np.float32
    tensor = model.adapt(torch.tensor(many))
    assert isinstance(tensor, torch.Tensor)
    assert np.allclose(tensor.numpy(), flux, atol=1e-6)
    assert model.emulate(model.reference).shape == (1, model.grid.n_pixels)


def test_batches_do_not_change_a_star(model: Model) -> None:
    many = np.stack([model.reference + 0.001 * i for i in range(7)])
    assert np.allclose(model.adapt(many)[3], model.adapt(many[3])[0], atol=1e-5)


def test_the_caller_s_labels_stay_as_they_are(model: Model) -> None:
    labels = model.reference.astype(np.float32)
    kept = labels.copy()
    model.adapt(labels)
    model.jacobian(labels)
    assert np.array_equal(labels, kept)


def test_spread_between_members_is_that_of_their_spectra(model: Model) -> None:
    mean, std = model.adapt(model.reference, return_std=True)
    flux = torch.tensor(model.emulate(model.reference))
    members = model.adapter.obs.decode(model.adapter.adapt_members(flux))
    assert members.shape[0] == model.n_members == 2
    assert np.allclose(mean, members.mean(0), atol=1e-5)
    assert np.allclose(std, members.std(0), atol=1e-5)
    assert std.max() > 0


@pytest.mark.parametrize("of", ["adapted", "emulated", "truth"])
def test_jacobian_agrees_with_finite_differences(model: Model, of: str) -> None:
    slope, spread = model.jacobian(model.reference, of, return_std=True)
    assert slope.shape == (model.grid.n_pixels, 25)
    assert (spread.max() > 0) == (of == "adapted")
    source = {"adapted": model.adapt, "emulated": model.emulate, "truth": model.truth}[of]
    for column, step in ((0, 1.0), (7, 0.002), (18, 0.002)):
        shift = np.zeros(25)
        shift[column] = step
        difference = (source(model.reference + shift) - source(model.reference - shift))[0]
        difference = difference / (2 * step)
        scale = np.abs(difference).max()
        assert np.abs(slope[:, column] - difference).max() < 0.08 * scale


def test_hidden_pixels_do_not_respond_in_the_emulated_domain(
    model: Model, toy_bundle: Bundle
) -> None:
    from spectrabridge.core.emulator.hidden_lines import hidden_pixels

    hidden = hidden_pixels(toy_bundle.experiment.features, model.grid.n_pixels)
    assert np.abs(model.jacobian(model.reference, "emulated")[hidden]).max() == 0
    assert np.abs(model.jacobian(model.reference, "truth")[hidden]).max() > 0


def test_member_jacobians_average_to_the_jacobian(model: Model) -> None:
    each = model.member_jacobians(model.reference)
    assert np.allclose(each.mean(0), model.jacobian(model.reference), atol=1e-5)


def test_split_latents_round_trip(model: Model) -> None:
    flux = model.truth(model.reference)
    shared, split = model.encode(flux)
    assert shared.shape == (1, model.n_shared)
    assert split.shape == (1, model.n_split)
    assert np.isfinite(model.adapt(model.reference, split)).all()
    moved = model.adapt(model.reference, split + 5)
    assert not np.allclose(moved, model.adapt(model.reference, split), atol=1e-6)


def test_bad_pixels_hardly_move_the_latents(model: Model) -> None:
    flux = model.truth(model.reference)
    ivar = np.full_like(flux, 1e4)
    ivar[:, ::7] = 0
    ruined = np.where(ivar > 0, flux, 9).astype(np.float32)
    clean, _ = model.encode(flux, np.full_like(flux, 1e4))
    found, _ = model.encode(ruined, ivar)
    blind, _ = model.encode(ruined)
    assert np.abs(found - clean).max() < 0.1 * np.abs(blind - clean).max()


def test_wrong_shapes_and_values_are_refused_in_words(model: Model) -> None:
    with pytest.raises(LabelError, match=r"\(n_stars, 25\)"):
        model.emulate(np.zeros((2, 24)))
    bad = model.reference.copy()
    bad[1] = np.nan
    with pytest.raises(LabelError, match="not finite: logg"):
        model.adapt(bad)
    with pytest.raises(LabelError, match="one star; found 2"):
        model.jacobian(np.stack([model.reference] * 2))
    with pytest.raises(LabelError, match="split latents of shape"):
        model.adapt(model.reference, np.zeros((1, 99)))
    with pytest.raises(SpectrumError, match="640 pixels; found 10"):
        model.encode(np.zeros((1, 10)))
    with pytest.raises(SpectrumError, match="'adapted', 'emulated' or 'truth'"):
        model.jacobian(model.reference, "observed")


def test_labels_outside_the_range_are_extrapolated_not_clipped(model: Model) -> None:
    hot = model.reference.copy()
    hot[0] = model.labels.high[0]
    hotter = hot.copy()
    hotter[0] += 200
    assert model.labels.outside(hotter)[0]
    assert not np.allclose(model.emulate(hot), model.emulate(hotter), atol=1e-4)

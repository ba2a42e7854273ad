"""The convolutional backbone: shapes, what losses see, training, files, checkpoints."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from spectrabridge.core.adaptation.adapter import Adapter
from spectrabridge.core.adaptation.callbacks import WriteCheckpoint
from spectrabridge.core.adaptation.losses import member_squares
from spectrabridge.core.adaptation.networks.conv_shape import ConvLayers, ConvShape
from spectrabridge.core.adaptation.networks.convolution import ConvCritics, ConvNetwork
from spectrabridge.core.adaptation.objective import Spaces
from spectrabridge.core.adaptation.pixel_space import PixelSpace, fit_pixels
from spectrabridge.core.adaptation.representation import Batch
from spectrabridge.core.adaptation.result import TrainingResult
from spectrabridge.core.adaptation.settings import (
    PAPER_CONV,
    PAPER_CONV_APOGEE,
    SMALL_CONV,
    AdaptationTraining,
)
from spectrabridge.core.adaptation.training import AdaptationTrainer
from spectrabridge.core.bundle import Model
from spectrabridge.core.bundle.writing import write_bundle
from spectrabridge.core.domains.mock_lines import (
    mock_trainer,
    observe,
    reference_giant,
    synthetic_draws,
)
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.emulator.hidden_lines import Experiment, HiddenLines, hidden_pixels
from spectrabridge.core.errors import BundleError, TrainingError
from spectrabridge.core.evaluation import score_hidden_lines

from ...conftest import TOY_SURVEY, StopAt

TINY_LAYERS = ConvLayers(
    domain=(8, 16),
    domain_strides=(4, 4),
    shared=(32,),
    split=(8,),
    latent_strides=(2,),
    critic_spectra=(8, 16),
    critic_latents=(16,),
)
TINY = dataclasses.replace(
    SMALL_CONV,
    conv=TINY_LAYERS,
    iterations=250,
    batch=8,
    pool=400,
    refresh=8,
    validation=60,
    warm_steps=150,
    critics_from=100,
    critics_full=150,
    check_every=50,
)
BRIEF = dataclasses.replace(
    TINY, iterations=12, check_every=4, warm_steps=6, critics_from=3, critics_full=6
)
SURVEY = dataclasses.replace(TOY_SURVEY, n_stars=400)
Make = Callable[..., AdaptationTrainer]


@pytest.fixture(scope="module")
def make(toy_emulator: Emulator, toy_experiment: Experiment) -> Make:
    """A function that returns a trainer with some settings changed."""

    def trainer(training: AdaptationTraining = BRIEF, **changes: Any) -> AdaptationTrainer:
        training = dataclasses.replace(training, **changes)
        return mock_trainer(toy_emulator, toy_experiment.features, training, SURVEY)

    return trainer


@pytest.fixture(scope="module")
def with_bad_pixels(
    toy_emulator: Emulator, toy_experiment: Experiment
) -> Callable[[float], AdaptationTrainer]:
    """A function that returns a trainer on spectra with this flux in a tenth of the pixels."""
    draw = synthetic_draws(toy_emulator, toy_experiment.features)
    observed = observe(toy_emulator, SURVEY)
    bad = torch.rand(observed.shape, generator=torch.Generator().manual_seed(1)) < 0.1
    ivar = torch.where(bad, torch.zeros_like(observed), torch.full_like(observed, 1e4))

    def trainer(flux: float) -> AdaptationTrainer:
        ruined = torch.where(bad, torch.full_like(observed, flux), observed)
        return AdaptationTrainer(draw, ruined, 0.01, BRIEF, ivar=ivar)

    return trainer


@pytest.fixture(scope="module")
def trained(make: Make) -> TrainingResult:
    return make(TINY).run()


def _model(emulator: Emulator, experiment: Experiment, adapter: Adapter) -> Model:
    hidden = hidden_pixels(experiment.features, emulator.grid.n_pixels)
    reference = reference_giant(emulator.labels)
    return Model(HiddenLines(emulator, hidden), adapter, reference, truth=emulator)


# ---------------------------------------------------------------------- network


@pytest.mark.parametrize("n_pixels", [640, 641, 777, 1023])
@pytest.mark.parametrize("n_split", [0, 1, 3])
def test_any_number_of_pixels_comes_back(n_pixels: int, n_split: int) -> None:
    shape = ConvShape(n_pixels, 5, n_split, layers=TINY_LAYERS)
    network, critics = ConvNetwork(shape, [0, 1]), ConvCritics(shape, [0, 1])
    s, o = torch.randn(2, 3, n_pixels), torch.randn(2, 3, n_pixels)
    r = network.passes(s, o)
    for name in ("ss", "so", "sos", "oo", "os", "oso"):
        assert getattr(r, name).shape == s.shape
    assert r.z_s.shape == (2, 3, network.shared_size)
    assert r.p_o.shape == r.p_so.shape == (2, 3, network.split_size)
    assert (network.split_size == 0) == (n_split == 0)
    assert critics.on_synth(r.os, r.z_o).shape == (2, 3, 1)
    assert critics.on_obs(r.so, r.z_s, r.p_so).shape == (2, 3, 1)


def test_the_paper_s_sizes() -> None:
    shape = PAPER_CONV.shape(7214)
    assert isinstance(shape, ConvShape)
    assert shape.lengths == (7214, 1804, 451, 113, 57, 29)
    sizes = ConvNetwork.sizes(shape, 1)
    assert sizes["members.0.read_synth.layers.1.weight"] == (64, 32, 7)
    assert sizes["members.0.to_shared.layers.2.weight"] == (512, 256, 7)
    assert sizes["members.0.shared_out.weight"] == (25, 512, 1)
    assert sizes["members.0.split_out.weight"] == (1, 32, 1)
    # Split features stand beside shared ones.
    assert sizes["members.0.write_obs.layers.0.weight"] == (128 + 32, 64, 7)
    assert (PAPER_CONV.synth_weight, PAPER_CONV.obs_weight) == (90, 90)
    apogee = PAPER_CONV_APOGEE
    assert (apogee.synth_weight, apogee.obs_weight, apogee.n_split) == (3, 9, 4)


def test_latents_are_normalised_over_positions_if_asked_for() -> None:
    x = torch.randn(4, 640)
    for normalise in (True, False):
        layers = dataclasses.replace(TINY_LAYERS, normalise=normalise)
        network = ConvNetwork(ConvShape(640, 5, 1, layers=layers), [0])
        z = network.encode_synth(x).unflatten(-1, (5, -1))
        assert torch.allclose(z.mean(-1), torch.zeros(1, 4, 5), atol=1e-5) == normalise


def test_members_do_not_mix_and_leave_torch_s_generator_alone() -> None:
    shape = ConvShape(640, 5, 1, layers=TINY_LAYERS)
    state = torch.random.get_rng_state()
    network, alone = ConvNetwork(shape, [3, 4]), ConvNetwork(shape, [4])
    assert torch.equal(torch.random.get_rng_state(), state)
    x = torch.randn(3, 640)
    assert torch.equal(network.encode_obs(x)[1][1], alone.encode_obs(x)[1][0])
    assert not torch.equal(network.encode_synth(x)[0], network.encode_synth(x)[1])


def test_sizes_that_cannot_be_built_are_refused() -> None:
    with pytest.raises(ValueError, match="odd kernel; found 6"):
        ConvLayers(kernel=6)
    with pytest.raises(ValueError, match="whole numbers from 1 to 4096"):
        ConvLayers(domain=(32, 10**6))
    with pytest.raises(ValueError, match="as many shared channels"):
        ConvLayers(shared=(8, 8))
    with pytest.raises(TrainingError, match="200 pixels are too short"):
        PAPER_CONV.shape(200)
    with pytest.raises(TrainingError, match="backbone must be one of basis, conv; found 'cnn'"):
        AdaptationTraining(backbone="cnn")


# ---------------------------------------------------------------------- pixels and losses


@pytest.mark.parametrize("centre_pixels", [True, False])
def test_pixels_whiten_and_come_back(centre_pixels: bool) -> None:
    flux = 1 - torch.rand(60, 50) * torch.linspace(0.1, 0.5, 50)
    space = fit_pixels(flux, 0.01, centre_pixels=centre_pixels)
    white = space.encode(flux)
    assert abs(float(white.square().mean()) - 1) < 1e-3
    assert torch.allclose(space.decode(white), flux, atol=1e-6)
    slopes = torch.randn(50, 3)
    changed = space.decode(white[0] + 0.1 * slopes[:, 0]) - space.decode(white[0])
    assert torch.allclose(space.decode_slopes(slopes)[:, 0] * 0.1, changed, atol=1e-6)
    other = fit_pixels(0.8 * flux + 0.1, 0.01, centre_pixels=centre_pixels)
    moved = other.decode(space.translation(other)(white))
    assert torch.allclose(moved, flux - space.mean + other.mean, atol=1e-5)


def test_bad_pixels_are_filled_with_the_mean_and_weigh_nothing() -> None:
    flux = 1 - 0.3 * torch.rand(80, 40)
    ivar = torch.full_like(flux, 1e4)
    ivar[:, 7] = 0  # dead
    ivar[3, 5] = 0
    ivar[4, 5] = 1e9
    flux[ivar == 0] = torch.nan
    space = fit_pixels(flux, 0.01, ivar=ivar)
    white = space.encode(flux, ivar)
    assert torch.isfinite(white).all()
    assert torch.allclose(space.decode(white)[3, 5], space.mean[5])
    assert space.mean[7] == 1
    weights = space.weights(ivar)
    assert weights[3, 5] == 0
    assert (weights[:, 7] == 0).all()
    assert weights[0, 0] == pytest.approx(1)
    assert weights[4, 5] == 2  # one bright star does not decide everything


def test_the_loss_is_normalised_by_good_pixels() -> None:
    a, b = torch.randn(2, 4, 100), torch.randn(2, 4, 100)
    weight = torch.ones(2, 4, 100)
    weight[..., 30:] = 0
    expected = member_squares(a[..., :30], b[..., :30], torch.ones(30))
    assert torch.allclose(member_squares(a, b, weight), expected)
    none = member_squares(a, b, torch.zeros(100))
    assert torch.equal(none, torch.zeros(2))


def test_flux_in_bad_pixels_changes_nothing(with_bad_pixels) -> None:
    one, other = with_bad_pixels(5.0), with_bad_pixels(-40.0)
    assert one._step().losses == other._step().losses
    assert one.validate() == other.validate()
    # Nor does what the networks put there.
    batch = one.batch()
    assert batch.good is not None and not batch.good.all()
    r = one.network.passes(batch.s, batch.o)
    spoilt = dataclasses.replace(
        r,
        oo=torch.where(batch.good, r.oo, 1e3),
        oso=torch.where(batch.good, r.oso, 1e3),
        os=torch.where(batch.good, r.os, 1e3),
    )
    spaces = Spaces.of(one.synth, one.obs)
    ours = one.optimisation.losses(one.iteration, r, batch, spaces)
    theirs = one.optimisation.losses(one.iteration, spoilt, batch, spaces)
    for name in ("reconstruction", "cycle", "pairs"):
        assert torch.equal(ours[name][1], theirs[name][1])


# ---------------------------------------------------------------------- training


def test_a_short_training_closes_a_part_of_the_gap(
    trained: TrainingResult, make: Make, toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    first, last = trained.history[0], trained.history[-1]
    assert last["reconstruction"] < 0.7 * first["reconstruction"]
    assert last["cycle_error"] < 0.7 * first["cycle_error"]
    model = _model(toy_emulator, toy_experiment, trained.adapter)
    scores = score_hidden_lines(model, toy_experiment.features, n_stars=200)
    untrained = _model(toy_emulator, toy_experiment, make().adapter())
    before = score_hidden_lines(untrained, toy_experiment.features, n_stars=200)
    assert scores["gap_ratio"] < 0.8
    assert scores["gap_ratio"] < 0.8 * before["gap_ratio"]


def test_stopping_and_going_on_changes_nothing(make: Make, tmp_path: Path) -> None:
    whole = make().run()
    stopped, path = make(), tmp_path / "state.safetensors"

    with pytest.raises(KeyboardInterrupt):
        stopped.run([StopAt(5), WriteCheckpoint(path)])
    later = make()
    later.resume(path)
    assert later.iteration == 5
    resumed = later.run()
    assert resumed.history == whole.history
    ours, theirs = resumed.adapter.tensors(), whole.adapter.tensors()
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)
    other = make(conv=dataclasses.replace(TINY_LAYERS, kernel=5))
    with pytest.raises(TrainingError, match="other settings \\(conv\\)"):
        other.resume(path)


@pytest.mark.parametrize("changes", [{"n_split": 0}, {"members": 2}, {"adversarial": False}])
def test_variants_train_and_can_be_stored(
    make: Make, tmp_path: Path, changes: dict[str, Any]
) -> None:
    trainer = make(iterations=8, **changes)
    result = trainer.run([WriteCheckpoint(tmp_path / "state")])
    again = make(iterations=8, **changes)
    again.resume(tmp_path / "state")
    adapter = result.adapter
    flux = trainer.synth.decode(trainer.synthetic_held_out[:3])
    assert torch.equal(again.adapter().adapt(flux), adapter.adapt(flux))
    rebuilt = Adapter.rebuild(_through_json(adapter.description()), adapter.tensors())
    assert torch.equal(rebuilt.adapt(flux), adapter.adapt(flux))
    shared, split = adapter.encode_observed(flux)
    assert shared.shape == (3, adapter.n_shared)
    assert split.shape == (3, adapter.n_split)
    assert torch.isfinite(adapter.adapt(flux, split)).all()


def test_figures_of_the_ensemble_are_medians_of_its_members(make: Make) -> None:
    trainer = make(members=2)
    each, middle = trainer.validate_members(), trainer.validate()
    assert {k: v.shape for k, v in each.items()} == dict.fromkeys(middle, (2,))
    assert middle == {k: pytest.approx(float(v.median())) for k, v in each.items()}


def test_reduced_precision_is_refused_on_a_cpu(make: Make) -> None:
    with pytest.raises(TrainingError, match="bf16 needs a CUDA device; found cpu"):
        make(bf16=True)
    with pytest.raises(TrainingError, match="tf32 needs a CUDA device; found cpu"):
        make(tf32=True)


def test_too_few_observations_are_refused(
    toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    draw = synthetic_draws(toy_emulator, toy_experiment.features)
    with pytest.raises(TrainingError, match="at least 50 observed spectra; found 20"):
        AdaptationTrainer(draw, observe(toy_emulator, SURVEY)[:20], 0.01, BRIEF)


def test_settings_survive_json() -> None:
    for training in (PAPER_CONV, PAPER_CONV_APOGEE, SMALL_CONV, AdaptationTraining()):
        read = AdaptationTraining(**_through_json(dataclasses.asdict(training)))
        assert read == training


# ---------------------------------------------------------------------- model and files


def test_the_model_s_derivatives_agree_with_finite_differences(
    trained: TrainingResult, toy_emulator: Emulator, toy_experiment: Experiment
) -> None:
    model = _model(toy_emulator, toy_experiment, trained.adapter)
    slope, spread = model.jacobian(model.reference, return_std=True)
    assert slope.shape == (640, 25)
    assert np.abs(spread).max() == 0  # one member
    each = model.member_jacobians(model.reference)
    assert np.allclose(each.mean(0), slope, atol=1e-5)
    for column, step in ((0, 1.0), (7, 0.002)):
        shift = np.zeros(25)
        shift[column] = step
        change = (model.adapt(model.reference + shift) - model.adapt(model.reference - shift))[0]
        change = change / (2 * step)
        assert np.abs(slope[:, column] - change).max() < 0.08 * np.abs(change).max()


def test_a_bundle_gives_nearly_the_same_spectra(
    trained: TrainingResult, toy_emulator: Emulator, toy_experiment: Experiment, tmp_path: Path
) -> None:
    bundle = write_bundle(
        tmp_path / "conv",
        name="conv",
        title="A toy",
        description="Convolutions.",
        emulator=toy_emulator,
        adapter=trained.adapter,
        reference=reference_giant(toy_emulator.labels),
        experiment=toy_experiment,
        provenance={"training": dataclasses.asdict(TINY)},
    )
    assert bundle.data["adaptation"]["backbone"] == "conv"
    assert AdaptationTraining(**bundle.data["provenance"]["training"]) == TINY
    model = bundle.model
    expected = _model(toy_emulator, toy_experiment, trained.adapter).adapt(model.reference)
    assert np.abs(model.adapt(model.reference) - expected).max() < 0.01
    copy = trained.adapter.on("cpu")
    assert isinstance(copy.synth, PixelSpace)
    flux = torch.from_numpy(model.emulate(model.reference))
    assert torch.equal(copy.adapt(flux), trained.adapter.adapt(flux))


def _through_json(data: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(data))


def _spoil(*path: Any, value: Any) -> Callable[[dict[str, Any], dict[str, Tensor]], None]:
    def change(description: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        place: Any = description
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


def _cut(name: str) -> Callable[[dict[str, Any], dict[str, Tensor]], None]:
    def change(description: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        tensors[name] = tensors[name][:-1]

    return change


@pytest.mark.parametrize(
    "change",
    [
        _spoil("backbone", value="transformer"),
        _spoil("backbone", value=["conv"]),
        _spoil("backbone", value="basis"),
        _spoil("seeds", value=[]),
        _spoil("seeds", value=["a"]),
        _spoil("seeds", value=list(range(500_000))),
        _spoil("shape", value=3),
        _spoil("shape", "n_pixels", value=10**12),
        _spoil("shape", "n_pixels", value="640"),
        _spoil("shape", "n_pixels", value=639),
        _spoil("shape", "n_shared", value=4000),
        _spoil("shape", "n_split", value=0),
        _spoil("shape", "n_split", value=-1),
        _spoil("shape", "activation", value="eval"),
        _spoil("shape", "activation", value=["silu"]),
        _spoil("shape", "layers", value=None),
        _spoil("shape", "layers", "domain", value=[10**9, 8]),
        _spoil("shape", "layers", "domain", value=[4096, 4096]),
        _spoil("shape", "layers", "domain", value=[1.5, 2]),
        _spoil("shape", "layers", "domain", value=[]),
        _spoil("shape", "layers", "domain_strides", value=[0, 4]),
        _spoil("shape", "layers", "kernel", value=10**9),
        _spoil("shape", "layers", "normalise", value="no"),
        _spoil("shape", "layers", "more", value=1),
        _cut("obs.mean"),
        _cut("synth.scale"),
        _cut("split_mean"),
        _cut("network.members.0.to_shared.layers.0.weight"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(trained: TrainingResult, change) -> None:
    description = _through_json(trained.adapter.description())
    tensors = dict(trained.adapter.tensors())
    change(description, tensors)
    with pytest.raises(BundleError, match=r"do not fit|Expected an adaptation"):
        Adapter.rebuild(description, tensors)


def test_a_batch_without_bad_pixels_weighs_all_alike() -> None:
    ones = torch.ones(5)
    batch = Batch(torch.zeros(1, 2, 5), torch.zeros(1, 2, 5), ones, ones)
    assert batch.ws_where_seen is ones
    assert batch.where_seen(batch.s) is batch.s

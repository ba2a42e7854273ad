"""A user's own spectra: read, checked, trained on, with synthetic labels like the stars'."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from spectrabridge.core.adaptation.settings import AdaptationTraining
from spectrabridge.core.bundle import Model
from spectrabridge.core.domains import observed_file, user_spectra
from spectrabridge.core.domains.mock_lines import reference_giant
from spectrabridge.core.domains.observed_file import ObservedFile
from spectrabridge.core.domains.observed_labels import known_labels, synthetic_labels
from spectrabridge.core.domains.user_spectra import (
    own_trainer,
    read_observed,
    read_own_domains,
)
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.emulator.hidden_lines import Experiment, HiddenLines, hidden_pixels
from spectrabridge.core.errors import GridError, LabelError, SpectrumError, TrainingError
from spectrabridge.core.io.spectra_store import SpectraStore
from spectrabridge.core.labels import APOGEE_LABELS, Label, LabelSet, draws
from spectrabridge.core.spectra import APOGEE_GRID, Chip, Spectra, WavelengthGrid, normalise

from ..conftest import TOY_GRID, TOY_TRAINING, ToySimulator

TINY = AdaptationTraining(
    iterations=2, batch=16, members=1, n_basis=8, hidden=16, n_shared=4, pool=60, refresh=4,
    validation=10,
)  # fmt: skip
N = 60

GRID = WavelengthGrid.log_linear(
    4.181, 6e-6, 640, (Chip("left", 0, 320), Chip("right", 320, 640)), "part of the blue chip"
)
"""As many pixels as the toy simulator has, where continuum pixels are known."""


def giants(n: int, seed: int = 8) -> np.ndarray:
    return draws.giant_branch(n, torch.Generator().manual_seed(seed)).numpy().astype(float)


def draw(emulator: Emulator, spectra: Spectra, n: int = 6000, seed: int = 1) -> np.ndarray:
    labels = synthetic_labels(emulator, spectra)(n, torch.Generator().manual_seed(seed))
    assert labels.dtype == torch.float32
    return labels.numpy().astype(float)


@pytest.fixture
def emulator() -> Emulator:
    """An emulator that nobody trained: its flux varies with labels, no more is needed."""
    torch.manual_seed(0)
    out = Emulator(APOGEE_LABELS, GRID, hidden=(16,), n_basis=12, continuum="pseudo")
    out.high.copy_(torch.tensor(APOGEE_LABELS.high))
    out.components.normal_(0, 0.1)
    return out.requires_grad_(False)


@pytest.fixture
def observed(toy_simulator: ToySimulator) -> Spectra:
    """Sixty stars in raw counts, with noise, and labels."""
    rng = np.random.default_rng(4)
    labels = giants(N)
    counts = 1000 * toy_simulator(labels) * (1 + 0.1 * np.linspace(-1, 1, GRID.n_pixels))
    flux = counts + rng.normal(0, 10, counts.shape)
    ids = tuple(f"star{i}" for i in range(N))
    return Spectra(
        GRID, flux, np.full_like(flux, 0.01), ids, labels, APOGEE_LABELS,
        provenance={"survey": "toy"},
    )  # fmt: skip


Save = Callable[[Spectra], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(spectra: Spectra) -> Path:
        spectra.save(tmp_path / "mine.h5")
        return tmp_path / "mine.h5"

    return write


def labelled(labels: np.ndarray, label_set: LabelSet = APOGEE_LABELS, **columns: np.ndarray):
    """Return spectra in which nothing but the labels matters."""
    flux = np.ones((len(labels), GRID.n_pixels))
    return Spectra(GRID, flux, labels=labels, label_set=label_set, columns=columns)


def named(*names: str) -> LabelSet:
    return LabelSet(tuple(Label(n, "", 0, 1, "", n, "other", 0.1) for n in names))


# ---------------------------------------------------------------------- reading


def test_our_files_are_normalised_as_the_emulator_s(
    emulator: Emulator, observed: Spectra, save: Save
) -> None:
    read = read_observed(save(observed), emulator)
    want = normalise(observed)
    np.testing.assert_allclose(read.flux, want.flux, rtol=1e-5)
    np.testing.assert_allclose(read.labels, observed.labels)
    assert read.ids == observed.ids
    assert read.provenance["survey"] == "toy"
    assert read.provenance["notes"] == []
    again = read_observed(save(read), emulator)
    np.testing.assert_array_equal(again.flux, read.flux)


@pytest.mark.parametrize("limit", [None, 23])
@pytest.mark.parametrize("kind", ["h5", "zarr"])
def test_blocks_are_the_whole_cut_into_pieces(
    emulator: Emulator,
    observed: Spectra,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: int | None,
    kind: str,
) -> None:
    path = tmp_path / f"mine.{kind}"
    if kind == "h5":
        observed.save(path)
    else:
        with SpectraStore.create(path, observed) as store:
            store.append(observed)
    whole = ObservedFile(path, emulator, limit, seed=3).read()
    assert len(whole) == (limit or N)
    monkeypatch.setattr(observed_file, "ROWS_AT_ONCE", 7)
    blocks = list(ObservedFile(path, emulator, limit, seed=3).blocks())
    assert max(map(len, blocks)) <= 7 and len(blocks) > 3
    np.testing.assert_array_equal(np.concatenate([b.flux for b in blocks]), whole.flux)
    np.testing.assert_array_equal(np.concatenate([b.ivar for b in blocks]), whole.ivar)
    assert tuple(i for b in blocks for i in b.ids) == whole.ids
    again = ObservedFile(path, emulator, limit, seed=3).read()
    np.testing.assert_array_equal(again.flux, whole.flux)
    np.testing.assert_array_equal(again.labels, whole.labels)
    assert ("n_in_file" in again.provenance) is (limit is not None)


@pytest.mark.parametrize("before", [False, True])
def test_notes_on_continua_are_those_of_all_blocks(
    emulator: Emulator,
    observed: Spectra,
    save: Save,
    monkeypatch: pytest.MonkeyPatch,
    before: bool,
) -> None:
    ivar = observed.ivar.copy()
    ivar[[3, 40], :320] = 0
    holed = dataclasses.replace(observed, ivar=ivar)
    wanted = normalise(holed)
    path = save(wanted if before else holed)
    monkeypatch.setattr(observed_file, "ROWS_AT_ONCE", 7)
    notes = read_observed(path, emulator).provenance["continuum"]["notes"]
    assert notes == wanted.provenance["continuum"]["notes"]
    assert [n.split(" has")[0] for n in notes] == [
        f"Spectrum star{row} (row {row})" for row in (3, 40)
    ]


def test_training_draws_from_a_large_file_and_says_so(
    emulator: Emulator, observed: Spectra, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_spectra, "MAX_TRAINING_SPECTRA", 50)
    training = AdaptationTraining(n_basis=4)
    domains = read_own_domains(save(observed), emulator, training, seed=1)
    assert len(domains.observed) + len(domains.held_out.flux) == 50
    (note,) = [n for n in domains.notes if "are used" in n]
    assert note.startswith("50 of the 60 spectra of mine.h5 are used, drawn with seed 1")
    all_ = read_own_domains(save(observed), emulator, training, limit=60)
    assert len(all_.observed) + len(all_.held_out.flux) == 60
    assert not [n for n in all_.notes if "are used" in n]


def test_a_limit_draws_the_same_stars_for_one_seed(
    emulator: Emulator, observed: Spectra, save: Save
) -> None:
    path = save(dataclasses.replace(observed, columns={"field": np.array(["a", "b"] * 30)}))
    some = read_observed(path, emulator, limit=20, seed=2)
    rows = [observed.ids.index(i) for i in some.ids]
    assert rows == sorted(set(rows))
    assert len(rows) == 20
    np.testing.assert_allclose(some.labels, observed.labels[rows])
    assert some.columns["field"].tolist() == ["ab"[r % 2] for r in rows]
    assert read_observed(path, emulator, limit=20, seed=2).ids == some.ids
    assert len(read_observed(path, emulator, limit=500)) == N
    with pytest.raises(SpectrumError, match="limit of at least 1"):
        read_observed(path, emulator, limit=0)


def test_the_paper_s_files_are_told_by_their_content(
    emulator: Emulator, observed: Spectra, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "downloaded.h5", "w") as file:
        for name, rows in (("train", slice(0, 40)), ("valid", slice(40, 60))):
            # Theirs are normalised by another routine: a smooth shape is left.
            file[f"spectra {name}"] = observed.flux[rows] / 1000
            file[f"spectra_err {name}"] = np.full(observed.flux[rows].shape, 0.01)
            file[f"spectra_msk {name}"] = np.ones(observed.flux[rows].shape)
            file[f"labels {name}"] = observed.labels[rows]
    read = read_observed(tmp_path / "downloaded.h5", emulator)
    assert read.columns["set"].tolist() == ["train"] * 40 + ["valid"] * 20
    np.testing.assert_allclose(read.flux, normalise(observed).flux, rtol=1e-4)
    np.testing.assert_allclose(read.labels, observed.labels)
    assert "continuum" in read.provenance
    assert len(read_observed(tmp_path / "downloaded.h5", emulator, limit=5)) == 5
    other = Emulator(APOGEE_LABELS, APOGEE_GRID, hidden=(8,), n_basis=4, continuum="pseudo")
    with pytest.raises(SpectrumError, match=r"7214 or 8575 pixels.*Spectra.save"):
        read_observed(tmp_path / "downloaded.h5", other)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no", "mine.h5 is not HDF5; expected a file written by Spectra.save, or csn_apogee.h5"),
        (b"SIMPLE  =", "FITS.*read_apstar"),
        (b"PK\x03\x04 and so on", "npz.*train-emulator"),
    ],
)
def test_other_kinds_of_files_are_refused_in_words(
    emulator: Emulator, tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "mine.h5").write_bytes(content)
    with pytest.raises(SpectrumError, match=words):
        read_observed(tmp_path / "mine.h5", emulator)


def test_files_that_are_not_there_or_hold_something_else(
    emulator: Emulator, tmp_path: Path
) -> None:
    with pytest.raises(SpectrumError, match="There is no file"):
        read_observed(tmp_path / "nothing.h5", emulator)
    with pytest.raises(SpectrumError, match="is a folder"):
        read_observed(tmp_path, emulator)
    with h5py.File(tmp_path / "weather.h5", "w") as file:
        file["wind"] = [1, 2]
    with pytest.raises(SpectrumError, match=r"neither.*training sets.*'wind'.*Spectra.save"):
        read_observed(tmp_path / "weather.h5", emulator)


def test_the_emulator_must_be_normalised_alike(observed: Spectra, save: Save) -> None:
    emulator = Emulator(APOGEE_LABELS, GRID, hidden=(8,), n_basis=4)
    with pytest.raises(TrainingError, match="--continuum pseudo"):
        read_observed(save(observed), emulator)


def test_another_grid_is_refused_with_the_difference(
    emulator: Emulator, observed: Spectra, save: Save
) -> None:
    short = WavelengthGrid.log_linear(4.181, 6e-6, 600)
    path = save(Spectra(short, observed.flux[:, :600]))
    with pytest.raises(GridError, match=r"emulator has 640 pixels.*observed spectra 600"):
        read_observed(path, emulator)
    with pytest.raises(GridError, match="640 pixels"):
        own_trainer(emulator, Spectra(short, observed.flux[:, :600]), TINY)


# ---------------------------------------------------------------------- labels of the file


def test_without_labels_the_giant_branch_is_announced(
    emulator: Emulator, observed: Spectra, save: Save
) -> None:
    read = read_observed(save(dataclasses.replace(observed, labels=None, label_set=None)), emulator)
    assert read.labels is None
    assert "those of the giant branch" in read.provenance["notes"][0]
    want = draws.giant_branch(50, torch.Generator().manual_seed(1)).numpy()
    np.testing.assert_array_equal(draw(emulator, read, 50), want)


def test_labels_under_other_names_are_ignored_in_words(
    emulator: Emulator, observed: Spectra, save: Save
) -> None:
    others = dataclasses.replace(
        observed, labels=observed.labels[:, :3], label_set=named("T_spec", "g_spec", "metals")
    )
    read = read_observed(save(others), emulator)
    assert read.labels is None
    assert read.label_set is None
    ignored = read.provenance["notes"][0]
    assert "T_spec, g_spec, metals of the file are ignored" in ignored
    assert "expected teff, logg, vturb, C," in ignored


def test_a_map_of_names_is_used(emulator: Emulator, observed: Spectra, save: Save) -> None:
    values = observed.labels
    others = dataclasses.replace(
        observed,
        labels=values[:, :2],
        label_set=named("T_spec", "g_spec"),
        columns={"metals": values[:, 18], "field": np.array(["a"] * N)},
    )
    path = save(others)
    columns = {"teff": "T_spec", "logg": "g_spec", "[Fe/H]": "metals"}
    read = read_observed(path, emulator, columns=columns)
    np.testing.assert_allclose(read.labels[:, [0, 1, 18]], values[:, [0, 1, 18]])
    assert np.isnan(np.delete(read.labels, [0, 1, 18], 1)).all()
    assert read.provenance["notes"] == []
    with pytest.raises(LabelError, match=r"no label or column 'colour' for teff.*T_spec.*metals"):
        read_observed(path, emulator, columns={"teff": "colour"})
    with pytest.raises(LabelError, match="no label 'age'"):
        read_observed(path, emulator, columns={"age": "T_spec"})
    with pytest.raises(LabelError, match="one number per star"):
        read_observed(path, emulator, columns={"teff": "field"})


def test_metallicities_and_ratios_to_iron_are_understood() -> None:
    values = np.array([[4500, 2.0, -0.5, 0.2, -9999], [4600, 2.1, np.nan, 0.1, 0.3]])
    spectra = labelled(values, named("TEFF", "LOGG", "M_H", "MG_FE", "SI_FE"))
    got, notes = known_labels(spectra, APOGEE_LABELS)
    assert got is not None
    at = APOGEE_LABELS.index
    np.testing.assert_allclose(got[:, at("Fe")], [-0.5, np.nan])
    np.testing.assert_allclose(got[:, at("Mg")], [-0.3, np.nan])
    assert np.isnan(got[:, at("Si")]).all()
    assert notes == ["M_H of the file is taken for [Fe/H]."]


def test_iron_is_preferred_to_the_metallicity() -> None:
    spectra = labelled(np.array([[-0.7, -0.5]]), named("M_H", "FE_H"))
    got, notes = known_labels(spectra, APOGEE_LABELS)
    assert got is not None
    assert got[0, APOGEE_LABELS.index("Fe")] == -0.5
    assert "M_H of the file are ignored" in notes[0]


def test_temperatures_in_other_units_are_refused() -> None:
    values = giants(N)
    values[:, 0] /= 1000
    with pytest.raises(LabelError, match="expected kelvin"):
        known_labels(labelled(values), APOGEE_LABELS)


# ---------------------------------------------------------------------- draws


def population(n: int = 800) -> np.ndarray:
    """Stars unlike giant-branch draws: metal-rich, cool, with Mg that follows gravity."""
    values = giants(4 * n)
    values = values[values[:, 0] < 4700][:n]
    values[:, APOGEE_LABELS.element_columns()] += 0.15
    mg = APOGEE_LABELS.index("Mg")
    values[:, mg] = values[:, APOGEE_LABELS.index("Fe")] + 0.2 * (values[:, 1] - 2)
    return np.clip(values, APOGEE_LABELS.low, APOGEE_LABELS.high)


def test_draws_follow_the_labels_of_the_stars(emulator: Emulator) -> None:
    values = population()
    drawn = draw(emulator, labelled(values))
    spread = values.std(0)
    assert np.abs((drawn.mean(0) - values.mean(0)) / spread).max() < 0.1
    assert np.abs(drawn.std(0) / spread - 1).max() < 0.1
    assert np.abs(np.corrcoef(drawn.T) - np.corrcoef(values.T)).max() < 0.06
    # The giant branch is another population.
    far = np.abs((giants(6000).mean(0) - values.mean(0)) / spread)
    assert far[0] > 0.4
    assert far[APOGEE_LABELS.index("Fe")] > 0.3


def test_draws_are_inside_the_range_and_nobody_s_labels(emulator: Emulator) -> None:
    values = population()
    drawn = draw(emulator, labelled(values))
    assert not APOGEE_LABELS.outside(drawn, 1e-6).any()
    # Not one is a star of the file, and their order is not that of the file.
    scaled = (drawn[:, None, :2] - values[None, :, :2]) / values[:, :2].std(0)
    assert np.abs(scaled).max(2).min() > 0
    assert np.abs(np.corrcoef(drawn[:800, 0], values[:, 0])[0, 1]) < 0.15


def test_draws_depend_on_the_generator_alone(emulator: Emulator) -> None:
    spectra = labelled(population(100))
    kept = spectra.labels.copy()
    np.testing.assert_array_equal(draw(emulator, spectra, 50), draw(emulator, spectra, 50))
    assert (draw(emulator, spectra, 50) != draw(emulator, spectra, 50, seed=2)).any()
    np.testing.assert_array_equal(spectra.labels, kept)


def test_unknown_labels_are_those_of_like_giants(emulator: Emulator) -> None:
    values = population()
    at = APOGEE_LABELS.index
    known = [0, 1, at("Fe")]
    partly = np.full_like(values, np.nan)
    partly[:, known] = values[:, known]
    half = np.arange(len(values)) % 2 == 0
    partly[half, at("Mg")] = values[half, at("Mg")]
    drawn = draw(emulator, labelled(partly))
    spread = values[:, known].std(0)
    assert np.abs((drawn[:, known].mean(0) - values[:, known].mean(0)) / spread).max() < 0.1
    over_iron = drawn - drawn[:, at("Fe"), None]
    for element in ("Ca", "Ni", "V"):
        # They follow the star's own iron, with the scatter of the giant branch.
        assert np.corrcoef(drawn[:, at(element)], drawn[:, at("Fe")])[0, 1] > 0.8
        assert 0.03 < over_iron[:, at(element)].std() < 0.15
    # vturb and vmacro follow gravity as those of giants do.
    assert np.corrcoef(drawn[:, at("vturb")], drawn[:, 1])[0, 1] < -0.3
    assert np.isfinite(drawn).all()


def test_constant_labels_do_no_harm(emulator: Emulator) -> None:
    values = population(100)
    values[:, APOGEE_LABELS.index("vmacro")] = 4
    drawn = draw(emulator, labelled(values), 500)
    np.testing.assert_allclose(drawn[:, APOGEE_LABELS.index("vmacro")], 4, atol=1e-3)


def test_few_labels_or_none_of_the_main_ones_fall_back_to_giants(emulator: Emulator) -> None:
    want = draws.giant_branch(40, torch.Generator().manual_seed(1)).numpy()
    few = population(100)
    few[25:, 1] = np.nan
    np.testing.assert_array_equal(draw(emulator, labelled(few), 40), want)
    without = population(100)
    without[:, APOGEE_LABELS.index("Fe")] = np.nan
    np.testing.assert_array_equal(draw(emulator, labelled(without), 40), want)


def test_stars_outside_the_range_are_refused(emulator: Emulator) -> None:
    dwarfs = population(100)
    dwarfs[:60, 1] = 4.5
    with pytest.raises(TrainingError, match="60% of the observed stars have log g outside"):
        synthetic_labels(emulator, labelled(dwarfs))


# ---------------------------------------------------------------------- training


def read(emulator: Emulator, observed: Spectra, save: Save, **changes: np.ndarray) -> Spectra:
    return read_observed(save(dataclasses.replace(observed, **changes)), emulator)


def test_good_spectra_can_be_trained_on(emulator: Emulator, observed: Spectra, save: Save) -> None:
    spectra = read(emulator, observed, save)
    kept = spectra.flux.copy()
    own_trainer(emulator, spectra, TINY).run()
    own_trainer(emulator, spectra, TINY, draw_like_labels=False)
    np.testing.assert_array_equal(spectra.flux, kept)


def test_trainers_draw_like_the_labels_or_not(
    emulator: Emulator, observed: Spectra, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    forward = Emulator.forward

    def remember(self: Emulator, labels: torch.Tensor) -> torch.Tensor:
        seen.append(labels)
        return forward(self, labels)

    monkeypatch.setattr(Emulator, "forward", remember)
    shifted = observed.labels.copy()
    shifted[:, 0] = 4000 + 20 * np.random.default_rng(0).standard_normal(N)
    spectra = read(emulator, observed, save, labels=shifted)
    own_trainer(emulator, spectra, TINY)
    assert seen[0][:, 0].max() < 4200
    seen.clear()
    own_trainer(emulator, spectra, TINY, draw_like_labels=False)
    assert seen[0][:, 0].max() > 4500


def test_spectra_without_a_good_pixel_are_named(
    emulator: Emulator, observed: Spectra, save: Save
) -> None:
    flux = observed.flux.copy()
    flux[[4, 17]] = np.nan
    spectra = read(emulator, observed, save, flux=flux)
    with pytest.raises(TrainingError, match="no good pixel: star4 \\(row 4\\), star17"):
        own_trainer(emulator, spectra, TINY)
    spectra = read(emulator, observed, save, ivar=np.zeros_like(observed.ivar))
    with pytest.raises(TrainingError, match="Every pixel of the observed spectra is bad"):
        own_trainer(emulator, spectra, TINY)


def test_constant_spectra_are_named(emulator: Emulator, observed: Spectra, save: Save) -> None:
    flux = observed.flux.copy()
    flux[8] = 700
    spectra = read(emulator, observed, save, flux=flux)
    with pytest.raises(TrainingError, match=r"1 of 60 observed spectra are constant.*star8"):
        own_trainer(emulator, spectra, TINY)
    spectra = read(emulator, observed, save, flux=np.full_like(flux, 700))
    with pytest.raises(TrainingError, match="Every observed spectrum is constant"):
        own_trainer(emulator, spectra, TINY)


def test_a_missing_chip_is_named(emulator: Emulator, observed: Spectra, save: Save) -> None:
    ivar = observed.ivar.copy()
    ivar[:, 320:] = 0
    with pytest.raises(TrainingError, match="Chip right \\(320 of 320 pixels\\)"):
        own_trainer(emulator, read(emulator, observed, save, ivar=ivar), TINY)


def test_too_few_spectra_are_counted(emulator: Emulator, observed: Spectra, save: Save) -> None:
    with pytest.raises(TrainingError, match=r"at least 26 .* found 20.*--n-basis"):
        own_trainer(emulator, read_observed(save(observed[:20]), emulator), TINY)


@pytest.mark.parametrize(
    ("factor", "words"), [(1e-4, "of the continuum, as if inverse"), (1e10, "smaller than any")]
)
def test_errors_of_another_normalisation_are_refused(
    emulator: Emulator, observed: Spectra, save: Save, factor: float, words: str
) -> None:
    spectra = read(emulator, observed, save, ivar=factor * observed.ivar)
    with pytest.raises(TrainingError, match=words):
        own_trainer(emulator, spectra, TINY)


SHIFT = 0.3


@pytest.mark.slow
def test_a_shifted_population_is_adapted_to_its_truth(
    toy_emulator: Emulator, toy_experiment: Experiment, tmp_path: Path
) -> None:
    """Metal-rich stars that the simulator lacks lines of, from a file, by their labels."""
    complete = copy.deepcopy(toy_emulator).requires_grad_(False)
    complete.continuum = "pseudo"
    hidden = hidden_pixels(toy_experiment.features, TOY_GRID.n_pixels)
    synthetic = HiddenLines(complete, hidden)
    ends = toy_emulator.labels

    def stars(n: int, seed: int) -> torch.Tensor:
        labels = torch.tensor(giants(n, seed))
        labels[:, ends.element_columns()] += SHIFT
        return labels.clamp(torch.tensor(ends.low), torch.tensor(ends.high)).float()

    labels, generator = stars(2000, 5), torch.Generator().manual_seed(6)
    flux = complete(labels) + 0.01 * torch.randn(2000, 640, generator=generator)
    Spectra(
        TOY_GRID,
        flux.numpy(),
        np.full(flux.shape, 1e4),
        labels=labels.numpy(),
        label_set=ends,
        provenance={"continuum": "flux of the toy simulator is normalised already"},
    ).save(tmp_path / "rich.h5")
    spectra = read_observed(tmp_path / "rich.h5", synthetic)
    test = stars(300, 9)
    truth = complete(test)

    def gap(flux: torch.Tensor) -> float:
        return float((flux - truth).square().mean().sqrt())

    # The populations are the matter here, not what else the recipe has.
    training = dataclasses.replace(TOY_TRAINING, linear_path=False, matching_weight=0.0)
    result = own_trainer(synthetic, spectra, training).run()
    model = Model(synthetic, result.adapter, reference_giant(ends))
    # Measured: 0.13 of the raw gap, and 0.35 with draws from the giant branch.
    assert gap(torch.as_tensor(model.adapt(test))) < 0.25 * gap(synthetic(test))

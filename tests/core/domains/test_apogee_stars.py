"""Semi-empirical stars of the whole diagram, made from small stand-ins for the data pack."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.table import Table

from spectrabridge.core.domains.apogee_stars import (
    FILES,
    StarSurvey,
    choose_stars,
    network_weight,
    star_domains,
    true_flux,
)
from spectrabridge.core.domains.empirical_giants import EmpiricalGiants
from spectrabridge.core.domains.empirical_networks import LABELS, EmpiricalNetworks
from spectrabridge.core.domains.star_catalogue import main_labels
from spectrabridge.core.emulator import Emulator, EmulatorTraining
from spectrabridge.core.errors import SpectrumError, TrainingError
from spectrabridge.core.labels import APOGEE_LABELS
from spectrabridge.core.labels.diagram_draws import DWARF_LOGG, DWARF_TEFF, STAR_LABELS
from spectrabridge.core.spectra import APOGEE_GRID, normalise
from spectrabridge.core.spectra.spectra import Spectra

from .test_apogee_giants import catalogue, four_labels, model_arrays, write_real

SURVEY = StarSurvey(n_giants=150, n_dwarfs=150, test_fraction=0.2)
QUICK = EmulatorTraining(steps=40, hidden=(16,), n_basis=8)


def network_arrays(**changes: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    n = APOGEE_GRID.n_pixels
    arrays = {
        "w_array_0": 0.3 * rng.standard_normal((n, 4, 5)),
        "w_array_1": 0.05 * rng.standard_normal((n, 4)),
        "b_array_0": 0.1 * rng.standard_normal((n, 4)),
        "b_array_1": 0.95 + 0.01 * rng.standard_normal(n),
        "x_min": np.array([3884.0, 1.2, -0.9, -0.24, 0.1]),
        "x_max": np.array([7895.0, 4.71, 0.39, 0.43, 19.9]),
    }
    named = {f"giants_dwarfs__{key}": value for key, value in arrays.items()}
    return named | {"label_names": np.array(LABELS)} | changes


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the data pack."""
    folder = tmp_path_factory.mktemp("stars")
    for name in ("observed", "labels"):
        (folder / name).mkdir()
    np.savez(folder / FILES["giants"], **model_arrays())
    np.savez(folder / FILES["networks"], **network_arrays())
    catalogue().write(folder / FILES["compositions"], format="ascii.csv")
    np.savez(folder / FILES["giant labels"], labels=four_labels(900, 21).astype("f4"))
    rng = np.random.default_rng(6)
    teff = rng.uniform(5500, 6450, 500)
    stars = Table({"apogee_id": [f"s{i}" for i in range(500)], "teff": teff})
    stars["logg"] = np.interp(teff, DWARF_TEFF, DWARF_LOGG) - rng.uniform(0, 0.6, 500)
    stars["fe_h"] = rng.uniform(-0.6, 0.3, 500)
    plain = folder / "stars.csv"
    stars.write(plain, format="ascii.csv")
    import gzip

    (folder / FILES["dwarf labels"]).write_bytes(gzip.compress(plain.read_bytes()))
    write_real(folder / FILES["spectra"], ["apStar_coadd"] * 4, [0.05, 0.1, 0.15, 0.1])
    return folder


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    """An emulator of giants and dwarfs that nobody trained; its flux varies with labels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        out = Emulator(STAR_LABELS, APOGEE_GRID, hidden=(8,), n_basis=6, continuum="pseudo")
        out.components.normal_(0, 0.03)
    out.low.copy_(torch.tensor(STAR_LABELS.low))
    out.high.copy_(torch.tensor(STAR_LABELS.high))
    return out.requires_grad_(False)


def test_the_networks_are_perceptrons_of_the_file(pack: Path) -> None:
    networks, arrays = EmpiricalNetworks(pack / FILES["networks"]), network_arrays()
    dwarf = np.array([[5777.0, 4.44, 0.0, 0.0, 3.0]])
    low, high = arrays["giants_dwarfs__x_min"], arrays["giants_dwarfs__x_max"]
    x = (dwarf[0] - low) / (high - low) - 0.5
    w0, b0 = arrays["giants_dwarfs__w_array_0"], arrays["giants_dwarfs__b_array_0"]
    hidden = 1 / (1 + np.exp(-(np.einsum("pjk,k->pj", w0, x) + b0)))
    flux = (arrays["giants_dwarfs__w_array_1"] * hidden).sum(1) + arrays["giants_dwarfs__b_array_1"]
    np.testing.assert_allclose(networks(dwarf)[0], flux, rtol=1e-5)


def test_labels_of_giants_are_put_on_the_networks_scale(pack: Path) -> None:
    networks = EmpiricalNetworks(pack / FILES["networks"])
    stars = np.array([[4500.0, 2.0, 0.0, 0.1, 4.0], [5777.0, 4.44, 0.0, 0.0, 3.0]])
    own = networks.own_labels(stars)
    np.testing.assert_allclose(own[0] - stars[0], [-144, 0.01, -0.116, 0.03, 0])
    np.testing.assert_array_equal(own[1], stars[1])
    assert networks.trusted(stars).all()
    assert not networks.trusted(np.array([[3500.0, 4.9, 0, 0, 3], [5000, 4.5, -1.4, 0, 3]])).any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label_names": np.array(["TEFF", "LOGG"])}, "found labels TEFF, LOGG"),
        ({"giants_dwarfs__b_array_1": np.zeros(5)}, "one perceptron a pixel"),
        ({"giants_dwarfs__x_max": None}, "lacks giants_dwarfs__x_max"),
    ],
)
def test_what_are_no_networks_is_refused(
    tmp_path: Path, change: dict[str, np.ndarray | None], words: str
) -> None:
    arrays = network_arrays() | change
    np.savez(tmp_path / "n.npz", **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(SpectrumError, match=words):
        EmpiricalNetworks(tmp_path / "n.npz")


def test_weights_pass_smoothly_from_giants_to_dwarfs() -> None:
    logg = np.linspace(2.5, 4.6, 200)
    stars = np.column_stack([np.full(200, 4700.0), logg, 0 * logg, 0 * logg])
    weight = network_weight(stars)
    assert weight[0] == 0 and weight[-1] == 1
    assert (np.diff(weight) >= 0).all() and np.diff(weight).max() < 0.04
    assert network_weight(np.array([[5300.0, 2.5, 0.0, 0.0]]))[0] == 1


def test_giants_are_the_one_model_and_dwarfs_the_other(pack: Path, emulator: Emulator) -> None:
    giants = EmpiricalGiants(pack / FILES["giants"])
    networks = EmpiricalNetworks(pack / FILES["networks"])
    stars = choose_stars(pack, emulator, giants, networks, SURVEY)
    assert 200 < len(stars) <= 300
    labels = emulator.labels
    for values in (stars.labels, stars.expected):
        assert np.isfinite(values).all()
        assert (values >= labels.low).all() and (values <= labels.high).all()
    weight = network_weight(stars.four)
    dwarfs = weight == 1
    assert 100 <= dwarfs.sum() <= 150 and (weight == 0).sum() > 80
    assert networks.trusted(main_labels(stars, labels))[dwarfs].all()
    # A star that is ordinary shows what the models say, whatever the emulator says.
    ordinary = type(stars)(stars.ids, stars.four, stars.expected, stars.expected)
    flux = true_flux(emulator, giants, networks, ordinary).flux
    for rows, model in (
        (weight == 0, giants(stars.four).numpy()),
        (dwarfs, networks(main_labels(ordinary, labels))),
    ):
        expected = normalise(Spectra(APOGEE_GRID, model[rows])).flux
        assert np.abs(flux[rows] - expected).max() < 2e-3
    # Otherwise it shows the emulator's response to its elements, too.
    assert np.abs(true_flux(emulator, giants, networks, stars).flux - flux).max() > 0.001


def test_no_star_is_in_two_parts(pack: Path, emulator: Emulator) -> None:
    domains = star_domains(pack, emulator, SURVEY, QUICK)
    facts = domains.facts
    n = facts["n_observed"] + facts["n_synthetic"] + facts["n_test"]
    assert facts["n_test"] == round(0.2 * n) and domains.name == "apogee-stars"
    assert domains.observed.shape == (facts["n_observed"], APOGEE_GRID.n_pixels)
    assert domains.test_labels is not None and domains.test_truth is not None
    assert domains.test_truth.shape[0] == facts["n_test"]
    drawn = domains.draw_labels(200, torch.Generator().manual_seed(0)).numpy()
    gravity = STAR_LABELS.index("logg")
    assert 0.25 < (drawn[:, gravity] > 3.8).mean() < 0.75
    test = domains.test_labels[:, gravity].numpy()
    assert not np.isin(test, drawn[:, gravity]).any()


def test_what_cannot_be_built_is_refused(pack: Path, emulator: Emulator, tmp_path: Path) -> None:
    part = tmp_path / "part"
    shutil.copytree(pack, part)
    (part / FILES["networks"]).unlink()
    with pytest.raises(SpectrumError, match=r"lacks observed/empirical_networks\.npz"):
        star_domains(part, emulator, SURVEY, QUICK)
    giants_only = Emulator(APOGEE_LABELS, APOGEE_GRID, hidden=(8,), n_basis=6, continuum="pseudo")
    with pytest.raises(TrainingError, match=r"reaches log g 4; dwarfs need 4\.6"):
        star_domains(pack, giants_only, SURVEY, QUICK)
    true = Emulator(STAR_LABELS, APOGEE_GRID, hidden=(8,), n_basis=6, continuum="true")
    with pytest.raises(TrainingError, match="--continuum pseudo"):
        star_domains(pack, true, SURVEY, QUICK)


def test_the_real_models_agree_where_both_hold(data_file: Callable[[str], Path]) -> None:
    """Rms below 0.008 on clump giants, where the pack says 0.002 with labels left free."""
    giants = EmpiricalGiants(data_file(FILES["giants"]))
    networks = EmpiricalNetworks(data_file(FILES["networks"]))
    stars = np.array([[4750, 2.5, 0.0, 0.05, 4.0], [4900, 2.9, -0.1, 0.05, 3.5]])
    pair = [
        normalise(Spectra(APOGEE_GRID, np.asarray(flux, np.float32))).flux
        for flux in (giants(stars[:, :4]).numpy(), networks(stars))
    ]
    assert np.sqrt(((pair[0] - pair[1]) ** 2).mean(axis=1)).max() < 0.008

"""Semi-empirical giants, made from small stand-ins for the data pack."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from astropy.table import Table

from spectrabridge.core.domains.apogee_giants import (
    GiantSurvey,
    giant_domains,
    read_domains,
    true_flux,
)
from spectrabridge.core.domains.domains import Domains
from spectrabridge.core.domains.empirical_giants import EmpiricalGiants
from spectrabridge.core.domains.giant_catalogue import (
    ABUNDANCE_COLUMNS,
    BRANCH_BELOW_KELVIN,
    BRANCH_SLOPE,
    MODEL_COLUMNS,
    UNMEASURED_SCATTER_DEX,
    Giants,
    read_giants,
    up_the_branch,
)
from spectrabridge.core.domains.semi_empirical import observe
from spectrabridge.core.domains.survey_errors import SurveyErrors, read_survey_errors
from spectrabridge.core.emulator import Emulator, EmulatorTraining
from spectrabridge.core.errors import SpectrumError, TrainingError
from spectrabridge.core.labels import APOGEE_LABELS, ELEMENTS
from spectrabridge.core.spectra import APOGEE_GRID, APSTAR_GRID, Chip, WavelengthGrid

N_STARS = 400
OFFSETS = {"C": 0.1, "Mg": -0.2, "Ti": 0.3}
"""Zero points of the made-up catalogue, [X/M] of solar stars."""

QUICK = EmulatorTraining(steps=50, hidden=(16,), n_basis=8)
SMALL_GRID = WavelengthGrid(APOGEE_GRID.wavelength[:300], [Chip("blue", 0, 300)])


def four_labels(n: int, seed: int) -> np.ndarray:
    """Teff, log g, [M/H], [alpha/M] along a giant branch."""
    rng = np.random.default_rng(seed)
    metals = rng.uniform(-0.7, 0.25, n)
    teff = rng.uniform(4100, 5000, n)
    logg = 2.4 + 0.0022 * (teff - 4700 + 230 * metals) + 0.15 * rng.standard_normal(n)
    alpha = 0.03 - 0.15 * metals + 0.03 * rng.standard_normal(n)
    return np.stack([teff, logg, metals, alpha], axis=1)


def model_arrays(**changes: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    size = np.array([0.01] * 15)
    size[[1, 5]] = 1e-5, 1e-9  # per kelvin, and per its square
    size[[6, 7, 8]] = 1e-6
    coeffs = size[:, None] * rng.standard_normal((15, 7214))
    coeffs[0] += 0.95
    return {
        "coeffs": coeffs,
        "baseline": np.array([4500, 2.0, -0.3, 0.05]),
        "training_labels": four_labels(1000, 1),
    } | changes


def catalogue(n: int = N_STARS) -> Table:
    """Stars whose [X/M] scatter by 0.04 about a zero point; some failed, some far away."""
    rng = np.random.default_rng(2)
    four = four_labels(n, 3)
    table = Table({"APOGEE_ID": [f"2M{i:08d}" for i in range(n)]})
    for name, values in zip(MODEL_COLUMNS, four.T, strict=True):
        table[name] = values
    for element, name in ABUNDANCE_COLUMNS.items():
        excess = OFFSETS.get(element, 0) + 0.04 * rng.standard_normal(n)
        table[name] = four[:, 2] + excess
    table["V_H"][::7] = -9999.0
    table["TEFF"][:5] = 7500.0
    table["LOGG"][5:8] = np.nan
    return table


def write_real(path: Path, kinds: list[str], bad: list[float]) -> Path:
    """Spectra of these kinds with these fractions of bad pixels."""
    rng = np.random.default_rng(4)
    n = len(kinds)
    good = rng.random((n, 8575)) >= np.array(bad)[:, None]
    level = np.linspace(0.01, 0.05, n)[:, None]
    err = np.where(good, level * np.linspace(0.8, 1.2, 8575), 1000)
    with h5py.File(path, "w") as file:
        file["wavelength"] = APSTAR_GRID.wavelength
        file["err"], file["good"] = err.astype("f4"), good
        file["kind"] = np.array(kinds, dtype=h5py.string_dtype())
    return path


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the data pack."""
    folder = tmp_path_factory.mktemp("pack")
    (folder / "observed").mkdir()
    (folder / "labels").mkdir()
    np.savez(folder / "observed" / "empirical_giants.npz", **model_arrays())
    catalogue().write(folder / "labels" / "apogee_dr12_labels.csv", format="ascii.csv")
    kinds = ["apStar_coadd"] * 5 + ["apStar_visit"] * 3
    write_real(folder / "observed" / "apogee_real.h5", kinds, [0.05, 0.1, 0.15, 0.1, 0.5, 0, 0, 0])
    return folder


@pytest.fixture(scope="module")
def empirical(pack: Path) -> EmpiricalGiants:
    return EmpiricalGiants(pack / "observed" / "empirical_giants.npz")


@pytest.fixture(scope="module")
def giants(pack: Path, empirical: EmpiricalGiants) -> Giants:
    return read_giants(pack / "labels" / "apogee_dr12_labels.csv", empirical, APOGEE_LABELS)


@pytest.fixture(scope="module")
def errors(pack: Path) -> SurveyErrors:
    return read_survey_errors(pack / "observed" / "apogee_real.h5")


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    """An emulator that nobody trained; its flux varies with labels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        out = Emulator(APOGEE_LABELS, APOGEE_GRID, hidden=(8,), n_basis=6, continuum="pseudo")
        out.components.normal_(0, 0.03)
    out.low.copy_(torch.tensor(APOGEE_LABELS.low))
    out.high.copy_(torch.tensor(APOGEE_LABELS.high))
    return out.requires_grad_(False)


# ---------------------------------------------------------------------- the empirical model


def test_terms_are_in_the_order_of_the_file(empirical: EmpiricalGiants) -> None:
    arrays, four = model_arrays(), four_labels(6, 9)
    d = four - arrays["baseline"]
    pairs = [d[:, i] * d[:, j] for i in range(4) for j in range(i, 4)]
    terms = np.stack([np.ones(6), *d.T, *pairs], axis=1)
    np.testing.assert_allclose(empirical(four).numpy(), terms @ arrays["coeffs"], atol=2e-4)
    assert empirical.n_pixels == 7214


def test_stars_far_from_the_training_set_are_not_trusted(empirical: EmpiricalGiants) -> None:
    assert 0.9 < empirical.trusted(four_labels(500, 11)).mean() < 1
    middle = np.median(four_labels(1000, 1), axis=0)
    assert empirical.trusted(middle[None])[0]
    for column, far in enumerate((6500.0, 0.0, -2.5, 0.6)):
        star = middle.copy()
        star[column] = far
        assert not empirical.trusted(star[None])[0]
    # Each label alone is within the range; together they lie off the giant branch.
    assert not empirical.trusted(np.array([[4150.0, 3.0, -0.2, 0.06]]))[0]


def test_what_is_no_empirical_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_text("no")
    with pytest.raises(SpectrumError, match=r"a\.npz cannot be read as an empirical model"):
        EmpiricalGiants(path)
    with pytest.raises(SpectrumError, match="There is no file"):
        EmpiricalGiants(tmp_path / "absent.npz")
    for name in ("coeffs", "baseline", "training_labels"):
        np.savez(path, **{k: v for k, v in model_arrays().items() if k != name})
        with pytest.raises(SpectrumError, match=f"expected an npz file .*{name}"):
            EmpiricalGiants(path)
    np.savez(path, **model_arrays(coeffs=np.zeros((10, 7214))))
    with pytest.raises(SpectrumError, match=r"15 rows.*\(10, 7214\)"):
        EmpiricalGiants(path)
    np.savez(path, **model_arrays(coeffs=np.array([{"a": 1}], dtype=object)))
    with pytest.raises(SpectrumError, match="cannot be read"):
        EmpiricalGiants(path)


def test_the_real_model_is_like_a_real_giant(data_file: Callable[[str], Path]) -> None:
    """The check that the pack's README gives: correlation 0.992, deviation 0.8 %."""
    model = EmpiricalGiants(data_file("observed/empirical_giants.npz"))
    with h5py.File(data_file("observed/apogee_real.h5")) as file:
        names, kinds = file["star_id"].asstr()[:], file["kind"].asstr()[:]
        row = np.flatnonzero((names == "2M00004994+1621552") & (kinds == "apStar_coadd"))[0]
        pixels = np.searchsorted(file["wavelength"][:], APOGEE_GRID.wavelength - 0.01)
        flux, good = file["flux"][row][pixels], file["good"][row][pixels]
    ours = model(np.array([[4705.151, 2.5830097, 0.09523745, 0.04895284]]))[0].numpy()
    assert np.corrcoef(ours[good], flux[good])[0, 1] > 0.99
    assert (ours / flux)[good].std() < 0.012


# ---------------------------------------------------------------------- the catalogue


def column(giants: Giants, element: str) -> np.ndarray:
    return giants.labels[:, APOGEE_LABELS.index(element)]


def test_stars_that_cannot_be_used_are_left_out(giants: Giants, empirical: EmpiricalGiants) -> None:
    assert len(giants) == len(giants.ids) == len(giants.labels) == len(giants.expected)
    assert 0.85 * N_STARS < len(giants) <= N_STARS - 8
    assert "2M00000004" not in giants.ids  # 7500 K
    assert "2M00000006" not in giants.ids  # no log g
    assert empirical.trusted(giants.four).all()
    assert np.isfinite(giants.labels).all() and np.isfinite(giants.expected).all()
    for labels in (giants.labels, giants.expected):
        assert (labels >= APOGEE_LABELS.low).all() and (labels <= APOGEE_LABELS.high).all()
    table = catalogue()
    rows = {i: r for r, i in enumerate(table["APOGEE_ID"])}
    at = [rows[i] for i in giants.ids]
    np.testing.assert_allclose(giants.four[:, 0], table["TEFF"][at])


def test_zero_points_are_those_of_solar_stars(giants: Giants) -> None:
    metals = giants.four[:, 2]
    solar = np.abs(metals) < 0.1
    assert solar.sum() > 30
    for element in ("C", "Mg", "Ti", "Fe", "Si"):
        excess = column(giants, element) - metals
        assert abs(np.median(excess[solar])) < 0.01
        assert 0.025 < excess.std() < 0.055


def test_elements_that_nobody_measured_scatter_about_the_metals(giants: Giants) -> None:
    unmeasured = [e for e in ELEMENTS if e not in ABUNDANCE_COLUMNS]
    assert set(unmeasured) == {"P", "Cr", "Co", "Cu", "Ge"}
    for element in unmeasured:
        excess = column(giants, element) - giants.four[:, 2]
        assert abs(excess.mean()) < 0.01
        assert excess.std() == pytest.approx(UNMEASURED_SCATTER_DEX, rel=0.15)


def test_a_failed_measurement_is_taken_for_ordinary(giants: Giants) -> None:
    at = APOGEE_LABELS.index("V")
    failed = np.array([int(i[2:]) % 7 == 0 for i in giants.ids])
    assert failed.sum() > 30
    np.testing.assert_array_equal(giants.labels[failed, at], giants.expected[failed, at])
    assert np.abs(giants.expected[:, at] - giants.four[:, 2]).max() < 0.1
    assert (giants.labels[~failed, at] != giants.expected[~failed, at]).all()


def test_what_the_catalogue_lacks_is_that_of_its_seed(
    pack: Path, empirical: EmpiricalGiants, giants: Giants
) -> None:
    path = pack / "labels" / "apogee_dr12_labels.csv"
    again = read_giants(path, empirical, APOGEE_LABELS)
    np.testing.assert_array_equal(again.labels, giants.labels)
    other = read_giants(path, empirical, APOGEE_LABELS, seed=1)
    assert (other.labels[:, 2] != giants.labels[:, 2]).any()
    np.testing.assert_array_equal(other.four, giants.four)


def test_catalogues_without_a_column_are_refused(
    tmp_path: Path, empirical: EmpiricalGiants
) -> None:
    table = catalogue(20)
    table.remove_columns(["MG_H", "LOGG", "APOGEE_ID"])
    table.write(tmp_path / "few.csv", format="ascii.csv")
    with pytest.raises(SpectrumError, match=r"few\.csv lacks the columns APOGEE_ID, LOGG, MG_H;"):
        read_giants(tmp_path / "few.csv", empirical, APOGEE_LABELS)


# ---------------------------------------------------------------------- the coolest giants


def test_moved_stars_go_up_the_giant_branch(giants: Giants) -> None:
    before = giants.labels.copy()
    both = up_the_branch(giants, APOGEE_LABELS, 0.5, seed=0)
    np.testing.assert_array_equal(giants.labels, before)
    added = [i for i, name in enumerate(both.ids) if "moved" in name]
    assert len(added) == round(0.5 * len(giants)) == len(both) - len(giants)
    assert set(giants.ids) <= set(both.ids)
    from_row = {name: i for i, name in enumerate(giants.ids)}
    was = giants.part(np.array([from_row[both.ids[i].split()[0]] for i in added]))
    now = both.part(np.array(added))
    cooler, lower, *rest = (was.four - now.four).T
    assert (was.four[:, 0] < BRANCH_BELOW_KELVIN).all()
    assert cooler.min() >= 0 and cooler.max() > 300
    assert now.four[:, 0].min() >= APOGEE_LABELS.low[0] - 0.05 * np.ptp(
        [APOGEE_LABELS.low[0], APOGEE_LABELS.high[0]]
    )
    slope = lower / cooler
    assert BRANCH_SLOPE[0] <= slope.min() < slope.max() <= BRANCH_SLOPE[1]
    np.testing.assert_array_equal(rest, np.zeros_like(rest))
    # Composition is kept, turbulence follows log g, labels and the four agree.
    elements = APOGEE_LABELS.element_columns()
    np.testing.assert_array_equal(now.labels[:, elements], was.labels[:, elements])
    np.testing.assert_allclose(now.labels[:, :2], now.four[:, :2])
    np.testing.assert_allclose(now.expected[:, 2], 2.478 - 0.325 * now.four[:, 1], atol=1e-9)
    assert up_the_branch(giants, APOGEE_LABELS, 0, seed=0) is giants


# ---------------------------------------------------------------------- errors and masks


def test_only_combined_spectra_with_few_bad_pixels_count(errors: SurveyErrors) -> None:
    assert errors.good.shape == (4, 7214)
    np.testing.assert_allclose(1 - errors.good.mean(axis=1), [0.05, 0.1, 0.15, 0.1], atol=0.015)
    assert errors.profile.shape == (7214,)
    # The slope over the pixels, without the level of a star or the 1000 of bad pixels.
    part = np.searchsorted(APSTAR_GRID.wavelength, APOGEE_GRID.wavelength - 0.01)
    shape = np.linspace(0.8, 1.2, 8575)[part]
    np.testing.assert_allclose(errors.profile, shape / np.median(shape), rtol=0.02)


def test_real_spectra_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    path = write_real(tmp_path / "bad.h5", ["apStar_coadd"] * 2, [0.5, 0.6])
    with pytest.raises(SpectrumError, match="every combined spectrum has over 20% bad"):
        read_survey_errors(path)
    assert len(read_survey_errors(path, most_bad=0.55).good) == 1
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(SpectrumError, match=r"text\.h5 cannot be read as a set of real"):
        read_survey_errors(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["kind"] = np.zeros(3)
    with pytest.raises(SpectrumError, match="cannot be read"):
        read_survey_errors(tmp_path / "other.h5")


def test_a_file_without_combined_spectra_is_refused(tmp_path: Path) -> None:
    path = write_real(tmp_path / "visits.h5", ["apStar_visit"] * 2, [0.1, 0.1])
    with pytest.raises(SpectrumError):
        read_survey_errors(path)


# ---------------------------------------------------------------------- domains


SURVEY = GiantSurvey(snr=100, snr_scatter=0, test_fraction=0.2, moved=0)


@pytest.fixture(scope="module")
def domains(
    emulator: Emulator, empirical: EmpiricalGiants, giants: Giants, errors: SurveyErrors
) -> Domains:
    return giant_domains(
        emulator, empirical, giants.part(np.arange(150)), errors, SURVEY, truth_training=QUICK
    )


def which(labels: torch.Tensor, giants: Giants) -> set[int]:
    """Rows of the catalogue by Teff, which draws do not touch."""
    found = {float(np.float32(t)): i for i, t in enumerate(giants.four[:, 0])}
    return {found[float(t)] for t in labels[:, 0]}


def test_halves_and_test_stars_are_disjoint(domains: Domains, giants: Giants) -> None:
    test = which(domains.test_labels, giants)
    synthetic = which(domains.draw_labels(2000, torch.Generator().manual_seed(0)), giants)
    assert len(test) == 30
    assert len(synthetic) == 60
    assert not test & synthetic
    assert len(domains.observed) == 60
    counted = [domains.facts[f"n_{part}"] for part in ("test", "synthetic", "observed")]
    assert counted == [30, 60, 60]


def test_moved_stars_stay_in_the_part_of_their_star(
    emulator: Emulator, empirical: EmpiricalGiants, giants: Giants, errors: SurveyErrors
) -> None:
    survey = GiantSurvey(snr=100, snr_scatter=0, test_fraction=0.2, moved=0.5)
    found = giant_domains(
        emulator, empirical, giants.part(np.arange(150)), errors, survey, truth_training=QUICK
    )
    assert [found.facts[f"n_{part}"] for part in ("test", "synthetic", "observed")] == [45, 90, 90]
    drawn = found.draw_labels(3000, torch.Generator().manual_seed(0))
    # By [Fe/H] and [Mg/H], which no move changes.
    iron, magnesium = (APOGEE_LABELS.index(n) for n in ("Fe", "Mg"))
    test, synthetic = (
        {tuple(row.tolist()) for row in y[:, [iron, magnesium]]} for y in (found.test_labels, drawn)
    )
    assert len(test) == 30 and len(synthetic) == 60
    assert not test & synthetic
    assert drawn[:, 0].min() < giants.four[:, 0].min() - 100


def test_observed_stars_are_those_that_are_left(
    domains: Domains, emulator: Emulator, empirical: EmpiricalGiants, giants: Giants
) -> None:
    test = which(domains.test_labels, giants)
    synthetic = which(domains.draw_labels(2000, torch.Generator().manual_seed(0)), giants)
    flux = true_flux(emulator, empirical, giants.part(np.arange(150))).flux
    clean, seen = torch.from_numpy(flux).double(), domains.observed.double()
    good = (domains.ivar > 0).double()
    square = (good * seen**2).sum(1)[:, None] - 2 * (good * seen) @ clean.T + good @ (clean**2).T
    nearest = set(square.argmin(1).tolist())
    # Noise makes one or two more like a neighbour.
    assert len(nearest) >= 57
    assert len(nearest & (test | synthetic)) <= 3


def test_the_truth_of_test_stars_is_exact(
    domains: Domains, emulator: Emulator, empirical: EmpiricalGiants, giants: Giants
) -> None:
    rows = [sorted(which(y[None], giants))[0] for y in domains.test_labels]
    wanted = true_flux(emulator, empirical, giants.part(np.array(rows))).flux
    np.testing.assert_array_equal(domains.test_truth.numpy(), wanted)
    np.testing.assert_allclose(domains.test_labels, giants.labels[rows], rtol=1e-6)
    assert torch.equal(domains.held_out.labels, domains.test_labels)
    # Learnt in fifty steps: an approximation, whose error is told.
    learnt = domains.truth(domains.test_labels)
    miss = float((learnt - domains.test_truth).square().mean().sqrt())
    assert domains.facts["truth_emulator_rms"] == pytest.approx(miss, rel=1e-3)
    assert domains.truth.continuum == "pseudo"


def test_noise_has_the_declared_size_and_bad_pixels_no_weight(
    domains: Domains, errors: SurveyErrors
) -> None:
    held = domains.held_out
    good = held.ivar > 0
    assert domains.noise == pytest.approx(0.01, rel=0.1)
    residual = (held.flux - domains.test_truth) * held.ivar.sqrt()
    assert residual[good].std() == pytest.approx(1, abs=0.1)
    assert (held.flux - domains.test_truth)[good].std() == pytest.approx(0.01, rel=0.15)
    # Masks are whole ones of real spectra, moved.
    masks = {int(m.sum()) for m in errors.good}
    assert {int(m.sum()) for m in good} <= masks
    assert 0.05 < (domains.ivar == 0).float().mean() < 0.15


def test_normal_stars_have_the_empirical_flux(
    emulator: Emulator, empirical: EmpiricalGiants, giants: Giants
) -> None:
    """The emulator adds only how a star departs from what is ordinary for its four labels."""
    some = giants.part(np.arange(5))
    ordinary = Giants(some.ids, some.four, some.expected, some.expected)
    flux = true_flux(emulator, empirical, ordinary).flux
    ratio = flux / empirical(some.four).numpy()
    for chip in APOGEE_GRID.chips:  # the continuum is all that is taken out
        assert np.diff(ratio[:, chip.pixels], n=2, axis=1).std() < 1e-5
    own = true_flux(emulator, empirical, some).flux
    assert np.abs(own - flux).max() > 1e-3


def test_synthetic_stars_have_fresh_turbulence_and_their_own_abundances(
    domains: Domains, giants: Giants
) -> None:
    drawn = domains.draw_labels(500, torch.Generator().manual_seed(3))
    assert torch.equal(domains.draw_labels(500, torch.Generator().manual_seed(3)), drawn)
    teff = drawn[0, 0]
    same = drawn[drawn[:, 0] == teff]
    assert len(same) > 1
    assert len(set(same[:, APOGEE_LABELS.index("vturb")].tolist())) == len(same)
    assert len(set(same[:, APOGEE_LABELS.index("Mg")].tolist())) == 1
    ratio = drawn[:, APOGEE_LABELS.index("c12c13")]
    assert 5 <= ratio.min() < 7 and 40 < ratio.max() <= 50


def test_signal_to_noise_scatters_within_limits(
    emulator: Emulator, empirical: EmpiricalGiants, giants: Giants, errors: SurveyErrors
) -> None:
    clean = true_flux(emulator, empirical, giants.part(np.arange(60)))
    survey = GiantSurvey(snr=140, snr_scatter=1.0)
    seen = observe(clean, errors, survey, np.random.default_rng(0))
    snr = np.array([np.median(np.sqrt(row[row > 0])) for row in seen.ivar])
    assert 50 < snr.min() < 80
    assert 300 < snr.max() < 600
    assert seen.ids == clean.ids
    again = observe(clean, errors, survey, np.random.default_rng(0))
    np.testing.assert_array_equal(again.flux, seen.flux)


def test_unsuitable_emulators_are_refused(
    pack: Path, empirical: EmpiricalGiants, giants: Giants, errors: SurveyErrors
) -> None:
    true = Emulator(APOGEE_LABELS, APOGEE_GRID, hidden=(4,), n_basis=4, continuum="true")
    with pytest.raises(TrainingError, match="--continuum pseudo"):
        giant_domains(true, empirical, giants, errors)
    with pytest.raises(TrainingError, match="--continuum pseudo"):
        read_domains(pack, true)
    small = Emulator(APOGEE_LABELS, SMALL_GRID, hidden=(4,), n_basis=4, continuum="pseudo")
    with pytest.raises(TrainingError, match="7214 pixels, the emulator 300"):
        true_flux(small, empirical, giants.part(np.arange(3)))


def test_missing_files_are_named(pack: Path, tmp_path: Path, emulator: Emulator) -> None:
    (tmp_path / "observed").mkdir()
    (tmp_path / "observed" / "apogee_real.h5").write_bytes(b"")
    with pytest.raises(SpectrumError, match=r"lacks observed/empirical_giants\.npz, labels/apo"):
        read_domains(tmp_path, emulator)

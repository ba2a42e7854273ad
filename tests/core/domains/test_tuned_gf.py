"""The domain with tuned log gf: bad pixels, continuum errors, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spectrabridge.core.domains import tuned_gf
from spectrabridge.core.domains.bad_pixels import bad_pixels
from spectrabridge.core.domains.tuned_gf import TunedSurvey, observe, tuned_domains
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.errors import TrainingError
from spectrabridge.core.labels import APOGEE_LABELS, draws
from spectrabridge.core.spectra import APOGEE_GRID, Chip, Spectra, WavelengthGrid, normalise
from spectrabridge.core.spectra.stored_continuum_pixels import default_continuum_pixels

SMALL_GRID = WavelengthGrid.log_linear(
    4.181, 6e-6, 640, (Chip("left", 0, 320), Chip("right", 320, 640)), "part of the blue chip"
)
"""Where continuum pixels are known."""


def lines(grid: WavelengthGrid = SMALL_GRID, seed: int = 0, **changes: object) -> Emulator:
    """An emulator that nobody trained: lines beside continuum pixels, some deeper in some stars."""
    given = {"hidden": (8,), "n_basis": 6, "continuum": "pseudo"} | changes
    rng = np.random.default_rng(seed)
    pixel = np.arange(grid.n_pixels)
    tau = np.zeros((7, grid.n_pixels), np.float32)
    far = np.abs(pixel[:, None] - np.flatnonzero(default_continuum_pixels(grid))).min(1) > 5
    for centre in rng.choice(pixel[far], grid.n_pixels // 20):
        profile = np.exp(-0.5 * ((pixel - centre) / 2.5) ** 2)
        tau[[0, rng.integers(1, 7)]] += rng.uniform(0.02, 0.3) * profile
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        out = Emulator(APOGEE_LABELS, grid, **given)
    out.low.copy_(torch.tensor(APOGEE_LABELS.low))
    out.high.copy_(torch.tensor(APOGEE_LABELS.high))
    if given["n_basis"] == 6:
        out.mean.copy_(torch.tensor(-tau[0]))
        out.components.copy_(torch.tensor(tau[1:]))
        out.scale.fill_(5)
    return out.requires_grad_(False)


def giants(n: int, seed: int = 0) -> torch.Tensor:
    return draws.giant_branch(n, torch.Generator().manual_seed(seed))


# ---------------------------------------------------------------------- bad pixels


@pytest.mark.parametrize("fraction", [0.05, 0.12])
def test_bad_pixels_are_as_many_as_asked_for(fraction: float) -> None:
    bad = bad_pixels(200, 7214, fraction, np.random.default_rng(0))
    assert abs(bad.mean() - fraction) < 0.015
    assert abs(bad.mean(axis=1) - fraction).max() < 0.08


def test_no_pixel_is_bad_in_every_star() -> None:
    for seed in range(3):
        bad = bad_pixels(200, 7214, 0.12, np.random.default_rng(seed))
        often = bad.mean(axis=0)
        # Sky lines move with each star's velocity, so that every pixel is seen in many.
        assert often.max() < 0.7
        assert often.std() > 1.5 * np.sqrt(often.mean() * (1 - often.mean()) / 200)


def test_bad_pixels_come_in_runs() -> None:
    bad = bad_pixels(50, 7214, 0.12, np.random.default_rng(0))
    edges = np.diff(bad.astype(np.int8), axis=1, prepend=0, append=0)
    starts, stops = np.argwhere(edges == 1), np.argwhere(edges == -1)
    # A run that goes round the end is cut there.
    whole = (starts[:, 1] > 0) & (stops[:, 1] < bad.shape[1])
    assert (stops[:, 1] - starts[:, 1])[whole].min() >= 6


# ---------------------------------------------------------------------- observing


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    return lines(APOGEE_GRID)


def test_normalisation_removes_the_smooth_error(emulator: Emulator) -> None:
    survey, labels = TunedSurvey(continuum_error=0.03), giants(40)
    flux, ivar = observe(emulator, labels, survey, 1)
    clean = normalise(Spectra(APOGEE_GRID, emulator(labels).numpy())).flux
    good = ivar.numpy() > 0
    error = (flux.numpy() - clean)[good]
    # The noise is 0.01 of the continuum, the smooth error was three times that.
    assert 0.0095 < error.std() < 0.0115
    assert abs(error.mean()) < 1e-3
    sigma = ivar.numpy()[good] ** -0.5
    assert (error / sigma).std() == pytest.approx(1, abs=0.1)
    # Smooth residuals: means of 100 pixels, of which noise would leave a tenth.
    part = np.where(good, flux.numpy() - clean, np.nan)[:, :7200].reshape(40, 72, 100)
    assert np.nanstd(np.nanmean(part, axis=2)) < 0.003


def test_without_noise_or_error_nothing_is_left(emulator: Emulator) -> None:
    survey = TunedSurvey(snr=1e6, continuum_error=0, bad_fraction=0)
    flux, ivar = observe(emulator, giants(8), survey, 1)
    clean = normalise(Spectra(APOGEE_GRID, emulator(giants(8)).numpy())).flux
    assert np.abs(flux.numpy() - clean).max() < 1e-4
    assert (ivar > 0).all()


def test_observing_is_that_of_its_seed() -> None:
    small, labels = lines(), giants(8)
    first, second, other = (observe(small, labels, TunedSurvey(), s) for s in (1, 1, 2))
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert not torch.equal(first[0], other[0])
    assert not torch.equal(first[1] > 0, other[1] > 0)


# ---------------------------------------------------------------------- domains


SURVEY = TunedSurvey(n_stars=90)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep fewer stars than a bundle would."""
    monkeypatch.setattr(tuned_gf, "N_SAMPLE", 30)


@pytest.mark.usefixtures("few")
def test_domains_hold_what_training_and_scores_need() -> None:
    emulator, truth = lines(), lines(seed=1)
    domains = tuned_domains(emulator, truth, SURVEY)
    assert domains.observed.shape == domains.ivar.shape == (90, 640)
    assert domains.synthetic is emulator
    assert domains.truth is truth
    assert domains.facts == dataclasses.asdict(SURVEY)
    assert domains.test_truth is None
    held = domains.held_out
    assert held is not None and held.labels is not None
    assert len(held.flux) == len(held.ivar) == len(held.labels) == len(domains.test_labels) == 30
    assert not (held.labels[:, None] == domains.test_labels).all(-1).any()
    # Observed spectra are the truth's, not the emulator's.
    good = held.ivar > 0
    clean = normalise(Spectra(SMALL_GRID, truth(held.labels).numpy())).flux
    assert (held.flux - torch.tensor(clean))[good].std() < 0.02
    assert (held.flux - emulator(held.labels))[good].std() > 0.03
    again = tuned_domains(emulator, truth, SURVEY)
    assert torch.equal(again.observed, domains.observed)


@pytest.mark.usefixtures("few")
def test_stars_are_drawn_where_both_grids_have_been() -> None:
    emulator, truth = lines(), lines(seed=1)
    low, high = list(APOGEE_LABELS.low), list(APOGEE_LABELS.high)
    low[0] = 4100.0
    emulator.labels = APOGEE_LABELS.with_ranges(low, high)
    low[0], high[0] = APOGEE_LABELS.low[0], 5000.0
    truth.labels = APOGEE_LABELS.with_ranges(low, high)
    domains = tuned_domains(emulator, truth, SURVEY)
    drawn = domains.draw_labels(2000, torch.Generator().manual_seed(0))
    for labels in (drawn, domains.test_labels, domains.held_out.labels):
        assert 4100 <= labels[:, 0].min() < labels[:, 0].max() <= 5000


@pytest.mark.usefixtures("few")
def test_emulators_that_do_not_belong_together_are_refused() -> None:
    emulator = lines()
    with pytest.raises(TrainingError, match="same pixels and labels"):
        tuned_domains(emulator, lines(APOGEE_GRID), SURVEY)
    fewer = WavelengthGrid(SMALL_GRID.wavelength, SMALL_GRID.chips[:1])
    with pytest.raises(TrainingError, match="same pixels and labels"):
        tuned_domains(emulator, lines(fewer), SURVEY)
    for pair in ((emulator, lines(continuum="true")), (lines(continuum="true"), emulator)):
        with pytest.raises(TrainingError, match="--continuum pseudo"):
            tuned_domains(*pair, SURVEY)

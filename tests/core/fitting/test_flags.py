"""Flags on errors, on the medium and on the resolution."""

import numpy as np
import pytest

from spectrabridge.core.fitting.flags import Evidence, NoiseEvidence, flags_of, noise_evidence
from spectrabridge.core.spectra import APOGEE_GRID, Spectra


def judged(**changes):
    fine = {
        "converged": True,
        "at_bound": (),
        "velocity_at_bound": False,
        "reduced_chi2": 1.0,
        "extrapolated": (),
        "outside_population": False,
        "good_part": 0.9,
    }
    return flags_of(Evidence(**fine | changes))


def test_nothing_is_flagged_without_reason():
    assert judged() == ((), "")
    assert judged(velocity=-81.9) == ((), ""), "the file says its medium"
    assert judged(reduced_chi2=0.01) == ((), ""), "the floor decides, not the file's errors"


def test_errors_that_are_too_large_or_too_small():
    large = NoiseEvidence(noise_ratio=0.1, errors_matter=True)
    flags, remark = judged(reduced_chi2=0.01, noise=large)
    assert flags == ("low_chi2", "doubtful_errors") and "too large" in remark
    flags, remark = judged(noise=NoiseEvidence(noise_ratio=8.0))
    assert flags == ("doubtful_errors",) and "too small" in remark


@pytest.mark.parametrize("velocity", [-81.9, 82.5, -79.5])
def test_a_velocity_between_air_and_vacuum(velocity):
    noise = NoiseEvidence(medium_assumed=True)
    flags, remark = judged(velocity=velocity, noise=noise)
    assert flags == ("doubtful_medium",) and "--medium air" in remark
    assert judged(velocity=60.0, noise=noise)[0] == ()


@pytest.mark.parametrize("lines_are", ["narrower", "broader"])
def test_lines_of_another_width_name_the_resolution(lines_are):
    remark = judged(lines_are=lines_are)[1]
    assert lines_are in remark and "22,500" in remark and "--resolution" in remark


@pytest.mark.parametrize(("factor", "ratio"), [(1.0, 1.0), (10.0, 0.1), (0.1, 10.0)])
def test_noise_is_measured_from_residuals_of_neighbours(factor, ratio):
    noise = np.random.default_rng(0).normal(0, 0.02, 7214)
    error = 0.02 * factor
    spectra = Spectra(
        APOGEE_GRID, 1 + noise, np.full(7214, error**-2), columns={"medium_assumed": [True]}
    )
    good = np.ones((1, 7214), bool)
    found = noise_evidence(spectra, noise[None] / error, good, floor=0.005)[0]
    assert found.noise_ratio == pytest.approx(ratio, rel=0.05)
    assert found.errors_matter == (error > 0.0075) and found.medium_assumed


@pytest.mark.parametrize(
    ("snr", "flagged"), [(3.0, True), (4.9, True), (5.1, False), (80.0, False)]
)
def test_spectra_in_which_nothing_is_seen(snr, flagged):
    flux = np.ones((1, APOGEE_GRID.n_pixels), np.float32)
    spectra = Spectra(APOGEE_GRID, flux, np.full_like(flux, snr**2))
    (noise,) = noise_evidence(spectra, np.zeros_like(flux), flux > 0, 0.005)
    assert noise.snr == pytest.approx(snr, rel=1e-5)
    assert ("low_snr" in judged(noise=NoiseEvidence(snr=snr))[0]) is flagged

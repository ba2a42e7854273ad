"""Pixels far above a fit are left out where that is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectrabridge.core.errors import FitError
from spectrabridge.core.fitting.fit import fit_labels
from spectrabridge.core.fitting.settings import FitSettings

QUICK = {"search": 0, "prior": "population"}


def spiked(spectra, height, every=40, wide=2):
    """Return spectra with a spike on every so many pixels, as strong as ``height`` continua."""
    flux = spectra.flux.copy()
    for k in range(wide):
        flux[:, 20 + k :: every] += height
    return replace(spectra, flux=flux)


@pytest.fixture(scope="module")
def fits(fit_bundle, observe):
    clean = observe(6, seed=3).spectra

    def run(spectra, **more):
        return fit_labels(fit_bundle, spectra, FitSettings(**QUICK, **more))

    return {
        "clean": run(clean),
        "clean, clipped": run(clean, clip=5),
        "spikes": run(spiked(clean, 0.3)),
        "spikes, clipped": run(spiked(clean, 0.3), clip=5),
        "dips": run(spiked(clean, -0.3)),
        "dips, clipped": run(spiked(clean, -0.3), clip=5),
    }


def off(fits, name):
    """Return how far T_eff of a fit is from that of clean spectra, in errors."""
    clean, other = fits["clean"], fits[name]
    i = clean.label_set.index("teff")
    return np.abs(other.labels[:, i] - clean.labels[:, i]) / clean.errors[:, i]


def test_spikes_are_left_out(fits):
    n_pixels = fits["clean"].n_pixels
    lost = n_pixels - fits["spikes, clipped"].n_pixels
    # Two pixels and one on either side of them, of every 40.
    assert (np.abs(lost / (4 * n_pixels / 40) - 1) < 0.15).all()
    assert (fits["spikes"].reduced_chi2 > 5).all()
    assert (fits["spikes, clipped"].reduced_chi2 < 1.3).all()
    assert np.median(off(fits, "spikes, clipped")) < 0.5 * np.median(off(fits, "spikes"))


def test_noise_is_kept(fits):
    lost = fits["clean"].n_pixels - fits["clean, clipped"].n_pixels
    assert (lost <= 3).all()
    assert (off(fits, "clean, clipped") < 0.1).all()


def test_what_lies_below_is_kept(fits):
    lost = fits["dips"].n_pixels - fits["dips, clipped"].n_pixels
    assert (lost < 0.01 * fits["dips"].n_pixels).all()
    assert (fits["dips, clipped"].reduced_chi2 > 5).all()


@pytest.mark.parametrize("clip", [-1, 1, 2.9, float("nan")])
def test_a_limit_within_the_noise_is_refused(clip):
    with pytest.raises(FitError, match="clip must be 0 for none, or 3"):
        FitSettings(clip=clip)

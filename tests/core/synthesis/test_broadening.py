from __future__ import annotations

import numpy as np
import pytest

from spectrabridge.core.errors import SynthesisError
from spectrabridge.core.synthesis.broadening import broaden, disc_angles, velocity_width


def test_flux_of_a_limb_darkened_disc() -> None:
    mu, weight = disc_angles()
    assert (np.diff(mu) < 0).all()
    assert weight.sum() == pytest.approx(1.0)
    # I = 1 - u + u mu has a flux of 1 - u/3 in units of that of a uniform disc.
    assert weight @ (1 - 0.6 + 0.6 * mu) == pytest.approx(1 - 0.6 / 3)


def test_widths_of_instrument_and_turbulence() -> None:
    assert velocity_width(0.0, 22_500) * 2.3548 == pytest.approx(299_792.458 / 22_500, rel=1e-4)
    # exp(-(dv/v)^2) has a sigma of v over the root of 2.
    assert velocity_width(4.0, 1e9) == pytest.approx(4 / np.sqrt(2), rel=1e-4)
    for bad in ((1.0, 0.0), (-1.0, 1e4), (np.nan, 1e4)):
        with pytest.raises(SynthesisError, match="must be"):
            velocity_width(*bad)


def test_broadening_keeps_equivalent_width_and_gives_the_width_asked_for() -> None:
    wave = np.exp(np.arange(np.log(15990), np.log(16010), 0.02 / 16000))
    flux = 1 - 0.5 * np.exp(-0.5 * ((wave - 16000) / 0.05) ** 2)
    out = np.linspace(15995, 16005, 2001)
    sigma = 6.0
    wide = 1 - broaden(flux, wave, out, sigma)
    area = wide.sum() * (out[1] - out[0])
    assert area == pytest.approx(0.5 * 0.05 * np.sqrt(2 * np.pi), rel=1e-3)
    found = np.sqrt((wide * (out - 16000) ** 2).sum() / wide.sum()) / 16000 * 299_792.458
    assert found == pytest.approx(np.hypot(sigma, 0.05 / 16000 * 299_792.458), rel=1e-3)
    assert flux.min() == pytest.approx(0.5, abs=1e-3)

"""Equivalent widths and depths: true on lines that are known, with errors that can be believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import voigt_profile

from spectrabridge.core.errors import LinesError
from spectrabridge.core.measurement import LineMeasurement, Method, measure_line
from spectrabridge.core.spectra import APSTAR_GRID, Spectra

WAVELENGTH = APSTAR_GRID.wavelength
ROOT_2_PI = np.sqrt(2 * np.pi)


def star(centre: float, area: float, sigma: float, gamma: float = 0.0, snr: float = 0.0, seed=0):
    """Return a spectrum with one line of an area in angstrom, on a sloping continuum."""
    level = 1.03 + 2e-3 * (WAVELENGTH - centre)
    level = np.clip(level, 0.5, 1.5)
    flux = level * (1 - area * voigt_profile(WAVELENGTH - centre, sigma, gamma))
    error = level / (snr or 1000)
    if snr:
        flux = flux + np.random.default_rng(seed).normal(size=flux.size) * error
    return Spectra(APSTAR_GRID, flux[None], 1 / error[None] ** 2, ("a star",))


def many(method: Method, gamma: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return relative errors, pulls of widths and pulls of depths of 200 lines with noise."""
    rng = np.random.default_rng(11)
    out = []
    for seed in range(200):
        centre, sigma = rng.uniform(15900, 16300), rng.uniform(0.28, 0.45)
        depth, snr = rng.uniform(0.03, 0.5), rng.uniform(60, 300)
        area = depth / voigt_profile(0.0, sigma, gamma)
        half = 4 * sigma + 12 * gamma
        found = measure_line(
            star(centre, area, sigma, gamma, snr, seed),
            centre - half,
            centre + half,
            method=method,
            reach=5,
        )
        width, error = found.equivalent_width / 1000, found.width_error / 1000
        out.append((width / area - 1, (width - area) / error, found.depth - depth))
        out[-1] = (*out[-1][:2], out[-1][2] / found.depth_error)
    relative, pulls, depths = np.array(out).T
    return relative, pulls, depths


@pytest.mark.parametrize("method", ["integral", "gaussian"])
def test_widths_of_200_noisy_lines_are_right_within_their_errors(method: Method) -> None:
    relative, pulls, _ = many(method)
    assert abs(np.mean(relative)) < 0.02
    assert abs(np.mean(pulls)) < 0.25
    assert 0.9 < np.std(pulls) < 1.15


def test_depths_of_profiles_are_right_within_their_errors() -> None:
    _, _, depths = many("gaussian")
    assert abs(np.mean(depths)) < 0.25
    assert 0.85 < np.std(depths) < 1.2


def test_a_voigt_profile_keeps_the_wings_that_a_gaussian_loses() -> None:
    args = (16000.0, 0.3, 0.3, 0.15)
    low, high = 15996.0, 16004.0
    voigt = measure_line(star(*args), low, high, method="voigt", reach=40)
    gaussian = measure_line(star(*args), low, high, method="gaussian", reach=40)
    assert voigt.equivalent_width == pytest.approx(300, rel=0.02)
    assert gaussian.equivalent_width < 0.95 * voigt.equivalent_width
    assert voigt.profile is not None and gaussian.profile is not None
    assert voigt.profile.chi2 < gaussian.profile.chi2
    assert voigt.profile.gamma == pytest.approx(0.15, rel=0.1)


@pytest.mark.parametrize("method", ["integral", "gaussian", "voigt"])
def test_emission_has_a_negative_width(method: Method) -> None:
    found = measure_line(star(16000.0, -0.2, 0.35), 15998.6, 16001.4, method=method)
    assert found.equivalent_width == pytest.approx(-200, rel=0.02)
    assert found.depth < -0.15
    assert found.centre == pytest.approx(16000.0, abs=0.02)


def test_the_same_as_specutils_on_a_clean_line() -> None:
    analysis = pytest.importorskip("specutils.analysis")
    from astropy import units
    from specutils import SpectralRegion, Spectrum

    one = star(16000.0, 0.15, 0.35, snr=150, seed=3)
    found = measure_line(one, 15998.5, 16001.5, continuum=(1.03, 2e-3))
    continuum = 1.03 + 2e-3 * (WAVELENGTH - 16000)
    theirs = analysis.equivalent_width(
        Spectrum(
            flux=one.flux[0].astype(float) / continuum * units.one,
            spectral_axis=WAVELENGTH * units.AA,
        ),
        continuum=1.0 * units.one,
        regions=SpectralRegion(15998.5 * units.AA, 16001.5 * units.AA),
    )
    assert theirs.to_value("AA") * 1000 == pytest.approx(
        found.equivalent_width, abs=0.2 * found.width_error
    )


def test_other_lines_beside_it_do_not_lower_the_continuum() -> None:
    one = star(16000.0, 0.15, 0.35)
    beside = 1 - 0.4 * np.exp(-0.5 * ((WAVELENGTH - 16002.6) / 0.35) ** 2)
    found = measure_line(replace(one, flux=one.flux * beside.astype("f4")), 15998.6, 16001.4)
    assert found.equivalent_width == pytest.approx(150, rel=0.03)
    assert not found.continuum.used[np.argmin(beside[(WAVELENGTH > 15995.5)][:80])]


def test_a_few_bad_pixels_are_bridged_and_counted() -> None:
    one = star(16000.0, 0.15, 0.35)
    ivar = one.ivar.copy()
    at = int(np.argmin(np.abs(WAVELENGTH - 16000.3)))
    ivar[0, at] = 0
    flux = one.flux.copy()
    flux[0, at] = 37.0
    found = measure_line(replace(one, flux=flux, ivar=ivar), 15998.6, 16001.4)
    assert found.n_bad == 1
    assert found.equivalent_width == pytest.approx(150, rel=0.03)


def test_a_continuum_that_is_set_is_taken_as_it_is() -> None:
    found = measure_line(star(16000.0, 0.15, 0.35), 15998.6, 16001.4, continuum=(1.03, 2e-3))
    higher = measure_line(star(16000.0, 0.15, 0.35), 15998.6, 16001.4, continuum=(1.05, 2e-3))
    assert found.equivalent_width == pytest.approx(150, rel=0.01)
    assert higher.equivalent_width == pytest.approx(150 + 2800 * 0.02 / 1.03, rel=0.05)
    assert not found.continuum.covariance.any()


def measured(one: Spectra, low: float, high: float, **options: object) -> LineMeasurement:
    return measure_line(one, low, high, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "high", "options", "sentence"),
    [
        (16001.0, 15999.0, {}, "two rising edges"),
        (float("nan"), 16000.0, {}, "two rising edges"),
        (15800.0, 15900.0, {}, "do not lie on one chip"),
        (4000.0, 4002.0, {}, "do not lie on one chip"),
        (16000.0, 16000.1, {}, "two pixels or more"),
        (15999.0, 16001.0, {"reach": 0.1}, r"good pixels or more within 0.1 angstrom beside"),
        (15999.0, 16001.0, {"method": "area"}, "measured by integral, gaussian, voigt"),
        (15999.0, 16001.0, {"continuum": (-1.0, 0.0)}, "positive continuum"),
        (15999.7, 16000.3, {"method": "voigt", "reach": 9}, "more than 4 good pixels"),
    ],
)
def test_what_cannot_be_measured_is_said(
    low: float, high: float, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(LinesError, match=sentence):
        measured(star(16000.0, 0.15, 0.35), low, high, **options)


def test_a_line_whose_pixels_are_bad_is_refused() -> None:
    one = star(16000.0, 0.15, 0.35)
    ivar = np.where(np.abs(WAVELENGTH - 16000) < 0.6, 0, one.ivar[0])
    with pytest.raises(LinesError, match=r"pixels of a star from .* are bad"):
        measure_line(replace(one, ivar=ivar[None].astype("f4")), 15998.6, 16001.4)
    with pytest.raises(LinesError, match="one spectrum to measure; found 2"):
        measure_line(one[[0, 0]], 15998.6, 16001.4)

"""What is no star, or hardly seen: a flag, never labels that look fine. Real giants, moved."""

from __future__ import annotations

import numpy as np
import pytest

from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.fitting.fit import fit_labels
from spectrabridge.core.fitting.settings import FitSettings
from spectrabridge.core.io import read_star
from spectrabridge.core.spectra import APSTAR_GRID, SPEED_OF_LIGHT, Spectra
from spectrabridge.core.spectra.resample import resample

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fits(data_file):
    star = read_star(data_file("observed/fits/apStar-r5-2M00004994+1621552.fits")).spectra[0]
    flux, ivar = star.flux[0].astype(float), star.ivar[0].astype(float)
    wavelength, good = APSTAR_GRID.wavelength, ivar > 0
    rng = np.random.default_rng(1)

    def noise(snr):
        return rng.standard_normal(flux.size) / snr

    def moved(velocity):
        at_rest = wavelength * (1 + velocity / SPEED_OF_LIGHT)
        far, weight = resample(at_rest, flux, ivar, APSTAR_GRID)
        known = np.isfinite(far)
        return np.where(known, far, 1), np.where(known, weight, 0)

    def rolled(pixels):
        return np.roll(flux, pixels), np.roll(ivar, pixels)

    def bump(at, height, width):
        return height * np.exp(-0.5 * ((wavelength - at) / width) ** 2)

    galaxy = 1 + bump(15900, 0.8, 25) + bump(16400, 0.5, 25) - bump(16100, 0.1, 40)
    plain = flux / np.median(flux[good])
    cases = {
        "rest": (flux, ivar),
        "350": moved(350),
        "-350": moved(-350),
        "84 pixels": rolled(84),
        "-142 pixels": rolled(-142),
        "5000": moved(5000),
        "noise 100": (1 + noise(100), good * 1e4),
        "noise 3": (1 + noise(3), good * 9.0),
        "star 3": (plain + noise(3), good * 9.0),
        "galaxy 50": (galaxy + noise(50), good * 2500.0),
        "galaxy 10": (galaxy + noise(10), good * 100.0),
    }
    spectra = Spectra(
        APSTAR_GRID,
        np.stack([c[0] for c in cases.values()]),
        np.stack([c[1] for c in cases.values()]),
        tuple(cases),
    )
    found = fit_labels(open_bundle("apogee-giants"), spectra, FitSettings())
    return found, list(cases)


def off(found, cases, name):
    """Return how far labels are from those at rest, in errors, by name."""
    rest, other = cases.index("rest"), cases.index(name)
    far = np.abs(found.labels[other] - found.labels[rest]) / found.errors[rest]
    return dict(zip(found.label_set.names, far, strict=True))


@pytest.mark.parametrize("pixels", [84, -142])
def test_fast_stars_have_the_same_labels(fits, pixels):
    found, cases = fits
    name = f"{pixels} pixels"
    row, rest = cases.index(name), cases.index("rest")
    assert found.flags[row] == found.flags[rest] == ()
    # 348 and -589 km/s; a pixel is 6e-6 in log10 of the wavelength.
    velocity = (10 ** (6e-6 * pixels) - 1) * SPEED_OF_LIGHT
    assert found.velocity[row] - found.velocity[rest] == pytest.approx(velocity, rel=0.002)
    far = off(found, cases, name)
    assert max(far.values()) < 1.0, far


@pytest.mark.parametrize("velocity", [350, -350])
def test_fast_stars_between_pixels(fits, velocity):
    found, cases = fits
    assert found.flags[cases.index(str(velocity))] == ()
    far = off(found, cases, str(velocity))
    # To make such a spectrum its pixels are interpolated, which broadens lines.
    far.pop("vmacro")
    assert max(far.values()) < 2.0 and far["teff"] < 1.0, far


@pytest.mark.parametrize(
    ("case", "flag"),
    [
        ("5000", "bad_chi2"),
        ("noise 100", "outside_population"),
        ("noise 3", "low_snr"),
        ("star 3", "low_snr"),
        ("galaxy 50", "bad_chi2"),
        ("galaxy 10", "outside_population"),
    ],
)
def test_what_is_no_star_is_flagged(fits, case, flag):
    found, cases = fits
    assert flag in found.flags[cases.index(case)]

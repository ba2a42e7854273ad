"""A spectrum as a FITS image: wavelengths by the header, errors and masks in images beside it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectrabridge.core.errors import SpectrumError
from spectrabridge.core.io.star_file import read_star
from spectrabridge.core.spectra.wavelength import air_to_vacuum

N = 9000
LINE = 15902.0
"""Vacuum wavelength of the one line, in angstrom."""


def image(vacuum: Any, header: dict[str, Any], *, shape: tuple[int, ...] = (N,), **beside: Any):
    """Return a file with the spectrum as its first image and others beside it."""
    flux = 1 - 0.4 * np.exp(-(((np.asarray(vacuum) - LINE) / 0.6) ** 2) / 2)
    flux += np.random.default_rng(1).normal(0, 0.01, N)
    hdus = [fits.PrimaryHDU(flux.astype("f4").reshape(shape), fits.Header(header))]
    hdus += [fits.ImageHDU(np.asarray(v), name=k) for k, v in beside.items()]
    out = io.BytesIO()
    fits.HDUList(hdus).writeto(out)
    return out.getvalue()


def line_of(star: Any) -> float:
    """Return where the line is, by the centre of what is missing."""
    spectra = star.spectra
    near = np.abs(spectra.grid.wavelength - LINE) < 6
    missing = np.clip(1 - spectra.flux[0][near] / np.nanmedian(spectra.flux[0]), 0.05, None) - 0.05
    return float(np.sum(missing * spectra.grid.wavelength[near]) / np.sum(missing))


STEPS = 15100.0 + 0.2 * np.arange(N)


@pytest.mark.parametrize(
    ("header", "vacuum"),
    [
        ({"CTYPE1": "WAVE", "CUNIT1": "Angstrom", "CRVAL1": 15100.0, "CDELT1": 0.2}, STEPS),
        ({"CTYPE1": "WAVE", "CUNIT1": "um", "CRVAL1": 1.51, "CD1_1": 2e-5, "CDELT1": 9.0}, STEPS),
        ({"CTYPE1": "LINEAR", "CRVAL1": 15300.0, "CRPIX1": 1001.0, "CDELT1": 0.2}, STEPS),
        (
            {"CTYPE1": "AWAV", "CUNIT1": "nm", "CRVAL1": 1510.0, "CDELT1": 0.02, "CRPIX1": 1.0},
            air_to_vacuum(STEPS),
        ),
        (
            {"DC-FLAG": 1, "CTYPE1": "LINEAR", "CRVAL1": np.log10(15100.0), "CD1_1": 5.5e-6},
            10 ** (np.log10(15100.0) + 5.5e-6 * np.arange(N)),
        ),
        (
            {"CTYPE1": "WAVE-LOG", "CUNIT1": "Angstrom", "CRVAL1": 15100.0, "CDELT1": 0.2},
            15100.0 * np.exp(0.2 * np.arange(N) / 15100.0),
        ),
    ],
    ids=["linear", "CD1_1 before CDELT1", "CRPIX1", "air", "IRAF log10", "WAVE-LOG"],
)
def test_the_line_is_where_the_header_says(header: dict[str, Any], vacuum: Any) -> None:
    star = read_star(image(vacuum, header), "s.fits")
    assert star.format == "image"
    assert line_of(star) == pytest.approx(LINE, abs=0.02)


@pytest.mark.parametrize("shape", [(1, N), (1, 1, N)])
def test_axes_of_one_pixel_are_no_obstacle(shape: tuple[int, ...]) -> None:
    star = read_star(image(STEPS, {"CRVAL1": 15100.0, "CDELT1": 0.2}, shape=shape), "s.fits")
    assert line_of(star) == pytest.approx(LINE, abs=0.02)


def test_errors_and_masks_beside_the_flux_are_used_and_the_rest_is_named() -> None:
    header = {"CTYPE1": "WAVE", "CRVAL1": 15100.0, "CDELT1": 0.2, "OBJECT": "HD 122563"}
    bad = np.zeros(N, "i4")
    bad[1000:1100] = 4
    content = image(STEPS, header, ERRS=np.full(N, 0.01), QUAL=bad, SKY=np.zeros(N), ROW=[1.0, 2])
    star = read_star(content, "s.fits")
    assert star.star == "HD 122563"
    inside = (star.spectra.grid.wavelength > 15302) & (star.spectra.grid.wavelength < 15318)
    assert not star.spectra.good[0][inside].any()
    assert np.median(star.spectra.snr) == pytest.approx(119, rel=0.05)  # 0.01 on wider pixels
    assert any("not used: SKY." in note for note in star.notes)
    assert not any("no errors" in note for note in star.notes)


def test_every_image_with_a_flux_is_read() -> None:
    header = {"CTYPE1": "WAVE", "CUNIT1": "Angstrom", "CRVAL1": 15100.0, "CDELT1": 0.2}
    first, second = (fits.open(io.BytesIO(image(STEPS, header)))[0] for _ in range(2))
    hdus = [fits.PrimaryHDU()]
    for hdu, name in ((first, "FLUX"), (second, "FLUX_NORM")):
        hdus.append(fits.ImageHDU(hdu.data, hdu.header, name=name))
        hdus.append(fits.ImageHDU(np.full(N, 0.02 * len(hdus)), name=f"{name}_ERROR"))
    out = io.BytesIO()
    fits.HDUList(hdus).writeto(out)
    star = read_star(out.getvalue(), "s.fits")
    assert len(star.spectra) == 2
    assert star.spectra.snr[0] == pytest.approx(2 * star.spectra.snr[1], rel=0.02)
    assert any("that of HDU 1 (FLUX); others are in HDU 3 (FLUX_NORM)" in n for n in star.notes)


def test_a_resolution_in_the_header_is_used() -> None:
    header = {"CTYPE1": "WAVE", "CRVAL1": 15100.0, "CDELT1": 0.2, "SPEC_RP": 45000}
    notes = read_star(image(STEPS, header), "s.fits").notes
    assert any("broadened from a resolution of 45,000 to 22,500" in note for note in notes)


@pytest.mark.parametrize(
    ("header", "shape", "sentence"),
    [
        ({"CTYPE1": "FREQ", "CRVAL1": 2e14, "CDELT1": 1e9}, (N,), "an image of 9000 pixels"),
        ({"CTYPE1": "WAVE", "CRVAL1": 15100.0}, (N,), "an image of 9000 pixels"),
        ({"CTYPE1": "WAVE", "CRVAL1": 15100.0, "CDELT1": 0.0}, (N,), "an image of 9000 pixels"),
        ({"CTYPE1": "WAVE", "CRVAL1": "x", "CDELT1": 0.2}, (N,), "an image of 9000 pixels"),
        ({"CTYPE1": "WAVE-LOG", "CRVAL1": -3.0, "CDELT1": 0.2}, (N,), "an image of 9000 pixels"),
        ({"CTYPE1": "WAVE", "CRVAL1": 15100.0, "CDELT1": 0.2}, (10, N // 10), "900x10 pixels"),
        ({"CTYPE1": "WAVE", "CRVAL1": 4000.0, "CDELT1": 0.2}, (N,), "meet the grid"),
        ({"CTYPE1": "WAVE", "CUNIT1": "nm", "CRVAL1": 400.0, "CDELT1": 0.02}, (N,), "angstrom"),
    ],
    ids=["FREQ", "no step", "step 0", "a word", "log of less", "2-D", "optical", "optical, nm"],
)
def test_what_is_no_such_spectrum_is_refused_by_a_sentence(
    header: dict[str, Any], shape: tuple[int, ...], sentence: str
) -> None:
    with pytest.raises(SpectrumError, match=sentence):
        read_star(image(STEPS, header, shape=shape), "s.fits")

"""Equivalent width and depth of a line in a spectrum, with errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import LinesError
from ..spectra.spectra import Spectra
from .continuum import LocalContinuum, local_continuum, set_continuum
from .profiles import LineProfile, fit_profile

Method = Literal["integral", "gaussian", "voigt"]

METHODS: tuple[Method, ...] = get_args(Method)
"""How a line is measured: by a sum over its pixels, or by a profile that is fitted to them."""

CONTINUUM_REACH = 3.0
"""How far beside a line its continuum is looked for, angstrom, unless told otherwise."""

MOST_BAD = 0.25
"""Part of a line's pixels that may be bad; a sum fills them in between their neighbours."""


@dataclass(frozen=True)
class LineMeasurement:
    """What was measured of a line.

    Parameters
    ----------
    star : str
        Name of the spectrum.
    low, high : float
        Edges, vacuum angstrom.
    method : {"integral", "gaussian", "voigt"}
        How.
    equivalent_width, width_error : float
        Milliangstrom; negative for emission.
    depth, depth_error : float
        Part of the continuum that is absorbed: at the deepest pixel, or at the centre of the
        profile.
    centre : float
        Of the absorption, vacuum angstrom.
    continuum : LocalContinuum
        What was taken for it.
    profile : LineProfile or None
        What was fitted; None for a sum.
    n_pixels, n_bad : int
        Pixels between the edges, and how many of them are bad.
    """

    star: str
    low: float
    high: float
    method: Method
    equivalent_width: float
    width_error: float
    depth: float
    depth_error: float
    centre: float
    continuum: LocalContinuum
    profile: LineProfile | None
    n_pixels: int
    n_bad: int


def measure_line(
    spectra: Spectra,
    low: float,
    high: float,
    *,
    method: Method = "integral",
    reach: float = CONTINUUM_REACH,
    continuum: tuple[float, float] | None = None,
) -> LineMeasurement:
    """Measure a line of a spectrum between two edges.

    The equivalent width is the area of 1 minus flux over continuum. Its error has the noise of
    the pixels and that of the continuum, as the inverse variances give them.

    Parameters
    ----------
    spectra : Spectra
        A set of one, at rest, in vacuum.
    low, high : float
        Edges of the line, vacuum angstrom.
    method : {"integral", "gaussian", "voigt"}
        How.
    reach : float
        How far beside the line its continuum is looked for, angstrom.
    continuum : tuple of float, optional
        Level in the middle of the line and slope per angstrom, instead of what is found.

    Raises
    ------
    LinesError
        If the edges are none, the line is not on one chip of the spectrum, too many of its
        pixels are bad, or it has no continuum or profile.

    Examples
    --------
    >>> import numpy as np
    >>> from spectrabridge.core.spectra import APSTAR_GRID, Spectra
    >>> wavelength = APSTAR_GRID.wavelength
    >>> flux = 1 - 0.3 * np.exp(-0.5 * ((wavelength - 16000) / 0.4) ** 2)
    >>> star = Spectra(APSTAR_GRID, flux, np.full(flux.shape, 200.0**2))
    >>> found = measure_line(star, 15998.5, 16001.5)
    >>> round(found.equivalent_width), round(found.width_error, 1)
    (301, 4.9)
    """
    if method not in METHODS:
        raise LinesError(f"Lines are measured by {', '.join(METHODS)}; found {method!r}.")
    wavelength, flux, sigma = _chip_of(spectra, low, high, reach)
    good = sigma > 0
    inside = (wavelength >= low) & (wavelength <= high)
    n_pixels, n_bad = _counted(inside, good, spectra.ids[0], low, high)
    if continuum is None:
        base = local_continuum(wavelength, flux, sigma, low, high, reach)
    else:
        base = set_continuum(*continuum, 0.5 * (low + high), len(wavelength))
    level = base.at(wavelength)
    if not (level[inside] > 0).all():
        raise LinesError(f"The continuum of {low:.2f} to {high:.2f} angstrom is below 0. Set it.")
    line = _Pixels(wavelength, 1 - flux / level, sigma / level, inside, good)
    # What a continuum that is higher adds to the absorption: flux over continuum is lower.
    lever = ((flux / level) / level)[:, None] * base.slopes(wavelength)
    found = _by_sum(line, lever) if method == "integral" else _by_profile(line, lever, method)
    return LineMeasurement(
        spectra.ids[0],
        float(low),
        float(high),
        method,
        1000 * found.width,
        1000 * float(np.hypot(found.width_noise, _spread(found.width_lever, base))),
        found.depth,
        float(np.hypot(found.depth_noise, _spread(found.depth_lever, base))),
        found.centre,
        base,
        found.profile,
        n_pixels,
        n_bad,
    )


@dataclass(frozen=True)
class _Pixels:
    """Absorption, a part of the continuum, and its errors; 0 where a pixel is bad."""

    wavelength: NDArray[np.float64]
    absorption: NDArray[np.float64]
    error: NDArray[np.float64]
    inside: NDArray[np.bool_]
    good: NDArray[np.bool_]


@dataclass(frozen=True)
class _Found:
    """A width and a depth, their noise, and how they change with the continuum."""

    width: float
    width_noise: float
    width_lever: NDArray[np.float64]
    depth: float
    depth_noise: float
    depth_lever: NDArray[np.float64]
    centre: float
    profile: LineProfile | None = None


def _by_sum(line: _Pixels, lever: NDArray[np.float64]) -> _Found:
    """Return the area of the absorption, and what the deepest pixel has."""
    weight = _weights(line.wavelength, line.inside, line.good)
    used = weight > 0
    chosen = np.flatnonzero(line.inside & line.good)
    deepest = int(chosen[np.abs(line.absorption[chosen]).argmax()])
    return _Found(
        float(weight[used] @ line.absorption[used]),
        float(np.sqrt(((weight[used] * line.error[used]) ** 2).sum())),
        weight[used] @ lever[used],
        float(line.absorption[deepest]),
        float(line.error[deepest]),
        lever[deepest],
        _centroid(line.wavelength[chosen], line.absorption[chosen]),
    )


def _by_profile(
    line: _Pixels, lever: NDArray[np.float64], shape: Literal["gaussian", "voigt"]
) -> _Found:
    """Return area and depth of the profile that fits best."""
    chosen = line.inside & line.good
    wavelength, error = line.wavelength[chosen], line.error[chosen]
    profile = fit_profile(wavelength, line.absorption[chosen], error, shape)
    gain = profile.gain(wavelength, error) @ lever[chosen]
    slopes = profile.depth_slopes
    return _Found(
        profile.area,
        math.sqrt(max(float(profile.covariance[0, 0]), 0.0)),
        gain[0],
        profile.depth,
        math.sqrt(max(float(slopes @ profile.covariance @ slopes), 0.0)),
        slopes @ gain,
        profile.centre,
        profile,
    )


def _counted(
    inside: NDArray[np.bool_], good: NDArray[np.bool_], star: str, low: float, high: float
) -> tuple[int, int]:
    """Return how many pixels a line has and how many are bad; raise if there are too few good."""
    n_pixels, n_bad = int(inside.sum()), int((inside & ~good).sum())
    if n_pixels < 2:
        raise LinesError(
            f"Expected two pixels or more from {low:.2f} to {high:.2f} angstrom; found {n_pixels}."
        )
    if n_bad > MOST_BAD * n_pixels:
        raise LinesError(
            f"{n_bad} of {n_pixels} pixels of {star} from {low:.2f} to {high:.2f} angstrom are "
            "bad: nothing can be measured there."
        )
    return n_pixels, n_bad


def _spread(lever: NDArray[np.float64], base: LocalContinuum) -> float:
    """Return the error that a continuum's errors give to what changes by `lever` with them."""
    return math.sqrt(max(float(lever @ base.covariance @ lever), 0.0))


def _chip_of(
    spectra: Spectra, low: float, high: float, reach: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return wavelength, flux and error, 0 where bad, of the chip that holds a line."""
    if len(spectra) != 1:
        raise LinesError(f"Expected one spectrum to measure; found {len(spectra)}.")
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise LinesError(f"Expected two rising edges of a line; found {low:g} and {high:g}.")
    grid = spectra.grid
    for chip in grid.chips:
        wavelength = grid.wavelength[chip.pixels]
        if wavelength[0] <= low and high <= wavelength[-1]:
            near = (wavelength >= low - reach) & (wavelength <= high + reach)
            flux = spectra.flux[0][chip.pixels][near].astype(np.float64)
            ivar = spectra.ivar[0][chip.pixels][near].astype(np.float64)
            good = np.isfinite(flux) & np.isfinite(ivar) & (ivar > 0)
            sigma = np.where(good, 1 / np.sqrt(np.where(good, ivar, 1.0)), 0.0)
            return wavelength[near], np.where(good, flux, np.nan), sigma
    raise LinesError(
        f"{low:.2f} to {high:.2f} angstrom do not lie on one chip of {spectra.ids[0]}."
    )


def _weights(
    wavelength: NDArray[np.float64], inside: NDArray[np.bool_], good: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the weight of each pixel in the area of a line, angstrom.

    A bad pixel counts as what its good neighbours have, in proportion to their distances: they
    take over its weight.
    """
    step = np.gradient(wavelength)
    weight = np.where(inside & good, step, 0.0)
    usable = np.flatnonzero(good)
    for i in np.flatnonzero(inside & ~good):
        after = int(np.searchsorted(usable, i))
        left, right = usable[max(after - 1, 0)], usable[min(after, len(usable) - 1)]
        away = (wavelength[i] - wavelength[left]) / max(wavelength[right] - wavelength[left], 1e-9)
        weight[left] += step[i] * (1 - away)
        weight[right] += step[i] * away
    return weight


def _centroid(wavelength: NDArray[np.float64], absorption: NDArray[np.float64]) -> float:
    """Return the mean wavelength, weighted by what is absorbed, or emitted if that is more."""
    more = absorption if absorption.sum() >= 0 else -absorption
    weight = np.clip(more, 0, None)
    if weight.sum() <= 0:
        return float(wavelength.mean())
    return float((weight * wavelength).sum() / weight.sum())

"""Continuum normalisation: one routine for synthetic and for observed spectra.

On each chip the continuum is ``exp(p)`` with ``p`` a Chebyshev polynomial in pixel
number, fitted by inverse-variance weighted least squares to the flux at continuum
pixels, with weights that fade to zero away from the fit (sooner below, where lines
are, than above, where cosmic rays are).

The polynomial is that of the logarithm for two reasons: the continuum cannot become
negative, and the shapes form a group under multiplication. So a spectrum times such
a shape has exactly the same normalised spectrum, and normalising twice changes
nothing. Weights fade smoothly because an emulator learns normalised flux as a
function of labels, and a pixel that is dropped at once makes that function jump.

Which pixels are continuum is said by :mod:`.stored_continuum_pixels`, unless the caller does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray

from ..errors import SpectrumError
from .spectra import Spectra
from .stored_continuum_pixels import default_continuum_pixels
from .wavelength import WavelengthGrid

MAD_TO_SIGMA = 1.4826
"""Standard deviation of a Gaussian over its median absolute deviation."""

DEGREE = 4
"""Degree of the polynomial on each chip."""

LOWER_SIGMA, UPPER_SIGMA = 4.0, 6.0
"""Residuals, in units of their scatter, at which the weight of a pixel reaches zero.

Up to half of this the weight is full, so that noise, which is symmetric, is treated
alike on both sides and does not shift the continuum.
"""

SCATTER_FLOOR = 0.015
"""Smallest scatter assumed, relative to the continuum.

No pixel is free of lines to better than about this, so neither a tiny error nor a
very smooth spectrum may make one pixel decide the fit.
"""

N_BLOCKS = 8
"""Parts of a chip; each one holds continuum pixels, so that its ends are tied down.

With more parts the list must take poor pixels where a part has no good ones (the Si and
Brackett lines at the blue end of the green chip), and the polynomial follows them.
"""

CONTINUUM_FRACTION = 0.15
"""Part of the pixels that :func:`.derive_continuum_pixels` takes."""

TOLERANCE = 1e-6
"""Relative change of the continuum below which iteration stops."""

MAX_ITERATIONS = 60
"""Most steps per chip; some ten are usual."""

LEAST_GOOD_PIXELS_PER_BLOCK = 3
"""A block with fewer good continuum pixels than this borrows its brightest pixels."""

BRIGHT_FRACTION = 0.25
"""Part of the good pixels of a block that counts as its brightest."""

N_CONVEX_STEPS = 5
"""Steps with convex weights before those that fade to zero."""

LEVENBERG_DAMPING = 1e-6
"""Levenberg damping; it slows down only directions that the data leave free."""

STARS_AT_ONCE = 512
"""Spectra whose continua are fitted together."""


def _chip_notes(
    spectra: Spectra, start: int, known: NDArray[np.bool_], use: NDArray[np.bool_], first_row: int
) -> list[str]:
    """Return a sentence on each chip of the rows from `start` that lacks continuum pixels."""
    notes = []
    for chip in spectra.grid.chips:
        for i in np.flatnonzero(~known[:, chip.start]):
            notes.append(
                f"Spectrum {spectra.ids[start + i]} (row {first_row + start + i}) has too few "
                f"usable pixels on chip {chip.name}; it is left out."
            )
        good = spectra.ivar[start : start + len(known), chip.pixels] > 0
        borrowed = _borrowing(good, use[chip.pixels]).any(axis=1) & known[:, chip.start]
        for i in np.flatnonzero(borrowed):
            notes.append(
                f"Spectrum {spectra.ids[start + i]} (row {first_row + start + i}) lacks "
                f"continuum pixels on a part of chip {chip.name}; its brightest pixels there "
                "stand in."
            )
    return notes


def normalise(
    spectra: Spectra,
    pixels: ArrayLike | None = None,
    degree: int = DEGREE,
    lower: float = LOWER_SIGMA,
    upper: float = UPPER_SIGMA,
    floor: float = SCATTER_FLOOR,
    *,
    first_row: int = 0,
) -> Spectra:
    """Divide spectra by their continuum.

    Parameters
    ----------
    spectra : Spectra
        Spectra on any grid that the stored pixel list covers, or for which `pixels`
        is given. Not changed.
    pixels : array_like of bool, shape ``(n_pixels,)``, optional
        Continuum pixels; :func:`default_continuum_pixels` if not given.
    degree, lower, upper, floor
        As in :func:`fit_continuum`.
    first_row : int
        Number by which notes call the first spectrum, where these are a part of a larger set.

    Returns
    -------
    Spectra
        Flux divided by the continuum, inverse variance times its square. Pixels on
        no chip, and chips without a usable pixel, keep their flux and get an inverse
        variance of 0. ``provenance["continuum"]`` records the routine, its
        parameters and, as ``notes``, the chips without a continuum and those where
        bright pixels had to stand in for continuum pixels.

    Raises
    ------
    GridError
        If the stored pixel list does not cover the grid.
    SpectrumError
        If `pixels` does not fit the grid.

    Examples
    --------
    A flat spectrum of any height is its own continuum.

    >>> from spectrabridge.core.spectra import APOGEE_GRID
    >>> spectra = Spectra(APOGEE_GRID, np.full(APOGEE_GRID.n_pixels, 250.0))
    >>> bool(np.allclose(normalise(spectra).flux, 1.0, atol=1e-5))
    True
    """
    grid = spectra.grid
    use = default_continuum_pixels(grid) if pixels is None else _as_pixels(pixels, grid)
    flux = np.empty_like(spectra.flux)
    ivar = np.empty_like(spectra.ivar)
    notes = []
    for start in range(0, len(spectra), STARS_AT_ONCE):
        rows = slice(start, start + STARS_AT_ONCE)
        part = fit_continuum(
            spectra.flux[rows], spectra.ivar[rows], grid, use, degree, lower, upper, floor
        )
        known = np.isfinite(part)
        part = np.where(known, part, 1.0)
        flux[rows] = spectra.flux[rows] / part
        ivar[rows] = np.where(known, spectra.ivar[rows] * part**2, 0)
        notes += _chip_notes(spectra, start, known, use, first_row)
    record = {
        "routine": "spectrabridge.core.spectra.continuum.normalise",
        "form": "exp of a Chebyshev polynomial per chip",
        "degree": degree,
        "lower": lower,
        "upper": upper,
        "floor": floor,
        "n_continuum_pixels": int(use.sum()),
        "pixels": "stored list" if pixels is None else "given by the caller",
        "notes": notes,
    }
    provenance = {**spectra.provenance, "continuum": record}
    return replace(spectra, flux=flux, ivar=ivar, provenance=provenance)


def fit_continuum(
    flux: ArrayLike,
    ivar: ArrayLike,
    grid: WavelengthGrid,
    pixels: ArrayLike,
    degree: int = DEGREE,
    lower: float = LOWER_SIGMA,
    upper: float = UPPER_SIGMA,
    floor: float = SCATTER_FLOOR,
) -> NDArray[np.float64]:
    """Fit the continuum of spectra, chip by chip.

    Parameters
    ----------
    flux, ivar : array_like, shape ``(n_stars, n_pixels)``
        Flux in any unit and its inverse variance, 0 where unusable.
    grid : WavelengthGrid
        Grid of the flux; only its chips matter.
    pixels : array_like of bool, shape ``(n_pixels,)``
        Continuum pixels. In a part of a chip (one of :data:`N_BLOCKS`) where almost
        none of them is usable, the brightest quarter of the usable pixels helps out.
    degree : int
        Degree of the polynomial.
    lower, upper : float
        How far below and above the fit, in units of the robust scatter of the
        residuals, the weight of a pixel becomes zero. It is full up to half as far and
        falls like a squared cosine in between.
    floor : float
        Smallest relative scatter assumed. It is also added in quadrature to the
        relative errors, which bounds the weight of a single pixel.

    Returns
    -------
    ndarray, shape ``(n_stars, n_pixels)``
        The continuum, positive; NaN on pixels of no chip and on chips where too few
        pixels are usable.

    Raises
    ------
    SpectrumError
        If shapes do not fit or a parameter makes no sense.
    """
    flux = np.atleast_2d(np.asarray(flux, dtype=np.float64))
    ivar = np.atleast_2d(np.asarray(ivar, dtype=np.float64))
    if flux.shape != ivar.shape or flux.shape[-1] != grid.n_pixels:
        raise SpectrumError(
            f"Expected flux and ivar of shape (n_stars, {grid.n_pixels}); found {flux.shape} and "
            f"{ivar.shape}."
        )
    if degree < 0 or min(lower, upper, floor) <= 0:
        raise SpectrumError(
            "Expected degree >= 0 and positive lower, upper and floor; found "
            f"{degree}, {lower:g}, {upper:g}, {floor:g}."
        )
    use = _as_pixels(pixels, grid)
    out = np.full(flux.shape, np.nan)
    for chip in grid.chips:
        out[:, chip.pixels] = _fit_chip(
            flux[:, chip.pixels],
            ivar[:, chip.pixels],
            use[chip.pixels],
            degree,
            (lower, upper, floor),
        )
    return out


def _as_pixels(pixels: ArrayLike, grid: WavelengthGrid) -> NDArray[np.bool_]:
    use = np.asarray(pixels)
    if use.dtype != bool or use.shape != (grid.n_pixels,):
        raise SpectrumError(
            f"Expected continuum pixels as booleans of shape ({grid.n_pixels},); found "
            f"{use.dtype} of shape {use.shape}."
        )
    return use


def _fit_chip(
    flux: NDArray[np.float64],
    ivar: NDArray[np.float64],
    pixels: NDArray[np.bool_],
    degree: int,
    clip: tuple[float, float, float],
) -> NDArray[np.float64]:
    """Return the continuum of one chip, NaN in rows where there is none."""
    n, p = flux.shape
    good = (ivar > 0) & np.isfinite(flux)
    use, level = _start(flux, good, pixels)
    columns = np.flatnonzero(use.any(axis=0))
    fitted = use.sum(axis=1) > 2 * (degree + 1)
    fitted &= np.isfinite(level).any(axis=1)
    out = np.full((n, p), np.nan)
    if not fitted.any():
        return out
    basis = np.asarray(chebyshev.chebvander(np.linspace(-1, 1, p), degree), dtype=np.float64)
    log = np.zeros((n, degree + 1))
    centres = np.array([b.mean() for b in _blocks(p)]) * 2 / (p - 1) - 1
    known = np.isfinite(level)
    log[fitted] = _solve(
        known[fitted].astype(float),
        np.where(known, np.log(np.where(known, level, 1)), 0)[fitted],
        chebyshev.chebvander(centres, degree),
        damping=1e-3,
    )
    rows = np.flatnonzero(fitted)
    some = basis[columns]
    for iteration in range(MAX_ITERATIONS):
        step = _step(
            flux[np.ix_(rows, columns)],
            ivar[np.ix_(rows, columns)],
            use[np.ix_(rows, columns)],
            log[rows],
            some,
            clip,
            convex=iteration < N_CONVEX_STEPS,
        )
        # Half steps end the rare case of two pixels that take turns in being the median.
        log[rows] += step if iteration < MAX_ITERATIONS // 3 else 0.5 * step
        moving = np.abs(step).sum(axis=1) > TOLERANCE
        if iteration >= N_CONVEX_STEPS:
            rows = rows[moving]
        if rows.size == 0:
            break
    out[fitted] = np.exp(np.clip(log[fitted] @ basis.T, -80, 80))
    return out


def _blocks(n_pixels: int) -> list[NDArray[np.int64]]:
    """Cut a chip into equal parts; return the pixels of each."""
    return np.array_split(np.arange(n_pixels), min(N_BLOCKS, n_pixels))


def _borrowing(good: NDArray[np.bool_], pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell in which blocks of a chip most of the continuum pixels are unusable."""
    blocks = _blocks(pixels.size)
    left = np.stack([(good[:, b] & pixels[b]).sum(axis=1) for b in blocks], axis=1)
    there = np.stack([good[:, b].any(axis=1) for b in blocks], axis=1)
    listed = np.array([pixels[b].sum() for b in blocks])
    # On a grid that the list was not made for, an end without any listed pixel borrows too: a
    # polynomial that nothing ties down there runs away. Between listed pixels it does not, and
    # the brightest pixels of a noisy spectrum lie too high.
    known = listed > 0
    between = np.logical_or.accumulate(known) & np.logical_or.accumulate(known[::-1])[::-1]
    few: NDArray[np.bool_] = (left < np.minimum(LEAST_GOOD_PIXELS_PER_BLOCK, listed)) | ~between
    return few & there


def _start(
    flux: NDArray[np.float64], good: NDArray[np.bool_], pixels: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Choose the pixels to fit, and the median flux of them in each block of the chip.

    The medians start the fit; they do not care about a few outliers. NaN where a block
    has no usable pixel or the median is not positive.
    """
    use = good & pixels
    blocks = _blocks(flux.shape[1])
    level = np.full((len(flux), len(blocks)), np.nan)
    borrowing = _borrowing(good, pixels)
    for i, block in enumerate(blocks):
        few = np.flatnonzero(borrowing[:, i])
        if few.size:
            there = good[np.ix_(few, block)]
            height = np.where(there, flux[np.ix_(few, block)], -np.inf)
            rank = np.argsort(np.argsort(-height, axis=1), axis=1)
            wanted = np.ceil(BRIGHT_FRACTION * there.sum(axis=1, keepdims=True))
            use[np.ix_(few, block)] |= there & (rank < wanted)
        level[:, i] = _median(flux[:, block], use[:, block])
    level[~(level > 0)] = np.nan
    return use, level


def _median(values: NDArray[np.float64], use: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the median along rows of the values in use, NaN where there is none."""
    ordered = np.sort(np.where(use, values, np.inf), axis=1)
    count = use.sum(axis=1)
    rows = np.arange(len(values))
    low = ordered[rows, np.maximum(count - 1, 0) // 2]
    high = ordered[rows, np.minimum(count // 2, values.shape[1] - 1)]
    out: NDArray[np.float64] = np.where(count > 0, low, np.nan) / 2
    return out + np.where(count > 0, high, np.nan) / 2


def _step(
    flux: NDArray[np.float64],
    ivar: NDArray[np.float64],
    use: NDArray[np.bool_],
    log: NDArray[np.float64],
    basis: NDArray[np.float64],
    clip: tuple[float, float, float],
    convex: bool,
) -> NDArray[np.float64]:
    """Return the change of the coefficients in one reweighted Gauss-Newton step.

    `convex` asks for the weights of the median's relatives (Huber), which lead to the
    right basin from anywhere; without it they fade to zero at `lower` and `upper`.
    """
    lower, upper, floor = clip
    continuum = np.exp(np.clip(log @ basis.T, -80, 80))
    residual = flux / continuum - 1
    residual[~use] = 0
    scatter = MAD_TO_SIGMA * _median(np.abs(residual), use)
    scale = np.hypot(scatter, floor)[:, None]
    if convex:
        size = np.abs(residual) / scale
        fade = 1.345 / np.maximum(size, 1.345)
    else:
        size = np.abs(residual) / (scale * np.where(residual < 0, lower, upper))
        fade = np.cos(np.pi * np.clip(size - 0.5, 0, 0.5)) ** 2
    with np.errstate(divide="ignore"):
        variance = 1 / (np.where(use, ivar, 1) * continuum**2) + floor**2
    weight = np.where(use, fade / variance, 0)
    step = _solve(weight, residual, basis, LEVENBERG_DAMPING)
    largest = np.abs(step).sum(axis=1, keepdims=True)
    return step * np.minimum(1, 0.5 / np.maximum(largest, 1e-300))


def _solve(
    weight: NDArray[np.float64],
    values: NDArray[np.float64],
    basis: NDArray[np.float64],
    damping: float,
) -> NDArray[np.float64]:
    """Solve one weighted least-squares problem per row, all rows at once.

    `damping` pulls coefficients to zero, higher orders more, where data are missing.
    """
    k = basis.shape[1]
    products = (basis[:, :, None] * basis[:, None, :]).reshape(len(basis), k * k)
    matrix = (weight @ products).reshape(-1, k, k)
    total = np.maximum(weight.sum(axis=1), 1e-300)
    matrix += damping * total[:, None, None] * np.diag(np.arange(k) ** 2.0 + 1e-6)
    right = (weight * values) @ basis
    return np.asarray(np.linalg.solve(matrix, right[:, :, None])[:, :, 0], dtype=np.float64)

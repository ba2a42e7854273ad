"""Which pixels of a spectrum may be used, and how much noise they have.

The rules are those of :func:`.pixel_mask.usable`, for files of any origin: a pixel counts if its
flux is finite, not exactly 0 and no filler, if its error is positive, finite and not so large that
it means "no information", and if no mask marks it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrumError
from ..spectra.continuum import MAD_TO_SIGMA
from .column_units import PERCENT, factor_to_flux
from .columns import Column, Columns

ERROR_FLOOR = 0.005
"""Errors that are estimated are at least this part of the flux."""

NO_INFORMATION = 100.0
"""Errors from here on, in units of the median flux, mark bad pixels; The Payne writes 999."""

BAD_PART = 0.8
"""A quality column that marks more than this as bad is taken for one with 0 and 1 exchanged."""

PLACEHOLDER_FACTOR = 3.0
"""Errors of 1 everywhere are believed if the scatter of the pixels is 1 within this factor."""

FILL_VALUES = (-9999.0, -999.0, -99.0, -99999.0, -9999.9, -999.9, -32768.0, -1e30, -1e20, 1e20)
"""Numbers that stand for a missing flux in usual formats, beside 0, NaN and those below."""

FILL_MAGNITUDE = 1e30
"""A flux as large as this, in whatever unit, is a filler: those of netCDF and IRAF are larger."""

FAR_SPREADS = 5.0
"""A filler of a usual format lies farther than this from the median, in standard deviations."""

REPEATED_SPREADS = 20.0
"""The same for a value that is only known as a filler because it is repeated."""


REPEATS = 3
"""How often an outlying value is repeated before it is taken for a filler."""


def fillers(flux: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which values are fillers, not flux.

    Parameters
    ----------
    flux : ndarray
        In any unit; NaN and infinity count as fillers.

    Returns
    -------
    ndarray of bool
        True at values that are not finite, 0, of :data:`FILL_MAGNITUDE` or more; and at those of
        :data:`FILL_VALUES`, and at a smallest or largest value that stands there three times or
        more, if they are far from all other flux.

    Examples
    --------
    >>> import numpy as np
    >>> fillers(np.array([1.0, 0.9, 1.1, -9999.0, 1.02, 0.95, np.nan])).tolist()
    [False, False, False, True, False, False, True]
    """
    out = ~np.isfinite(flux) | (flux == 0) | (np.abs(flux) >= FILL_MAGNITUDE)
    rest = flux[~out]
    if rest.size < 3:
        return out
    # The fillers themselves are to have no part in what is usual.
    plain = rest[~np.isin(rest, FILL_VALUES)]
    if not plain.size:
        return out
    middle = float(np.median(plain))
    spread = MAD_TO_SIGMA * float(np.median(np.abs(plain - middle)))
    away = np.abs(flux - middle) / max(spread, 1e-3 * abs(middle), 1e-300)
    out |= np.isin(flux, FILL_VALUES) & (away > FAR_SPREADS)
    left = flux[~out]
    for end in {float(left.max()), min(float(left.min()), 0.0)} if left.size else ():
        same = flux == end
        if same.sum() >= REPEATS and (away[same] > REPEATED_SPREADS).all():
            out |= same
    return out


def scatter(flux: NDArray[np.float64]) -> float:
    """Return the noise of a row of pixels, from second differences of every other one.

    The estimator is that of Stoehr et al. (2008, ASP Conf. 394, 505).

    Parameters
    ----------
    flux : ndarray, shape ``(n_pixels,)``
        Flux of usable pixels.

    Returns
    -------
    float
        Standard deviation; 0 for fewer than five pixels.
    """
    if flux.size < 5:
        return 0.0
    second = 2 * flux[2:-2] - flux[:-4] - flux[4:]
    return 0.6052697 * float(np.median(np.abs(second)))


def estimated_noise(flux: NDArray[np.float64]) -> float:
    """Return the scatter of a row, at least :data:`ERROR_FLOOR` of its median flux."""
    if flux.size < 5:
        return 0.0
    return max(scatter(flux), ERROR_FLOOR * float(np.median(np.abs(flux))))


def inverse_variances(
    table: Columns,
    flux: NDArray[np.float64],
    wavelength: NDArray[np.float64],
    flux_unit: str,
    name: str,
    notes: list[str],
    *,
    by_scatter: bool,
) -> NDArray[np.float64]:
    """Return the inverse variance of all pixels, 0 where one must not be used.

    Parameters
    ----------
    table : Columns
        Where errors and masks are looked for.
    flux : ndarray, shape ``(n, n_pixels)``
        Of the file.
    wavelength : ndarray
        Angstrom, of the shape of a spectrum or of all.
    flux_unit : str
        As in the file.
    name : str
        Of the file, for messages.
    notes : list of str
        Takes a sentence on everything that was assumed.
    by_scatter : bool
        Estimate errors that are missing from the scatter between pixels; else
        :data:`ERROR_FLOOR` of the median flux is assumed, as for computed spectra.

    Raises
    ------
    SpectrumError
        If shapes do not fit, errors are negative, or a mask marks nearly everything.
    """
    good = _good_flux(flux, name, notes) & _unmasked(table, flux, name, notes)
    column = table.find("ivar", "error", "variance", "snr")
    if column is None:
        return _estimated(flux, good, name, notes, f"{name} has no errors", by_scatter)
    role = _role(column)
    values = fitted(column, flux, table.noun, name)
    if role == "snr":
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.abs(flux) / values
        notes.append(f"{column.name} was taken for flux over error.")
        good &= np.isfinite(values)
    else:
        power = {"error": 1, "variance": 2, "ivar": -2}[role]
        factor = factor_to_flux(column.unit, flux_unit, power, wavelength, column.name, name, notes)
        if isinstance(factor, str):
            assert factor == PERCENT
            values = np.abs(flux) * values / 100
            notes.append(f"{column.name} is in percent of the flux.")
        else:
            values = values * factor
    good &= ~np.isin(values, FILL_VALUES) & np.isfinite(values)
    negative = int((values[good] < 0).sum())
    if negative:
        raise SpectrumError(
            f"Errors must not be negative; found {negative} in {table.noun} {column.name!r} of "
            f"{name}. Mark such pixels with 0."
        )
    good &= values > 0
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        error = values if role in ("error", "snr") else values ** (0.5 if power == 2 else -0.5)
    good &= np.isfinite(error)
    good &= ~_without_information(flux, error, good)
    if _placeholder(values, flux, good):
        what = f"{column.name} of {name} is 1 everywhere, which stands for no errors"
        return _estimated(flux, good, name, notes, what, by_scatter)
    out = np.zeros_like(flux)
    out[good] = error[good] ** -2.0
    return out


def _role(column: Column) -> str:
    from .columns import role_of

    return role_of(column.name) or ""


def fitted(column: Column, flux: NDArray[np.float64], noun: str, name: str) -> NDArray[np.float64]:
    """Return the values of a column in the shape of the flux.

    One value per pixel counts for all spectra, one value per spectrum for all its pixels.

    Raises
    ------
    SpectrumError
        If the values are no numbers or do not fit.
    """
    if column.values.dtype.kind not in "fiub":
        raise SpectrumError(
            f"Expected numbers in {column.name} of {name}; found {column.values.dtype}."
        )
    values = column.values.astype(np.float64)
    n, n_pixels = flux.shape
    if values.shape == flux.shape:
        return values
    if values.shape in ((), (1,), (n_pixels,), (1, n_pixels), (n, 1)):
        return np.broadcast_to(values, flux.shape)
    if values.shape == (n,):
        return np.broadcast_to(values[:, None], flux.shape)
    raise SpectrumError(
        f"Expected {noun} {column.name} of the shape of the flux, {flux.shape}, in {name}; found "
        f"{column.values.shape}."
    )


def _good_flux(flux: NDArray[np.float64], name: str, notes: list[str]) -> NDArray[np.bool_]:
    filled = np.array([fillers(row) for row in flux])
    values, counts = np.unique(flux[filled & np.isfinite(flux)], return_counts=True)
    if values.size:
        some = ", ".join(f"{v:g} ({n})" for v, n in list(zip(values, counts, strict=True))[:3])
        notes.append(
            f"{int(counts.sum())} pixels of {name} hold a fill value, not flux, and are not used: "
            f"{some}."
        )
    return ~filled


def _unmasked(
    table: Columns, flux: NDArray[np.float64], name: str, notes: list[str]
) -> NDArray[np.bool_]:
    """Return which pixels no mask and no quality column marks as bad."""
    out = np.ones(flux.shape, bool)
    for column in table.all("good", "bad", "mask"):
        per_star = column.values.shape in ((len(flux),), ()) and flux.shape[1] != len(flux)
        if column.values.dtype.kind not in "fiub" or per_star:
            continue  # a flag of a star, not of its pixels
        # A mark that is missing says nothing good of its pixel.
        values = fitted(column, flux, table.noun, name)
        role = _role(column)
        marked = np.nan_to_num(values, nan=0.0 if role == "good" else 1.0) != 0
        if role == "good":
            out &= marked
            _tell_marked(column, ~marked, name, notes)
            continue
        part = float(marked.mean())
        if role == "mask" and np.unique(values[np.isfinite(values)]).size <= 2:
            # Some mark good pixels, some bad ones; most pixels of a useful spectrum are good.
            usual = part > 0.5
            out &= marked == usual
            _tell_marked(column, marked != usual, name, notes)
            if usual or table.noun == "array":
                notes.append(
                    f"The mask of {name} is {int(usual)} at most pixels; these were taken for the "
                    "good ones."
                )
            continue
        if part > BAD_PART:
            raise SpectrumError(
                f"{table.noun.capitalize()} {column.name!r} of {name} marks {part:.0%} of the "
                "pixels as bad, by not being 0; 0 and 1 seem to be exchanged. Call a column that "
                "is 1 at good pixels 'good'."
            )
        out &= ~marked
        _tell_marked(column, marked, name, notes)
    return out


def _tell_marked(column: Column, bad: NDArray[np.bool_], name: str, notes: list[str]) -> None:
    if bad.any():
        notes.append(
            f"{column.name} of {name} marks {int(bad.sum())} pixels ({bad.mean():.1%}) as bad; "
            "they are not used."
        )


def _without_information(
    flux: NDArray[np.float64], error: NDArray[np.float64], good: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Tell which errors are so large that they only mark a pixel as bad."""
    out = np.zeros(flux.shape, bool)
    for row, (f, e, g) in enumerate(zip(flux, error, good, strict=True)):
        if g.any():
            level = max(float(np.median(np.abs(f[g]))), float(np.median(e[g])))
            out[row] = e >= NO_INFORMATION * level
    return out


def _placeholder(
    values: NDArray[np.float64], flux: NDArray[np.float64], good: NDArray[np.bool_]
) -> bool:
    """Tell whether errors are 1 everywhere and the pixels scatter by another amount."""
    if not good.any() or not (values[good] == 1).all():
        return False
    found = [scatter(f[g]) for f, g in zip(flux, good, strict=True) if g.sum() >= 5]
    noise = float(np.median(found)) if found else 0.0
    return not 1 / PLACEHOLDER_FACTOR <= noise <= PLACEHOLDER_FACTOR


def inverse_square(error: float, name: str) -> float:
    """Return the inverse variance of an error, which must be a number of possible size.

    Raises
    ------
    SpectrumError
        If numbers cannot hold it.

    Examples
    --------
    >>> inverse_square(0.5, "star.csv")
    4.0
    """
    if not 1e-150 < error < 1e150:
        raise SpectrumError(
            f"The flux of {name} has an error near {error:.3g}, of which the square is beyond all "
            "numbers. Give the flux in another unit, or divided by the continuum."
        )
    return float(error**-2.0)


def _estimated(
    flux: NDArray[np.float64],
    good: NDArray[np.bool_],
    name: str,
    notes: list[str],
    why: str,
    by_scatter: bool,
) -> NDArray[np.float64]:
    """Return inverse variances for a file without errors, and say so."""
    out = np.zeros_like(flux)
    if not by_scatter:
        middle = float(np.median(np.abs(flux[good]))) if good.any() else 1.0
        notes.append(f"{why}; {ERROR_FLOOR:g} of the median flux is assumed for all of its pixels.")
        out[good] = inverse_square(ERROR_FLOOR * (middle or 1.0), name)
        return out
    noises = []
    for row, (f, g) in enumerate(zip(flux, good, strict=True)):
        noise = estimated_noise(f[g])
        noises.append(noise)
        if noise > 0:
            out[row, g] = inverse_square(noise, name)
    notes.append(
        f"{why}; {float(np.median(noises)):.3g} was estimated from the scatter between pixels, for "
        "all of them."
    )
    return out


def scaled(
    flux: NDArray[np.float64], ivar: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return flux and inverse variance near 1, and the power of ten that was taken out.

    Single precision ends at 3e38: the inverse variance of a flux in erg/s/cm2/Hz does not fit.
    A flux between 1e-6 and 1e6 is left as it is.

    Examples
    --------
    >>> import numpy as np
    >>> scaled(np.full((1, 3), 3e-24), np.full((1, 3), 1e52))[2]
    1e-24
    """
    good = ivar > 0
    level = float(np.median(np.abs(flux[good]))) if good.any() else 1.0
    if not np.isfinite(level) or level == 0 or 1e-6 <= level <= 1e6:
        return flux, ivar, 1.0
    scale = 10.0 ** np.floor(np.log10(level))
    return flux / scale, ivar * scale**2, float(scale)

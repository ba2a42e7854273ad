"""Gaussian and Voigt profiles fitted to a line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.special import voigt_profile

from ..errors import LinesError

Shape = Literal["gaussian", "voigt"]

PROFILES: tuple[Shape, ...] = ("gaussian", "voigt")
"""Shapes of lines. Each has an area, a centre and a standard deviation; Voigt's also half the
width at half maximum of its Lorentzian."""

_ROOT_2_PI = float(np.sqrt(2 * np.pi))
_FWHM = 2.3548200450309493


@dataclass(frozen=True)
class LineProfile:
    """A profile of absorption, in parts of the continuum.

    Parameters
    ----------
    shape : {"gaussian", "voigt"}
        Which.
    area : float
        Equivalent width, angstrom; negative for emission.
    centre : float
        Vacuum angstrom.
    sigma, gamma : float
        Standard deviation of the Gaussian and half the width at half maximum of the Lorentzian,
        angstrom; the latter 0 for a Gaussian.
    covariance : array
        Of the parameters that were fitted, in this order.
    chi2 : float
        Reduced chi2 of the fit.
    """

    shape: Shape
    area: float
    centre: float
    sigma: float
    gamma: float
    covariance: NDArray[np.float64]
    chi2: float

    @property
    def values(self) -> tuple[float, ...]:
        """The parameters that were fitted, in the order of the covariance."""
        own = (self.area, self.centre, self.sigma)
        return own if self.shape == "gaussian" else (*own, self.gamma)

    def absorption(self, wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the absorbed part of the continuum at wavelengths in vacuum angstrom."""
        return _SHAPES[self.shape](wavelength, *self.values)

    @property
    def depth(self) -> float:
        """Absorbed part of the continuum at the centre."""
        return float(self.absorption(np.array([self.centre]))[0])

    @property
    def depth_slopes(self) -> NDArray[np.float64]:
        """How the depth changes with each parameter."""
        return self.jacobian(np.array([self.centre]))[0]

    def jacobian(self, wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how the absorption changes with each parameter, ``(n_pixels, n_parameters)``."""
        shape, values = _SHAPES[self.shape], self.values
        out = np.empty((len(wavelength), len(values)))
        for i, value in enumerate(values):
            step = 1e-4 * (self.sigma if i else max(abs(self.area), 1e-3))
            up, down = list(values), list(values)
            up[i], down[i] = value + step, value - step
            if down[i] < 0 <= value and i == 3:  # half a width is not negative
                down[i] = value
            change = shape(wavelength, *up) - shape(wavelength, *down)
            out[:, i] = change / (up[i] - down[i])
        return out

    def gain(
        self, wavelength: NDArray[np.float64], sigma: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return how each parameter answers to the absorption ``(n_parameters, n_pixels)``.

        Parameters
        ----------
        wavelength, sigma : array, shape ``(n_pixels,)``
            Of the pixels that the profile was fitted to.
        """
        return np.asarray(self.covariance @ (self.jacobian(wavelength) / sigma[:, None] ** 2).T)

    @property
    def fwhm(self) -> float:
        """Full width at half maximum, angstrom (Olivero & Longbothum 1977, JQSRT 17, 233)."""
        gauss, lorentz = _FWHM * self.sigma, 2 * self.gamma
        return float(0.5346 * lorentz + np.sqrt(0.2166 * lorentz**2 + gauss**2))


def _gaussian(
    wavelength: NDArray[np.float64], area: float, centre: float, sigma: float
) -> NDArray[np.float64]:
    shape = np.exp(-0.5 * ((wavelength - centre) / sigma) ** 2) / (_ROOT_2_PI * sigma)
    return np.asarray(area * shape)


def _voigt(
    wavelength: NDArray[np.float64], area: float, centre: float, sigma: float, gamma: float
) -> NDArray[np.float64]:
    return np.asarray(area * voigt_profile(wavelength - centre, sigma, gamma))


_SHAPES: dict[Shape, Callable[..., NDArray[np.float64]]] = {
    "gaussian": _gaussian,
    "voigt": _voigt,
}


def fit_profile(
    wavelength: NDArray[np.float64],
    absorption: NDArray[np.float64],
    sigma: NDArray[np.float64],
    shape: Shape = "gaussian",
) -> LineProfile:
    """Return the profile that fits the absorption of one line best.

    Parameters
    ----------
    wavelength : array, shape ``(n_pixels,)``
        Vacuum angstrom of good pixels.
    absorption, sigma : array, shape ``(n_pixels,)``
        1 minus flux over continuum, and its error.
    shape : {"gaussian", "voigt"}
        Which profile.

    Raises
    ------
    LinesError
        If there are fewer pixels than parameters, or no profile fits.

    Examples
    --------
    >>> import numpy as np
    >>> wavelength = np.linspace(15998, 16002, 41)
    >>> line = 0.066 * np.exp(-0.5 * ((wavelength - 16000.1) / 0.3) ** 2)
    >>> found = fit_profile(wavelength, line, np.full(41, 0.001))
    >>> round(found.area, 4), round(found.centre, 3), round(found.fwhm, 3)
    (0.0496, 16000.1, 0.706)
    """
    n_parameters = 3 if shape == "gaussian" else 4
    if len(wavelength) <= n_parameters:
        raise LinesError(
            f"Expected more than {n_parameters} good pixels for a {shape} profile; found "
            f"{len(wavelength)}. Integrate instead, or take wider edges."
        )
    step = float(np.median(np.diff(wavelength)))
    span = float(wavelength[-1] - wavelength[0])
    area = float(np.trapezoid(absorption, wavelength))
    weight = np.clip(absorption if area >= 0 else -absorption, 0, None)
    centre = float((weight * wavelength).sum() / max(weight.sum(), 1e-12))
    if not wavelength[0] < centre < wavelength[-1]:
        centre = 0.5 * float(wavelength[0] + wavelength[-1])
    peak = float(np.abs(absorption).max())
    width = float(np.clip(abs(area) / max(_ROOT_2_PI * peak, 1e-12), step / 2, span / 2))
    start = [area, centre, width, width / 4]
    low = [-np.inf, float(wavelength[0]), step / 5, 0.0]
    high = [np.inf, float(wavelength[-1]), span, span]
    try:
        found, covariance = curve_fit(
            _SHAPES[shape],
            wavelength,
            absorption,
            start[:n_parameters],
            sigma,
            absolute_sigma=True,
            bounds=(low[:n_parameters], high[:n_parameters]),
            x_scale=[max(abs(area), 1e-3), step, step, step][:n_parameters],
            max_nfev=400,
        )
    except (RuntimeError, ValueError) as problem:
        raise LinesError(
            f"No {shape} profile fits between {wavelength[0]:.2f} and {wavelength[-1]:.2f} "
            "angstrom. Integrate instead, or take other edges."
        ) from problem
    rest = (absorption - _SHAPES[shape](wavelength, *found)) / sigma
    area, centre, width, *lorentz = (float(v) for v in found)
    return LineProfile(
        shape,
        area,
        centre,
        width,
        lorentz[0] if lorentz else 0.0,
        np.asarray(covariance, np.float64),
        float((rest**2).sum() / (len(wavelength) - n_parameters)),
    )
